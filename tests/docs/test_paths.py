"""Files and folders that documents name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = "ir|compiler|backends|moexbar|tests|benchmarks|examples|docs"
PAGES = ["model.md", "architecture.md", "frontend.md"]


@pytest.mark.parametrize("page", PAGES)
def test_named_paths_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(rf"`((?:{PACKAGES})/[\w./*-]*)`", text))
    assert named, f"docs/{page} names no path: is the form still the one looked for?"
    missing = [path for path in sorted(named) if not _there(path)]
    assert not missing, f"docs/{page} names what is not there: {missing}"


def _there(path: str) -> bool:
    """Whether a file, folder, module without its ending, or any file of a pattern is there."""
    return bool(list(ROOT.glob(path.rstrip("/"))) or list(ROOT.glob(f"{path}.py")))


def test_folders_of_the_picture_exist() -> None:
    shown = re.findall(r">(\w+)/<", (ROOT / "docs/images/pipeline.svg").read_text(encoding="utf-8"))
    parents = [ROOT, ROOT / "compiler", ROOT / "backends"]
    missing = [name for name in shown if not any((above / name).is_dir() for above in parents)]
    assert len(shown) >= 8
    assert not missing, f"docs/images/pipeline.svg shows folders that are not there: {missing}"
