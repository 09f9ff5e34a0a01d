"""How many experts the crossbars hold: of each layer, or of all together."""

from dataclasses import dataclass

import numpy as np

from compiler.residency.names import Share
from compiler.residency.stream import Stream
from ir.arrays import Ints
from ir.errors import InputError


@dataclass(frozen=True, eq=False)
class Room:
    """What there is to be shared.

    pool: int64 [items], whose room each expert takes from. size: int64 [items], what it takes: 1,
    or crossbars or bytes where experts differ. room: int64 [pools], what each pool has of it.
    """

    pool: Ints
    size: Ints
    room: Ints

    @property
    def uniform(self) -> bool:
        """Whether all experts take the same."""
        return bool((self.size == self.size[0]).all())

    @property
    def slots(self) -> Ints:
        """Experts that each pool holds where all take the same: int64 [pools]."""
        slots: Ints = self.room // self.size[0]
        return slots

    def without(self, slots: int) -> "Room":
        """The room that is left when so many of the largest experts are taken out of each pool."""
        most = np.zeros_like(self.room)
        np.maximum.at(most, self.pool, self.size)
        return Room(self.pool, self.size, np.maximum(self.room - slots * most, 0))


def room_of(
    stream: Stream, capacity: float, share: Share = "layer", size: Ints | None = None
) -> Room:
    """Room for a fraction of the experts, rounded down, in each layer or in one pool.

    size: int64 [items], what each expert takes; without it 1. In each layer is the default: its
    experts stand in its own region, which has the bus that brings them tokens and the link that
    takes results away. One pool for all is possible, as experts of all layers have matrices of one
    shape, but they would be far from their layer. Raises InputError for a capacity that is not
    within 0 to 1, or that is too small for the largest expert of a pool.
    """
    if not 0 < capacity <= 1:
        raise InputError("capacity", f"{capacity:g}, expected more than 0 and at most 1")
    taken = np.ones(stream.items, dtype=np.int64) if size is None else size.astype(np.int64)
    if share == "chip":
        pool = np.zeros(stream.items, dtype=np.int64)
    else:
        pool = np.unique(stream.layer, return_inverse=True)[1].astype(np.int64)
    every = np.bincount(pool, weights=taken).astype(np.int64)
    room = np.floor(every * capacity + 1e-9).astype(np.int64)  # 0.3 of 10 is 3, not 2
    largest = np.zeros_like(room)
    np.maximum.at(largest, pool, taken)
    if (room < largest).any():
        where = int(np.argmax(room < largest))
        raise InputError(
            "capacity",
            f"{capacity:g} of {every[where]} is room for {room[where]}, expected at least "
            f"{largest[where]}: one expert",
            "take a larger one",
        )
    return Room(pool, taken, room)
