"""One small compilation for all tests of reports."""

from pathlib import Path

import pytest

from moexbar.__main__ import main
from tests.paths import TINY


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of `moexbar compile` with decode steps."""
    out = tmp_path_factory.mktemp("compiled") / "out"
    files = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "-o", str(out)]
    window = ["--prefill", "8", "--decode", "2", "--grouping", "lpt", "--no-baselines"]
    assert main(["compile", *files, *window]) == 0
    return out
