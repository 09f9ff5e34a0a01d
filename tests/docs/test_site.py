"""The documentation as a site: built once without a warning, whole, and from one place."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import moexbar
from docs.site import api
from docs.site.links import DOCS, linked, places, target
from docs.site.markdown import plain, table
from docs.site.source import prepared
from moexbar.cli.commands import COMMANDS
from moexbar.cli.lazy import load
from tests.paths import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """Ids of a page, what it links to, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.update(found[name] for name in ("id", "name") if name in found)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADED and LOADED[tag] in found:
            self.loaded.append(found[LOADED[tag]])


def built(made: Path) -> Path:
    """The built site; nothing is written beside its pages."""
    words = "-W --keep-going -q -b html -d".split()
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, made / "read", DOCS, made / "html"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return made / "html"


def pages_of(site: Path) -> dict[Path, Page]:
    found = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    return {path: page for path, page in found.items() if path.parent.name != "_static"}


def expected() -> set[Path]:
    """The pages that there must be, by the files of docs/ and the notebooks."""
    sources = {path for end in ("md", "ipynb") for path in DOCS.rglob(f"*.{end}")}
    notebooks = (ROOT / "examples" / "notebooks").glob("*.[mi]*")
    wanted = {path.relative_to(DOCS).with_suffix(".html") for path in sources}
    return wanted | {Path("notebooks") / path.with_suffix(".html").name for path in notebooks}


def dead_links(pages: dict[Path, Page]) -> list[str]:
    """Links within the site to a file or a place that is not there."""
    dead: list[str] = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = to in pages if to.suffix == ".html" else to.exists()
            place = unquote(parts.fragment)
            if not there or (place and to in pages and place not in pages[to].ids):
                dead.append(f"{path.name}: {link}")
    return dead


def loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> set[str]:
    """Scripts, styles, fonts and pictures of another host."""
    assert sum(len(page.loaded) for page in pages.values()) > len(pages)
    found = {one for page in pages.values() for one in page.loaded if urlsplit(one).netloc}
    away = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]*)")
    for style in site.rglob("*.css"):
        found |= set(away.findall(style.read_text(encoding="utf-8")))
    return found


def wrong_repository_links(pages: dict[Path, Page]) -> list[str]:
    """Links to files of the repository that are not there."""
    of = re.compile(r"https://github\.com/moexbar/moexbar/(?:blob|tree)/main/([^#?]*)")
    named = {found[1] for page in pages.values() for one in page.links if (found := of.match(one))}
    assert "examples/models/README.md" in named
    return [path for path in sorted(named) if not (ROOT / path).exists()]


def untold_options(ids: set[str]) -> list[str]:
    """Options of commands without a place on the page of commands."""
    return [
        f"{command.name} {option}"
        for command in COMMANDS
        for param in load(command).params
        for option in (param.opts if param.param_type_name == "option" else ())
        if f"cmdoption-moexbar-{command.name}-{option.lstrip('-')}" not in ids
    ]


@pytest.mark.slow
def test_the_site_is_whole(tmp_path: Path) -> None:
    """One test, so that it is built once. That every page is in a contents table Sphinx checks."""
    site = built(tmp_path)
    pages = pages_of(site)
    own = {Path("genindex.html"), Path("search.html")}
    assert {path.relative_to(site) for path in pages} - own == expected()
    assert dead_links(pages) == []
    assert loaded_from_elsewhere(site, pages) == set()
    assert wrong_repository_links(pages) == []
    names = pages[site / "reference" / "api.html"].ids
    public = [name for name in moexbar.__all__ if name != "__version__"]
    assert [name for name in public if f"moexbar.{name}" not in names] == []
    told = pages[site / "reference" / "commands.html"].ids
    assert [command.name for command in COMMANDS if command.name not in told] == []
    assert untold_options(told) == []


def test_what_is_dead_or_from_elsewhere(tmp_path: Path) -> None:
    text = '<a href="b.html#x"></a><a href="#y"></a><a id="y"></a><a href="c.html"></a>'
    (tmp_path / "a.html").write_text(text + '<script src="https://example.org/a.js"></script>')
    (tmp_path / "b.html").write_text('<img src="p.svg"><img src="q.svg"><img src="r.svg">')
    (tmp_path / "s.css").write_text("@import url(//example.org/f.css);")
    pages = pages_of(tmp_path)
    assert dead_links(pages) == ["a.html: b.html#x", "a.html: c.html"]
    away = {"https://example.org/a.js", "//example.org/f.css"}
    assert loaded_from_elsewhere(tmp_path, pages) == away


def test_every_public_name_has_one_task() -> None:
    named = [name for names in api.tasks().values() for name in names]
    assert sorted([*named, "__version__"]) == sorted(moexbar.__all__)


def test_links_of_a_page_in_the_site() -> None:
    page = DOCS / "design.md"
    assert target("chips.md", page, page) == "chips.md"
    assert target("https://example.org/x.md", page, page) == "https://example.org/x.md"
    assert target("model.md#design", page, page) == "#model-design"  # an <a id> of that page
    assert target("#questions", page, page) == "#design-questions"
    assert target("frontend.md#matrices", page, page) == "frontend.md#matrices"  # a heading
    assert target("decisions/", page, page) == "decisions/index.md"
    assert target("../README.md", page, page) == "start.md"
    assert target("schemas/design.json", page, page) == "schemas/design.json"
    assert target("nowhere.md", page, page) == "nowhere.md"  # Sphinx then warns
    source = target("../examples/models/README.md#top", page, page)
    assert source == "https://github.com/moexbar/moexbar/blob/main/examples/models/README.md#top"
    assert target("docs/design.md", ROOT / "README.md", DOCS / "start.md") == "design.md"
    assert "questions" in places(page)


def test_code_is_left_as_it_is() -> None:
    page = DOCS / "design.md"
    fenced = "````\n```\n[a](#questions)\n```\n````"
    assert linked(fenced, page) == fenced
    assert linked("`[a](#questions)` [a](#questions)", page) == (
        "`[a](#questions)` [a](#design-questions)"
    )
    assert linked('## Three <a id="questions"></a>', page) == "(design-questions)=\n## Three"


def test_prompts_and_marks() -> None:
    page = DOCS / "design.md"
    assert prepared("```\n$ a\n```", page) == "```console\n$ a\n```"
    assert prepared("```{toctree}\nnone*\ndesig*\n```", page) == "```{toctree}\ndesig*\n```"
    assert "## Install" in prepared("<!-- site: file README.md -->", page)
    with pytest.raises(KeyError):
        prepared("<!-- site: nothing -->", page)


def test_plain_text_as_markdown() -> None:
    assert plain("2 * [x] of `a_b` <c>") == r"2 \* \[x\] of `a_b` \<c\>"
    assert table(("a", "b"), [("1|2", "x\ny")]) == "| a | b |\n|---|---|\n| 1\\|2 | x y |"


def test_the_schema_that_editors_are_pointed_to() -> None:
    """The address in the page ends in the file's own path."""
    line = (DOCS / "reference" / "chip-keys.md").read_text(encoding="utf-8")
    found = re.search(r"^#:schema https://\S+/main/(\S+)$", line, re.MULTILINE)
    assert found
    assert json.loads((ROOT / found[1]).read_text(encoding="utf-8"))["title"] == "chip file"
