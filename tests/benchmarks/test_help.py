"""Every benchmark is a command: all modules import, and `--help` says what it does."""

import importlib
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts) for path in FOLDER.rglob("*.py")
)
OF_TORCH = "build cases catalogue export mixtures modules others routed".split()
TORCH = [  # of the extra `exports`, which few have installed
    f"benchmarks.frontend_exports.{name}" for name in OF_TORCH
]


def test_there_are_benchmarks() -> None:
    assert "benchmarks.slots" in MODULES
    assert "benchmarks.same_results.__main__" in MODULES
    assert set(TORCH) < set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in TORCH:
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
    module = importlib.import_module(name)
    if not hasattr(module, "main"):
        assert "argparse.ArgumentParser(" not in Path(str(module.__file__)).read_text()
        return
    with pytest.raises(SystemExit) as left:
        module.main(["--help"])
    assert left.value.code == 0
    assert (module.__doc__ or "").splitlines()[0] in re.sub(r"\s+", " ", capsys.readouterr().out)


@pytest.mark.parametrize(
    "words",
    [
        ["efficiency"],
        ["efficiency", "--model", "gpt-oss-20b"],
        ["grouping"],
        ["slot_times"],
        ["slots"],
        ["solvers"],
        ["solvers", "--only", "traces"],
        ["synthetic_routing"],
    ],
    ids=" ".join,
)
def test_traces_are_asked_for(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They lie outside the repository, and no place is guessed."""
    module = importlib.import_module(f"benchmarks.{words[0]}")
    with pytest.raises(SystemExit) as left:
        module.main(words[1:])
    assert left.value.code == 2
    assert "--traces" in capsys.readouterr().err
