"""How the tokens of the trace spread over experts and groups, layer by layer."""

from collections.abc import Sequence

from moexbar.figures.experts import APART, Grouped, grouped_layers
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import WIDE, columns, hover, name, number, rows

RANGE = 2  # the colours end at four times the mean, and at a quarter


def loads(shown: Shown) -> Figure | None:
    """Tokens of each expert over the mean expert's; None without a routing trace of any layer."""
    routing = shown.routing
    if routing is None or not routing.layers:
        return None
    layers = list(grouped_layers(routing, shown.mapping))
    hottest = max(float(each.tokens.max(initial=0)) / (each.mean or 1) for each in layers)
    grouped = any((each.group != APART).any() for each in layers)
    words = (
        f"Tokens of the whole trace ({routing.tokens:,}) that go to each expert, over what an "
        "expert of its layer has in the mean."
    )
    if grouped:
        words += (
            " Experts stand by group, the busiest group first, with a line between groups; one "
            "with copies has a place for each, with its part of the tokens."
        )
    return Figure(
        "loads",
        f"Load of the experts: at most {hottest:.3g} x the mean",
        words,
        _spec(layers),
        wide=True,
    )


def _spec(layers: Sequence[Grouped]) -> Spec:
    places = max(len(each.expert) for each in layers)
    step = max(5, min(22, 700 // len(layers)))
    y = name("l", "MoE layer", axis={"labelOverlap": True, "labelFontSize": min(11, step + 3)})
    return {
        "width": max(1, (WIDE - 130) // places) * places,
        "height": {"step": step},
        "layer": [_cells(layers, places, y), *_borders(layers, places, y)],
    }


def _cells(layers: Sequence[Grouped], places: int, y: Spec) -> Spec:
    data: dict[str, list[float | None]] = {key: [] for key in "lpegtmw"}
    for each in layers:
        heavy = {g: float(each.tokens[a:b].sum()) for g, a, b in each.spans()}
        mean_group = sum(heavy.values()) / max(len(heavy), 1)
        group = each.group.tolist()
        data["l"] += [each.layer] * len(group)
        data["p"] += range(len(group))
        data["e"] += each.expert.tolist()
        data["g"] += [g if g != APART else None for g in group]
        data["t"] += each.tokens.round(2).tolist()
        data["m"] += (each.tokens / (each.mean or 1)).round(3).tolist()
        data["w"] += [round(heavy[g] / (mean_group or 1), 3) if g != APART else None for g in group]
    colour = number(
        "log",
        "load / mean",
        scale={"scheme": "blueorange", "domain": [-RANGE, RANGE], "clamp": True},
        legend={
            "labelExpr": "format(pow(2, datum.value), '.3~g') + ' x'",
            "values": [-2, -1, 0, 1, 2],
        },
    )
    return {
        "data": columns(data),
        "transform": [
            {"calculate": "datum.p + 1", "as": "q"},
            {"calculate": "datum.m > 0 ? log(datum.m) / LN2 : -9", "as": "log"},
        ],
        "mark": {"type": "rect"},
        "encoding": {
            "x": number(
                "p",
                "experts by group",
                scale={"domain": [0, places], "nice": False},
                axis={"grid": False, "labels": False, "ticks": False},
            ),
            "x2": {"field": "q"},
            "y": y,
            "color": colour,
            "tooltip": hover(
                l="layer",
                e="expert",
                t="tokens|,.4~f",
                m="over the mean|.3~f",
                g="group",
                w="group's load over the mean group's|.3~f",
            ),
        },
    }


def _borders(layers: Sequence[Grouped], places: int, y: Spec) -> list[Spec]:
    """A line after each group but the last of a layer."""
    ends = [{"l": each.layer, "p": end} for each in layers for _, _, end in each.spans()[:-1]]
    if not ends:
        return []
    tick = {
        "type": "tick",
        "style": "paper",
        "thickness": 1.5,
        "opacity": 1,
        "bandSize": 30,
        "orient": "vertical",
    }
    return [
        {
            "data": rows(ends),
            "mark": {**tick, "height": {"band": 1}},
            "encoding": {"x": number("p", "experts by group"), "y": y},
        }
    ]
