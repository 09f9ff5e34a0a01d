"""A stretch of the program: every instruction on its unit, and what it waited for."""

from collections.abc import Sequence

import numpy as np

from backends.simulate import CAUSES, Waits, replay
from ir.arrays import Array, Ints
from ir.errors import InputError
from ir.program import Opcode, Program
from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import WIDE, columns, hover, name, number
from moexbar.figures.grammar import rows as rows_of
from moexbar.figures.palette import GREEN, OPCODES, UNITS, coloured
from moexbar.files.chip_file import chip_of

MOST_SLICES, MOST_UNITS = 20_000, 120
PS_PER_NS = 1000
DIGITAL = "digital operations"
KIND_PLACE = {kind: place for place, kind in enumerate(UNITS)}


def timeline_window(
    shown: Shown,
    from_ns: float | None = None,
    to_ns: float | None = None,
    layer: int | None = None,
) -> Figure | None:
    """The instructions that take time between two times, or in the busiest stretch.

    from_ns, to_ns: ends of the stretch, in ns; the program's where one is not given. layer: its
    instructions alone. None without any. Raises InputError where there are more than MOST_SLICES.
    """
    program = shown.program
    if program is None:
        return None
    rows = np.flatnonzero((program.duration_ps > 0) & ((layer is None) | (program.layer == layer)))
    if from_ns is None and to_ns is None:
        rows = busiest(program, rows)
    else:
        rows = between(program, rows, from_ns, to_ns)
    if not len(rows):
        return None
    units, drawn = busiest_units(program, rows)
    waits = Waits(replay(program, chip_of(shown.report.chip)))
    first, last = program.start_ps[drawn].min(), program.end_ps[drawn].max()
    left = len(np.unique(program.unit[rows])) - len(units)
    words = f" The {len(units)} units that are busy longest; {left} more work." if left else ""
    return Figure(
        "timeline-window",
        f"Slices from {first / 1e6:.4g} to {last / 1e6:.4g} us"
        + (f", layer {layer}" if layer is not None else ""),
        "Every instruction on its unit for as long as the unit can take no other job (an "
        f"instruction that keeps its unit for no time is drawn as long as it takes).{words} "
        "Drag to move in time, turn the wheel to zoom; hover over a slice for what it is and what "
        "it waited for longest.",
        _spec(program, drawn, units, waits),
        wide=True,
    )


def busiest(program: Program, rows: Ints, most: int = MOST_SLICES) -> Ints:
    """As many rows that start one after another as may be drawn, where these take least time."""
    rows = rows[np.argsort(program.start_ps[rows], kind="stable")]
    if len(rows) <= most:
        return rows
    start = program.start_ps[rows]
    first = int(np.argmin(start[most - 1 :] - start[: len(rows) - most + 1]))
    return rows[first : first + most]


def between(program: Program, rows: Ints, from_ns: float | None, to_ns: float | None) -> Ints:
    """The rows that run at some time between two times; InputError where they are too many."""
    first = 0 if from_ns is None else from_ns * PS_PER_NS
    last = program.makespan_ps if to_ns is None else to_ns * PS_PER_NS
    if first >= last:
        problem = f"from {first / PS_PER_NS:.12g} to {last / PS_PER_NS:.12g} ns"
        raise InputError("timeline-window", f"{problem}, expected a later end than start")
    inside = rows[(program.start_ps[rows] < last) & (program.end_ps[rows] > first)]
    if len(inside) > MOST_SLICES:
        problem = f"{len(inside):,} instructions from {first / PS_PER_NS:.12g} to "
        problem += f"{last / PS_PER_NS:.12g} ns, expected at most {MOST_SLICES:,}"
        raise InputError("timeline-window", problem, "choose a shorter stretch, or one layer")
    return inside[np.argsort(program.start_ps[inside], kind="stable")]


def busiest_units(program: Program, rows: Ints) -> tuple[list[int], Ints]:
    """The units that rows keep busy longest, by kind and layer, and the rows that are on them."""
    busy = np.bincount(program.unit[rows], _held_ps(program, rows), len(program.units))
    used = np.unique(program.unit[rows])
    kept = used[np.argsort(-busy[used], kind="stable")][:MOST_UNITS].tolist()
    table = program.units
    kept.sort(key=lambda n: (KIND_PLACE[table[n].kind], table[n].layer, n))
    return kept, rows[np.isin(program.unit[rows], kept)]


