"""Links of a Markdown page as the site has them, and places in pages that links name.

In the repository a link names a file, and a place in it by an `<a id="..."></a>` in a heading. In
the site pages are linked as pages, such places by a label, pictures and schemas as they are, and
any other file where the repository shows it.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
NOTEBOOKS = ROOT / "examples" / "notebooks"
OTHERWISE = {  # what a page of the site stands for
    ROOT / "README.md": DOCS / "start.md",
    DOCS: DOCS / "index.md",
    DOCS / "decisions": DOCS / "decisions" / "index.md",
    DOCS / "schemas": DOCS / "reference" / "schemas.md",
}
KEPT = (DOCS / "images", DOCS / "schemas")
LINK = re.compile(r"\]\(([^()\s]+)\)")  # its text may begin on the line before
CODE = re.compile(r"(`+).+?\1")
PLACE = re.compile(r'^(#+ .*?) *<a id="([\w-]+)"></a>$')


def prose(lines: list[str]) -> Iterator[tuple[int, str]]:
    """(index, line) of the lines that stand in no fenced block."""
    fence = ""
    for at, line in enumerate(lines):
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and line.strip() == fence:
            fence = ""
        elif not fence:
            yield at, line


@cache
def places(page: Path) -> frozenset[str]:
    """The names that headings of a page give to their places."""
    if not page.is_file():
        return frozenset()
    lines = page.read_text(encoding="utf-8").split("\n")
    return frozenset(found[2] for _, line in prose(lines) if (found := PLACE.match(line)))


def label(page: Path, place: str) -> str:
    """What a place of a page is called in the whole site."""
    name = page.resolve().relative_to(DOCS).with_suffix("").as_posix()
    return f"{name.replace('/', '-')}-{place}"


def linked(text: str, page: Path, shown_on: Path | None = None) -> str:
    """The text of `page` with the links and places that the site has.

    shown_on: the page of the site that the text stands on, if it is another one.
    """
    here = shown_on or page
    lines = text.split("\n")
    for at, line in list(prose(lines)):
        if place := PLACE.match(line):
            line = f"({label(here, place[2])})=\n{place[1]}"
        lines[at] = _outside_code(line, page, here)
    return "\n".join(lines)


def _outside_code(line: str, page: Path, here: Path) -> str:
    """A line with its links renewed, but those within inline code."""
    code: list[str] = []

    def hide(found: re.Match[str]) -> str:
        code.append(found[0])
        return f"\0{len(code) - 1}\0"

    def show(text: str) -> str:
        return re.sub("\0(\\d+)\0", lambda found: code[int(found[1])], text)

    hidden = CODE.sub(hide, line)
    return show(LINK.sub(lambda found: f"]({target(found[1], page, here)})", hidden))


def target(link: str, page: Path, here: Path) -> str:
    """Where a link on `page` goes in the site, from the page `here`."""
    name, _, place = link.partition("#")
    if re.match(r"[a-z]+:", name):
        return link
    file = (page.parent / name).resolve() if name else page
    file = OTHERWISE.get(file, file)
    if place and file.suffix == ".md" and place in places(file):
        return f"#{label(file, place)}"
    if not name:
        return link
    if file.is_relative_to(NOTEBOOKS) and file.is_file():
        file = DOCS / "notebooks" / file.relative_to(NOTEBOOKS)
    elif not _in_site(file) and file.exists():
        kind = "tree" if file.is_dir() else "blob"
        return f"{repository()}/{kind}/main/{file.relative_to(ROOT).as_posix()}" + (
            f"#{place}" if place else ""
        )
    found = os.path.relpath(file, here.parent)
    return f"{found}#{place}" if place else found


def _in_site(file: Path) -> bool:
    """Whether the site has the file itself."""
    page = file.is_relative_to(DOCS) and file.suffix in (".md", ".ipynb")
    return page or any(file.is_relative_to(folder) for folder in KEPT)


@cache
def repository() -> str:
    """The address that the project's file names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["urls"]["Repository"])
