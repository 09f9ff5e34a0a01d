"""What vectors take on buses, return links and the mesh of a chip with other speeds.

A LOAD and a STORE are timed anew by ir.timing: the unit table says what a bus is sized for, the
instruction how many bytes it moves. How many mesh links a vector goes along is read off its old
duration.
"""

from collections.abc import Callable

import numpy as np

from backends.simulate.alike import alike
from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.errors import InputError
from ir.program import Program, Unit
from ir.timing import Cost, Extent

RECOMPILE = "compile for that chip instead"


def loads(program: Program, rows: Bools, old: Chip, new: Chip) -> tuple[Ints, Ints]:
    """Duration and busy time [LOADs] on a bus: the longest of its bits and the buffer's, wires."""
    pgs: dict[tuple[int, int], int] = {}
    for unit in program.units:
        pgs[unit.layer, unit.die] = pgs.get((unit.layer, unit.die), 0) + unit.pgs

    def one(unit: Unit, data: int, duration: int, busy: int) -> tuple[int, int]:
        region = Extent(unit.columns, unit.rows, pgs[unit.layer, unit.die])

        def load(chip: Chip, values: int) -> Cost:
            return timing.load(chip, values, unit.width, region)

        return _again(unit, data, (duration, busy), load, (old, new), old.mvm.input_bits)

    return _each(program, rows, one)


def stores(program: Program, rows: Bools, old: Chip, new: Chip) -> tuple[Ints, Ints]:
    """Duration and busy time [STOREs] on a return link: hops to it, then the bits."""
    hop, wire = _hop(old)

    def one(unit: Unit, data: int, duration: int, busy: int) -> tuple[int, int]:
        along = duration - busy - old.bus.latency_ps
        hops = along // (hop + wire) if hop + wire else 0

        def store(chip: Chip, values: int) -> Cost:
            return timing.store(chip, values, unit.width, _lanes(unit, old, chip), hops)

        return _again(unit, data, (duration, busy), store, (old, new), old.mvm.output_bits)

    if np.any(rows):
        _told(old, new)
    return _each(program, rows, one)


def transfers(duration: Ints, busy: Ints, old: Chip, new: Chip) -> tuple[Ints, Ints]:
    """Time over mesh links: a hop for each and for each further packet, and each one's wires."""
    if not len(duration):
        return duration, busy
    _told(old, new)
    (before, old_wire), (after, new_wire) = _hop(old), _hop(new)
    if old.mesh.distance == "flat":  # one hop's time, without a limit
        return np.full_like(duration, new.mesh.hop_ps), busy
    if not before + old_wire:
        return duration, busy
    far = duration > 0
    packets = busy // before if before else np.ones_like(busy)  # busy: a hop for every packet
    links = np.where(far, (duration - busy + before) // (before + old_wire), 0)
    moved = packets * after
    return np.where(far, moved - after + links * (after + new_wire), 0), moved


def crossings(program: Program, rows: Bools, old: Chip, new: Chip) -> tuple[Ints, Ints]:
    """Duration and busy time [CROSSes] on a link between dies: its bits, latency and mesh hops."""
    if not np.any(rows):
        return program.duration_ps[rows], program.busy_ps[rows]
    if old.link is None or new.link is None:
        raise InputError(f"chip {new.name}", "no [link], the program was made for dies", RECOMPILE)
    _told(old, new)
    latency, (hop, wire) = old.link.latency_ps, _hop(old)

    def one(unit: Unit, data: int, duration: int, busy: int) -> tuple[int, int]:
        hops = (duration - busy - latency) // (hop + wire) if hop + wire else 0

        def cross(chip: Chip, values: int) -> Cost:
            return timing.cross(chip, values, hops, 0)

        return _again(unit, data, (duration, busy), cross, (old, new), old.mvm.output_bits)

    return _each(program, rows, one)


def _each(
    program: Program, rows: Bools, one: Callable[[Unit, int, int, int], tuple[int, int]]
) -> tuple[Ints, Ints]:
    """`one` of each distinct unit, bytes, duration and busy time, for all rows of it."""
    columns = (program.unit, program.bytes, program.duration_ps, program.busy_ps)
    jobs = [column[rows] for column in columns]
    first, which = alike(jobs)
    kinds = zip(*(job[first].tolist() for job in jobs), strict=True)
    found = [one(program.units[unit], *job) for unit, *job in kinds]
    both = np.array(found, dtype=np.int64).reshape(-1, 2)[which]
    return both[:, 0], both[:, 1]


def _again(
    unit: Unit,
    data: int,
    given: tuple[int, int],
    cost: Callable[[Chip, int], Cost],
    chips: tuple[Chip, Chip],
    bits: int,
) -> tuple[int, int]:
    """Duration and busy time on the second chip, of as many values as explain those `given`.

    bits: of a value. Where a byte holds several, the last may hold fewer than it could.
    """
    old, new = chips
    for values in range(8 * data // bits, 8 * (data - 1) // bits, -1):
        known = cost(old, values)
        if (known.duration_ps, known.busy_ps) == given:
            again = cost(new, values)
            return again.duration_ps, again.busy_ps
    problem = f"{data} bytes in {given[0]} ps, busy {given[1]} ps"
    expected = f"the time of a vector on {old.name} with a {unit.kind} for {unit.width} values"
    raise InputError(f"program: {unit.name}", f"{problem}, expected {expected}")


def _lanes(unit: Unit, old: Chip, chip: Chip) -> int:
    """Lanes of a return link on a chip; InputError where only the model says them."""
    if chip.bus.return_lanes == old.bus.return_lanes:
        return unit.lanes
    if not chip.bus.return_lanes:
        found = f"bus.return_lanes: 0, the program was made for {old.bus.return_lanes}"
        raise InputError(f"chip {chip.name}", found, RECOMPILE)
    return chip.bus.return_lanes


def _hop(chip: Chip) -> tuple[int, int]:
    """Time of a mesh link for a packet, and of its wires: ps."""
    flat = chip.mesh.distance == "flat"
    return chip.mesh.hop_ps, 0 if flat else timing.wire_ps(chip, timing.hop_um(chip))


def _told(old: Chip, new: Chip) -> None:
    """Raise InputError where the old times do not tell what the new ones are made of."""
    (before, old_wire), (after, new_wire) = _hop(old), _hop(new)
    if (after and not before) or (new_wire and not before + old_wire):
        found = f"mesh.hop_ps: {after}, wires of a hop {new_wire} ps"
        problem = f"{found}, the program was made for {before} and {old_wire}"
        raise InputError(f"chip {new.name}", problem, RECOMPILE)
