"""Drawing: the same bytes every time, themes, and what is said where it cannot be done."""

import json
import sys
from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.figures import draw
from moexbar.figures.figure import Figure
from moexbar.figures.grammar import columns, name, number, rows

HOSTILE = [
    "<img onerror=alert(1)>",
    "datum['x']",
    'a",b\n=1',
    '{"signal": "x"}',
    "</script>",
    "a\0\x1b\ud800\uffff",
]


def bars(words: list[str]) -> Figure:
    """A bar for each word."""
    data = [{"word": word, "size": n + 1} for n, word in enumerate(words)]
    encoding = {"y": name("word", None), "x": number("size", "size")}
    return Figure(
        "bars", words[0], "Bars.", {"data": rows(data), "mark": "bar", "encoding": encoding}
    )


@pytest.mark.parametrize("form", draw.FORMS)
def test_the_same_every_time(form: draw.Form) -> None:
    once = draw.draw(bars(["a", "b"]), form)
    again = draw.draw(bars(["a", "b"]), form)
    assert len(once) == len(again)
    assert once == again or form == "pdf"  # whose fonts come in any order
    start = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "json": b'{"$schema"'}
    assert once.startswith(start[form])


def test_names_are_text_and_nothing_else() -> None:
    svg = draw.draw(bars(HOSTILE), "svg").decode()
    assert "<img" not in svg
    assert "</script" not in svg
    assert "&lt;img onerror=alert(1)&gt;" in svg
    assert "datum['x']" in svg.replace("&#39;", "'").replace("&apos;", "'")


def test_names_in_a_table_of_text_come_back_as_they_were() -> None:
    vl = pytest.importorskip("vl_convert")
    data = columns({"word": HOSTILE[:5], "size": [1, 2, None, 4, 5]})
    encoding = {"y": name("word", None), "x": number("size", "size")}
    figure = Figure("bars", "t", "c.", {"data": data, "mark": "bar", "encoding": encoding})
    graph = json.dumps(vl.vegalite_to_scenegraph(draw.complete(figure)))
    for word in ("<img onerror=alert(1)>", "datum['x']"):
        assert word in graph
    assert data["format"]["parse"] == {"word": "string", "size": "number"}


def test_themes_differ_in_colours_alone() -> None:
    light, dark = (draw.complete(bars(["a"]), theme) for theme in ("light", "dark"))
    assert light["background"] != dark["background"]
    assert light["encoding"] == dark["encoding"]
    assert "title" not in light
    assert draw.complete(bars(["a"]), titled=True)["title"]["text"] == "a"


def test_nothing_is_loaded_by_its_address() -> None:
    there = {"data": {"url": "https://example.com/x.csv"}, "mark": "bar", "encoding": {}}
    with pytest.raises(ValueError, match="not allowed"):
        draw.draw(Figure("k", "t", "c.", there), "svg")


def test_forms_go_by_the_ending() -> None:
    assert draw.form_of(Path("a/b.svg")) == "svg"
    for wrong in ("a.gif", "a"):
        with pytest.raises(InputError, match=r"expected one of \.svg, \.png, \.pdf, \.json"):
            draw.form_of(Path(wrong))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert not draw.can_draw()
    with pytest.raises(InputError, match=r"pip install 'moexbar\[plots\]'"):
        draw.draw(bars(["a"]), "svg")
    assert json.loads(draw.draw(bars(["a"]), "json"))["mark"] == "bar"  # needs nothing


def test_a_notebook_shows_it() -> None:
    figure = Figure("bars", "title", "caption", {"mark": "bar", "data": {"values": [{"a": 1}]}})
    assert figure._repr_svg_() == draw.draw(figure, "svg").decode()
