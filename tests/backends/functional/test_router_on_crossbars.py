"""A router whose matrix is on crossbars: its GATEs start from the logits that these give.

Rows of x @ W summed in another order differ by some 1e-7; 1e-4 would be a wrong term.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.functional import Case, compare, execute
from backends.functional.crossbars import Crossbars
from ir.errors import CheckError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from tests.backends.functional import mutate
from tests.backends.functional.mutate import rows
from tests.backends.functional.small import run_case, small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

CHIP = small_chip(digital={"router_on": "crossbar"})

FORMS: dict[str, tuple[m.Ffn, dict[str, Any]]] = {
    "softmax, then the k best": (m.dense_masked(), {}),
    "sigmoid with a bias of its own": (m.dense_masked(m.sigmoid_topk), {}),
    "gate of a shared expert, digital": (m.dense_masked(shared=m.gated_shared), {}),
    "one operator of logits": (m.contract(0, "relu"), {}),
    "weights on the input": (m.llama4, {}),
    "tokens dropped by position": (m.switch, {}),
    "expert choice": (m.expert_choice(), {}),
    "decode steps": (m.dense_masked(), {"decode": 4, "tokens": 9}),
    "decode steps with expert choice": (m.expert_choice(), {"decode": 4, "tokens": 9}),
    "sums on digital units": (
        m.dense_masked(),
        {"chip": small_chip(digital={"router_on": "crossbar"}, accumulate={"where": "dpu"})},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_computes_the_model(name: str, tmp_path: Path, runtime: Runtime) -> None:
    block, options = FORMS[name]
    case = small_case(runtime, tmp_path, block, **({"chip": CHIP} | options))
    (layer,) = case.workload.moe_layers
    assert layer.router.projection is not None
    assert [
        b.weight for b in case.mapping.blocks if b.operator == _index(case) and b.role == "dense"
    ] == [layer.router.projection]
    done = run_case(runtime, case)
    assert (done.culprit, done.near_ties) == (-1, 0)
    assert done.worst < 2e-6


def test_a_router_of_two_matrices_stays_digital(tmp_path: Path, runtime: Runtime) -> None:
    """Its last matrix multiplies tanh(x @ V), which is no vector that a LOAD could bring."""
    case = small_case(runtime, tmp_path, m.dense_masked(m.two_step), chip=CHIP)
    (layer,) = case.workload.moe_layers
    assert layer.router.projection is None
    assert run_case(runtime, case).culprit == -1


def _index(case: Case) -> int:
    return case.workload.operators.index(case.workload.moe_layers[0])


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    return small_case(runtime, tmp_path_factory.mktemp("model"), m.dense_masked(), chip=CHIP)


def router_cells(case: Case) -> tuple[Crossbars, np.ndarray[Any, Any]]:
    """The crossbars, and the cells of the router's first tile in them: 8 of d = 16 rows."""
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    tiles = next(
        t for t in crossbars.tiles if t.block.role == "dense" and t.block.operator == _index(case)
    )
    return crossbars, crossbars.cells[int(tiles.pg[0, 0]), int(tiles.spot[0, 0, 0])]


def router_mvms(case: Case) -> list[int]:
    p = case.program
    return rows(p, Opcode.MVM, node=_index(case), expert=-1, stage=0)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda cells: cells[:, ::-1].copy(), id="other experts selected"),
        pytest.param(lambda cells: cells * 1.001, id="the same experts, other weights"),
    ],
)
def test_wrong_cells_of_the_router_are_named(case: Case, runtime: Runtime, change: Any) -> None:
    """Right vectors but wrong logits are no near tie: the router's MVM is named either way."""
    crossbars, cells = router_cells(case)
    cells[:] = change(cells)
    try:
        culprit = compare(execute(case, runtime, crossbars)).culprit
    except CheckError as error:
        assert "wrong logits" in error.problem
        culprit = int(error.culprit.partition(" ")[0][1:])
    assert culprit in router_mvms(case)


def test_logits_of_another_token(case: Case, runtime: Runtime) -> None:
    p = case.program
    gates = rows(p, Opcode.GATE)
    store = int(p.reads[gates[-1]][0])
    assert p.opcode[store] == Opcode.STORE

    def experts(gate: int) -> set[int]:
        return set(p.expert[(p.token == p.token[gate]) & (p.opcode == Opcode.MVM)].tolist())

    unlike = [gate for gate in gates if experts(gate) != experts(gates[-1])]
    other = int(p.reads[unlike[-1]][0])
    changed = case.running(mutate.read_instead(mutate.apart(p, other), gates[-1], store, other))
    with pytest.raises(CheckError, match="router of layer 0 selects"):
        compare(execute(changed, runtime))


def test_the_product_left_out(case: Case, runtime: Runtime) -> None:
    p = case.program
    gate = rows(p, Opcode.GATE)[0]
    changed = case.running(mutate.reads(p, gate, p.reads[gate].tolist()[1:]))
    with pytest.raises(CheckError, match="reads 0 values 'logits', expected 1"):
        compare(execute(changed, runtime))
