"""KV_WR, GO_WR and their reads: what earlier steps keep, each row under its token.

Kept are the inputs of an attention (keys and values) or of a MoE layer, a MoE layer's outputs, or
the scores that its TOPK has seen.
"""

from collections.abc import Sequence
from typing import assert_never

import numpy as np

from backends.functional.choice import best_of
from backends.functional.machine import At, Machine
from backends.functional.names import Inner, Name
from backends.functional.values import Batch
from ir.arrays import Array, Ints
from ir.program import Opcode
from ir.workload import Attention, MoELayer


def keep(at: At[Attention | MoELayer], ids: Ints) -> None:
    """KV_WR and GO_WR: rows that their `reads` made."""
    m, op = at.m, at.op
    for row in ids.tolist():
        _, read = m.values.inputs(np.array([row]))
        chosen = read[m.program.opcode[read] == Opcode.TOPK]
        if m.program.opcode[row] == Opcode.GO_WR and len(chosen):
            _keep_scores(at, row, int(chosen[0]))
        else:
            names = op.inputs if m.program.opcode[row] == Opcode.KV_WR else op.outputs
            _keep_rows(m, row, read, names)


def _keep_rows(m: Machine, row: int, read: Ints, names: Sequence[str]) -> None:
    token = m.program.token[read].astype(np.int64)
    arrays: dict[Name, Array] = {}
    for name in names:
        mine = m.values.holds(read, name) & (token >= 0)
        if mine.any():
            readers = np.full(int(mine.sum()), row)
            arrays[name] = _spread(
                m, token[mine], m.values.rows(readers, read[mine], name, token[mine])
            )
    m.values.put(np.array([row]), np.array([-1]), Batch(arrays))
    m.covers[row] = np.unique(token[token >= 0])


def _keep_scores(at: At[Attention | MoELayer], row: int, topk: int) -> None:
    m, op = at.m, at.op
    match op:
        case MoELayer():
            capacity = op.router.capacity
        case Attention():
            capacity = None
        case _:
            assert_never(op)
    arrays: dict[Name, Array] = {}
    m.covers[row] = m.covers.get(topk, np.zeros(0, dtype=np.int64))
    if capacity is not None:
        held = m.values.of(topk).arrays
        arrays[Inner.SCORES] = best_of(held[Inner.SCORES], m.covers[row], capacity)
        arrays[Inner.NEAR] = held[Inner.NEAR]
    m.values.put(np.array([row]), np.array([-1]), Batch(arrays))


def recall(m: Machine, ids: Ints) -> None:
    """KV_RD and GO_RD: everything that the writes they read have kept."""
    for row in ids.tolist():
        _, read = m.values.inputs(np.array([row]))
        kept = [i for i in read.tolist() if i in m.covers]
        batches = [m.values.of(i).arrays for i in kept]
        arrays = {
            name: _merge([b[name] for b in batches], [m.covers[i] for i in kept])
            for name in (batches[0] if batches else {})
            if all(name in b for b in batches)
        }
        m.values.put(np.array([row]), np.array([-1]), Batch(arrays))
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
