"""Where the time goes: what a lower bound on it is made of, and when each layer is at work."""

import numpy as np

from backends.bounds import Part, lower_bounds
from ir.program import Program
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import NARROW, hover, name, number, rows, us
from moexbar.figures.palette import CHAINS, LIGHT, UNITS

MOST_UNITS = 10  # in the picture, the longest first
SAVED = "a better order could save at most"
KINDS = {**UNITS, "": CHAINS, "saved": (SAVED, "transparent")}


def time(shown: Shown) -> Figure | None:
    """The makespan beside what no schedule can spare, by unit; None without instructions."""
    program = shown.program
    if program is None or not len(program):
        return None
    bounds = lower_bounds(program)
    whole, bound = program.makespan_ps, bounds.bound_ps
    return Figure(
        "time",
        f"Where the time goes: {whole / 1e6:.4g} us, at least {bound / 1e6:.4g} us",
        "Above: time that no schedule of the same instructions on the same units can spare, by the "
        "kind of unit that takes it, and what is left to the time of the program. Middle: the same "
        f"by unit, the {MOST_UNITS} longest. Below: from the first start to the last end of each "
        "layer's instructions.",
        {
            "vconcat": [
                _whole(bounds.parts, whole, bound),
                _units(bounds.parts, whole),
                _layers(program),
            ],
            "resolve": {"scale": {"x": "independent", "color": "independent"}},
        },
    )


def by_kind(parts: tuple[Part, ...]) -> dict[str, int]:
    """{kind of unit, "" for chains: ps} of a bound, the longest first."""
    found: dict[str, int] = {}
    for part in parts:
        kind = "" if part.unit is None else part.unit.kind
        found[kind] = found.get(kind, 0) + part.ps
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def layer_spans(program: Program) -> list[tuple[int, int, int]]:
    """(layer, first start, last end) in ps of the instructions of each layer."""
    layers = np.unique(program.layer[program.layer >= 0])
    place = np.searchsorted(layers, program.layer)
    own = program.layer >= 0
    first = np.full(len(layers), np.iinfo(np.int64).max)
    last = np.zeros(len(layers), dtype=np.int64)
    np.minimum.at(first, place[own], program.start_ps[own])
    np.maximum.at(last, place[own], program.end_ps[own])
    return list(zip(layers.tolist(), first.tolist(), last.tolist(), strict=True))


def _scale(kinds: list[str]) -> Spec:
    return {"domain": [KINDS[k][0] for k in kinds], "range": [KINDS[k][1] for k in kinds]}


def _whole(parts: tuple[Part, ...], whole: int, bound: int) -> Spec:
    """One bar as long as the program, cut by what its bound is made of."""
    held = by_kind(parts) | ({"saved": whole - bound} if whole > bound else {})
    ends = np.cumsum(list(held.values())).tolist()
    data = [
        {
            "kind": KINDS[kind][0],
            "from": us(end - ps),
            "to": us(end),
            "us": us(ps),
            "share": round(ps / max(whole, 1), 6),
        }
        for (kind, ps), end in zip(held.items(), ends, strict=True)
    ]
    colour = {
        **name("kind", None, scale=_scale(list(held))),
        "legend": {
            "orient": "top",
            "columns": 3,
            "symbolStrokeColor": LIGHT,
            "symbolStrokeWidth": 1,
        },
    }
    return {
        "width": NARROW,
        "height": 26,
        "data": rows(data),
        "mark": {"type": "bar", "height": 22, "style": "quiet", "strokeWidth": 0.6},
        "encoding": {
            "x": number("from", "us", scale={"domainMax": us(whole), "nice": False}),
            "x2": {"field": "to"},
            "color": colour,
            "tooltip": hover(kind="bound by", us="time, us|,.4~f", share="of the time|.1%"),
        },
    }


def _units(parts: tuple[Part, ...], whole: int) -> Spec:
    """The longest parts as bars, each with its share of the time."""
    kinds = list(by_kind(parts))
    data = [
        {
            "unit": part.name or CHAINS[0],
            "kind": KINDS["" if part.unit is None else part.unit.kind][0],
            "us": us(part.ps),
            "share": round(part.ps / max(whole, 1), 6),
        }
        for part in parts[:MOST_UNITS]
    ]
    left = len(parts) - len(data)
    title = "us of the bound" + (f"; {left} shorter parts are not drawn" if left > 0 else "")
    here = {
        "y": name("unit", None),
        "tooltip": hover(
            unit="unit", kind="kind", us="time of the bound, us|,.4~f", share="of the time|.1%"
        ),
    }
    return {
        "width": NARROW,
        "height": {"step": 18},
        "data": rows(data),
        "encoding": here,
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.75}},
                "encoding": {
                    "x": number("us", title, axis={"tickCount": 6}),
                    "color": name("kind", None, scale=_scale(kinds), legend=None),
                },
            },
            {
                "mark": {"type": "text", "style": "aside", "align": "left", "dx": 4},
                "encoding": {"x": number("us", title), "text": number("share", "", format=".1%")},
            },
        ],
    }


def _layers(program: Program) -> Spec:
    """When each layer is at work."""
    data = [
        {"layer": layer, "from": us(first), "to": us(last), "us": us(last - first)}
        for layer, first, last in layer_spans(program)
    ]
    tips = {"from": "from, us|,.4~f", "to": "to, us|,.4~f", "us": "takes, us|,.4~f"}
    return {
        "width": NARROW,
        "height": {"step": 18 if len(data) <= 16 else 9},
        "data": rows(data),
        "mark": {"type": "bar", "height": {"band": 0.7}, "color": LIGHT},
        "encoding": {
            "x": number("from", "us from the start", scale={"domainMax": us(program.makespan_ps)}),
            "x2": {"field": "to"},
            "y": name("layer", "layer", axis={"labelOverlap": True}),
            "tooltip": hover(layer="layer", **tips),
        },
    }
