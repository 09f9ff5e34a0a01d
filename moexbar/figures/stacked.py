"""Bars of methods, each of its parts: what energy and area have in common."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moexbar.figures.figure import Spec
from moexbar.figures.grammar import NARROW, name, number, rows
from moexbar.figures.palette import REST, coloured

OTHER = "other parts"
Row = dict[str, Any]


def with_rest(found: Sequence[Row], least: float) -> Iterator[Row]:
    """Rows with their share of their bar; parts that are below `least` in all bars become one.

    found: rows with `method`, `part`, `value`, and `of` where a method has several bars.
    """
    whole: dict[tuple[str, str], float] = {}
    for row in found:
        whole[_bar(row)] = whole.get(_bar(row), 0.0) + row["value"]
    shares = [row["value"] / whole[_bar(row)] if whole[_bar(row)] else 0.0 for row in found]
    named = {row["part"] for row, share in zip(found, shares, strict=True) if share >= least}
    rest: dict[tuple[str, str], Row] = {}
    for row, share in zip(found, shares, strict=True):
        if row["part"] in named:
            yield {**row, "value": round(row["value"], 6), "share": round(share, 6)}
        else:
            other = {**row, "part": OTHER, "value": 0.0, "share": 0.0} | (
                {"kind": "several"} if "kind" in row else {}
            )
            kept = rest.setdefault(_bar(row), other)
            kept["value"] += row["value"]
            kept["share"] += share
    for row in rest.values():
        if row["value"]:
            yield {**row, "value": round(row["value"], 6), "share": round(row["share"], 6)}


def stacked(data: Sequence[Row], unit: str, known: Mapping[str, str], tips: Sequence[Spec]) -> Spec:
    """One bar a method, or one in each of the panels that `of` names.

    known: colours of parts. Parts are stacked in the order in which they first come.
    """
    parts = dict.fromkeys(row["part"] for row in data)
    place = {part: n for n, part in enumerate(parts)}
    scale = coloured(parts, {**known, OTHER: REST})
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.72}, "style": "paper", "strokeWidth": 0.5},
        "encoding": {
            "y": name("method", None),
            "x": number("value", unit, axis={"tickCount": 5}),
            "color": name("part", None, scale=scale, legend={"columns": 1}),
            "order": {"field": "place", "type": "quantitative"},
            "tooltip": list(tips),
        },
    }
    placed = rows({**row, "place": place[row["part"]]} for row in data)
    panels = dict.fromkeys(row["of"] for row in data if "of" in row)
    if not panels:
        return {"data": placed, "width": NARROW, "height": {"step": 24}, **bars}
    return {
        "data": placed,
        "facet": {"column": name("of", None, sort=list(panels))},
        "spec": {"width": NARROW * 0.6, "height": {"step": 24}, **bars},
    }


def _bar(row: Row) -> tuple[str, str]:
    return row["method"], row.get("of", "")
