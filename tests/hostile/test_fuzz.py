"""Models changed at random: the first cases of the benchmark, which has tried thousands."""

import contextlib
import time
from collections import Counter
from pathlib import Path

import onnx
import pytest

from benchmarks import fuzz_models, fuzzing
from ir.errors import InputError
from moexbar.__main__ import main
from tests.compiler.frontend import models as m
from tests.hostile.build import N, model, serialised, transformer
from tests.hostile.sizes import looped
from tests.paths import TINY


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_changes() -> None:
    found = fuzz_models.run(range(100), 3, None)
    assert found.failed == []
    assert found.outcomes["refused"] > 20
    assert found.outcomes["accepted"] > 20
    assert found.named >= 0.95 * found.outcomes["refused"]
    assert set(found.outcomes) <= {"refused", "accepted", "lost"}


def test_cases_are_drawn_the_same_again() -> None:
    models = fuzz_models.seeds()
    drawn = [fuzz_models.mutant(i, 3, models) for i in range(40)]
    assert drawn == [fuzz_models.mutant(i, 3, models) for i in range(40)]
    ways = Counter(what.split(", ")[1] for what, _ in drawn)
    assert set(ways) == {"by_bytes", "by_damage", "by_fields"}


def gathered(axis: int) -> bytes:
    nodes = [N("Gather", ["w", "i"], ["p"], axis=axis), N("MatMul", ["x", "p"], ["y"])]
    return serialised(model(nodes, {"w": [[[1.0] * 4] * 4] * 2, "i": 0}))


def sliced() -> bytes:
    nodes = [N("Slice", ["w", "from", "to", "axes"], ["p"]), N("MatMul", ["x", "p"], ["y"])]
    return serialised(model(nodes, {"w": [[1.0] * 4] * 8, "from": [0], "to": [4], "axes": [0, 1]}))


def turned() -> bytes:
    nodes = [N("Transpose", ["w"], ["p"], perm=[0, 9]), N("MatMul", ["x", "p"], ["y"])]
    return serialised(model(nodes, {"w": [[1.0] * 4] * 4}))


def of_no_tokens() -> bytes:
    proto = transformer(m.contract())
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0
    return serialised(proto)


def of_no_sequences() -> bytes:
    """Whose mask is of positions: nothing that its attention gives has a largest number."""
    proto = onnx.ModelProto()
    proto.ParseFromString((TINY / "model.onnx").read_bytes())
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 0
    return serialised(proto)


def along(op_type: str, axis: int) -> bytes:
    """The tiny model, whose nodes of a type are along another axis."""
    proto = onnx.ModelProto()
    proto.ParseFromString((TINY / "model.onnx").read_bytes())
    for node in proto.graph.node:
        for attribute in node.attribute:
            if node.op_type == op_type and attribute.name == "axis":
                attribute.i = axis
    return serialised(proto)


def of_no_type() -> bytes:
    proto = model([N("Relu", ["x"], ["y"])])
    proto.graph.output[0].type.tensor_type.elem_type = 0
    return serialised(proto)


def unused_loop() -> bytes:
    """The model gives its input; the body of a loop that nothing uses still reads a matrix."""
    proto = onnx.ModelProto()
    proto.ParseFromString(serialised(looped(4, True)))
    proto.graph.output[0].name = "x"
    return serialised(proto)


def of_nothing() -> bytes:
    return serialised(model([N("Sum", [""], ["z"]), N("Relu", ["x"], ["y"])]))


FOUND = {
    "a loop that nothing uses": unused_loop(),
    "a sum of nothing": of_nothing(),
    "a Gather along axis 9": gathered(9),
    "a Slice of more axes than starts": sliced(),
    "a Transpose to axis 9": turned(),
    "a TopK along axis 6": along("TopK", 6),
    "a Softmax along axis -101": along("Softmax", -101),
    "no sequences": of_no_sequences(),
    "no tokens": of_no_tokens(),
    "an output of no type": of_no_type(),
}


@pytest.mark.parametrize("data", FOUND.values(), ids=FOUND)
def test_what_was_a_traceback(data: bytes, tmp_path: Path) -> None:
    """Some are refused, some listed as they are."""
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    assert main(["model", str(path)]) in (0, 2)


def test_a_case_that_hangs_cannot_take_the_alarm_for_an_error_of_its_own() -> None:
    def waits() -> None:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(10)

    with pytest.raises(fuzzing.HangingError), fuzzing.alarmed(1):
        waits()


@pytest.mark.parametrize(("mib", "outcome"), [(10, "refused"), (300, "costly")])
def test_a_refusal_that_takes_much_memory_is_none(mib: int, outcome: str) -> None:
    def case() -> str:
        taken = b"x" * (mib * 2**20)
        raise InputError("model.onnx", f"{len(taken)} bytes")

    found, _, cost = fuzzing.tried(case)
    assert found == outcome
    assert mib - 5 <= cost.mib <= mib + 20


def test_a_refusal_that_takes_long_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def case() -> str:
        raise InputError("model.onnx", "bad")

    assert fuzzing.tried(case)[0] == "refused"
    monkeypatch.setattr(fuzzing, "MOST_CPU_S", 0.0)
    assert fuzzing.tried(case)[0] == "costly"
