"""Outputs of earlier versions, kept in tests/golden/old, are read, or refused by their form.

`python -m benchmarks.old_artifacts tests/golden/old/VERSION.tar.xz` made each, once.
"""

import tarfile
from pathlib import Path

import pytest

import moexbar as mx
from moexbar.exploration.journal import journal
from tests.conftest import GOLDEN
from tests.paths import TINY

OLD = sorted((GOLDEN / "old").glob("*.tar.xz"))


def test_they_are_small() -> None:
    assert [path.name for path in OLD] == ["0.1.0.tar.xz"]
    assert all(path.stat().st_size < 32_000 for path in OLD)


@pytest.mark.parametrize("packed", OLD, ids=lambda path: path.name)
def test_what_an_earlier_version_wrote(packed: Path, tmp_path: Path) -> None:
    """Its digests hold; the program replays; model and inputs are found by their hashes."""
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    compiled, explored = tmp_path / "compiled", tmp_path / "explored"
    done = mx.simulate(compiled)
    report = mx.read_report(compiled / "report.json")
    assert done.program.makespan_ps / 1000 == report.steps.prefill_ns
    read = mx.read_compiled(compiled, TINY / "model.onnx", TINY / "inputs.npz")
    assert read.window.prefill == 2
    assert len(read.executable.program) == len(done.program)
    assert mx.pareto(explored).done == 1
    with journal(explored) as kept:
        assert [number for number, *_ in kept.outcomes()] == [1]
        assert "moexbar" in kept.asked()
