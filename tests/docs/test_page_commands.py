"""Commands of README.md and of all pages of the site do what these show: each is run.

Those of more than a minute (`<!-- figures, N s ... -->`) and those that need recorded traces are
run by `make figures` alone, and of those marked `timed` only that they end well is tested.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.figures import Copy, Wanted, pages_of, remake
from benchmarks.page_blocks import blocks
from compiler.options import (
    DIE_RULES,
    GROUPING_SOLVERS,
    PLACERS,
    SCHEDULINGS,
    STACK_RULES,
)
from tests.paths import ROOT

GUIDES = [
    page
    for folder in ("tutorials", "howto", "solvers")
    for page in sorted((ROOT / "docs" / folder).glob("*.md"))
]
LONG_SECONDS = 61


PAGES = pages_of(ROOT)


def name(page: Path) -> str:
    return page.relative_to(ROOT).with_suffix("").as_posix()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The examples and pages; the packages are those under test, compiled loops and all."""
    scratch = tmp_path_factory.mktemp("pages")
    files = [path for path in (ROOT / "examples").rglob("*") if path.is_file()]
    names = [path.relative_to(ROOT).as_posix() for path in (*files, *PAGES)]
    return replace(Copy.of_files(names, ROOT, scratch), code=ROOT)


@pytest.fixture
def copy(tree: Copy) -> Iterator[Copy]:
    yield tree
    tree.clear()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_print_what_the_page_shows(page: Path, copy: Copy) -> None:
    assert remake(page, copy, Wanted(seconds=LONG_SECONDS, check=True)) == []


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_every_guide_shows_a_command(page: Path) -> None:
    """But tables of contents."""
    text = page.read_text(encoding="utf-8")
    assert "{toctree}" in text or any(one.shown for one in blocks(text.split("\n")))


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("grouping", GROUPING_SOLVERS),
        ("slots", SCHEDULINGS),
        ("placement", PLACERS),
        ("stacks", STACK_RULES),
        ("dies", DIE_RULES),
    ],
)
def test_every_solver_has_its_section(page: str, names: tuple[str, ...]) -> None:
    """And no section is of a solver that is none."""
    text = (ROOT / "docs" / "solvers" / f"{page}.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## (\S+)$", text, re.MULTILINE)) == sorted(names)
    many = (ROOT / "docs" / "solvers" / "index.md").read_text(encoding="utf-8")
    assert re.search(rf"\| {len(names)} \| \[[\w ]+\]\({page}\.md\)", many)
