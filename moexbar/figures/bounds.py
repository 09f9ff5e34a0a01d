"""Every decision beside what is proven about it: value over lower bound, coloured by the proof."""

from collections.abc import Iterator, Sequence
from typing import Any

from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import NARROW, hover, name, number, rows
from moexbar.figures.palette import GREEN, ORANGE, VERMILLION, coloured
from moexbar.report.certificates import CertificateRow
from moexbar.report.compiled import LayerRow, Report
from moexbar.report.methods import MethodRow

GROUPING, SLOTS, TRANSFERS = "grouping", "slots", "transfers"
PROVEN, SEARCHED, RULED = "proven optimal", "a solver's best so far", "by a rule"
PROOFS = {  # by a certificate's status
    "optimal (bound)": PROVEN,
    "optimal (solver)": PROVEN,
    "optimal (other solver)": PROVEN,
    "feasible": SEARCHED,
    "heuristic": RULED,
}
COLOURS = {PROVEN: GREEN, SEARCHED: ORANGE, RULED: VERMILLION}
Row = dict[str, Any]


def bounds(shown: Shown) -> Figure:
    """Grouping, slots and transfers of every MoE layer, and what is decided once for all."""
    report = shown.report
    layers = [row for layer in report.layers for row in layer_rows(layer)]
    whole = list(whole_rows(report))
    panels = [_panels(layers)] if layers else []
    return Figure(
        "bounds",
        "What was decided, over what is proven to be the least",
        "Dots: the value of each decision over a lower bound that no answer beats: at 1 it is "
        "proven optimal. An empty row has a bound of 0 and more as its value. Slots and transfers "
        "are of the window, groups of the fitted tokens.",
        {
            "vconcat": [*panels, _single(whole, bool(panels))],
            "resolve": {"scale": {"color": "shared"}},
        },
    )


def layer_rows(row: LayerRow) -> Iterator[Row]:
    """The three decisions about a layer."""
    order, layer = row.schedule, row.layer
    yield _row(layer, GROUPING, row.grouping)
    yield _decided(layer, SLOTS, order.slots, order.slots_bound, "heuristic", order.policy)
    yield _decided(
        layer, TRANSFERS, order.transfers, order.transfers_bound, order.status, order.policy
    )


def whole_rows(report: Report) -> Iterator[Row]:
    """Decisions about all layers together, and the time."""
    known = {
        "placement": report.placement.traffic,
        "stacks": report.placement.stacks.met if report.placement.stacks else None,
        "dies": report.dies.traffic if report.dies else None,
    }
    yield from (_row("all", what, found) for what, found in known.items() if found)
    asked = report.methods[-1] if report.methods else None
    if isinstance(asked, MethodRow):
        value, bound = round(asked.time_ns * 1000), round(asked.time_bound_ns * 1000)
        yield _decided("all", "time", value, bound, "heuristic", "ps of the whole program")


def _row(layer: int | str, what: str, found: CertificateRow) -> Row:
    return _decided(layer, what, found.value, found.bound, found.status, found.objective)


def _decided(layer: int | str, what: str, value: int, bound: int, status: str, of: str) -> Row:
    """status: as a certificate has it; an answer as good as its bound is proven in any case."""
    over = value / bound if bound else 1.0 if not value else None
    proof = PROVEN if value == bound else PROOFS.get(status, RULED)
    return {
        "layer": str(layer),
        "what": what,
        "value": value,
        "bound": bound,
        "over": None if over is None else round(over, 4),
        "proof": proof,
        "of": of,
    }


def _panels(data: Sequence[Row]) -> Spec:
    """A panel for each kind of decision, a row for each layer."""
    step = 16 if len(data) <= 3 * 16 else 10
    return {
        "data": rows(data),
        "facet": {"column": name("what", None, sort=[GROUPING, SLOTS, TRANSFERS])},
        "spec": {
            "width": NARROW / 3 - 8,
            "height": {"step": step},
            **_dots(data, "layer", "MoE layer", legend=True),
        },
    }


def _single(data: Sequence[Row], above: bool) -> Spec:
    return {
        "data": rows(data),
        "width": NARROW,
        "height": {"step": 20},
        **_dots(data, "what", None, legend=not above),
    }


def _dots(data: Sequence[Row], row: str, title: str | None, *, legend: bool) -> Spec:
    """A line from the bound to the value of each row, and a dot at its end."""
    colour = name("proof", None, scale=coloured(COLOURS, COLOURS))
    tips = hover(
        layer="layer",
        what="decision",
        of="of",
        value="value|,",
        bound="proven: at least|,",
        over="value over bound|.4~f",
        proof="found or proven by",
    )
    top = max((row["over"] for row in data if row["over"] is not None), default=1.0)
    ends = number(
        "over",
        "value / bound",
        scale={"domain": [1, max(top, 1.1)], "nice": False, "padding": 8},
        axis={"tickCount": 4},
    )
    return {
        "encoding": {"y": name(row, title, axis={"labelOverlap": True}), "tooltip": tips},
        "layer": [
            {
                "mark": {"type": "rule", "style": "quiet", "strokeWidth": 1.2},
                "encoding": {"x": ends, "x2": {"datum": 1}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {
                    "x": ends,
                    "color": {
                        **colour,
                        "legend": {"orient": "top", "symbolType": "circle"} if legend else None,
                    },
                },
            },
        ],
    }
