"""What a slot order is asked for: turns, limits of the hardware, and when the tokens are there.

    the last turn ends earliest, then the fewest transfers

within the limits, no turn before its token has come.
"""

from dataclasses import dataclass

from compiler.slots.arrival_bounds import bus_bound_from, slots_bound_from, transfers_bound_from
from compiler.slots.bounds import check_table, transfers_bound_at
from compiler.slots.limits import NO_LIMITS, Limits, check_limits, slots_bound_within
from ir.arrays import Ints
from ir.arrivals import ALL_THERE, Arrivals, Presence, check_arrivals
from ir.errors import InputError


@dataclass(frozen=True, eq=False)
class SlotProblem:
    """One window.

    counts: int64 [tokens, groups], experts of the group that the token uses. limits: on bus and
    buffer. presence: from which slot on each token may run.
    """

    counts: Ints
    limits: Limits = NO_LIMITS
    presence: Presence = ALL_THERE

    def __post_init__(self) -> None:
        if isinstance(self.presence, Arrivals) and len(self.presence.first) != len(self.counts):
            found, expected = len(self.presence.first), len(self.counts)
            raise InputError("arrivals", f"{found} tokens, expected {expected} as in counts")

    @property
    def slots_bound(self) -> int:
        """No order has fewer slots (docs/model.md, section Slots)."""
        if not isinstance(self.presence, Arrivals):
            return slots_bound_within(self.counts, self.limits)
        least, bus = slots_bound_from(self.counts, self.presence.first), self.limits.bus
        if bus is None:
            return least
        return max(least, bus_bound_from(self.counts, self.presence.first, bus))

    def transfers_bound_at(self, slots: int) -> int:
        """No order of at most `slots` slots has fewer transfers."""
        if isinstance(self.presence, Arrivals):
            return transfers_bound_from(self.counts, self.presence.first, slots)
        return transfers_bound_at(self.counts, slots)

    def wrong(self, table: Ints) -> str | None:
        """Say why `table` [slots, groups] is no order of this, or None if it is one."""
        return (
            check_table(table, self.counts)
            or check_limits(table, self.limits)
            or check_arrivals(table, self.presence)
        )
