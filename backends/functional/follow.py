"""The reference takes the side that a program takes where rounding decides what a router selects.

Which of two tokens with equal scores an expert takes changes what both give, and what follows. The
program has what the recorded run of the model took, and the run that is the reference may have
taken the other. Its rows of such tokens are then the layer's definition with the program's
selection, and what depends on them is computed anew, operator by operator.
"""

import numpy as np

from backends.functional.choice import selected
from backends.functional.exposed import told_of_own
from backends.functional.machine import TOLERANCE, At, Machine
from backends.functional.names import Inner
from backends.functional.reference import arrive
from backends.functional.ties import Ran, leaning, ran_by
from ir.arrays import Array, Bools, Ints
from ir.onnxdoor.definition import layer_sum
from ir.workload import AnyOperator, MoELayer


def undecided(at: At[MoELayer], ran: Ran) -> Bools:
    """Tokens whose selection is the router's, and another one too: bool [window tokens].

    Where experts choose, all tokens of a sequence in which one has another selection.
    """
    toward, away = selected(at, ran), selected(at, ran, away=True)
    if toward is None or away is None:
        return np.zeros(at.m.tokens, dtype=np.bool_)
    its = (toward == ran.experts).all(axis=1)
    other = ran.tokens & (away != ran.experts).any(axis=1)
    if at.op.router.capacity is not None:
        sequence = at.m.values.sequence
        other = np.isin(sequence, sequence[other])
    return np.asarray(ran.tokens & its & other)


def follow(at: At[MoELayer], combines: Ints, made: Array) -> None:
    """Where `made` [combines, d_out] is another side than the reference's, let that take it.

    The program's selections have been found to be the router's. What is wrong beside stays so: the
    reference's rows come from the model's own vectors.
    """
    m, name = at.m, at.op.outputs[0]
    rows = m.to_rows(name, [found[name] for found in m.whole])
    if rows is None:
        return
    token = m.program.token[combines].astype(np.int64)
    limit = TOLERANCE * np.abs(rows).max(initial=0)
    off = np.abs(made.reshape(len(token), -1) - rows[token].reshape(len(token), -1)) > limit
    if not off.any():
        return
    ran = ran_by(at, combines)
    asked = token[off.any(axis=1)]
    asked = asked[undecided(at, ran)[asked]]
    if not len(asked):
        return
    defined = _by_definition(at, ran, asked)
    if defined is None:
        return
    distance = np.abs(defined - rows)[asked].reshape(len(asked), -1)
    changed = asked[(distance > limit).any(axis=1)]
    if len(changed):
        m.tied |= {(at.index, token) for token in changed.tolist()}
        _put(at, changed, defined)


def _by_definition(at: At[MoELayer], ran: Ran, asked: Ints) -> Array | None:
    """The layer's rows [window tokens, ...] of the model's vectors with the program's selection.

    Of the runs that have any of the tokens `asked`.
    """
    m, op, name = at.m, at.op, at.op.outputs[0]
    found = leaning(at, ran) or told_of_own(at)
    if op.router.capacity is not None:
        weights: Array = np.where(ran.experts, told_of_own(at)[Inner.SCORES], 0)
    else:
        weights = found[Inner.WEIGHTS]
    own, places = found.get(Inner.OWN_WEIGHT), found.get(Inner.PLACES)
    every = np.zeros((m.tokens, op.router.outputs), dtype=np.float32)
    every[:, op.router.idle[0] : op.router.idle[0] + op.router.experts] = weights
    results: list[Array] = []
    for values, run in zip(m.whole, m.runs_of(op.side), strict=True):
        mine = run.tokens.ravel()
        if not np.isin(mine, asked).any():
            results.append(values[name])
            continue
        fed = {n: values[n] for n in op.inputs}
        parts = (None if part is None else part[mine] for part in (own, places))
        results.append(layer_sum(m.nodes, m.matrices, op, fed, every[mine], *parts))
    return m.to_rows(name, results)


def _put(at: At[MoELayer], changed: Ints, rows: Array) -> None:
    """Rows of the tokens `changed` in the reference, and all that depends on them."""
    m, name = at.m, at.op.outputs[0]
    later = _depending(m, at.index)
    named = {op.name for op in later}
    stale = {op.router.logits for op in m.workload.moe_layers if op.name in named}
    stale -= {output for op in m.workload.operators for output in op.outputs}
    steps = m.arrival
    if at.op.router.capacity is None:  # one run over all tokens is the reference of every step
        steps = np.where(m.arrival >= m.step, min(m.step, 1), 0)
    for values, run, whole in zip(m.whole, m.runs_of(at.op.side), m.runs, strict=True):
        mine = run.tokens.ravel()
        own = np.isin(mine, changed)
        if not own.any():
            continue
        array = values[name].reshape(len(mine), -1).copy()
        array[own] = rows[mine[own]].reshape(int(own.sum()), -1)
        values[name] = array.reshape(values[name].shape)
        for logits in stale:
            values.pop(logits, None)
        arrive(m.nodes, m.matrices, later, whole, steps, values, int(steps[changed].min()))
    m.told.clear()


def _depending(m: Machine, index: int) -> list[AnyOperator]:
    """The operators that read what operator `index` makes, or what these make, in order."""
    changed, out = set(m.workload.operators[index].outputs), list[AnyOperator]()
    for op in m.workload.operators[index + 1 :]:
        if not changed.isdisjoint(op.inputs):
            changed |= set(op.outputs)
            out.append(op)
    return out
