"""What instructions write to the buffers of regions and read from them, in bytes."""

from typing import assert_never

import numpy as np

from compiler.emit.stream import Draft
from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.program import Opcode
from ir.schedule import Schedule
from ir.workload import Attention, Dense, Digital, MoELayer, Workload

LINKS = (Opcode.LOAD, Opcode.XFER, Opcode.CROSS)  # they read what they carry
NARROWED = (Opcode.ACT, Opcode.MUL)  # of gate and up side by side they read as much as they make


def buffer_traffic(
    draft: Draft, workload: Workload, schedule: Schedule, chip: Chip
) -> tuple[int, int]:
    """(bytes written, bytes read): each value once by its writer, and once by every reader.

    A reader takes the whole value; what works on a token takes one vector of what is there for a
    whole sequence, or for a job of several tokens. A job of a streamed attention reads its own
    tokens' vectors, and the keys and values of all tokens before.
    """
    columns = draft.columns
    held: Bools = columns["buffer"] >= 0
    size = columns["bytes"]
    reader, source = draft.reads.rows(), draft.reads.values.astype(np.int64)
    earlier, again = _streamed(draft, workload, schedule, chip, reader, source)
    kept = held[source] & ~again
    reader, source = reader[kept], source[kept]
    taken = size[source].copy()
    narrowed = np.isin(columns["opcode"][reader], (*LINKS, *NARROWED))
    taken[narrowed] = np.minimum(taken, size[reader])[narrowed]
    job = _jobs(draft)
    several = (columns["token"][source] < 0) | (job[source] & ~job[reader])
    one = several & (columns["token"][reader] >= 0)
    vector = _vector_bytes(workload, chip)[columns["node"][source]]
    taken[one] = np.minimum(taken, vector)[one]
    return int(size[held].sum()), int(taken.sum()) + earlier


def _streamed(
    draft: Draft, workload: Workload, schedule: Schedule, chip: Chip, reader: Ints, source: Ints
) -> tuple[int, Bools]:
    """Bytes of keys and values of earlier tokens that streamed jobs read; edges that stand for it.

    Those lead to the job before, and to what earlier tokens made, which the last job holds on to.
    """
    columns = draft.columns
    job = _jobs(draft)
    chain = job[reader] & job[source] & (columns["node"][reader] == columns["node"][source])
    before = np.full(len(draft), -1, dtype=np.int64)
    before[reader[chain]] = columns["token"][source[chain]]
    token = columns["token"][source]
    again = chain | (job[reader] & (token >= 0) & (token <= before[reader]))
    first = np.searchsorted(schedule.sequence, schedule.sequence[before])
    key_bytes = np.zeros(len(workload.operators), dtype=np.int64)
    for index, op in enumerate(workload.operators):
        match op:
            case Attention():
                key_bytes[index] = timing.key_bytes(chip, op.kv_heads, op.head_dim)
            case Dense() | Digital() | MoELayer():
                pass
            case _:
                assert_never(op)
    rows = np.flatnonzero(before >= 0)
    keys = before[rows] - first[rows] + 1
    return int((keys * key_bytes[columns["node"][rows]]).sum()), again


def _jobs(draft: Draft) -> Bools:
    """Which rows are jobs of streamed attention."""
    found: Bools = (draft.columns["opcode"] == Opcode.ATTN) & (draft.columns["token"] >= 0)
    return found


def _vector_bytes(workload: Workload, chip: Chip) -> Ints:
    """Bytes of one token's output of each operator: int64 [operators]."""
    bits = [op.width * chip.mvm.output_bits for op in workload.operators]
    return -(-np.array(bits, dtype=np.int64) // 8)
