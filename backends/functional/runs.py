"""Sequences of a program's window that the model runs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ir.arrays import Array, Bools, Ints


@dataclass(frozen=True, eq=False)
class Run:
    """Sequences that the model runs together.

    feeds: every model input; tokens: [sequences, length] their places in the program's window;
    hidden: of each side (or of a model without sides) [sequences, length] those that the model's
    attention mask hides, which no trace routes.
    """

    feeds: Mapping[str, Array]
    tokens: Ints
    hidden: tuple[Bools, ...] = ()

    def first(self, tokens: int) -> "Run":
        """The same, of each sequence the first so many tokens alone."""
        return replace(self, tokens=self.tokens[:, :tokens])

    def row_shape(self, shape: Sequence[int]) -> tuple[int, ...] | None:
        """What a value of that shape has per token; None where its first axes are not the tokens.

        Token axes: [sequences, length], both in one, or the length alone for a single sequence;
        axes of length 1 may stand before and between.
        """
        count, length = self.tokens.shape
        if count * length == 1:
            return tuple(shape)
        left = _without_ones(shape)
        if left[:1] == (count * length,):
            return left[1:]
        rest = _without_ones(left[1:])
        return rest[1:] if (*left[:1], *rest[:1]) == (count, length) else None


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape from its first axis longer than 1 on."""
    first = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])
