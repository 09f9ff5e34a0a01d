"""Whatever a name is, a page shows it as text: it opens nothing, asks for nothing, runs nothing."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from moexbar.figures.figure import Shown
from moexbar.page.compared import compared_page
from moexbar.page.compiled import compiled_page
from moexbar.page.document import render
from moexbar.report.certificates import CertificateRow
from moexbar.report.traces import ComparedLayer, CompareReport, CompareRow
from moexbar.visible import visible
from tests.moexbar.page.hostile import NAMES
from tests.moexbar.page.taken import with_names
from tests.moexbar.page.watched import Seen, draw_all, goto, opened

TOGETHER = 7  # names on one page in the browser, each in a seventh of the places
GROUPS = [[*NAMES][at : at + TOGETHER] for at in range(0, len(NAMES), TOGETHER)]


def on_page(name: str) -> str:
    """A name as a page shows it: spaces and ends of lines as one."""
    return re.sub(r"\s+", " ", visible(name, lines=True)).strip()


class Structure(HTMLParser):
    """The elements of a page with their attributes' names, in order; its text apart."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def structure(shown: Shown) -> Structure:
    found = Structure()
    found.feed(render(compiled_page(shown)).decode())
    return found


@pytest.fixture(scope="module")
def harmless(shown: Shown) -> Structure:
    return structure(with_names(shown, ["name"]))


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_makes_no_element(kind: str, shown: Shown, harmless: Structure) -> None:
    """In every place at once: the page has the elements and attributes that it has for `name`."""
    found = structure(with_names(shown, [NAMES[kind]]))
    assert found.tags == harmless.tags
    words = re.sub(r"\s+", " ", "".join(found.words))
    assert words.count(on_page(NAMES[kind])) > 100


@pytest.fixture(scope="module")
def window(browser: Any, page_file: Path) -> Any:
    """One tall window for all names: every figure is in view, so every one is drawn."""
    with opened(browser, page_file, viewport={"width": 1400, "height": 12_000}) as found:
        yield found


@pytest.mark.parametrize("kinds", GROUPS, ids="+".join)
def test_a_compilation(
    kinds: list[str], window: tuple[Any, Seen], shown: Shown, tmp_path: Path
) -> None:
    (page, seen), names = window, [NAMES[kind] for kind in kinds]
    seen.clear()
    (tmp_path / "page.html").write_bytes(render(compiled_page(with_names(shown, names))))
    goto(page, tmp_path / "page.html", seen)
    assert draw_all(page) >= 5
    assert seen.nothing, seen
    assert page.evaluate("() => window.evil") is None
    words = re.sub(r"\s+", " ", page.evaluate("() => document.body.innerText"))
    for name in names:
        assert words.count(on_page(name)) > 10, name
    assert page.locator("main script:not([type='application/json']), main iframe").count() == 0
    ours = "form:not(.vega-bindings)"  # an empty one, of vega-embed
    assert page.locator(f"img, object, base, {ours}, main link, main meta").count() == 0


def test_a_comparison(browser: Any, tmp_path: Path) -> None:
    """Every name is a solver of one layer."""
    known = CertificateRow("slots", 5, 3, 0.4, "feasible", 1.0, 0, True)
    rows = tuple(
        CompareRow(name, known, 7, ((0, 1), (2,)), ((0.1, 9), (0.5, 5))) for name in NAMES.values()
    )
    report = CompareReport("0.1.0", 8, 2, 0, 1.0, False, (ComparedLayer(1, 3, rows),))
    (tmp_path / "page.html").write_bytes(render(compared_page(report)))
    tall = {"width": 1400, "height": 30_000}
    with opened(browser, tmp_path / "page.html", viewport=tall) as (page, seen):
        assert seen.nothing, seen
        assert page.locator("figure.plot:not([data-drawn])").count() == 0
        cells = page.locator("#answers td:nth-child(2)").all_inner_texts()
        assert [re.sub(r"\s+", " ", cell).strip() for cell in cells] == [
            on_page(name) for name in NAMES.values()
        ]
        assert page.evaluate("() => window.evil") is None