def _held_ps(program: Program, rows: Ints) -> Ints:
    """How long a slice is: as its unit is busy, or as the instruction takes."""
    busy = program.busy_ps[rows]
    return np.where(busy > 0, busy, program.duration_ps[rows])


def longest_waits(waits: Waits, rows: Ints) -> tuple[list[str], Ints, Ints]:
    """Cause, ps and holder (-1: none) of the longest wait of each row; "" where it had none."""
    amounts = np.stack([waits.by_cause[cause][rows] for cause in CAUSES])
    which, longest = amounts.argmax(axis=0), amounts.max(axis=0)
    holders = np.stack([waits.holder(cause)[rows] for cause in CAUSES])
    holder = np.where(longest > 0, holders[which, np.arange(len(rows))], -1)
    causes = [
        CAUSES[n] if ps else "" for n, ps in zip(which.tolist(), longest.tolist(), strict=True)
    ]
    return causes, longest, holder


def _words(program: Program, holders: Ints) -> list[str]:
    """`#17 MVM e9`, in short."""
    opcode, expert = program.opcode[holders].tolist(), program.expert[holders].tolist()
    return [
        f"#{row} {Opcode(code).name}" + (f" e{e}" if e >= 0 else "") if row >= 0 else ""
        for row, code, e in zip(holders.tolist(), opcode, expert, strict=True)
    ]


def _ids(column: Array) -> list[int | None]:
    """Numbers, None where they do not apply."""
    return [value if value >= 0 else None for value in column.tolist()]


def _table(program: Program, rows: Ints, waits: Waits) -> Spec:
    """A line a slice; names of columns are short, as there may be twenty thousand."""
    p, (cause, wait, holder) = program, longest_waits(waits, rows)
    ns: dict[str, Sequence[float]] = {
        key: (values / PS_PER_NS).tolist()
        for key, values in (
            ("s", p.start_ps[rows]),
            ("e", p.start_ps[rows] + _held_ps(p, rows)),
            ("d", p.duration_ps[rows]),
            ("w", wait),
        )
    }
    return columns(
        {
            **ns,
            "i": rows.tolist(),
            "u": [p.units[n].name for n in p.unit[rows].tolist()],
            "o": [Opcode(code).name for code in p.opcode[rows].tolist()],
            "j": (p.energy_fj[rows] / 1000).tolist(),
            "t": p.step[rows].tolist(),
            "l": _ids(p.layer[rows]),
            "k": _ids(p.token[rows]),
            "x": _ids(p.expert[rows]),
            "r": _ids(p.replica[rows]),
            "c": cause,
            "h": _words(p, holder),
        }
    )


TIPS = hover(
    o="opcode",
    i="instruction",
    u="unit",
    l="layer",
    t="step",
    k="token",
    x="expert",
    r="replica",
    s="start, ns|,.3~f",
    d="takes, ns|,.3~f",
    j="energy, pJ|,.4~f",
    c="waited longest for",
    w="that long, ns|,.3~f",
    h="held by",
)


def _spec(program: Program, rows: Ints, units: Sequence[int], waits: Waits) -> Spec:
    names = [program.units[n].name for n in units]
    opcodes = [Opcode(code).name for code in sorted(set(program.opcode[rows].tolist()))]
    known = {o: o if OPCODES.get(o, GREEN) != GREEN else DIGITAL for o in opcodes}
    kinds = {"data": rows_of({"o": o, "f": f} for o, f in known.items()), "key": "o"}
    return {
        "width": WIDE - 90,
        "height": {"step": 13 if len(units) <= 60 else 9},
        "data": _table(program, rows, waits),
        "transform": [{"lookup": "o", "from": {**kinds, "fields": ["f"]}}],
        "params": [
            {"name": "time", "select": {"type": "interval", "encodings": ["x"]}, "bind": "scales"}
        ],
        "mark": {"type": "bar", "height": {"band": 0.86}, "clip": True},
        "encoding": {
            "x": number("s", "ns", scale={"zero": False, "nice": False}, axis={"tickCount": 8}),
            "x2": {"field": "e"},
            "y": name(
                "u",
                None,
                scale={"domain": names},
                axis={"labelOverlap": True, "labelFontSize": 9, "labelLimit": 120},
            ),
            "color": name("f", None, scale=coloured(known.values(), {**OPCODES, DIGITAL: GREEN})),
            "tooltip": TIPS,
        },
    }
