"""What quantises its inputs rounds as the model does, where the inputs are the model's to rounding.

A number half way between two integers goes up or down by its last bit, and sums in another order
differ there. Off by one of 255, what follows is off by far more than the tolerance. So a quantising
operator whose input is right within the tolerance gives what the model's own gives, as a router
does of two experts with equal scores. Of an expert that quantises inside only the layer's result is
known: a token's is the model's where a number in one of its experts is half way between two
integers, and the result is off by no more than such a step may do.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from backends.functional.runs import Run
from ir.activation import rounds
from ir.arrays import Array, Ints
from ir.workload import MoELayer

if TYPE_CHECKING:
    from backends.functional.machine import At

HALF = 1e-6  # of the largest number: how far sums in another order may be off
JUMP = 1e-3  # of the largest result: more than what a function without a jump does there
STEPS = 0.05  # of the largest result: what a few steps of 255 may do


def as_the_model_rounds(
    run: Run,
    fed: Mapping[str, Array],
    made: Mapping[str, Array],
    whole: Mapping[str, Array],
    limit: float,
) -> dict[str, Array]:
    """The outputs `made` of the inputs `fed`; the model's own for tokens whose inputs are right.

    whole: what the model has for both; limit: how far an input may be off, of its largest element.
    What is no row per token is the model's where all inputs are right.
    """
    right = np.ones(run.tokens.size, dtype=np.bool_)
    for name, array in fed.items():
        if name in whole and array.size:
            theirs = whole[name].astype(np.float64)
            near = np.abs(array - theirs) <= limit * np.abs(theirs).max()
            by_token = run.row_shape(array.shape) is not None
            right &= near.reshape(run.tokens.size, -1).all(axis=1) if by_token else near.all()
    out: dict[str, Array] = {}
    for name, array in made.items():
        out[name] = array
        if run.row_shape(array.shape) is None:
            out[name] = whole[name] if right.all() else array
        elif right.any():
            rows = array.reshape(run.tokens.size, -1).copy()
            rows[right] = whole[name].reshape(run.tokens.size, -1)[right]
            out[name] = rows.reshape(array.shape)
    return out


def note_halves(at: "At[MoELayer]", ids: Ints, x: Array, of: Callable[[Array], Array]) -> None:
    """Note the tokens of `ids` for which `of` jumps where x is off by what rounding may do."""
    if not rounds(at.op.activation) or not len(x):
        return
    off = np.float32(HALF * np.abs(x).max())
    more, less = of(x + off), of(x - off)
    jumps = np.abs(more - less) > JUMP * np.abs(more).max()
    tokens = at.m.program.token[ids[jumps.any(axis=1)]]
    at.m.halves |= {(at.index, int(token)) for token in tokens}


def tokens_changed(
    run: Run, made: Mapping[str, Array], taken: Mapping[str, Array], limit: float
) -> Ints:
    """Window tokens for which `as_the_model_rounds` took another output: by more than the limit."""
    changed = np.zeros(run.tokens.size, dtype=np.bool_)
    for name, theirs in taken.items():
        if theirs.size:
            wide = theirs.astype(np.float64)
            off = np.abs(made[name] - wide) > limit * np.abs(wide).max()
            by_token = run.row_shape(theirs.shape) is not None
            changed |= off.reshape(run.tokens.size, -1).any(axis=1) if by_token else off.any()
    return run.tokens.ravel()[changed]


def as_the_experts_round(at: "At[MoELayer]", ids: Ints, out: Array, limit: float) -> None:
    """Put the model's results in `out` [ids, d] for the tokens noted, where they are near.

    Those that were off by more than the limit, of the largest result, are counted.
    """
    m, name = at.m, at.op.outputs[0]
    tokens = m.program.token[ids]
    noted = [i for i, token in enumerate(tokens.tolist()) if (at.index, token) in m.halves]
    rows = m.to_rows(name, [found[name] for found in m.whole]) if noted else None
    if rows is None:
        return
    theirs = rows[tokens[noted]].reshape(len(noted), -1)
    near = np.abs(out[noted] - theirs) <= STEPS * np.abs(rows).max()
    right = np.array(noted)[near.all(axis=1)]
    off = np.abs(out[right] - rows[tokens[right]].reshape(len(right), -1))
    changed = (off > limit * np.abs(rows).max()).any(axis=1)
    m.rounded |= {(at.index, token) for token in tokens[right[changed]].tolist()}
    out[right] = rows[tokens[right]].reshape(len(right), -1)
