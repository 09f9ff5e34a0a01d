"""The machine that a program runs on, as arrays: who waits for whom.

All of it comes from the program's columns and the chip. Where the columns do not say something
outright, it is read off so:

- Which LOAD or XFER filled the input buffer that an MVM uses: the one among its `reads` whose `dst`
  holds the MVM's group. The entry is taken when that LOAD starts and free when its last MVM ends.
- Slots on the bus: the LOADs of one operator and step that carry a slot go in slot order.
- Lockstep, of each operator and step in the layers of `program.lockstep`: a slot's first-stage MVMs
  start when all of the slot before have ended.
- Room for a value: a value lives from its writer's end to its last reader's end, as long as it is
  written; whoever takes its bytes next waits for that, in the order of the given times.
"""

from dataclasses import dataclass, replace

import numpy as np

from backends.simulate import kernels
from backends.simulate.form import first_row, refuse
from ir.arrays import Array, Ints
from ir.chip import Chip
from ir.jit import frozen
from ir.program import Lists, Opcode, Program, circuits

NOTHING = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Edges:
    """A list column, read-only: row i is values[at[i]:at[i + 1]]."""

    at: Array
    values: Array

    @staticmethod
    def of(lists: Lists) -> "Edges":
        """The lists of a program."""
        return Edges(frozen(lists.offsets, np.int64), frozen(lists.values, np.int32))


@dataclass(frozen=True, eq=False)
class Machine:
    """What holds whatever the durations are, in the order of the given times.

    order: rows by (start, id), those that do not occupy their unit first. unit, dst: by circuits
    (`ir.program.circuits`). vector: entry of `dst`
    that fills an MVM's input buffer, -1 = none; uses: MVMs per entry of `dst`; lock: lockstep that
    a row belongs to, -1 = none; room: earlier holders of each value's bytes,
    room[room_first[i]:room_first[i] + room_count[i]]; entries: vectors an input buffer holds.
    """

    order: Array
    unit: Array
    slot: Array
    reads: Edges
    dst: Edges
    vector: Array
    uses: Array
    lock: Array
    locks: int
    room_first: Array
    room_count: Array
    room: Array
    units: int
    entries: int


def build(program: Program, chip: Chip) -> Machine:
    """The machine of a program of good form.

    Raises CheckError for an MVM without a vector in its input buffer, a LOAD before one of an
    earlier slot, and a value written over one that is still read.
    """
    reads, dst = Edges.of(program.reads), Edges.of(program.dst)
    unit = frozen(program.unit, np.int32)
    mvm = frozen(np.flatnonzero(program.opcode == Opcode.MVM), np.int64)
    vector, uses = kernels.find_vectors(mvm, unit, reads.at, reads.values, dst.at, dst.values)
    bare = np.zeros(len(program), dtype=np.bool_)
    bare[mvm] = (vector[mvm] < 0) & (np.diff(reads.at)[mvm] > 0)  # one that reads nothing may be
    row = first_row(program, bare)
    if row is not None:
        name = program.units[int(unit[row])].name
        read = ", ".join(f"#{r}" for r in program.reads[row].tolist())
        problem = f"reads {read}, expected a LOAD or XFER that fills the input buffer of {name}"
        raise refuse("vector", program, row, problem)
    circuit = circuits(program.units)
    if np.any(circuit != np.arange(len(circuit))):  # a stack's groups have one input buffer
        unit, dst = frozen(circuit[unit], np.int32), Edges.of(program.dst.renamed(circuit))
        vector, uses = kernels.find_vectors(mvm, unit, reads.at, reads.values, dst.at, dst.values)
    turn = 2 * program.start_ps + (program.busy_ps > 0)
    order = np.argsort(turn, kind="stable").astype(np.int32)
    check_bus_order(program, order)
    lock, locks = lockstep(program)
    first, count, room = check_rooms(program, program.end_ps)
    return Machine(
        frozen(order, np.int32),
        unit,
        frozen(program.slot, np.int32),
        reads,
        dst,
        frozen(vector, np.int64),
        frozen(uses, np.int32),
        frozen(lock, np.int32),
        locks,
        frozen(first, np.int64),
        frozen(count, np.int32),
        frozen(room, np.int32),
        len(program.units),
        min(chip.pg.input_buffers, max(1, len(dst.values))),
    )


