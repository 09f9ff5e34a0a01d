"""Layers of several models numbered through: those of each model after those of the one before."""

from dataclasses import dataclass
from itertools import accumulate

from compiler.design.choices import Key, Values
from compiler.design.floor import Floor
from compiler.design.problem import Shares


@dataclass(frozen=True)
class Numbers:
    """firsts: the number that layer 0 of each model has among all, and behind them the next one."""

    firsts: tuple[int, ...]

    @classmethod
    def of_floors(cls, floors: tuple[Floor, ...]) -> "Numbers":
        """Of models by all the layers that they have."""
        counts = (1 + max((*f.workload.regions, *f.expert_layers)) for f in floors)
        return cls(tuple(accumulate(counts, initial=0)))

    def whose(self, layer: int) -> tuple[int, int]:
        """The model that a layer of all is of, and its number there."""
        model = max(n for n, first in enumerate(self.firsts[:-1]) if first <= layer)
        return model, layer - self.firsts[model]

    def key(self, model: int, key: Key) -> Key:
        """A decision of a model among those of all."""
        return key + self.firsts[model] if isinstance(key, int) else key

    def values(self, model: int, values: Values) -> dict[Key, int]:
        """What one model has of values of all: the chip's, and of its own layers by its numbers."""
        first, end = self.firsts[model : model + 2]
        return {
            key - first if isinstance(key, int) else key: value
            for key, value in values.items()
            if not isinstance(key, int) or first <= key < end
        }

    def shares(self, model: int, shares: Shares) -> Shares:
        """The shares of its own layers."""
        first, end = self.firsts[model : model + 2]
        return {n - first: share for n, share in shares.items() if first <= n < end}
