"""Expert choice step by step against the model run anew, without caches, on the tokens so far.

The prefill must equal it, and so must the first MoE layer in every step: what stands before that
layer is causal, and a newcomer's own selection does not depend on what later evicts it. From the
second MoE layer on the two are different functions, because a newcomer there changes what earlier
tokens give; that distance is what caching costs, and is reported. So is it where rounding decides
which tokens an expert takes (`ties`), and the model run anew has taken others.
"""

from collections.abc import Sequence

import numpy as np

from backends.functional.follow import undecided
from backends.functional.machine import TOLERANCE, At, Machine
from backends.functional.reference import whole_model
from backends.functional.runs import Run
from backends.functional.ties import ran_by
from ir.arrays import Array
from ir.program import Opcode

Rows = tuple[Array, Array]  # ours and the model's, [tokens, ...]


def newest_rows(m: Machine, again: Sequence[Sequence[Run]]) -> dict[tuple[str, bool], list[Rows]]:
    """By (value, must be equal): rows of the tokens that arrive in each step.

    again: for each step the runs of the model on the tokens so far. The values are the MoE layers'
    results and the model's outputs.
    """
    makers = {n: i for i, op in enumerate(m.workload.operators) for n in op.outputs}
    layers = [op.outputs[0] for op in m.workload.moe_layers]
    names = list(dict.fromkeys([*layers, *(n for n in m.workload.outputs if n in makers)]))
    out: dict[tuple[str, bool], list[Rows]] = {}
    steps = [(step, run) for step, runs in enumerate(again) for run in runs]
    values = whole_model(m.nodes, names, [run for _, run in steps])
    for (step, run), found in zip(steps, values, strict=True):
        for name in names:
            rows = _rows(m, step, makers[name], name, run, found[name])
            if rows is not None:
                equal = step == 0 or name == layers[0]
                equal = equal and not (_off(*rows) and _tied(m, step, makers[name], run))
                out.setdefault((name, equal), []).append(rows)
    return out


def _rows(m: Machine, step: int, maker: int, name: str, run: Run, found: Array) -> Rows | None:
    """One value's rows of a run's tokens that arrive in the step; None: it is no row per token."""
    made, tokens = m.made.get((step, maker)), run.tokens.ravel()
    if made is None or run.row_shape(found.shape) is None:
        return None
    fresh = tokens[(m.arrival[tokens] == step) & (made[tokens] >= 0)]
    ours = m.values.rows(made[fresh], made[fresh], name, fresh)
    theirs = found.reshape(len(tokens), -1)[np.isin(tokens, fresh)]
    return ours.reshape(theirs.shape), theirs


def _off(ours: Array, theirs: Array) -> bool:
    return not np.abs(ours - theirs).max(initial=0) <= TOLERANCE * np.abs(theirs).max(initial=0)


def _tied(m: Machine, step: int, maker: int, run: Run) -> bool:
    """Whether rounding decides a selection of the step in a run, up to the operator `maker`."""
    p = m.program
    combines = np.flatnonzero((p.opcode == Opcode.COMBINE) & (p.step == step))
    for op in m.workload.moe_layers:
        index = m.workload.operators.index(op)
        if index <= maker:
            at = At(m, index, op)
            found = undecided(at, ran_by(at, combines[p.node[combines] == index]))
            if found[run.tokens].any():
                return True
    return False
