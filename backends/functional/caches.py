"""KV_WR and KV_RD: keys and values of earlier tokens, as the attention's inputs for them."""

from collections.abc import Sequence

import numpy as np

from backends.functional.machine import Array, Ints, Machine
from ir.workload import Attention


def keep(m: Machine, op: Attention, ids: Ints) -> None:
    """KV_WR: the rows that its `reads` made for the attention, each under its token."""
    for row in ids.tolist():
        _, read = m.values.inputs(np.array([row]))
        token = m.program.token[read].astype(np.int64)
        arrays: dict[str, Array] = {}
        for name in op.inputs:
            mine = m.values.holds(read, name) & (token >= 0)
            if mine.any():
                readers = np.full(int(mine.sum()), row)
                arrays[name] = _spread(
                    m, token[mine], m.values.rows(readers, read[mine], name, token[mine])
                )
        m.values.put(np.array([row]), np.array([-1]), arrays)
        m.covers[row] = np.unique(token[token >= 0])


def recall(m: Machine, ids: Ints) -> None:
    """KV_RD: everything that the KV_WRs it reads have kept."""
    for row in ids.tolist():
        _, read = m.values.inputs(np.array([row]))
        kept = [i for i in read.tolist() if i in m.covers]
        batches = [m.values.batches[int(m.values.batch[i])].arrays for i in kept]
        arrays = {
            name: _merge([b[name] for b in batches], [m.covers[i] for i in kept])
            for name in (batches[0] if batches else {})
        }
        m.values.put(np.array([row]), np.array([-1]), arrays)
        none = np.zeros(0, dtype=np.int64)
        m.covers[row] = np.unique(np.concatenate([none, *(m.covers[i] for i in kept)]))


def _merge(parts: Sequence[Array], tokens: Sequence[Ints]) -> Array:
    """Rows of several writes in one array of all window tokens."""
    out = np.zeros_like(parts[0])
    for part, of in zip(parts, tokens, strict=True):
        out[of] = part[of]
    return out


def _spread(m: Machine, token: Ints, rows: Array) -> Array:
    out = np.zeros((m.tokens, *rows.shape[1:]), dtype=rows.dtype)
    out[token] = rows
    return out
