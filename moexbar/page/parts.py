"""What sections are made of: figures, tables, cards and lists, all of plain values."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from moexbar.figures.figure import Figure
from moexbar.page.html import Html, data, join, tag

Cell = str | int | float | None | Html


SHAPES = ("floorplan", "coactivation")  # kinds whose widths and heights belong together


def picture(figure: Figure, *more: Html, wide: bool = True) -> Html:
    """A figure, drawn when it comes into view; more: blocks of data that it needs beside.

    wide: over the whole width of the page.
    """
    shape = " shape" * figure.kind.startswith(SHAPES)
    return tag(
        "figure",
        tag("h3", figure.title),
        tag("div", class_="view", role="img", aria_label=f"{figure.title}. {figure.caption}"),
        tag("figcaption", figure.caption),
        data(packed(figure.spec), class_="spec"),
        *more,
        class_=f"plot{' wide' * wide}{shape}",
        data_kind=figure.kind,
    )


def packed(spec: object) -> object:
    """A specification with its tables as columns, which the page's script makes rows of.

    Vega reads CSV by compiling text to a program, which a page allows nobody.
    """
    match spec:
        case {"values": str(text), "format": {"type": "csv", "parse": dict(kinds)}}:
            rows = list(csv.reader(io.StringIO(text)))
            columns = zip(*rows[1:], strict=True) if len(rows) > 1 else ([] for _ in rows[0])
            return {
                "columns": {
                    name: [_parsed(word, kinds.get(name)) for word in words]
                    for name, words in zip(rows[0], columns, strict=True)
                }
            }
        case dict():
            return {key: packed(value) for key, value in spec.items()}
        case list() | tuple():
            return [packed(value) for value in spec]
    return spec


def _parsed(word: str, kind: str | None) -> str | int | float | None:
    """A cell as Vega would read it."""
    if kind != "number":
        return word
    if not word:
        return None
    return int(word) if word.lstrip("-").isdigit() else float(word)


def pictures(figures: Iterable[Figure | None]) -> Html:
    """Those of the figures that there are: two beside each other, or one as wide as the page."""
    found = [figure for figure in figures if figure is not None]
    shown, at = [], 0
    while at < len(found):
        pair = found[at : at + 2]
        if len(pair) < 2 or any(map(_wide, pair)):
            shown.append(picture(pair[0]))
            at += 1
        else:
            shown += [picture(figure, wide=False) for figure in pair]
            at += 2
    return tag("div", *shown, class_="pictures") if shown else Html()


def _wide(figure: Figure) -> bool:
    return figure.wide or "vconcat" in figure.spec


def number(value: float | None, digits: int = 4) -> str:
    """A number in so many digits, a dash for one that is not known."""
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    caption: str = "",
    words: Collection[int] = (0,),
    ours: int | None = None,
    kind: str = "sorted",
    tall: bool = False,
) -> Html:
    """A table; the columns `words` are text, the others numbers. ours: the row in bold."""
    sides = [None if place in words else "number" for place in range(len(head))]
    top = tag(
        "tr", *(tag("th", h, scope="col", class_=s) for h, s in zip(head, sides, strict=True))
    )
    body = (
        tag("tr", *map(_cell, row, sides), class_="ours" if place == ours else None)
        for place, row in enumerate(rows)
    )
    told = (tag("caption", caption),) if caption else ()
    made = tag("table", *told, tag("thead", top), tag("tbody", *body), class_=kind)
    return tag("div", made, class_="scroll tall" if tall else "scroll", tabindex=0)


def _cell(value: Cell, side: str | None) -> Html:
    told = number(value) if isinstance(value, int | float) or value is None else value
    return tag("td", told, class_=side)


@dataclass(frozen=True)
class Card:
    """A headline figure: name, number with its unit, and lines on what is known about it."""

    name: str
    value: str
    unit: str
    lines: tuple[str, ...] = ()


def cards(found: Iterable[Card]) -> Html:
    """Headline figures beside each other."""
    return tag("div", *map(_card, found), class_="cards")


def _card(one: Card) -> Html:
    value = tag("dd", one.value, Html(" "), tag("small", one.unit), class_="value")
    return tag(
        "dl", tag("dt", one.name), value, *(tag("dd", line) for line in one.lines), class_="card"
    )


def facts(pairs: Iterable[tuple[str, Cell]]) -> Html:
    """Names and what they are."""
    return tag("dl", *(join((tag("dt", n), tag("dd", v))) for n, v in pairs), class_="facts")


def lines(words: Iterable[str | Html]) -> Html:
    """A list of sentences; nothing where there are none."""
    found = [tag("li", line) for line in words]
    return tag("ul", *found, class_="lines") if found else Html()


def names(words: Iterable[str]) -> Html:
    """Names that passed."""
    return tag("ul", *(tag("li", word) for word in words), class_="names")


def paragraph(*words: object) -> Html:
    """A paragraph."""
    return tag("p", *words)


def folded(title: str, *inner: Html) -> Html:
    """What is shown when its title is clicked, and in print."""
    return tag("details", tag("summary", title), *inner)
