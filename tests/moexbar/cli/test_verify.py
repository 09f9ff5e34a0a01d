"""`moexbar verify`, and what `compile` executes by itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import moexbar as mx
from moexbar.__main__ import main
from moexbar.execution import refuse_wrong
from tests.compiler.frontend import models


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model compiled, beside its inputs; the model has row tiles on the chip `tiny`."""
    folder = tmp_path_factory.mktemp("verify")
    models.write(folder, [models.dense_masked()])
    np.savez(folder / "x.npz", **models.token_ids(24, 4))
    assert main(_words(folder, "out")) == 0
    return folder


def _words(folder: Path, name: str, *more: str) -> list[str]:
    return [
        "compile",
        str(folder / "model.onnx"),
        "--chip",
        "tiny",
        "--inputs",
        str(folder / "x.npz"),
        "--prefill",
        "24",
        "--no-baselines",
        "--grouping",
        "sorted",
        "-o",
        str(folder / name),
        *more,
    ]


def _report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_compile_executes_a_small_model(compiled: Path) -> None:
    executed = _report(compiled / "out")["executed"]
    assert executed["worst"] < 2e-6
    assert [row["layer"] for row in executed["moe_layers"]] == [0]
    assert executed["first_wrong_instruction"] == -1


def test_on_request_it_does_not(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_words(compiled, "unverified", "--no-verify")) == 0
    assert "not executed: --no-verify" in capsys.readouterr().out
    assert _report(compiled / "unverified")["executed"] == {"skipped": "--no-verify"}


def test_verify(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(compiled / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["worst"] == _report(compiled / "out")["executed"]["worst"]
    assert main(["verify", str(compiled / "out")]) == 0
    assert "executed: largest error" in capsys.readouterr().out


def test_a_wrong_program_ends_with_4(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two routed results exchanged in program.parquet: each is weighted as the other's."""
    wrong = compiled / "wrong"
    shutil.copytree(compiled / "out", wrong)
    table = pq.read_table(wrong / "program.parquet")
    columns = table.to_pydict()
    row = next(i for i, op in enumerate(columns["opcode"]) if op == "COMBINE")
    one, other = (i for i in columns["reads"][row] if columns["opcode"][i] == "STORE")
    expert = columns["expert"]
    expert[one], expert[other] = expert[other], expert[one]
    at = table.schema.get_field_index("expert")
    table = table.set_column(at, table.schema.field(at), pa.array(expert, pa.int32()))
    pq.write_table(table, wrong / "program.parquet")
    assert main(["verify", str(wrong), "--unchecked"]) == 4
    assert "error: check " in capsys.readouterr().err
    read = mx.read_compiled(wrong, unchecked=True)
    with pytest.raises(mx.CheckError, match=r"numbers: #\d+ STORE layer 0.*first wrong result; "):
        refuse_wrong(read.execute(), read.executable.program)


def test_other_sources_are_refused(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(compiled / "other.npz", **models.token_ids(24, 4, seed=7))
    words = ["verify", str(compiled / "out"), "--inputs", str(compiled / "other.npz")]
    assert main(words) == 2
    assert "is not the inputs that" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("field", "value"),
    [("pg_start", 10**6), ("role", "sideways"), ("expert", 99), ("tensor", "x"), ("rows", -1)],
)
def test_damaged_mapping(
    compiled: Path, field: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = compiled / f"broken {field}"
    shutil.copytree(compiled / "out", broken)
    mapping = json.loads((broken / "mapping.json").read_text())
    mapping["blocks"][-1][field] = value
    (broken / "mapping.json").write_text(json.dumps(mapping))
    assert main(["verify", str(broken), "--unchecked"]) == 2
    last = len(mapping["blocks"]) - 1
    assert f"mapping.json: blocks[{last}]" in " ".join(capsys.readouterr().err.split())
