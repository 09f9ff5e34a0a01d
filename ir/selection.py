"""How a router tells which experts a token goes to, and with what weights.

A router stays digital, as the model's own nodes. What it decides is read from values of the ONNX
graph, whose names a `Selection` holds: each way that models have of saying it is a type of its own,
with the values that it takes and no others. `ir.semantics.combine_weights` says what they mean.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Capacity:
    """Tokens an expert takes of a sequence of T: constant, or floor(T * numerator / denominator).

    With the usual C = floor(c * T / E) the numerator is c and the denominator E (in lowest terms).
    """

    constant: int | None = None
    numerator: int = 0
    denominator: int = 1
    minimum: int = 0

    def of(self, tokens: int) -> int:
        """Capacity in tokens for a sequence of `tokens`, never more than the sequence has."""
        scaled = tokens * self.numerator // self.denominator
        wanted = self.constant if self.constant is not None else scaled
        return min(tokens, max(self.minimum, wanted))


@dataclass(frozen=True)
class ByIds:
    """Values ids [.., k] and gates [.., k]: the experts selected and their weights, None for 1."""

    ids: str
    gates: str | None


@dataclass(frozen=True)
class ByScoresOfIds:
    """Values ids [.., k] and scores [tokens, experts], in which the weights stand under the ids."""

    ids: str
    scores: str


@dataclass(frozen=True)
class ByLogits:
    """Value logits [tokens, experts], from which an MoE operator selects the k highest itself."""

    logits: str


@dataclass(frozen=True)
class ByCombine:
    """Value combine [tokens, experts, ...], summed over what follows: the weights, 0 = not taken.

    An expert whose capacity is full gives 0 too. gates: value [tokens, 1] that multiplies them.
    """

    combine: str
    gates: str | None = None


@dataclass(frozen=True)
class ByCapacity:
    """Value scores [tokens, experts], of which every expert takes its best `capacity` tokens.

    The scores of the tokens that it takes are their weights.
    """

    scores: str
    capacity: Capacity


Selection = ByIds | ByScoresOfIds | ByLogits | ByCombine | ByCapacity
