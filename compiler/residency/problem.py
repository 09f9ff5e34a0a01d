"""Which experts to keep for good: what a choice costs, and what none can be below."""

from dataclasses import dataclass

import numpy as np

from compiler.residency.names import Objective
from compiler.residency.room import Room
from compiler.residency.stream import Stream
from ir.arrays import Bools, Ints
from ir.errors import CheckError


@dataclass(frozen=True, eq=False)
class Problem:
    """Experts to be kept within the room of their pools.

    layer: int64 [items], of each expert; a token's experts are of one. uses: int64 [items],
    accesses of each. member: int64 [members], the items of every distinct set of experts that a
    token goes to at a layer; start: int64 [sets + 1], where each set begins in it; count: int64
    [sets], tokens that go to just this set.
    """

    room: Room
    layer: Ints
    uses: Ints
    member: Ints
    start: Ints
    count: Ints

    @property
    def items(self) -> int:
        """Experts to choose from."""
        return len(self.uses)

    @property
    def owner(self) -> Ints:
        """The set of each member: int64 [members]."""
        return np.repeat(np.arange(len(self.count)), np.diff(self.start))

    def fits(self, resident: Bools) -> bool:
        """Whether every pool has room for its residents."""
        pools = len(self.room.room)
        taken = np.bincount(self.room.pool, weights=self.room.size * resident, minlength=pools)
        return bool((taken <= self.room.room).all())

    def cost(self, resident: Bools, objective: Objective) -> int:
        """Accesses of experts that are not resident, or tokens at a layer that miss any."""
        if objective == "misses":
            return int(self.uses[~resident].sum())
        return int(self.count[self.missing(resident) > 0].sum())

    def missing(self, resident: Bools) -> Ints:
        """How many of each set's experts are not resident: int64 [sets]."""
        away = (~resident[self.member]).astype(np.int64)
        if not len(away):
            return np.zeros(0, dtype=np.int64)
        return np.asarray(np.add.reduceat(away, self.start[:-1]), dtype=np.int64)

    def lower_bound(self, objective: Objective) -> int:
        """No choice costs less.

        Misses: as if parts of an expert could be kept, the most used for their size first. Stalls:
        a token that waits misses at most all of its experts, so the misses of pairs over the most
        experts of a token. Both in whole numbers.
        """
        if objective == "misses":
            return _least_misses(self.uses, self.room)
        most = int(np.diff(self.start).max(initial=1))
        pairs = np.zeros(self.items, dtype=np.int64)
        np.add.at(pairs, self.member, self.count[self.owner])
        return -(-_least_misses(pairs, self.room) // most)


def _least_misses(uses: Ints, room: Room) -> int:
    """Uses that are left when each pool takes the most used for their size, the last in part."""
    left = 0
    for pool, whole in enumerate(room.room.tolist()):
        mine = np.flatnonzero(room.pool == pool)
        order = mine[np.argsort(-uses[mine] / room.size[mine], kind="stable")]
        free, used, size = whole, uses[order].tolist(), room.size[order].tolist()
        for here, (n, takes) in enumerate(zip(used, size, strict=True)):
            if takes > free:  # of this one a part: the uses that stay are rounded down
                left += n - -(-n * free // takes) + sum(used[here + 1 :])
                break
            free -= takes
    return left


def problem_of(stream: Stream, room: Room) -> Problem:
    """What a stream asks of residents that never change."""
    length = np.diff(stream.passage)
    item = stream.access[stream.pair]
    padded = np.full((len(length), int(length.max(initial=0))), -1, dtype=np.int64)
    inside = np.arange(padded.shape[1]) < length[:, None]
    padded[inside] = item
    sets, count = _distinct(padded, stream.items + 1)
    kept = sets >= 0
    return Problem(
        room=room,
        layer=stream.layer,
        uses=np.bincount(stream.access, minlength=stream.items).astype(np.int64),
        member=sets[kept],
        start=np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64),
        count=count.astype(np.int64),
    )


def _distinct(rows: Ints, base: int) -> tuple[Ints, Ints]:
    """Distinct rows and how often each is there; as one number each where that has room."""
    columns = rows.shape[1]
    if base ** max(columns, 1) >= 2**63:
        found, count = np.unique(rows, axis=0, return_counts=True)
        return found, count
    power = base ** np.arange(columns)[::-1]
    _, first, count = np.unique((rows + 1) @ power, return_index=True, return_counts=True)
    return rows[first], count


def part_of(problem: Problem, pool: int) -> tuple[Problem, Ints]:
    """The problem of one pool, and its items in the whole's numbers."""
    room = problem.room
    mine: Ints = np.flatnonzero(room.pool == pool)
    inside = room.pool[problem.member] == pool
    chosen = inside[problem.start[:-1]]
    if not np.array_equal(inside, chosen[problem.owner]):
        raise CheckError("residents", f"pool {pool}", "a token's experts are of several pools")
    number = np.full(problem.items, -1, dtype=np.int64)
    number[mine] = np.arange(len(mine))
    length = np.diff(problem.start)[chosen]
    part = Room(np.zeros(len(mine), dtype=np.int64), room.size[mine], room.room[[pool]])
    first = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    members = number[problem.member[inside]]
    count = problem.count[chosen]
    return Problem(part, problem.layer[mine], problem.uses[mine], members, first, count), mine
