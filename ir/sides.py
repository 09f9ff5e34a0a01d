"""The sides of a model, an encoder and a decoder, where their sequences have different lengths.

A window has as many tokens a sequence as the longer side; token t of a sequence is the t-th of
either side, and what works on the shorter one has none from its length on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints


@dataclass(frozen=True)
class Side:
    """inputs: those of the model's inputs that say what its tokens are; tokens: of a sequence."""

    inputs: tuple[str, ...]
    tokens: int


def positions(sequence: Ints) -> Ints:
    """Place of each token in its sequence, from 0: int64 [tokens].

    sequence: [tokens] ids, those of one sequence together.
    """
    starts = np.flatnonzero(np.diff(sequence, prepend=sequence[:1] - 1))
    lengths = np.diff(np.append(starts, len(sequence)))
    return np.arange(len(sequence)) - np.repeat(starts, lengths)


def on_side(sides: Sequence[Side], side: int | None, sequence: Ints) -> Bools:
    """Whether a side has each token: bool [tokens]; all where there are no sides, or it is None.

    sequence: [tokens] as for `positions`, each from its first token on.
    """
    if side is None or not sides:
        return np.ones(len(sequence), dtype=np.bool_)
    return np.asarray(positions(sequence) < sides[side].tokens)
