"""What quantises its inputs rounds as the model does, where the inputs are the model's to rounding.

A number half way between two integers goes up or down by its last bit, and sums in another order
differ there. Off by one of 255, what follows is off by far more than the tolerance. So a quantising
operator whose input is right within the tolerance gives what the model's own gives, as a router
does of two experts with equal scores.
"""

from collections.abc import Mapping

import numpy as np

from backends.functional.nodes import Run
from ir.arrays import Array


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
