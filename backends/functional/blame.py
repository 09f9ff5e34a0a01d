"""From a wrong result inward: the first instruction of a crossbar job that gave a wrong value."""

from typing import assert_never

import numpy as np

from backends.functional.machine import TOLERANCE, At, Machine
from backends.functional.names import Inner
from backends.functional.products import shared_of
from ir.arrays import Array
from ir.program import Opcode
from ir.semantics import feed_forward
from ir.workload import Attention, Dense, Digital, Expert, MoELayer


def blame(m: Machine, row: int) -> int:
    """The LOAD or MVM that made the result of `row` wrong, else `row` itself.

    A dense product is followed back to its MVM; of a COMBINE the experts' outputs are held against
    their definition on the model's own vector.
    """
    index, token = int(m.program.node[row]), int(m.program.token[row])
    op = m.workload.operators[index]
    match op:
        case Digital() | Attention():
            return row
        case Dense():
            x = _vector(m, op.inputs[0], token)
            return row if x is None else _load_or_mvm(m, int(m.job[row]), x)
        case MoELayer():
            x = _vector(m, op.inputs[0], token)
            return row if x is None else _blame_layer(At(m, index, op), row, x)
        case _:
            assert_never(op)


def _blame_layer(at: At[MoELayer], row: int, x: Array) -> int:
    """The same for a row of an MoE layer; x: the model's own vector."""
    m = at.m
    product = wrong_logits(at, row)
    if product >= 0:
        return _load_or_mvm(m, product, x)
    store = _wrong_store(at, row, x)
    if store < 0:
        return row
    second = int(m.job[store])
    if at.op.single:
        told, fired = (int(e) for e in m.program.expert[[store, second]])
        return store if told != fired else _load_or_mvm(m, second, x)
    mvm = int(m.job[m.values.single(np.array([second]), Inner.VECTOR)[0]])
    told, fired, before = (int(e) for e in m.program.expert[[store, second, mvm]])
    if told != fired:
        return store if fired == before else second
    made = m.values.of(store).arrays[Inner.RESULT][m.values.row[store]]
    right = m.matrices.product(_vector_of(m, second)[None], _expert_of(at, store).last)[0]
    return second if _off(m, made, right) else _load_or_mvm(m, mvm, x)


def wrong_logits(at: At[MoELayer], row: int) -> int:
    """The MVM of a router on crossbars that gave wrong logits for the token of `row`, else -1."""
    m, p = at.m, at.m.program
    token = int(p.token[row])
    theirs = _vector(m, at.op.router.logits, token)
    if theirs is None:  # a digital router
        return -1
    mine = (p.node == p.node[row]) & (p.token == token) & (p.step == p.step[row])
    stores = np.flatnonzero(mine & (p.opcode == Opcode.STORE))
    for store in stores[m.values.holds(stores, Inner.LOGITS)].tolist():
        made = m.values.rows(np.array([row]), np.array([store]), Inner.LOGITS, np.array([token]))[0]
        if _off(m, made, theirs):
            return int(m.job[store])
    return -1


def _load_or_mvm(m: Machine, mvm: int, x: Array) -> int:
    """The LOAD of an MVM if it did not bring the vector `x`, else the MVM."""
    given = _vector_of(m, mvm)
    load = int(m.values.single(np.array([mvm]), Inner.VECTOR)[0])
    return load if given.shape != x.shape or _off(m, given, x) else mvm


def _vector_of(m: Machine, mvm: int) -> Array:
    """What stood in the input buffer of an MVM."""
    return np.asarray(m.values.take(np.array([mvm]), Inner.VECTOR)[0])


def _vector(m: Machine, name: str, token: int) -> Array | None:
    """The reference's row of a value for one token."""
    if name not in m.whole[0]:
        return None
    rows = m.to_rows(name, [found[name] for found in m.whole])
    return None if rows is None else rows[token].ravel().astype(np.float32)


def _wrong_store(at: At[MoELayer], row: int, x: Array) -> int:
    """The first STORE that a COMBINE reads and that is not its expert's output; -1 if all are."""
    m, op, one = at.m, at.op, np.array([row])
    token = m.program.token[[row]].astype(np.int64)
    if m.program.opcode[row] != Opcode.COMBINE:
        return -1
    _, read = m.values.edges(one)
    factors = m.values.take(one, Inner.FACTORS)[0]
    for store in read[m.values.holds(read, Inner.RESULT)].tolist():
        number, expert = int(m.program.expert[store]), _expert_of(at, store)
        scaled = x * factors[number] if op.weight_on == "input" and number >= 0 else x
        if op.apart == "inputs" and number >= 0:
            place = int(m.values.take(one, Inner.PLACES)[0, number])
            scaled = x.reshape(op.places, -1)[place]
        made = m.values.rows(one, np.array([store]), Inner.RESULT, token)[0]
        right = feed_forward(m.matrices, expert, op.activation, scaled[None])
        if _off(m, made, right[0]):
            return int(store)
    return -1


def _expert_of(at: At[MoELayer], store: int) -> Expert:
    """The expert that a STORE names, or the shared one whose tiles gave its product."""
    number = int(at.m.program.expert[store])
    return at.op.experts[number] if number >= 0 else at.op.shared[shared_of(at.m, store)]


def _off(m: Machine, ours: Array, theirs: Array) -> bool:
    return not np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()
