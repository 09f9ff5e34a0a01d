"""Values that cross from die to die, and what a program says without its crossings.

A CROSS changes where a value is, and nothing else: what a program computes, and from what, it says
as well with every read of a CROSS turned into a read of what the CROSS brings.
"""

from dataclasses import replace

import numpy as np

from ir.arrays import Bools, Ints
from ir.program import Lists, Opcode, Program


def is_crossing(program: Program) -> Bools:
    """[rows] which are CROSSes."""
    crossing: Bools = program.opcode == Opcode.CROSS
    return crossing


def brought(program: Program) -> Ints:
    """The row whose value each CROSS brings, over however many links; of others, themselves.

    A CROSS that reads more or less than one value brings itself, and so does what is read in a
    circle: `ir.verify` names them.
    """
    source = np.arange(len(program), dtype=np.int64)
    single = is_crossing(program) & (np.diff(program.reads.offsets) == 1)
    rows = np.flatnonzero(single)
    source[rows] = program.reads.values[program.reads.offsets[rows]]
    for _ in range(len(program).bit_length()):
        source = source[source]
    return np.where(single[source], np.arange(len(program)), source)


def without_crossings(program: Program) -> Program:
    """The same rows; no CROSS reads or is read: its readers read what it brings."""
    crossing = is_crossing(program)
    if not np.any(crossing):
        return program
    reads = program.reads
    kept = ~crossing[reads.rows()]
    counts = np.where(crossing, 0, np.diff(reads.offsets))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    values = brought(program)[reads.values[kept]].astype(np.int32)
    return replace(program, reads=Lists(offsets, values))


def across(program: Program) -> Bools:
    """Which entries of `reads` are of a value on another die than the reader's.

    Memory is everywhere, and so are tables and masks, which are no token's and take no time.
    """
    units, reads = program.units, program.reads
    place = die_of(program)
    here = np.array([unit.die for unit in units], dtype=np.int64)[program.unit]
    memory = np.array([unit.kind == "dram" for unit in units], dtype=np.bool_)[program.unit]
    free = memory | ((program.token < 0) & (program.duration_ps == 0))
    reader, read = reads.rows(), reads.values
    found: Bools = (here[reader] != place[read]) & ~memory[reader] & ~free[read]
    return found


def die_of(program: Program) -> Ints:
    """The die that each row's value is on, -1 for memory that all dies reach: int64 [rows]."""
    units = program.units
    place = [-1 if u.kind == "dram" else u.to if u.kind == "d2d" else u.die for u in units]
    return np.array(place, dtype=np.int64)[program.unit]
