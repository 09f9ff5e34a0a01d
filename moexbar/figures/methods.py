"""Methods side by side: their times with lower bounds, and how far these are certain."""

from collections.abc import Iterator
from typing import Any

from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import NARROW, hover, name, number, rows
from moexbar.figures.palette import BLUE, ORANGE
from moexbar.report.compiled import Report
from moexbar.report.methods import MethodRow, UnfitRow

WHOLE, PART = "whole program", "MoE layers"


def methods(shown: Shown) -> Figure | None:
    """Time and MoE time of every method; None where no method has a program."""
    report = shown.report
    data = list(time_rows(report))
    if not data:
        return None
    asked = next(row for row in reversed(report.methods) if isinstance(row, MethodRow))
    return Figure(
        "methods",
        f"Methods side by side: {asked.method} takes {asked.time_ns / 1000:.4g} us",
        "Dots: the time of the whole program, and that in which some MoE layer is at work; the "
        "axes do not begin at 0. Ticks: no schedule of the same program takes less."
        f"{_of_bars(report)}{unfit_words(report)}",
        _spec(data),
        wide=True,
    )


def time_rows(report: Report) -> Iterator[dict[str, Any]]:
    """Two rows a method, in us, with its bound and the ends of what is certain about its time."""
    ends = _ends(report)
    for row in fitting(report):
        low, high, why = ends.get(row.method, (None, None, ""))
        yield {
            "method": row.method,
            "of": WHOLE,
            "us": row.time_ns / 1000,
            "bound": row.time_bound_ns / 1000,
            "low": low,
            "high": high,
            "range": why,
        }
        yield {"method": row.method, "of": PART, "us": row.moe_time_ns / 1000}


def fitting(report: Report) -> Iterator[MethodRow]:
    """The methods that have a program."""
    return (row for row in report.methods if isinstance(row, MethodRow))


def unfit_words(report: Report) -> str:
    """A sentence about methods without a program; "" where all have one."""
    names = [row.method for row in report.methods if isinstance(row, UnfitRow)]
    return f" Not drawn, as it does not fit the chip: {'; '.join(names)}." if names else ""


def _ends(report: Report) -> dict[str, tuple[float, float, str]]:
    """Least and largest time of a method in us: over jitter, or the asked one's bands."""
    if report.jitter is not None:
        words = f"{report.jitter.runs} runs with jitter"
        return {
            row.method: (row.time_ns.low / 1000, row.time_ns.high / 1000, words)
            for row in report.jitter.methods
        }
    for row in report.bands.figures if report.bands else ():
        low, high = row.together.low, row.together.high
        if row.name == "time_ns" and low is not None and high is not None and report.methods:
            words = "assumed numbers at random"
            return {report.methods[-1].method: (low / 1000, high / 1000, words)}
    return {}


def _of_bars(report: Report) -> str:
    if report.jitter is not None:
        return (
            f" Lines: least to largest of {report.jitter.runs} runs in which the times of opcodes "
            f"differ by up to {report.jitter.size:.1%}."
        )
    if report.bands is not None:
        return f" Line: least to largest over {report.bands.draws} draws of the assumed numbers."
    return ""


def _spec(data: list[dict[str, Any]]) -> Spec:
    """A panel for each of the two times, whose axes do not begin at zero."""
    tips = hover(
        method="method",
        of="time of",
        us="time, us|,.4~f",
        bound="at least, us|,.4~f",
        low="least, us|,.4~f",
        high="largest, us|,.4~f",
        range="range over",
    )
    at = number("us", "us", scale={"zero": False, "padding": 12}, axis={"tickCount": 5})
    return {
        "data": rows(data),
        "facet": {"column": name("of", None, sort=[WHOLE, PART])},
        "spec": {
            "width": NARROW * 0.6,
            "height": {"step": 22},
            "encoding": {"y": name("method", None, axis={"grid": True}), "tooltip": tips},
            "layer": [
                {
                    "mark": {"type": "tick", "thickness": 2, "height": 14},
                    "transform": [{"filter": {"field": "bound", "valid": True}}],
                    "encoding": {"x": number("bound", "us")},
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 2, "color": ORANGE},
                    "transform": [{"filter": {"field": "high", "valid": True}}],
                    "encoding": {"x": number("low", "us"), "x2": {"field": "high"}},
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                    "encoding": {"x": at, "color": {"value": BLUE}},
                },
            ],
        },
        "resolve": {"scale": {"x": "independent"}},
    }
