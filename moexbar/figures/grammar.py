"""Words of Vega-Lite that the pictures have in common: data, tooltips, axes.

What comes from a model or a program stands in data alone. Fields, titles of axes and expressions
are ours, so no name of a model is ever read as an expression or as a field.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from moexbar.figures.figure import Spec

NARROW, WIDE = 420, 860  # pixels of the part of a picture that holds the marks

Number = int | float
OF_OBJECTS = {
    *("constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"),
    *("toString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"),
    *("__lookupGetter__", "__lookupSetter__"),
}


def rows(found: Iterable[Mapping[str, Any]]) -> Spec:
    """Inline data, one object a row."""
    return {"values": [{key: safe(value) for key, value in row.items()} for row in found]}


def columns(found: Mapping[str, Sequence[Any]]) -> Spec:
    """Inline data as the text of a CSV file, a third of the same as objects.

    Columns whose first entry is a number are read as numbers; None is a gap.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found)
    writer.writerows(map(safe, row) for row in zip(*found.values(), strict=True))
    kinds = {name: "number" if _is_number(values) else "string" for name, values in found.items()}
    return {"values": text.getvalue(), "format": {"type": "csv", "parse": kinds}}


def safe(value: Any) -> Any:
    """A value as it is, but for names that every object of JavaScript has: Vega finds those there.

    They get a space of no width.
    """
    return f"{value}\u200b" if isinstance(value, str) and value in OF_OBJECTS else value


def _is_number(values: Sequence[Any]) -> bool:
    return isinstance(next((v for v in values if v is not None), ""), int | float)


def number(field: str, title: str, **more: Any) -> Spec:
    """A channel of numbers."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def name(field: str, title: str | None, **more: Any) -> Spec:
    """A channel of names, in the order of the data."""
    return {"field": field, "type": "nominal", "title": title, "sort": None, **more}


def hover(**titles: str) -> list[Spec]:
    """A tooltip: the title of each field; `title|format` for a number in d3's format."""
    found = []
    for field, title in titles.items():
        words, _, form = title.rpartition("|") if "|" in title else (title, "", "")
        found.append({"field": field, "title": words, **({"format": form} if form else {})})
    return [
        {**entry, "type": "quantitative" if "format" in entry else "nominal"} for entry in found
    ]


def us(ps: float) -> float:
    """Picoseconds as microseconds, to the picosecond."""
    return round(float(ps) / 1e6, 6)
