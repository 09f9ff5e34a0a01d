"""Many selections that look like routers: each is looked at as far as it may reach, no further."""

from typing import Any

import numpy as np
import onnx
import pytest

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph
from compiler.frontend.moe import find, reading
from compiler.frontend.proof.prover import no_proof
from ir.errors import InputError
from ir.limits import Limits
from ir.onnxdoor.load import open_model
from tests.hostile.build import N, model, serialised


def look_alikes(count: int) -> onnx.ModelProto:
    """A router of four experts, of which there is one, weighted by the sum of all gates; again."""
    nodes, x = list[onnx.NodeProto](), "x"
    for i in range(count):
        nodes += [
            N("MatMul", [x, "r"], [f"l{i}"]),
            N("Softmax", [f"l{i}"], [f"s{i}"]),
            N("TopK", [f"s{i}", "k"], [f"b{i}", f"i{i}"]),
            N("MatMul", [x, "up"], [f"u{i}"]),
            N("Relu", [f"u{i}"], [f"a{i}"]),
            N("MatMul", [f"a{i}", "down"], [f"d{i}"]),
            N("ReduceSum", [f"b{i}", "axis"], [f"w{i}"], keepdims=1),
            N("Mul", [f"d{i}", f"w{i}"], [f"m{i}"]),
            N("Add", [x, f"m{i}"], [f"x{i}"]),
        ]
        x = f"x{i}"
    draw = np.random.default_rng(0).standard_normal
    stored = {"r": draw((4, 4)), "up": draw((4, 6)), "down": draw((6, 4)), "k": [2], "axis": [-1]}
    return model([*nodes, N("Identity", [x], ["y"])], stored, dims=["T", 4])


def test_regions_that_are_read_grow_with_the_candidates(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two MoE-like blocks further on three products follow one another: that is where it ends."""
    calls = [0]
    real = reading.readable

    def counted(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        return real(*given, **named)

    monkeypatch.setattr(find, "readable", counted)
    found = []
    for count in (10, 20):
        path = tmp_path / "model.onnx"
        path.write_bytes(serialised(look_alikes(count)))
        calls[0] = 0
        layers, suspects = find.find_moe(Facts.of(Graph.of(open_model(path))), no_proof)
        assert (layers, len(suspects)) == ([], count)
        found.append(calls[0])
    assert found[1] <= 2 * found[0] + 10


def test_what_candidates_lead_to_is_counted(tmp_path: Any) -> None:
    """Each block is looked through to the end of the model: 20 of them, 9 values a block."""
    path = tmp_path / "model.onnx"
    path.write_bytes(serialised(look_alikes(20)))
    facts = Facts.of(Graph.of(open_model(path, limits=Limits(led_to=1000))))
    told = r"what \d+ searches for experts looked through: 1,\d+ values, limit led_to = 1,000; "
    told += r".*led_to=1\d{4}$"  # ten times as many: it is not known how many there would be
    with pytest.raises(InputError, match=told):
        find.find_moe(facts, no_proof)
