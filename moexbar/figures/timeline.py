"""Units over time: how busy each is, or all of a kind and layer together, in a heat map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ir.arrays import Floats, Ints
from ir.program import Program, Unit
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import columns, hover, name, number, rows, us
from moexbar.figures.palette import AMOUNT, NOTHING, UNITS

MOST_ROWS, MOST_BINS = 120, 240
BIN = 3  # pixels of a bin: whole ones, or seams are seen between bins
SHARES = 1000  # a share is kept to a thousandth
KIND_PLACE = {kind: place for place, kind in enumerate(UNITS)}


@dataclass(frozen=True)
class Row:
    """A row of the picture: units of one kind, of some neighbouring layers; units: how many."""

    kind: str
    name: str
    units: int


def timeline(shown: Shown) -> Figure | None:
    """The share of each bin of time that units are busy; None without a program that takes time."""
    program = shown.program
    if program is None or not program.makespan_ps:
        return None
    of_unit, found = unit_rows(program)
    width, shares = busy_shares(program, of_unit, found)
    row, at = np.nonzero(np.rint(shares * SHARES))
    together = any(each.units > 1 for each in found)
    of = "units of a kind and layer together" if together else "each unit"
    return Figure(
        "timeline",
        f"Units over time: {len(program):,} instructions in {us(program.makespan_ps):.4g} us",
        f"How much of each {us(width):.3g} us {of} "
        "can take no other job, in the mean over the units of a row; dark: none of it. Only units "
        "that work at some time have a row.",
        _spec(program, found, width, row, at, shares[row, at]),
        wide=True,
    )


def unit_rows(program: Program) -> tuple[Ints, list[Row]]:
    """The row of each unit (-1: it never works), and the rows by kind and layer.

    A row for each unit where there are few enough; else for each kind and layer; else of so many
    neighbouring layers together that there are.
    """
    jobs = np.bincount(program.unit, program.busy_ps, len(program.units)) > 0
    used = np.flatnonzero(jobs).tolist()
    layers = max((program.units[n].layer for n in used), default=0) + 1
    for together in range(layers + 1):
        keys = [_key(program.units[n], n, together) for n in used]
        names = sorted(set(keys))
        if len(names) <= MOST_ROWS or together == layers:
            break
    place = {key: row for row, key in enumerate(names)}
    of_unit = np.full(len(program.units), -1, dtype=np.int64)
    of_unit[used] = [place[key] for key in keys]
    counts = np.bincount(of_unit[used], minlength=len(names)).tolist()
    first = [used[keys.index(key)] for key in names]
    found = [
        Row(program.units[n].kind, _name(program.units[n], together, layers), count)
        for n, count in zip(first, counts, strict=True)
    ]
    return of_unit, found


def _key(unit: Unit, number_: int, together: int) -> tuple[int, int, int]:
    """By what rows are told apart and sorted: kind, then layers, then the unit itself."""
    kind = KIND_PLACE[unit.kind]
    if not together:
        return kind, unit.layer, number_
    return kind, unit.layer if unit.layer < 0 else unit.layer // together, 0


def _name(unit: Unit, together: int, layers: int) -> str:
    if not together:
        return unit.name
    if unit.layer < 0:
        return "all"
    first = unit.layer // together * together
    last = min(first + together, layers) - 1
    return f"layer {first}" if first == last else f"layers {first}-{last}"


def busy_shares(
    program: Program, of_unit: Ints, found: Sequence[Row], most: int = MOST_BINS
) -> tuple[int, Floats]:
    """Width of a bin in ps, and the busy share of each row in each bin: float64 [rows, bins].

    of_unit: row of each unit. Time t lies in bin t // width; at most `most` bins.
    """
    width = -(-program.makespan_ps // most)
    bins = -(-program.makespan_ps // width)
    row = of_unit[program.unit]
    working = (row >= 0) & (program.busy_ps > 0)
    row, start = row[working], program.start_ps[working]
    shape = (len(found), bins)
    busy = _before(row, start + program.busy_ps[working], width, shape)
    busy -= _before(row, start, width, shape)
    units = np.array([each.units for each in found], dtype=np.int64)
    last = program.makespan_ps - (bins - 1) * width
    lengths = np.full(bins, width)
    lengths[-1] = last
    return width, busy / (units[:, None] * lengths)


def _before(row: Ints, time: Ints, width: int, shape: tuple[int, int]) -> Floats:
    """How much of each bin lies before each time, summed over the times of a row."""
    bins = shape[1]
    at = np.minimum(time // width, bins - 1)
    key, cells = row * bins + at, shape[0] * bins
    part = np.bincount(key, time - at * width, cells).reshape(shape)
    count = np.bincount(key, minlength=cells).reshape(shape)
    later = np.cumsum(count[:, ::-1], axis=1)[:, ::-1] - count
    return part + later * float(width)


def _spec(
    program: Program, found: Sequence[Row], width: int, row: Ints, at: Ints, share: Floats
) -> Spec:
    """A panel for each kind of unit, so that its name stands beside its rows."""
    kinds = list(dict.fromkeys(each.kind for each in found))
    bins = -(-program.makespan_ps // width)
    step = max(4, min(14, 700 // len(found)))
    shares = np.rint(share * SHARES) / SHARES
    panels = []
    for kind in kinds:
        own = [n for n, each in enumerate(found) if each.kind == kind]
        kept = np.isin(row, own)
        cells = {"r": row[kept].tolist(), "b": at[kept].tolist(), "s": shares[kept].tolist()}
        panels.append(
            {
                "width": BIN * bins,
                "height": {"step": step},
                "view": {"fill": NOTHING},
                "data": columns(cells),
                "transform": _read(own, found, us(width)),
                "mark": {"type": "rect"},
                "encoding": {
                    **_time(us(bins * width), last=kind == kinds[-1]),
                    "y": _names(UNITS[kind][0], [found[n].name for n in own], step),
                    "color": COLOUR,
                    "tooltip": TIPS,
                },
            }
        )
    return {"spacing": 4, "vconcat": panels, "resolve": {"scale": {"color": "shared"}}}


COLOUR = number(
    "s",
    "busy",
    scale={"scheme": AMOUNT, "domain": [0, 1]},
    legend={"format": ".0%", "gradientLength": 120},
)
TIPS = hover(
    row="layer or unit",
    units="units|,",
    **{"from": "from, us|,.4~f", "to": "to, us|,.4~f"},
    s="busy|.1%",
)


def _read(own: Sequence[int], found: Sequence[Row], bin_us: float) -> list[Spec]:
    """From numbers of rows and bins to names and times."""
    named = rows({"r": n, "row": found[n].name, "units": found[n].units} for n in own)
    return [
        {"lookup": "r", "from": {"data": named, "key": "r", "fields": ["row", "units"]}},
        {"calculate": f"datum.b * {bin_us}", "as": "from"},
        {"calculate": f"(datum.b + 1) * {bin_us}", "as": "to"},
    ]


def _time(whole: float, *, last: bool) -> Spec:
    """The axis of time, under the last panel alone."""
    axis = {"grid": False, "labels": last, "ticks": last, "domain": last}
    scale = {"domain": [0, whole], "nice": False}
    return {
        "x": number("from", "us" if last else "", scale=scale, axis=axis),
        "x2": {"field": "to"},
    }


def _names(kind: str, names: Sequence[str], step: int) -> Spec:
    """The axis of rows; the kind of unit stands left of them."""
    beside = {"titleAngle": 0, "titleAlign": "right", "titleX": -84}
    axis = {**beside, "labelOverlap": True, "labelFontSize": min(11, step + 3)}
    return name("row", kind, scale={"domain": list(names)}, axis=axis)
