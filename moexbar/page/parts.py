"""What sections are made of: figures, tables, cards and lists, all of plain values."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from moexbar.figures.figure import Figure
from moexbar.page.html import Html, data, join, tag

Cell = str | int | float | None | Html


def picture(figure: Figure, *more: Html) -> Html:
    """A figure, drawn when it comes into view; more: blocks of data that it needs beside."""
    return tag(
        "figure",
        tag("h3", figure.title),
        tag("div", class_="view", role="img", aria_label=f"{figure.title}. {figure.caption}"),
        tag("figcaption", figure.caption),
        data(figure.spec, class_="spec"),
        *more,
        class_="plot wide" if figure.wide else "plot",
        data_kind=figure.kind,
    )


def pictures(figures: Iterable[Figure | None]) -> Html:
    """Those of the figures that there are, beside each other where there is room."""
    found = [picture(figure) for figure in figures if figure is not None]
    return tag("div", *found, class_="pictures") if found else Html()


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
