"""An expert that works as a wider one of its group."""

from functools import cache

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from tests.ir.verify.wrong.edits import Tables, changed, edited, entry, placed
from tests.ir.verify.wrong.find import block, routed
from tests.make import compile_small, small_workload


@cache
def of_unlike_widths() -> Compiled:
    """Correct: experts of 12 and 5 in pairs, every token to both of the first pair."""
    chosen = {0: np.tile([True, True, False, False], (6, 1))}
    return compile_small(small_workload(layers=1, widths=(12, 5)), chosen=chosen)


def the_tiles_of_the_wider(c: Compiled) -> Compiled:
    # energy of 9 + 9 crossbars where 5 columns have 6 + 6, whose time is the same
    mvm = routed(c.program, Opcode.MVM, stage=0)
    wide, narrow = (mvm[c.program.expert[mvm] == expert] for expert in (0, 1))
    assert (c.program.energy_fj[wide] * 12 == c.program.energy_fj[narrow] * 18).all()
    return edited(c, "energy_fj", narrow, c.program.energy_fj[wide])


def the_results_of_the_wider(c: Compiled) -> Compiled:
    # up and gate of 12, not 5, are moved to the digital unit
    out = routed(c.program, Opcode.XFER, stage=0)
    wide, narrow = (out[c.program.expert[out] == expert][0] for expert in (0, 1))
    return edited(c, "bytes", narrow, c.program.bytes[wide])


def the_sums_of_the_wider(c: Compiled) -> Compiled:
    # 12 rows of down are two tiles, added by an ACC; 5 are one, so the STORE reads the MVM itself
    acc = routed(c.program, Opcode.ACC, stage=1)
    assert (c.program.expert[acc] == 0).all()
    store = next(r for r in routed(c.program, Opcode.STORE) if c.program.expert[r] == 1)
    return entry(c, "reads", store, 0, int(acc[0]))


def the_narrower_as_the_wider(c: Compiled) -> Compiled:
    # every instruction of one pair of expert 1 says that it is of expert 0
    first = routed(c.program, Opcode.MVM, stage=0)
    root = first[c.program.expert[first] == 1][0]
    token = c.program.token == c.program.token[root]
    return edited(c, "expert", token & (c.program.expert == 1), 0)


def columns_as_short_as_the_narrower(c: Compiled) -> Compiled:
    # down of expert 0: 2 x 5 tiles on 10 PGs; moved on by one, its last is behind the next group's
    start, down = c.mapping.placement.pg_start, block(c.mapping, "down", 0)
    return placed(c, pg_start=changed(start, down, start[down] + 1))


TABLES: Tables = [
    (
        of_unlike_widths,
        [
            ("mvm-energy", the_tiles_of_the_wider),
            ("energy", the_tiles_of_the_wider),
            ("bytes", the_results_of_the_wider),
            ("jobs", the_sums_of_the_wider),
            ("pairs-once", the_narrower_as_the_wider),
            ("group-sharing", columns_as_short_as_the_narrower),
        ],
    ),
]
