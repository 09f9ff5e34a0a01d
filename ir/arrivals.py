"""From which slot on the tokens of a window may run: all from the first, or each from its own.

What is proven of a slot order holds for tokens that are there as it says, so an order names one of
the two: `AllThere`, or the `Arrivals` it was made for.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.errors import InputError


@dataclass(frozen=True)
class AllThere:
    """Every token may run from the first slot on."""

    def __str__(self) -> str:
        return "tokens that are all there"


@dataclass(frozen=True, eq=False, repr=False)
class Arrivals:
    """Tokens that come one after another.

    first: int64 [tokens], the first slot in which each may run (r_t), in any order.
    """

    first: Ints

    def __post_init__(self) -> None:
        if self.first.ndim != 1:
            raise InputError("arrivals", f"{self.first.ndim} dimensions, expected 1: [tokens]")
        if len(self.first) and self.first.min() < 0:
            token = int(np.argmin(self.first))
            raise InputError(
                "arrivals", f"token {token}: slot {self.first[token]}, expected 0 or more"
            )

    def __str__(self) -> str:
        return "these arrivals"

    def __repr__(self) -> str:
        last = self.first.max(initial=0)
        return f"<Arrivals of {len(self.first)} tokens, the last in slot {last}>"


Presence: TypeAlias = AllThere | Arrivals
ALL_THERE = AllThere()


def presence_of(arrivals: npt.ArrayLike | None, tokens: int) -> Presence:
    """Which of the two `arrivals` is: None, or the first slot of each of `tokens` tokens.

    Tokens that all come in slot 0 are all there. InputError unless integers from 0 up, one a token.
    """
    if arrivals is None:
        return ALL_THERE
    given = np.asarray(arrivals)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise InputError("arrivals", f"values of type {given.dtype}, expected integers")
    found = Arrivals(given.astype(np.int64))
    if len(found.first) != tokens:
        raise InputError("arrivals", f"{len(found.first)} tokens, expected {tokens} as in counts")
    return found if found.first.any() else ALL_THERE


def check_arrivals(table: Ints, presence: Presence) -> str | None:
    """Say which pair of `table` [slots, groups] runs before its token is there; None if none."""
    if isinstance(presence, AllThere):
        return None
    slot, group = np.nonzero(table >= 0)
    token = table[slot, group]
    wrong = np.flatnonzero(slot < presence.first[token])
    if not len(wrong):
        return None
    s, g, t = (int(of[wrong[0]]) for of in (slot, group, token))
    return f"slot {s}, group {g}: token {t}, which comes in slot {presence.first[t]}"


@dataclass(frozen=True)
class Delays:
    """Slots from a token's arrival to its last slot, over the tokens that have turns.

    mean, most: of the tokens by themselves. in_order: the mean where a token counts as done only
    when all that came before it are, as the next layer's causal attention takes it.
    """

    mean: float
    most: int
    in_order: float

    @classmethod
    def of(cls, table: Ints, arrivals: Arrivals) -> "Delays":
        """Those of an order: table [slots, groups]; of one slot the lower number first."""
        slot, group = np.nonzero(table >= 0)
        if not len(slot):
            return cls(0.0, 0, 0.0)
        last = np.full(len(arrivals.first), -1)
        np.maximum.at(last, table[slot, group], slot)
        used = np.flatnonzero(last >= 0)
        used = used[np.argsort(arrivals.first[used], kind="stable")]
        came = arrivals.first[used]
        own = last[used] - came
        done = np.maximum.accumulate(last[used])
        return cls(float(own.mean()), int(own.max()), float((done - came).mean()))
