"""Work on whole sequences: one instruction that reads all tokens of its sequence."""

import numpy as np

from compiler.emit.at import At
from compiler.emit.stream import Costs
from ir.arrays import Ints
from ir.program import Opcode
from ir.timing import Cost
from ir.workload import Attention, Digital


def per_sequence(
    at: At[Attention | Digital],
    opcode: Opcode,
    unit: int,
    costs: list[Cost],
    macs: list[int],
    kept: Ints | None = None,
) -> Ints:
    """One instruction per sequence that reads all its tokens; its id for each [window tokens].

    It reads all that either side has of them, and is the id of its own side's. kept: [window
    tokens] what it reads of its cache.
    """
    ctx, parts = at.ctx, at.ctx.by_sequence(at.rows)
    sources = [at.fetch(name) for name in at.op.inputs]
    sources += [] if kept is None else [kept]
    first = np.array([part[0] for part in parts], dtype=np.int64)
    rows = ctx.stream.append(
        opcode,
        unit,
        Costs(costs, np.arange(len(costs))),
        at.whole_tag(ctx.schedule.sequence[first]),
        rows=len(parts),
        size=np.array([ctx.bytes_of(at.op.width * len(part)) for part in parts], dtype=np.int64),
        macs=np.array(macs, dtype=np.int64),
        buffer=at.region,
    )
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    every = ctx.by_sequence(at.read_rows)
    for row, members, whole in zip(rows, parts, every, strict=True):
        out[members] = row
        for source in sources:
            made = np.unique(source[whole])
            ctx.stream.link("reads", np.full(len(made), row), made)
    return out
