"""Inputs from strangers: refused in one line, before they cost anything; no trace is written."""

import re
from pathlib import Path

import pytest

from moexbar.__main__ import main
from tests.hostile.build import transformer
from tests.hostile.inputs import INPUTS, BadInputs


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("bad", INPUTS.values(), ids=INPUTS)
def test_refused(bad: BadInputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, inputs, trace = (tmp_path / name for name in ("model.onnx", "x.npz", "routing.npz"))
    model.write_bytes(transformer().SerializeToString())
    bad.write(inputs)
    trace.write_bytes(b"as it was")
    code = main(["profile", str(model), "--inputs", str(inputs), "-o", str(trace)])
    said = capsys.readouterr()
    assert (code, said.out) == (2, ""), said
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in said.err
    assert re.search(bad.says, line), line
    assert line.isprintable()
    assert trace.read_bytes() == b"as it was"
