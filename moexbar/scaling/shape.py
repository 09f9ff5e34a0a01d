"""The shapes of the law's models: how layers, heads and parameters follow from a width."""

from collections.abc import Iterator
from dataclasses import dataclass

VOCABULARY = 50_257  # of GPT-2's tokenizer
HEAD = 64  # width of a head
HIDDEN = 3  # a feed-forward's hidden layer, in widths of a token's vector
PER_LAYER = (64, 80)  # width for each layer, of the runs that the law was fitted to
LEAST, STEP = 128, 64  # widths that are tried


@dataclass(frozen=True)
class Shape:
    """A decoder-only transformer as the law's article has it (its appendix A).

    Attention of width / 64 heads with queries, keys and values of their own; a gated feed-forward
    (SwiGLU) of three matrices, 3 widths wide, in every layer, or `experts` of them with a router of
    which a token takes one; embedding and head are two tables.
    """

    layers: int
    width: int
    experts: int
    vocabulary: int = VOCABULARY

    @property
    def heads(self) -> int:
        """Of attention."""
        return self.width // HEAD

    @property
    def hidden(self) -> int:
        """Width of an expert's hidden layer."""
        return HIDDEN * self.width

    @property
    def active(self) -> int:
        """Parameters that a token meets: 2 d V + 13 L d^2; routers and norms do not count."""
        return self._of(1)

    @property
    def total(self) -> int:
        """All parameters: 2 d V + (4 + 9 E) L d^2."""
        return self._of(self.experts)

    def _of(self, experts: int) -> int:
        layer = (4 + 3 * HIDDEN * experts) * self.width**2
        return 2 * self.width * self.vocabulary + self.layers * layer


def shapes(experts: tuple[int, ...], most: int) -> Iterator[Shape]:
    """Every shape that is tried: widths in steps of 64, and the layers that go with each.

    From width / 80 to width / 64 of them, as the law's own runs have. most: the largest width.
    """
    widest, narrowest = PER_LAYER
    for width in range(LEAST, most + 1, STEP):
        for layers in range(-(-width // narrowest), width // widest + 1):
            for number in experts:
                yield Shape(layers, width, number)
