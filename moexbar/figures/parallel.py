"""All settings and figures of many compilations at once: a line through parallel axes for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ir.arrays import Floats
from moexbar.figures.figure import Figure, Spec
from moexbar.figures.grammar import WIDE, columns, hover, number, rows
from moexbar.figures.palette import AMOUNT
from moexbar.figures.swept import by_size, drawn, flags, in_words, known, numbers, points, word

if TYPE_CHECKING:
    import pandas as pd

MOST_LINES, MOST_WORDS = 600, 12
HEIGHT = 320


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis: at: [rows] 0 to 1, NaN where a row has no value; marks: its words, each with at."""

    name: str
    at: Floats
    marks: tuple[tuple[str, float], ...]


def parallel(
    table: "pd.DataFrame",
    settings: Sequence[str],
    figures: Sequence[str],
    front: str = "front",
) -> Figure | None:
    """A line for each row that has all figures, coloured by the last; None without any.

    settings, figures: columns, in the order of the axes. front: column of true and false; lines of
    the front are opaque. Raises InputError naming a column that is not there.
    """
    known(table, [*settings, *figures])
    values = [numbers(table, name) for name in figures]
    whole = np.all([np.isfinite(each) for each in values], axis=0)
    places = np.flatnonzero(whole) if figures else np.zeros(0, dtype=np.int64)
    if not len(places):
        return None
    best = flags(table, front)
    kept = drawn(places, best, MOST_LINES)
    axes = [_words([word(table[name].iloc[n]) for n in kept.tolist()], name) for name in settings]
    axes += [_numbers(each[kept], name) for name, each in zip(figures, values, strict=True)]
    named = points(table)
    lines = columns(
        {
            "p": [n for n in kept.tolist() for _ in axes],
            "a": [a for _ in kept for a in range(len(axes))],
            "v": [_share(axis.at[n]) for n in range(len(kept)) for axis in axes],
            "c": [values[-1][n] for n in kept.tolist() for _ in axes],
            "f": [int(best[n]) for n in kept.tolist() for _ in axes],
        }
    )
    told = {
        "p": kept.tolist(),
        "point": [named[n] for n in kept.tolist()],
        "set": in_words(table, settings, kept),
    }
    left = len(places) - len(kept)
    return Figure(
        "parallel",
        f"Settings and figures of {len(places):,} compilations",
        "A line through the settings and figures of each compilation, coloured by the last figure; "
        f"strong: those that no other beats.{f' {left:,} more are not drawn.' if left else ''}",
        _spec(axes, lines, rows(_rows(told)), figures[-1]),
        wide=True,
    )


def _rows(told: dict[str, list[object]]) -> list[dict[str, object]]:
    return [dict(zip(told, line, strict=True)) for line in zip(*told.values(), strict=True)]


def _share(at: float) -> float:
    return round(float(at), 4)


def _numbers(values: Floats, name: str) -> Axis:
    """From least to largest, which are its marks."""
    low, high = float(values.min()), float(values.max())
    at = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    ends = ((low, 0.0), (high, 1.0)) if high > low else ((low, 0.5),)
    return Axis(name, at, tuple((f"{value:.4g}", place) for value, place in ends))


def _words(cells: Sequence[str], name: str) -> Axis:
    """Values at equal distances, numbers by size; of many only some are written."""
    order = sorted(dict.fromkeys(cells), key=by_size)
    step = 1 / (len(order) - 1) if len(order) > 1 else 0.0
    place = {cell: n * step if step else 0.5 for n, cell in enumerate(order)}
    written = order[:: -(-len(order) // MOST_WORDS)]
    marks = tuple((cell, place[cell]) for cell in written)
    return Axis(name, np.array([place[cell] for cell in cells]), marks)


def _spec(axes: Sequence[Axis], lines: Spec, told: Spec, last: str) -> Spec:
    x = number("a", "", axis=None, scale={"domain": [-0.15, len(axes) - 0.6], "nice": False})
    y = number("v", "", axis=None, scale={"domain": [0, 1.08], "nice": False})
    words = rows(
        {"a": n, "v": at, "word": mark} for n, axis in enumerate(axes) for mark, at in axis.marks
    )
    heads = rows({"a": n, "v": 1.08, "word": axis.name} for n, axis in enumerate(axes))
    written = {"x": x, "y": y, "text": {"field": "word"}}
    small = {"type": "text", "align": "left", "dx": 5, "fontSize": 10}
    room = (WIDE - 90) // len(axes) - 12
    head = {"type": "text", "align": "left", "dx": -4, "fontWeight": "bold", "limit": room}
    halo = {**small, "style": "halo", "strokeWidth": 3}
    bars = rows({"a": n, "v": 0, "to": 1} for n in range(len(axes)))
    return {
        "width": WIDE - 90,
        "height": HEIGHT,
        "layer": [
            _lines(lines, told, {"x": x, "y": y}, last),
            {
                "data": bars,
                "mark": {"type": "rule", "strokeWidth": 1},
                "encoding": {"x": x, "y": y, "y2": {"field": "to"}},
            },
            {"data": words, "mark": halo, "encoding": written},
            {"data": words, "mark": small, "encoding": written},
            {"data": heads, "mark": head, "encoding": written},
        ],
    }


def _lines(lines: Spec, told: Spec, at: Spec, last: str) -> Spec:
    """One for each compilation; told: what a tooltip has of it."""
    opacity = {"domain": [0, 1], "range": [0.35, 1]}
    return {
        "data": lines,
        "transform": [
            {"lookup": "p", "from": {"data": told, "key": "p", "fields": ["point", "set"]}}
        ],
        "mark": {"type": "line", "strokeWidth": 1.3},
        "encoding": {
            **at,
            "detail": {"field": "p", "type": "nominal"},
            "order": {"field": "a", "type": "quantitative"},
            "color": number("c", last, scale={"scheme": AMOUNT}),
            "opacity": {"field": "f", "type": "nominal", "scale": opacity, "legend": None},
            "tooltip": hover(point="point", set="settings", c=f"{last}|,.6~g"),
        },
    }
