"""Which tokens pass themselves on is recorded, beside the experts: -1 alone does not tell."""

from pathlib import Path

import numpy as np

from backends.functional import compare, execute
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.routing import Routing
from moexbar.files.routing_file import load_routing, save_routing
from tests.backends.functional.small import case_of
from tests.compiler.frontend import experts as x
from tests.compiler.frontend import models as m
from tests.make import small_chip

TOKENS = 24


def test_one_output_of_each_kind(tmp_path: Path, runtime: Runtime) -> None:
    """Of 7 outputs, top-2: 4 experts, one that passes the token on, two that give nothing.

    A token whose two picks are an expert and one that gives nothing reads one STORE and not itself;
    some tokens of 24 are such.
    """
    block, _, passing = x.IDLE["masked, on both sides"]
    assert passing == (5,)
    path, seen = m.write(tmp_path, [block]), list[Routing]()

    def keep(recorded: Routing) -> Routing:
        seen.append(recorded)
        save_routing(tmp_path / "routing.npz", recorded)
        return load_routing(tmp_path / "routing.npz")

    case = case_of(runtime, path, m.token_ids(TOKENS, 1), small_chip(), 1, TOKENS, reroute=keep)
    (recorded,) = seen
    assert recorded.choices is not None
    assert recorded.passed is not None
    experts, passed = (recorded.choices[0] >= 0).sum(axis=1), recorded.passed[0]
    assert not passed[experts == 2].any()
    assert (~passed & (experts < 2)).any()
    assert (passed & (experts == 1)).any()
    p = case.program
    entry = case.workload.moe_layers[0].inputs[0]
    maker = next(i for i, op in enumerate(case.workload.operators) if entry in op.outputs)
    rows = np.flatnonzero(p.opcode == Opcode.COMBINE)
    for row in rows.tolist():
        read = p.reads.values[p.reads.offsets[row] : p.reads.offsets[row + 1]]
        token = int(p.token[row])
        assert int((p.opcode[read] == Opcode.STORE).sum()) == experts[token]
        assert int((p.node[read] == maker).sum()) == passed[token]
    found = compare(execute(case, runtime))
    assert found.culprit == -1
    assert found.worst < 2e-6
