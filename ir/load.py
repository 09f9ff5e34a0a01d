"""How many tokens each expert took, and nothing of which: what serving engines count and keep.

Groups can be balanced by it. Which experts one token uses together is lost, so slots, transfers and
schedules cannot be told from it.
"""

from dataclasses import dataclass, field

import numpy as np

from ir.arrays import Ints
from ir.errors import InputError

MOST = 2**30  # pairs of a layer: sums of squared loads must stay exact in 64 bits


@dataclass(frozen=True, eq=False, repr=False)
class Load:
    """Token-expert pairs of each expert in L MoE layers, counted over S steps.

    layer: [L] ids of the MoE layers; counts: [S, L, E]. `source` names the file for messages.
    Raises InputError naming layer and expert for counts that are none.
    """

    layer: Ints
    counts: Ints
    source: str = field(default="load", compare=False)

    def __repr__(self) -> str:
        return (
            f"<Load: {self.layers} MoE layers of {self.experts} experts, {self.steps} steps, "
            f"{int(self.counts.sum())} token-expert pairs>"
        )

    def __post_init__(self) -> None:
        shape = self.counts.shape
        if len(shape) != 3 or min(shape) < 1 or shape[1] != len(self.layer):
            raise InputError(
                self.source,
                f"counts: shape {shape}, expected steps, {len(self.layer)} layers and experts, "
                "each at least 1",
            )
        if len(np.unique(self.layer)) != len(self.layer):
            raise InputError(self.source, "layer: an id twice, expected each layer once")
        if np.any(self.counts < 0):
            step, row, expert = np.unravel_index(int(np.argmax(self.counts < 0)), shape)
            raise InputError(
                self.source,
                f"counts: step {step}, layer {self.layer[row]}, expert {expert}: "
                f"{self.counts[step, row, expert]}, expected at least 0",
            )
        total = self.counts.sum(axis=(0, 2), dtype=np.float64)
        if np.any(total > MOST):
            most = int(np.argmax(total))
            raise InputError(
                self.source,
                f"counts: layer {self.layer[most]}: {total[most]:.0f} in all, "
                f"expected at most {MOST}",
                f"divide all counts by {int(total[most] / MOST) + 1} and round",
            )

    @property
    def steps(self) -> int:
        """Number of steps counted by themselves."""
        return len(self.counts)

    @property
    def layers(self) -> int:
        """Number of MoE layers."""
        return len(self.layer)

    @property
    def experts(self) -> int:
        """Number of experts of every layer."""
        return int(self.counts.shape[2])

    def of(self, layer: int) -> Ints:
        """Pairs of each expert of a layer in each step: [steps, experts]."""
        found = np.flatnonzero(self.layer == layer)
        if not len(found):
            known = ", ".join(str(i) for i in self.layer[:12])
            raise InputError(self.source, f"no layer {layer}, the counts have layers {known}")
        counts: Ints = self.counts[:, int(found[0])]
        return counts
