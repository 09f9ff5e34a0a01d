"""Models of other shapes than ids in, logits out: compiled and executed by the front door."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

import moexbar
from compiler.options import SolverOptions
from moexbar.__main__ import main
from moexbar.report.executed import Executed
from tests.compiler.frontend import models as m

QUICK = SolverOptions(time_s=0.1)


def vectors(*shape: int) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {"x": random.standard_normal((*shape, m.D)).astype(np.float32)}


def block(folder: Path, shape: m.Dims, body: m.Ffn) -> Path:
    """`body` alone: a model of vectors `x` and their results `y`."""
    g = m.Graph()
    body(g, "x")
    g.nodes[-1].output[0] = "y"
    return g.model(folder / "m.onnx", {"y": shape}, {"x": (TensorProto.FLOAT, shape)})


def compiled(path: Path, inputs: dict[str, Any], prefill: int, **options: Any) -> Any:
    return moexbar.compile(
        path, inputs=inputs, prefill=prefill, limits=QUICK, baselines="none", **options
    )


def right(done: Any) -> bool:
    executed = done.report.executed
    return isinstance(executed, Executed) and executed.worst is not None and executed.worst < 1e-5


BODIES: dict[str, m.Ffn] = {
    "masked": m.dense_masked(),
    "gathered": m.gather_batched(),
    "operator": m.contract(),
    "packed": m.quantised_contract(4),
    "dense": m.gated,  # two products that read the model's input itself
}


@pytest.mark.parametrize("name", BODIES)
def test_a_block_alone(name: str, tmp_path: Path) -> None:
    """What its crossbars are given is the model's input, which no instruction makes."""
    done = compiled(block(tmp_path, [1, "tokens", m.D], BODIES[name]), vectors(4, 11), 9)
    assert right(done)
    assert done.report.window.prefill == 9
    assert len(done.report.layers) == (name != "dense")


@pytest.mark.parametrize("name", BODIES)
def test_rows_are_tokens(name: str, tmp_path: Path) -> None:
    """44 vectors without an axis for sequences: four sequences of 9, and 8 rows too many."""
    done = compiled(block(tmp_path, ["rows", m.D], BODIES[name]), vectors(44), 9)
    assert right(done)
    if name != "dense":
        assert done.routing.sequence.tolist() == [s for s in range(4) for _ in range(9)]


def test_a_window_inside_of_rows(tmp_path: Path) -> None:
    """A trace of all 44 rows as one sequence: the window starts at row 22."""
    path = block(tmp_path, ["rows", m.D], m.dense_masked())
    trace = moexbar.profile(path, vectors(44))
    assert trace.sequence.tolist() == [0] * 44
    done = compiled(path, vectors(44), 9, routing=trace)
    assert done.report.window.first_token == 22
    assert right(done)


def test_a_model_without_moe_layers_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command on the folder works: it needs no trace, and its file of one holds no layer."""
    path = m.write(tmp_path, [m.gated])
    inputs, folder = tmp_path / "ids.npz", str(tmp_path / "out")
    np.savez(inputs, **m.token_ids(12, 3))
    given = ["--inputs", str(inputs), "--prefill", "9", "--decode", "2", "--time", "0.1"]
    assert main(["compile", str(path), *given, "-o", folder]) == 0
    printed = capsys.readouterr().out
    assert "no MoE layer, so nothing is fitted" in printed
    assert "executed: largest error" in printed
    for command in ("verify", "accuracy", "simulate", "inspect"):
        assert main([command, folder]) == 0, capsys.readouterr().err
    assert main(["accuracy", folder, "--routing", "fixed"]) == 0
    assert main(["profile", str(path), "--inputs", str(inputs), "-o", f"{folder}.npz"]) == 2
    assert "no MoE layer was recognised; there is nothing to profile" in capsys.readouterr().err
