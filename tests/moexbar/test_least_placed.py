"""What crossbars hold of a model is told, and too little of it is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import moexbar as mx
from ir.account import DigitalWeights, WeightAccount
from ir.workload import Suspect, Workload
from moexbar.__main__ import main
from moexbar.least_placed import refuse_unplaced
from moexbar.report.reading import read_report
from moexbar.report.weights import weights_line
from tests.compiler.frontend import models as m
from tests.compiler.frontend.left_digital import UNREAD_BRANCHES, UNREAD_INTEGERS
from tests.paths import TINY

Captured = pytest.CaptureFixture[str]
EXPERTS_OF_LAYER = m.EXPERTS * 3 * m.D * m.HIDDEN
REST = 4 * m.D * m.D + m.D * m.EXPERTS + m.D * m.VOCAB  # attention, router and head: dense


def run(capsys: Captured, *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(word) for word in words])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def written(folder: Path, block: m.Ffn) -> tuple[Path, Path]:
    model, inputs = m.write(folder, [block]), folder / "inputs.npz"
    np.savez(inputs, **m.token_ids(8, 4))
    return model, inputs


def account(crossbar: int, matrix: int) -> WeightAccount:
    """So many elements on crossbars and in matrices of one MatMul, beside a table of 7."""
    groups = (
        DigitalWeights("MatMul", "matrix", 1, matrix, "m1", "its rows are not one per token"),
        DigitalWeights("Gather", "table", 1, 7, "g", ""),
        DigitalWeights("Add", "other", 2, 5, "a", ""),
    )
    return WeightAccount(crossbar, matrix + 12, 3, 2, groups)


def workload(crossbar: int, matrix: int) -> Workload:
    suspects = (Suspect("top", "TopK", "no experts follow it"),)
    found = account(crossbar, matrix)
    return Workload("w", "0" * 64, (), (), (), suspects=suspects, account=found)


def test_shares() -> None:
    """9 on crossbars, 1 digital, 7 looked up: 9 / 17 of all, 9 / 10 of what is multiplied."""
    found = account(9, 1)
    assert found.elements == 9 + 1 + 12 + 3 + 2
    assert (found.matrices, found.tables) == (17, 7)
    assert found.placed_percent == pytest.approx(100 * 9 / 17)
    assert found.placed_percent_outside_tables == 90
    assert WeightAccount().placed_percent == 100  # nothing is stored: nothing is missing
    assert weights_line(found) == (
        "weights on crossbars: 9 of 17 (52.9 %, 90.0 % without lookup tables); digital: "
        "MatMul 1 (5.9 %), Gather 1 (41.2 %)"
    )


def test_limit_is_the_least_that_passes() -> None:
    refuse_unplaced(Path("x.onnx"), workload(9, 1), 90)
    refuse_unplaced(Path("x.onnx"), workload(0, 1), 0)
    with pytest.raises(mx.InfeasibleError) as refused:
        refuse_unplaced(Path("x.onnx"), workload(9, 1), 90.1)
    assert (refused.value.demand.value, refused.value.supply.value) == (10, 9)
    text = str(refused.value)
    assert "needs 90.1 % (--least-placed), has 90.0 % (9 of 10 matrix elements" in text
    assert "MatMul 'm1', 10.0 %: its rows are not one per token" in text
    assert "TopK 'top': no experts follow it" in text
    for wrong in (-1.0, 100.5):
        with pytest.raises(mx.InputError, match="expected 0 to 100"):
            refuse_unplaced(Path("x.onnx"), workload(9, 1), wrong)


@pytest.mark.parametrize(
    ("block", "nodes", "operator", "advice"),
    [
        (UNREAD_INTEGERS, 3 * m.EXPERTS, "MatMulInteger", "as it was before it was quantised"),
        (UNREAD_BRANCHES, m.EXPERTS, "If", "export it without control flow"),
    ],
)
def test_compile_refuses_and_goes_on_when_told(
    block: m.Ffn, nodes: int, operator: str, advice: str, tmp_path: Path, capsys: Captured
) -> None:
    model, inputs = written(tmp_path, block)
    words = ["compile", model, "--inputs", inputs, "--prefill", 8, "-o", tmp_path / "out"]
    code, _, told = run(capsys, *words)
    share = 100 * EXPERTS_OF_LAYER / (EXPERTS_OF_LAYER + REST)
    assert code == 5
    assert f"{nodes} {operator} (" in told
    assert f"{share:.1f} %: products" in told
    assert advice in told
    assert "--least-placed 0" in told
    assert not (tmp_path / "out").exists()
    code, shown, told = run(capsys, *words, "--least-placed", 100 - share - 1)
    assert code == 0
    assert f"weights on crossbars: {REST} of" in shown
    assert f"digital: {operator} {nodes} (" in shown
    assert told.count(f"({operator}) and {nodes - 1} more stays digital") == 1
    report = read_report(tmp_path / "out" / "report.json")
    assert report.weights is not None
    assert report.weights.crossbar == REST
    assert report.weights.groups[0].elements == EXPERTS_OF_LAYER


def test_python_has_the_same_limit(tmp_path: Path) -> None:
    model, inputs = written(tmp_path, UNREAD_INTEGERS)
    with pytest.raises(mx.InfeasibleError, match="weights on crossbars"):
        mx.compile(model, inputs=inputs, prefill=8)
    done = mx.compile(model, inputs=inputs, prefill=8, least_placed=0)
    assert done.compiled.workload.account.crossbar == REST


def test_model_tells_the_account(tmp_path: Path, capsys: Captured) -> None:
    path = m.write(tmp_path, [UNREAD_INTEGERS])
    code, shown, told = run(capsys, "model", path)
    assert code == 0
    assert f"weights on crossbars: {REST} of {REST + EXPERTS_OF_LAYER + m.VOCAB * m.D} (" in shown
    code, shown, again = run(capsys, "model", path, "--json")
    assert (code, again) == (0, told)  # the notes are told beside JSON too
    found: dict[str, Any] = json.loads(shown)["weights"]
    kinds = ("crossbar", "digital", "folded", "unused")
    assert found["elements"] == sum(found[kind] for kind in kinds)
    assert found["groups"][0]["operator"] == "MatMulInteger"
    assert found["groups"][0]["reason"] == "products of integers are not read"


def test_profile_tells_the_notes(tmp_path: Path, capsys: Captured) -> None:
    g = m.transformer(m.Graph(), [m.dense_masked(), UNREAD_INTEGERS])
    model, inputs = g.model(tmp_path / "m.onnx", m.LOGITS), tmp_path / "inputs.npz"
    np.savez(inputs, **m.token_ids(8, 4))
    code, _, told = run(
        capsys, "profile", model, "--inputs", inputs, "-o", tmp_path / "routing.npz"
    )
    assert code == 0
    assert told.count("(MatMulInteger)") == 1


def test_what_onnx_runtime_refuses(tmp_path: Path, capsys: Captured) -> None:
    """A head of whole numbers for vectors of floats."""
    model, inputs = written(tmp_path, m.dense_masked())
    damaged = onnx.load(model)
    head = next(t for t in damaged.graph.initializer if list(t.dims) == [m.D, m.VOCAB])
    whole = np.ones((m.D, m.VOCAB), np.int64)
    head.CopyFrom(onnx.numpy_helper.from_array(whole, head.name))
    onnx.save(damaged, model)
    for command in (
        ("model", model),
        ("profile", model, "--inputs", inputs, "-o", tmp_path / "r.npz"),
        ("compile", model, "--inputs", inputs, "--prefill", 8, "-o", tmp_path / "out"),
    ):
        code, _, told = run(capsys, *command)
        assert (code, "ONNX Runtime: " in told) == (2, True), command


def test_moe_operator_is_run(tmp_path: Path, capsys: Captured) -> None:
    """The operator checks its weights only when it runs: fc1 [E, h, 2 d] for tokens of d."""
    model, _ = written(tmp_path, m.contract())
    assert run(capsys, "model", model)[0] == 0
    damaged = onnx.load(model)
    first = next(node for node in damaged.graph.node if node.op_type == "MoE").input[2]
    fc1 = next(t for t in damaged.graph.initializer if t.name == first)
    array = onnx.numpy_helper.to_array(fc1)
    fc1.CopyFrom(onnx.numpy_helper.from_array(np.concatenate([array, array], axis=-1), first))
    onnx.save(damaged, model)
    code, _, told = run(capsys, "model", model)
    assert code == 2
    assert "running MoE node" in told


def test_reports_of_earlier_versions_are_read(tmp_path: Path, capsys: Captured) -> None:
    words = ["--inputs", TINY / "inputs.npz", "--prefill", 8, "--no-verify", "--no-baselines"]
    assert run(capsys, "compile", TINY / "model.onnx", *words, "-o", tmp_path / "out")[0] == 0
    path = tmp_path / "out" / "report.json"
    document = json.loads(path.read_text())
    del document["weights"]
    path.write_text(json.dumps(document))
    assert read_report(path).weights is None
