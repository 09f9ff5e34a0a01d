"""Which experts tokens use together, over how often they would if they were independent."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ir.arrays import Floats, Ints
from moexbar.figures.experts import APART, Grouped, grouped_layers
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import columns, hover, number, rows

MOST = 64  # rows of a matrix; of more experts neighbours are taken together
RANGE = 2  # the colours end at four times as often, and at a quarter


@dataclass(frozen=True, eq=False)
class Together:
    """How often the experts of two places, or of two runs of places, are both used by a token.

    first: [rows + 1] places at which the rows begin, and the end. seen: tokens that use both;
    expected: were the two independent, tokens of one x tokens of the other / all tokens: float64
    [rows, rows], sums over pairs of two different experts.
    """

    first: Ints
    seen: Floats
    expected: Floats


def coactivation(shown: Shown) -> tuple[Figure, ...]:
    """A matrix for each MoE layer of the routing trace whose tokens use several experts."""
    if shown.routing is None:
        return ()
    layers = [
        each
        for each in grouped_layers(shown.routing, shown.mapping)
        if each.chosen.shape[1] > 1 and (each.chosen.sum(axis=1) > 1).any()
    ]
    return tuple(_figure(each, together(each)) for each in layers)


def together(layer: Grouped, most: int = MOST) -> Together:
    """Count pairs, of neighbouring places together where there are more than `most`."""
    places = len(layer.expert)
    size = -(-places // most)
    first = np.append(np.arange(0, places, size), places)
    used = layer.chosen.astype(np.float64)
    load = used.sum(axis=0)
    seen, expected = used.T @ used, np.outer(load, load) / max(len(used), 1)
    for pairs in (seen, expected):
        np.fill_diagonal(pairs, 0)
    starts = first[:-1]
    sums = []
    for pairs in (seen, expected):
        placed = pairs[np.ix_(layer.expert, layer.expert)]
        sums.append(np.add.reduceat(np.add.reduceat(placed, starts, axis=0), starts, axis=1))
    return Together(first, sums[0], sums[1])


def _figure(layer: Grouped, found: Together) -> Figure:
    size = int(found.first[1])
    of = "two experts" if size == 1 else f"experts of two runs of {size} places"
    order = "in their groups, the busiest group first, which have frames"
    order = order if (layer.group != APART).any() else "in their order"
    return Figure(
        "coactivation",
        f"Experts used together in layer {layer.layer}",
        f"Tokens of the trace that use {of}, over how many would if experts were used "
        f"independently of each other. Experts stand {order}. Good groups are blue inside: what "
        "is used together in a group waits for each other.",
        _spec(layer, found),
    )


def _spec(layer: Grouped, found: Together) -> Spec:
    side = len(found.first) - 1
    step = max(4, min(24, 360 // side))
    axis = {"scale": {"domain": [0, side], "nice": False}}
    plain = {"grid": False, "labels": False, "ticks": False, "domain": False}
    title = "experts by group" if (layer.group != APART).any() else "experts"
    frames = [s for s in layer.spans() if s[0] != APART] if found.first[1] == 1 else []
    at = {
        "x": number("a", title, axis=plain, **axis),
        "x2": {"field": "a2"},
        "y": number("b", title, axis=plain, scale={**axis["scale"], "reverse": True}),
        "y2": {"field": "b2"},
    }
    ends = [
        {"calculate": "datum.a + 1", "as": "a2"},
        {"calculate": "datum.b + 1", "as": "b2"},
    ]
    return {
        "width": step * side,
        "height": step * side,
        "layer": [
            {
                "data": _cells(layer, found),
                "transform": [*ends, {"calculate": LOG, "as": "log"}],
                "mark": {"type": "rect"},
                "encoding": {**at, "color": COLOUR, "tooltip": TIPS},
            },
            {
                "data": rows({"a": a, "a2": b, "b": a, "b2": b} for _, a, b in frames),
                "mark": {"type": "rect", "filled": False, "style": "frame", "strokeWidth": 1.4},
                "encoding": at,
            },
        ],
    }


LOG = "datum.v > 0 ? log(datum.v) / LN2 : -9"
COLOUR = number(
    "log",
    "together / expected",
    scale={"scheme": "blueorange", "domain": [-RANGE, RANGE], "clamp": True},
    legend={"labelExpr": "format(pow(2, datum.value), '.3~g') + ' x'", "values": [-2, -1, 0, 1, 2]},
)
TIPS = hover(
    i="expert",
    j="with expert",
    g="in group",
    h="with one in group",
    n="tokens that use both|,",
    v="over those expected|.3~f",
)


def _cells(layer: Grouped, found: Together) -> Spec:
    """A line for each pair of rows of which tokens are expected."""
    a, b = np.nonzero(found.expected)
    ratio = found.seen[a, b] / found.expected[a, b]
    names, groups = _names(layer.expert, found.first), _names(layer.group, found.first)
    return columns(
        {
            "a": a.tolist(),
            "b": b.tolist(),
            "v": ratio.round(3).tolist(),
            "n": found.seen[a, b].astype(np.int64).tolist(),
            "i": [names[n] for n in a.tolist()],
            "j": [names[n] for n in b.tolist()],
            "g": [groups[n] for n in a.tolist()],
            "h": [groups[n] for n in b.tolist()],
        }
    )


def _names(values: Ints, first: Ints) -> list[str]:
    """What stands in each row: a few in full, more by the first and how many more."""
    runs = [values[a:b].tolist() for a, b in pairwise(first.tolist())]
    unique = [[v for v in dict.fromkeys(run) if v != APART] for run in runs]
    return [
        " ".join(map(str, run[:4])) + (f" and {len(run) - 4} more" if len(run) > 4 else "")
        for run in unique
    ]
