"""Which units a program's time is bound by, how much of it, and what of the chip to change.

No schedule of a program is shorter than its lower bound (`backends.bounds`). What that bound is
made of is what binds: units that are busy, or chains of instructions that read each other's values.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backends.bounds import Bounds, Part, lower_bounds
from backends.cost import multiplies
from ir.chip import Chip, Digital
from ir.program import Program, Unit, UnitKind

SAID = 0.1  # kinds that take less of the time are not put in words, but for the first
NAMED = 3  # units of a kind that are named


@dataclass(frozen=True)
class Binding:
    """Units of one kind, or chains of dependences (None): time of the lower bound that is theirs.

    units: their names, the longest first; ps: all together; share: of the makespan; change: what of
    the chip makes it less, "" for a chain.
    """

    kind: UnitKind | None
    units: tuple[str, ...]
    ps: int
    share: float
    change: str


def bound_by(program: Program, chip: Chip, bounds: Bounds | None = None) -> tuple[Binding, ...]:
    """What the lower bound of `program` is made of, by kind, the longest first.

    bounds: those of the program, where they are known. Shares add up to the bound over the
    makespan; what is missing to 1 a better order could save at most.
    """
    bounds = bounds or lower_bounds(program)
    of_experts = set(np.unique(program.unit[program.expert >= 0]).tolist())
    shared = {program.units[number].name for number in of_experts}
    reading = _reading(program)
    parts: dict[tuple[UnitKind | None, str], list[Part]] = {}
    for part in bounds.parts:
        kind = None if part.unit is None else part.unit.kind
        change = "" if part.unit is None else _change(part.unit, chip, shared, reading)
        parts.setdefault((kind, change), []).append(part)
    whole = max(program.makespan_ps, 1)
    found = [
        Binding(kind, tuple(p.name for p in of if p.unit), ps, ps / whole, change)
        for (kind, change), of in parts.items()
        if (ps := sum(p.ps for p in of))
    ]
    return tuple(sorted(found, key=lambda binding: -binding.ps))


def _reading(program: Program) -> set[str]:
    """Names of the digital units that mostly read matrices which no crossbar holds."""
    busy = np.bincount(program.unit, program.busy_ps, len(program.units))
    held = np.where(multiplies(program), program.busy_ps, 0)
    most = np.bincount(program.unit, held, len(program.units)) > busy / 2
    return {unit.name for unit, found in zip(program.units, most, strict=True) if found}


def _change(unit: Unit, chip: Chip, shared: Collection[str], reading: Collection[str]) -> str:
    """The field of the chip that a unit's time depends on, as `--set` names it.

    shared: names of the units that experts run on; dense matrices have peripherals of their own.
    reading: of the units whose time is that of weights which come from DRAM.
    """
    if unit.name in reading:
        return "raise memory.dram_gb_per_s or digital.macs_per_ns"
    digital = chip.digital
    width = "bus.transfers_per_slot" if chip.bus.bits_per_ns is None else "bus.bits_per_ns"
    changes: dict[UnitKind, str] = {
        "bus": f"raise {width}",
        "return": "raise bus.return_lanes",
        "group": f"lower {'pg.mux or ' * (unit.name in shared)}mvm.read_ns",
        "acc": f"lower accumulate.{'hop_ns' if chip.accumulate.hop_ps else 'add_ns'}",
        "link": "lower mesh.hop_ns",
        "mesh": "lower mesh.hop_ns",
        "dpu": _more_dpus(digital),
        "mha": _faster_attention(digital),
        "dram": "raise memory.dram_gb_per_s",
        "d2d": "raise link.edge_mm",
    }
    return changes[unit.kind]


def _more_dpus(digital: Digital) -> str:
    if digital.shares_dpus:
        return "raise digital.dpus"
    if digital.pgs_per_dpu and not digital.dpus_per_region:
        return "lower digital.pgs_per_dpu"
    return "raise digital.dpus_per_region"


def _faster_attention(digital: Digital) -> str:
    """More units where the heads of a job are spread over them."""
    if not digital.shares_mha_units and digital.attention == "macs":
        return "raise digital.mha_units_per_region or digital.macs_per_ns"
    return f"raise digital.{'macs_per_ns' if digital.attention == 'macs' else 'mha_units'}"


def binding_lines(bindings: Sequence[Binding]) -> Iterator[str]:
    """The first binding in words, and the others that take a tenth of the time."""
    for number, binding in enumerate(bindings):
        if number and binding.share < SAID:
            continue
        of_time = f"{100 * binding.share:.1f} % of the time"
        if binding.kind is not None:
            lead = "then by" if number else "bound by"
            yield f"{lead} {_names(binding.units)}: {of_time}; {binding.change}"
        elif number:
            yield f"then by chains of dependences: {of_time}"
        else:
            yield f"no unit binds: chains of dependences take {of_time}"


def _names(units: Sequence[str]) -> str:
    """`bus.0, bus.2, bus.3 and 4 more`."""
    more = f" and {len(units) - NAMED} more" if len(units) > NAMED else ""
    return ", ".join(units[:NAMED]) + more
