"""The figures of a point: which numbers of its report a table of results has, with units and sense.

Other numbers of report.json are named by their path, such as `methods.-1.critical_path_ns`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ir.compiled import Compiled
from ir.errors import InputError
from moexbar.report.compiled import Report
from moexbar.report.methods import MethodRow
from moexbar.report.plain import as_json
from moexbar.report.times import CLOCKS

Sense = Literal["less", "more"]
Value = int | float | None


@dataclass(frozen=True, eq=False)
class Told:
    """What a point gave: its report, and the compilation itself."""

    report: Report
    compiled: Compiled

    @property
    def ours(self) -> MethodRow:
        """The figures of the method that was asked for, which has some: it is the last."""
        found = self.report.methods[-1]
        if not isinstance(found, MethodRow):
            raise TypeError("the asked method has no figures")
        return found


@dataclass(frozen=True)
class Figure:
    """A column of the results: its name, unit, which way is better, what it is, where it is from.

    of: the number of a report; None where the chip or the program has none.
    """

    name: str
    unit: str
    sense: Sense
    meaning: str
    of: Callable[[Told], Value]


def _size(field: str) -> Callable[[Told], Value]:
    """A size of the chip that the program is made for."""

    def of(told: Told) -> Value:
        rows = told.ours.sizes or ()
        return next((row.value for row in rows if row.field == field), None)

    return of


def _layers(value: Callable[[Any], int]) -> Callable[[Told], Value]:
    """A number of every MoE layer, added."""
    return lambda told: sum(value(layer) for layer in told.report.layers)


def _decode(told: Told) -> Value:
    """Decode steps in the mean, us."""
    steps = told.report.steps.decode_ns
    return sum(steps) / len(steps) / 1e3 if steps else None


def _rate(told: Told) -> Value:
    """Tokens of the window in a second."""
    return told.report.window.tokens / (told.ours.time_ns / 1e9)


def _gap(told: Told) -> Value:
    """The program's time over its bound, per cent of the time."""
    ours = told.ours
    return 100 * (1 - ours.time_bound_ns / ours.time_ns) if ours.time_ns else None


def _placed(told: Told) -> Value:
    """Per cent of the weights on crossbars."""
    rows = told.report.weights
    return None if rows is None else rows.placed_percent


FIGURES: tuple[Figure, ...] = (
    Figure("time_us", "us", "less", "of the program", lambda t: t.ours.time_ns / 1e3),
    Figure("prefill_us", "us", "less", "of its prefill", lambda t: t.report.steps.prefill_ns / 1e3),
    Figure("decode_us", "us", "less", "of a decode step, in the mean", _decode),
    Figure("tokens_per_s", "1/s", "more", "tokens of the window in a second", _rate),
    Figure("energy_uj", "uJ", "less", "of the program", lambda t: t.ours.energy_nj.total / 1e3),
    Figure(
        "dynamic_uj",
        "uJ",
        "less",
        "of it, what instructions take",
        lambda t: sum(t.ours.energy_nj.dynamic.values()) / 1e3,
    ),
    Figure(
        "static_uj",
        "uJ",
        "less",
        "of it, power over the whole time",
        lambda t: sum(t.ours.energy_nj.static.values()) / 1e3,
    ),
    Figure("area_mm2", "mm2", "less", "of the chip", lambda t: t.ours.area_mm2.total),
    Figure("moe_area_mm2", "mm2", "less", "of the MoE layers", lambda t: t.ours.moe_area_mm2.total),
    Figure(
        "moe_gops_per_mm2",
        "GOPS/mm2",
        "more",
        "operations of the MoE layers per time and area",
        lambda t: t.ours.moe_gops_per_mm2.value,
    ),
    Figure(
        "gops_per_w_mm2",
        "GOPS/W/mm2",
        "more",
        "operations per energy and area",
        lambda t: t.ours.gops_per_w_mm2.value,
    ),
    Figure("slots", "", "less", "of the window, all MoE layers", lambda t: t.ours.slots),
    Figure("mean_slots", "", "less", "of a window, in the mean", lambda t: t.ours.mean_slots),
    Figure("transfers", "", "less", "broadcasts of the window", lambda t: t.ours.transfers),
    Figure(
        "time_bound_us",
        "us",
        "less",
        "no schedule of the instructions takes less",
        lambda t: t.ours.time_bound_ns / 1e3,
    ),
    Figure("time_gap_percent", "%", "less", "of the time, above that bound", _gap),
    Figure(
        "grouping_value",
        "",
        "less",
        "what groups minimise",
        _layers(lambda one: one.grouping.value),
    ),
    Figure(
        "grouping_bound", "", "less", "no groups have less", _layers(lambda one: one.grouping.bound)
    ),
    Figure("bus_transfers", "", "less", "in a slot, at most", _size("bus.transfers_per_slot")),
    Figure("input_buffers", "", "less", "of a peripheral group", _size("pg.input_buffers")),
    Figure("return_lanes", "", "less", "of a region", _size("bus.return_lanes")),
    Figure(
        "pgs",
        "",
        "less",
        "peripheral groups",
        lambda t: t.compiled.mapping.placement.pgs,
    ),
    Figure(
        "cores",
        "",
        "less",
        "of the mesh",
        lambda t: t.report.placement.mesh[0] * t.report.placement.mesh[1],
    ),
    Figure(
        "expert_crossbars",
        "",
        "less",
        "of routed experts",
        lambda t: t.report.placement.expert_crossbars.used,
    ),
    Figure("placed_percent", "%", "more", "of the weights, on crossbars", _placed),
    Figure("instructions", "", "less", "of the program", lambda t: t.ours.instructions),
)
GAINS = ("sharing", "ordering", "over_paper", "over_paper_baseline")


def gain_columns(asked: bool) -> tuple[str, ...]:
    """Columns of the gains over other methods, where these are compiled too."""
    return tuple(f"gain_{name}" for name in GAINS) if asked else ()


def figures_of(told: Told, paths: Sequence[str], *, gains: bool) -> dict[str, Value]:
    """{column: number} of a point; InputError for a path where its report has no number."""
    report = told.report
    found = {figure.name: _number(figure.of(told)) for figure in FIGURES}
    if gains:
        found |= {f"gain_{name}": _number(getattr(report.gains, name, None)) for name in GAINS}
    plain = as_json(report) if paths else {}
    return found | {path: _at(plain, path) for path in paths}


def check_path(where: str, path: str) -> str:
    """The path of a figure; InputError for one that is no path, or of a clock."""
    parts = path.split(".")
    if not all(parts) or len(path) > 200 or not path.isprintable():
        raise InputError(where, f"{path[:60]!r}, expected a path such as steps.prefill_ns")
    if parts[-1] in CLOCKS:
        raise InputError(where, f"{path}: differs from run to run", "timings.csv has the seconds")
    return path


def _at(plain: Any, path: str) -> Value:
    """The number at a path of plain data; places in lists count from 0, or back from -1."""
    here = plain
    for part in path.split("."):
        try:
            here = here[int(part)] if isinstance(here, list) else here[part]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise InputError("figures", f"{path}: report.json has no {part!r} there") from error
    if here is not None and (isinstance(here, bool) or not isinstance(here, int | float)):
        raise InputError("figures", f"{path}: {str(here)[:60]!r}, expected a number")
    return _number(here)


def _number(value: Any) -> Value:
    """A number as a column can hold it; None for one that is not finite."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
