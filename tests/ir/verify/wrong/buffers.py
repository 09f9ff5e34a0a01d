"""Buffers that hold more than they have room for, and values without a place of their own."""

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from tests.ir.verify.wrong.edits import Tables, edited, with_buffers_of
from tests.ir.verify.wrong.find import routed, rows
from tests.ir.verify.wrong.programs import base, no_adders


def input_buffer_too_full(c: Compiled) -> Compiled:
    # two vectors fit; a third is loaded while the first two still wait
    p = c.program
    unit = int(p.unit[routed(p, Opcode.MVM, stage=0)[0]])
    to = np.unique(p.dst.rows()[p.dst.values == unit])
    return edited(c, "start_ps", to[:3], p.start_ps[to[0]])


def third_vector_a_moment_too_early(c: Compiled) -> Compiled:
    """The last group holds two; of three the first is used for 1 ps more when the last comes."""
    p = c.program
    unit = max((u.first_pg, i) for i, u in enumerate(p.units) if u.kind == "group")[1]
    filled = np.unique(p.dst.rows()[p.dst.values == unit])
    one, two, three = filled[np.argsort(p.start_ps[filled])][:3].tolist()
    users = p.reads.rows()[p.reads.values == one]
    until = int(p.end_ps[users[p.unit[users] == unit]].max())
    both = edited(c, "start_ps", two, p.start_ps[one])
    return edited(both, "start_ps", three, until - 1)


def value_beyond_its_buffer(c: Compiled) -> Compiled:
    row = rows(c.program, Opcode.NORM)[0]
    return edited(c, "offset", row, c.program.buffers[c.program.buffer[row]].bytes)


def value_without_a_place(c: Compiled) -> Compiled:
    return edited(c, "buffer", rows(c.program, Opcode.ATTN)[0], -1)


def value_of_no_bytes(c: Compiled) -> Compiled:
    return edited(c, "bytes", rows(c.program, Opcode.NORM)[0], 0)


def offset_without_a_buffer(c: Compiled) -> Compiled:
    row = int(np.flatnonzero(c.program.buffer < 0)[0])
    return edited(c, "offset", row, 0)


def value_before_its_buffer(c: Compiled) -> Compiled:
    row = rows(c.program, Opcode.NORM)[0]
    return edited(c, "offset", row, -1)


def buffer_larger_than_the_chips(c: Compiled) -> Compiled:
    most = max(buffer.bytes for buffer in c.program.buffers)
    return with_buffers_of(c, most - 1)


def values_in_the_same_place(c: Compiled) -> Compiled:
    # the embeddings of a sequence all live until its tokens are mixed: one byte is shared
    p = c.program
    one, other = rows(p, Opcode.EMBED, seq=0)[:2]
    return edited(c, "offset", other, p.offset[one] + p.bytes[one] - 1)


def values_on_top_of_each_other(c: Compiled) -> Compiled:
    # the same two embeddings, now with all bytes shared
    one, other = rows(c.program, Opcode.EMBED, seq=0)[:2]
    return edited(c, "offset", other, c.program.offset[one])


def output_over_a_vector_that_lives(c: Compiled) -> Compiled:
    """What nobody reads, such as the model's output, is written where another waits for readers."""
    p = c.program
    row = int(np.setdiff1d(np.flatnonzero(p.buffer >= 0), p.reads.values)[0])
    last = p.end_ps.copy()
    np.maximum.at(last, p.reads.values, p.end_ps[p.reads.rows()])
    lives = (p.buffer == p.buffer[row]) & (p.end_ps < p.end_ps[row]) & (last > p.end_ps[row])
    return edited(c, "offset", row, p.offset[np.flatnonzero(lives)[0]])


TABLES: Tables = [
    (
        base,
        [
            ("input-buffers", input_buffer_too_full),
            ("stages", offset_without_a_buffer),
            ("buffer-bytes", value_beyond_its_buffer),
            ("buffer-bytes", value_before_its_buffer),
            ("buffer-bytes", value_without_a_place),
            ("buffer-bytes", value_of_no_bytes),
            ("buffer-bytes", buffer_larger_than_the_chips),
            ("buffer-overlap", values_in_the_same_place),
            ("buffer-overlap", values_on_top_of_each_other),
            ("buffer-overlap", output_over_a_vector_that_lives),
        ],
    ),
    (no_adders, [("input-buffers", third_vector_a_moment_too_early)]),
]
