"""Bytes into and out of the buffers of regions, counted anew from rows and their readers."""

from collections import Counter
from typing import assert_never

import numpy as np

from ir import timing
from ir.arrays import Ints
from ir.program import Opcode
from ir.verify.case import ProgramCase
from ir.verify.check import int64
from ir.workload import Attention, Dense, Digital, MoELayer

SMALL = 4096
PARTIAL = (Opcode.LOAD, Opcode.XFER, Opcode.CROSS, Opcode.ACT, Opcode.MUL)


def buffer_bytes_moved(case: ProgramCase) -> tuple[int, int]:
    """(bytes written, bytes read) of all buffers of regions.

    Links take what they carry, an activation and a product as much as they make, of a value of a
    sequence or a job what works on a token takes a token's vector; anything else takes all of a
    value. The jobs of a streamed attention take what their own tokens made, and keys and values of
    those before.
    """
    p, streams = case.whole, case.streams
    held = p.buffer[p.reads.values] >= 0
    reader, read = p.reads.rows()[held], int64(p.reads.values)[held]
    of_job = streams.mine[reader]
    older = streams.before[reader]
    done = (older >= 0) & (p.token[read] >= 0) & (p.token[read] <= p.token[older])
    beside = of_job & (done | (read == older))
    edges: Ints = np.stack(
        [
            case.opcode[reader],
            p.bytes[reader],
            p.token[reader],
            p.bytes[read],
            np.where(streams.mine[read] & ~of_job, -1, p.token[read]),
            p.node[read],
        ],
        dtype=np.int64,
    )[:, ~beside]
    edges[[2, 4]] = edges[[2, 4]] >= 0  # which token it is does not matter
    taken = _earlier_keys(case)
    for (code, makes, of_token, size, one, node), times in _counted(edges).items():
        limits = [size]
        if code in PARTIAL:
            limits.append(makes)
        if of_token and not one:
            bits = case.workload.operators[node].width * case.chip.mvm.output_bits
            limits.append(-(-bits // 8))
        taken += times * min(limits)
    return int(p.bytes[p.buffer >= 0].sum()), taken


def _earlier_keys(case: ProgramCase) -> int:
    """Bytes of keys and values of tokens before their own that the jobs of streams read."""
    total = 0
    for index, op in enumerate(case.workload.operators):
        match op:
            case Attention():
                mine = case.program.node == index
                seen = int((case.streams.keys - case.streams.asked)[mine].sum())
                total += seen * timing.key_bytes(case.chip, op.kv_heads, op.head_dim)
            case Dense() | Digital() | MoELayer():
                pass
            case _:
                assert_never(op)
    return total


def _counted(edges: Ints) -> Counter[tuple[int, ...]]:
    """How often each column of `edges` occurs."""
    key = np.zeros(edges.shape[1], dtype=np.int64)
    column: Ints
    for column in edges:  # one number for all of a column: large values by their ranks
        many = int(column.max(initial=0)) + 1
        if many > SMALL:
            values = np.unique(column)
            column, many = np.searchsorted(values, column), len(values)
        key = key * many + column
    _, example, times = np.unique(key, return_index=True, return_counts=True)
    found = edges[:, example].T.tolist()
    return Counter({tuple(edge): n for edge, n in zip(found, times.tolist(), strict=True)})
