"""What instructions write to the buffers of regions and read from them, in bytes."""

import numpy as np

from compiler.emit.stream import Draft
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.program import Opcode
from ir.workload import Workload

LINKS = (Opcode.LOAD, Opcode.XFER)  # they read what they carry
NARROWED = (Opcode.ACT, Opcode.MUL)  # of gate and up side by side they read as much as they make


def buffer_traffic(draft: Draft, workload: Workload, chip: Chip) -> tuple[int, int]:
    """(bytes written, bytes read): each value once by its writer, and once by every reader.

    A reader takes the whole value; what works on a token takes one vector of what is there for a
    whole sequence.
    """
    columns = draft.columns
    held: Bools = columns["buffer"] >= 0
    size = columns["bytes"]
    reader, source = draft.reads.rows(), draft.reads.values.astype(np.int64)
    kept = held[source]
    reader, source = reader[kept], source[kept]
    taken = size[source].copy()
    narrowed = np.isin(columns["opcode"][reader], (*LINKS, *NARROWED))
    taken[narrowed] = np.minimum(taken, size[reader])[narrowed]
    one = (columns["token"][source] < 0) & (columns["token"][reader] >= 0)
    vector = _vector_bytes(workload, chip)[columns["node"][source]]
    taken[one] = np.minimum(taken, vector)[one]
    return int(size[held].sum()), int(taken.sum())


def _vector_bytes(workload: Workload, chip: Chip) -> Ints:
    """Bytes of one token's output of each operator: int64 [operators]."""
    bits = [op.width * chip.mvm.output_bits for op in workload.operators]
    return -(-np.array(bits, dtype=np.int64) // 8)