def settled(machine: Machine, program: Program) -> Machine:
    """The machine with its order refined within each moment: see `kernels.settle`."""
    m = machine
    order = kernels.settle(
        m.order,
        m.unit,
        m.reads.at,
        m.reads.values,
        m.room_first,
        m.room_count,
        m.room,
        frozen(program.start_ps, np.int64),
    )
    return replace(m, order=frozen(order, np.int32))


def check_bus_order(program: Program, order: Array) -> None:
    """LOADs of one operator and step start in slot order on each of its buses."""
    rows = order[(program.opcode[order] == Opcode.LOAD) & (program.slot[order] >= 0)]
    columns = program.unit, program.node, program.step
    rows = rows[np.lexsort([column[rows] for column in columns])]
    one, other = rows[:-1], rows[1:]
    same = np.all([column[one] == column[other] for column in columns], axis=0)
    back = np.flatnonzero(same & (program.slot[other] < program.slot[one]))
    if len(back):
        at = back[np.argmin(program.start_ps[other[back]])]
        row, before = int(other[at]), int(one[at])
        problem = f"found slot {program.slot[row]} after slot {program.slot[before]} of "
        problem += f"{program.name(before)}, expected slot order on the bus"
        raise refuse("bus-order", program, row, problem)


def lockstep(program: Program) -> tuple[Array, int]:
    """The lockstep that each row takes part in, int32 [rows], -1 = none; and how many there are."""
    turn = (program.opcode == Opcode.MVM) & (program.stage == 0) & (program.slot >= 0)
    rows = np.flatnonzero(turn & np.isin(program.layer, program.lockstep))
    step = program.step[rows].astype(np.int64)
    key = program.node[rows] * (int(step.max(initial=0)) + 1) + step
    known, number = np.unique(key, return_inverse=True)
    lock = np.full(len(program), -1, dtype=np.int32)
    lock[rows] = number
    return lock, len(known)


def check_rooms(program: Program, end_ps: Ints) -> tuple[Array, Array, Array]:
    """Earlier holders of every value's bytes: first and count [rows] into a list.

    Raises CheckError naming a value that is written where another still lives.
    """
    reads = Edges.of(program.reads)
    end = frozen(end_ps, np.int64)
    last = kernels.last_uses(end, reads.at, reads.values)
    rows = np.flatnonzero((program.buffer >= 0) & (program.bytes > 0))
    rows = rows[np.lexsort((last[rows], end[rows]))]  # what nobody reads makes room at once
    base = np.cumsum([0, *(b.bytes for b in program.buffers)])
    place = base[program.buffer[rows]] + program.offset[rows]
    beyond = place + program.bytes[rows]
    cuts = np.unique(np.concatenate([place, beyond]))
    low, high = np.searchsorted(cuts, place), np.searchsorted(cuts, beyond)
    first, count, room, row, other = kernels.find_rooms(
        frozen(rows, np.int32),
        frozen(low, np.int32),
        frozen(high, np.int32),
        end,
        frozen(last, np.int64),
        len(cuts),
    )
    if row >= 0:
        at, name = int(program.offset[row]), program.buffers[int(program.buffer[row])].name
        problem = f"writes bytes {at} to {at + int(program.bytes[row]) - 1} of {name} at {end[row]}"
        problem += f" ps, where {program.name(int(other))} is read until {last[other]} ps"
        raise refuse("buffer-overlap", program, int(row), problem)
    return first, count, room
