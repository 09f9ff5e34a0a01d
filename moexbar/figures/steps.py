"""The prefill and the decode steps: how long each takes, beside what a step takes at least."""

from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import NARROW, hover, number, rows
from moexbar.figures.palette import BLUE, ORANGE, VERMILLION
from moexbar.report.compiled import Decoding

CHAIN, BUSIEST = "longest chain of reads", "busiest unit"


def steps(shown: Shown) -> Figure | None:
    """A point for each decode step; None where there are none."""
    found = shown.report.steps
    if not found.decode_ns:
        return None
    pace = found.decoding
    said = f", {pace.tokens_per_s:,.0f} tokens/s" if pace else ""
    mean = sum(found.decode_ns) / len(found.decode_ns) / 1000
    return Figure(
        "steps",
        f"Decode steps: {mean:.4g} us in the mean{said}",
        f"From the end of the step before to the end of each; the prefill takes "
        f"{found.prefill_ns / 1000:.4g} us. Lines: what no step takes less than, in the mean.",
        _spec([ns / 1000 for ns in found.decode_ns], pace),
    )


def _spec(times: list[float], pace: Decoding | None) -> Spec:
    bounds = (
        [
            {"us": pace.chain_ns / 1000, "what": CHAIN, "unit": "one token"},
            {"us": pace.busiest_ns / 1000, "what": BUSIEST, "unit": pace.busiest},
        ]
        if pace
        else []
    )
    colour = {
        "field": "what",
        "type": "nominal",
        "title": None,
        "scale": {"domain": [CHAIN, BUSIEST], "range": [ORANGE, VERMILLION]},
        "legend": {"orient": "top", "symbolType": "stroke"},
    }
    y = number("us", "us", scale={"domainMin": 0})
    x = number(
        "step",
        "decode step",
        scale={"domain": [0.5, len(times) + 0.5], "nice": False},
        axis={"tickMinStep": 1, "format": "d", "grid": False},
    )
    line = {"type": "line", "color": BLUE, "point": {"size": 40, "color": BLUE}}
    return {
        "width": NARROW,
        "height": 220,
        "layer": [
            {
                "data": rows(bounds),
                "mark": {"type": "rule", "strokeWidth": 1.6, "strokeDash": [6, 4]},
                "encoding": {
                    "y": y,
                    "color": colour,
                    "tooltip": hover(what="bound", unit="of", us="at least, us|,.4~f"),
                },
            },
            {
                "data": rows({"step": n + 1, "us": us} for n, us in enumerate(times)),
                "mark": line if len(times) <= 200 else {"type": "line", "color": BLUE},
                "encoding": {
                    "x": x,
                    "y": y,
                    "tooltip": hover(step="decode step", us="takes, us|,.4~f"),
                },
            },
        ],
    }
