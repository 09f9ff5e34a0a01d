"""The order of effect: nothing read before it is there, no memory overwritten while needed.

Each value is written once, so an order in which this holds may be computed in any other that keeps
readers after writers: `machine` goes operator by operator.
"""

import numpy as np

from backends.functional.values import wrong
from ir.crossings import across, die_of, is_crossing
from ir.program import Opcode, Program, circuits


def check_order(program: Program, input_buffers: int) -> None:
    """Raise CheckError naming the first instruction that breaks the order of effect."""
    _check_numbers(program)
    _check_reads(program)
    _check_dies(program)
    _check_input_buffers(program, input_buffers)
    for buffer in range(len(program.buffers)):
        _check_memory(program, buffer)


def _check_numbers(program: Program) -> None:
    """Tokens are those of the window, and nothing else is counted from the end."""
    for name in ("token", "expert", "replica", "stage"):
        low = np.flatnonzero(getattr(program, name) < -1)
        if len(low):
            raise wrong(program, int(low[0]), f"{name} {getattr(program, name)[low[0]]}")


def _check_reads(program: Program) -> None:
    """A reader starts after its writer ended; at one moment the lower id has effect first."""
    reader, read = program.reads.rows(), program.reads.values
    start, end = program.start_ps, program.end_ps
    late = (end[read] > start[reader]) | ((start[read] == start[reader]) & (read >= reader))
    if np.any(late):
        at = int(np.argmax(late))
        other = program.name(int(read[at]))
        raise wrong(program, int(reader[at]), f"reads {other} before it is written")
    mute = program.writes[read] != read
    if np.any(mute):
        at = int(np.argmax(mute))
        other = program.name(int(read[at]))
        raise wrong(program, int(reader[at]), f"reads {other}, which writes no value of its own")


def _check_dies(program: Program) -> None:
    """Nothing is read across dies but by a CROSS, which reads one value."""
    several = np.flatnonzero(is_crossing(program) & (np.diff(program.reads.offsets) != 1))
    if len(several):
        raise wrong(program, int(several[0]), "brings more or less than one value")
    far = np.flatnonzero(across(program))
    if len(far):
        reader, read = int(program.reads.rows()[far[0]]), int(program.reads.values[far[0]])
        where = die_of(program)[read]
        raise wrong(program, reader, f"reads {program.name(read)}, which is on die {where}")


def _check_input_buffers(program: Program, entries: int) -> None:
    """A vector sent to a group with no entry free overwrites one that an MVM still needs.

    It takes an entry from the start of the LOAD or XFER that brings it to the end of its last MVM.
    The groups of a stack have one buffer, in which a vector for several of them is once.
    """
    units, circuit = len(program.units), circuits(program.units)
    sender, group = program.dst.rows(), program.dst.values.astype(np.int64)
    reader, read = program.reads.rows(), program.reads.values.astype(np.int64)
    mvm = program.opcode[reader] == Opcode.MVM
    used = read[mvm] * units + program.unit[reader[mvm]]
    stray = np.flatnonzero(~np.isin(used, sender * units + group))
    if len(stray):
        row, other = int(reader[mvm][stray[0]]), program.name(int(read[mvm][stray[0]]))
        raise wrong(program, row, f"reads {other}, which did not bring a vector to this group")
    shared = program.dst.renamed(circuit)
    sender, group = shared.rows(), shared.values.astype(np.int64)
    used = read[mvm] * units + circuit[program.unit[reader[mvm]]]
    sent = sender * units + group
    keys, place = np.unique(sent, return_inverse=True)
    last = np.zeros(len(keys), dtype=np.int64)
    np.maximum.at(last, np.searchsorted(keys, used), program.end_ps[reader[mvm]])
    free = np.maximum(last[place], program.end_ps[sender])
    held: dict[int, list[int]] = {}  # by group: until when each vector in it is needed
    for i in np.lexsort((sender, program.start_ps[sender])).tolist():
        now = int(program.start_ps[sender[i]])
        entry = [t for t in held.get(int(group[i]), []) if t > now]
        if len(entry) >= entries:
            unit = program.units[int(group[i])].name
            raise wrong(
                program, int(sender[i]), f"overwrites an entry of {unit} that an MVM still needs"
            )
        held[int(group[i])] = [*entry, int(free[i])]


def _check_memory(program: Program, buffer: int) -> None:
    """Write every value of one buffer to its bytes, and look at those bytes whenever it is read.

    Writes have effect when the writer ends; a reader needs the bytes until it ends itself. Of those
    that end together, values that nobody reads come first.
    """
    end = program.end_ps
    held = (program.buffer == buffer) & (program.offset >= 0) & (program.bytes > 0)
    size = int((program.offset + program.bytes)[held].max(initial=0))
    if size > program.buffers[buffer].bytes:
        row = int(
            np.argmax(held & (program.offset + program.bytes > program.buffers[buffer].bytes))
        )
        raise wrong(program, row, f"writes beyond {program.buffers[buffer].name}")
    reader, read = program.reads.rows(), program.reads.values.astype(np.int64)
    looks = np.flatnonzero(held[read] & (end[read] < end[reader]))
    writes = np.flatnonzero(held)
    time = np.concatenate([end[reader[looks]], end[writes]])
    after = np.repeat(np.array([0, 1], dtype=np.int64), [len(looks), len(writes)])
    who = np.concatenate([reader[looks], writes])
    value = np.concatenate([read[looks], writes])
    wanted = np.isin(value, read[looks])
    order = np.lexsort((who, wanted, after, time))
    owner = np.full(size, -1, dtype=np.int32)
    low, high = program.offset.tolist(), (program.offset + program.bytes).tolist()
    for row, kept, write in zip(
        who[order].tolist(), value[order].tolist(), after[order].tolist(), strict=True
    ):
        cells = owner[low[kept] : high[kept]]
        if write:
            cells[:] = kept
        elif (cells != kept).any():
            thief = program.name(int(cells[cells != kept][0]))
            raise wrong(program, row, f"needs {program.name(kept)}, overwritten by {thief}")
