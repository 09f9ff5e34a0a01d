"""`moexbar limits`: the table in force; and that MOEXBAR_LIMITS is heeded by a command."""

import json
from pathlib import Path

import pytest

import moexbar as mx
from ir.limits import SETTING
from moexbar.__main__ import main
from tests.hostile.build import serialised, transformer
from tests.hostile.sizes import attention_of


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "tokens=9")
    assert main(["limits", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)["limits"]}
    assert (found["tokens"]["limit"], found["tokens"]["default"]) == (9, 2**17)
    assert main(["limits"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in found)
    assert " 9 *" in shown


def test_a_wrong_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "tokens=many")
    assert main(["limits"]) == 2
    assert capsys.readouterr().err.startswith("error: MOEXBAR_LIMITS: 'tokens=many', expected")


def test_raised_and_lowered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1000 x 1000 scores of 4 bytes are 4,000,000."""
    path = tmp_path / "model.onnx"
    path.write_bytes(serialised(attention_of(1000)))
    assert main(["model", str(path)]) == 0
    monkeypatch.setenv(SETTING, "value_bytes=3999999")
    assert main(["model", str(path)]) == 2
    monkeypatch.setenv(SETTING, "value_bytes=4000000")
    assert main(["model", str(path)]) == 0


def test_in_python(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(transformer().SerializeToString())
    with pytest.raises(mx.InputError, match="limit nodes = 10"):
        mx.open_model(path, limits=mx.Limits(nodes=10))
    with mx.open_model(path, limits=mx.Limits(tokens=8)) as model:
        with pytest.raises(mx.InputError, match="9 tokens, limit tokens = 8"):
            model.workload(tokens=9)
        assert model.workload(tokens=8).moe_layers
    with pytest.raises(mx.InputError, match="limits: 3, expected Limits"):
        mx.open_model(path, limits=3)  # type: ignore[arg-type]
    assert mx.limits(mx.Limits(depth=2)).limits[4].limit == 2
