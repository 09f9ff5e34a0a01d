"""When a value crosses to another die, what that costs, and the buffer that it comes to."""

from dataclasses import replace

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from tests.ir.verify.wrong.edits import Tables, add, edited, together
from tests.ir.verify.wrong.find import crossings, readers
from tests.ir.verify.wrong.programs import on_dies


def crossing_before_its_value(c: Compiled) -> Compiled:
    p = c.program
    row = int(crossings(p)[0])
    return edited(c, "start_ps", row, p.end_ps[p.reads[row][0]] - 1)


def reader_before_its_crossing(c: Compiled) -> Compiled:
    p = c.program
    row = int(crossings(p)[0])
    return edited(c, "start_ps", readers(p, row)[0][0], p.end_ps[row] - 1)


def crossings_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.CROSS, "d2d")


def value_in_the_buffer_of_another_die(c: Compiled) -> Compiled:
    """Of the same layer, where it is not."""
    p = c.program
    for row in np.flatnonzero(p.buffer >= 0):
        mine = p.buffers[p.buffer[row]]
        for at, buffer in enumerate(p.buffers):
            if (
                buffer.layer == mine.layer
                and buffer.die != mine.die
                and p.opcode[row] == Opcode.ACT
            ):
                larger = replace(buffer, bytes=10**6)
                buffers = tuple(larger if b is buffer else b for b in p.buffers)
                c = replace(c, program=replace(p, buffers=buffers))
                return edited(c, "buffer", int(row), at)
    raise AssertionError("all on one die")


def crossing_in_the_buffer_that_it_leaves(c: Compiled) -> Compiled:
    p = c.program
    keys = [(buffer.layer, buffer.die) for buffer in p.buffers]
    for row in crossings(p):
        key = int(p.layer[row]), p.units[p.unit[row]].die
        if p.buffer[row] >= 0 and key in keys:
            buffers = tuple(replace(b, bytes=10**6) for b in p.buffers)
            c = replace(c, program=replace(p, buffers=buffers))
            return edited(c, "buffer", int(row), keys.index(key))
    raise AssertionError("none")


def link_without_latency(c: Compiled) -> Compiled:
    row = int(crossings(c.program)[0])
    return edited(c, "duration_ps", row, c.program.busy_ps[row])


def link_free_too_early(c: Compiled) -> Compiled:
    row = int(crossings(c.program)[0])
    return edited(c, "busy_ps", row, c.program.busy_ps[row] - 1)


TABLES: Tables = [
    (
        on_dies,
        [
            ("read-after-write", crossing_before_its_value),
            ("read-after-write", reader_before_its_crossing),
            ("unit-once", crossings_at_once),
            ("buffer-bytes", value_in_the_buffer_of_another_die),
            ("buffer-bytes", crossing_in_the_buffer_that_it_leaves),
            ("bytes", add("bytes", Opcode.CROSS, 1)),
            ("energy", add("energy_fj", Opcode.CROSS, -1)),
            ("duration", add("duration_ps", Opcode.CROSS, 1)),
            ("duration", link_without_latency),
            ("duration", link_free_too_early),
            ("macs", add("macs", Opcode.CROSS, 1)),
        ],
    ),
]
