"""Reunite split tokens by exchanging turns between two slots (Kempe chains, as in edge colouring).

Exchanging what two slots run in a set M of groups leaves every token its turns and the table its
slots. Call M closed if each token that one of the two slots runs in a group of M runs there in no
group outside M: exchanging whole transfers never costs one, and it saves one where a token ends up
with both its parts in one slot. A walk takes such exchanges, started from a part of a token that
has more transfers than it needs, towards another part of it or a random slot. A closed set can grow
to all groups, which changes nothing; so now and then the walk exchanges just the part's own groups,
which may split another token instead, and undoes it if that costs. Transfers never rise.

Where tokens arrive one after another, an exchange that brings one into a slot before its arrival is
left out, and so is one that sends more in a slot than the bus carries.
"""

from collections.abc import Sequence
from random import Random

JOIN = 0.5  # share of steps that try to join two parts of a token
CUT = 0.25  # share of steps that join them at other tokens' cost


class Slots:
    """A table of slots with the groups of every transfer.

    row[s][g]: token or -1; parts[s][t]: groups that run t in slot s, as a bit mask; places[t]: the
    slots that run t. first: the slot in which each token comes; bus: transfers in a slot at most.
    """

    def __init__(
        self,
        table: list[list[int]],
        tokens: int,
        first: Sequence[int] | None = None,
        bus: int | None = None,
    ) -> None:
        self.first = first
        self.bus = bus
        self.row = [list(row) for row in table]
        self.parts: list[dict[int, int]] = []
        self.places: list[list[int]] = [[] for _ in range(tokens)]
        for s, row in enumerate(table):
            parts: dict[int, int] = {}
            for g, token in enumerate(row):
                if token >= 0:
                    parts[token] = parts.get(token, 0) | 1 << g
            self.parts.append(parts)
            for token in parts:
                self.places[token].append(s)

    @property
    def transfers(self) -> int:
        """Distinct tokens per slot, summed."""
        return sum(len(parts) for parts in self.parts)

    def busy(self, slot: int) -> int:
        """Return the groups that `slot` runs, as a bit mask."""
        return sum(self.parts[slot].values())  # disjoint

    def closed(self, a: int, b: int, groups: int) -> int:
        """Grow `groups` to the smallest closed set for slots a and b."""
        row_a, row_b, parts_a, parts_b = self.row[a], self.row[b], self.parts[a], self.parts[b]
        todo = groups
        while todo:
            g = (todo & -todo).bit_length() - 1
            more = parts_a.get(row_a[g], 0) | parts_b.get(row_b[g], 0)
            todo = (todo & (todo - 1)) | (more & ~groups)
            groups |= more
        return groups

    def earliest(self, token: int) -> int:
        """Return the first slot in which `token` may run."""
        return 0 if self.first is None else self.first[token]

    def tried(self, a: int, b: int, groups: int) -> int | None:
        """Exchange as `exchange` does; None, and all as before, where that is not allowed."""
        if self.first is not None:
            early, late = min(a, b), max(a, b)
            for token, part in self.parts[late].items():
                if part & groups and self.first[token] > early:
                    return None
        change = self.exchange(a, b, groups)
        if self.bus is not None and max(len(self.parts[a]), len(self.parts[b])) > self.bus:
            self.exchange(a, b, groups)
            return None
        return change

    def exchange(self, a: int, b: int, groups: int) -> int:
        """Swap the turns of slots a and b in `groups`; return the change in transfers.

        The same call again takes it back.
        """
        row_a, row_b, parts_a, parts_b = self.row[a], self.row[b], self.parts[a], self.parts[b]
        before = len(parts_a) + len(parts_b)
        moved = []
        while groups:
            bit = groups & -groups
            groups ^= bit
            g = bit.bit_length() - 1
            u, v = row_a[g], row_b[g]
            if u == v:
                continue
            row_a[g], row_b[g] = v, u
            if u >= 0:
                _move(u, bit, parts_a, parts_b)
                moved.append(u)
            if v >= 0:
                _move(v, bit, parts_b, parts_a)
                moved.append(v)
        for token in moved:
            places = [s for s in self.places[token] if s not in (a, b)]
            if token in parts_a:
                places.append(a)
            if token in parts_b:
                places.append(b)
            self.places[token] = places
        return len(parts_a) + len(parts_b) - before


def _move(token: int, bit: int, source: dict[int, int], target: dict[int, int]) -> None:
    """Move one turn of `token` from the parts of one slot to those of another."""
    source[token] ^= bit
    if not source[token]:
        del source[token]
    target[token] = target.get(token, 0) | bit


def repair(
    table: list[list[int]],
    rows: list[list[int]],
    bound: int,
    steps: int,
    random: Random,
    first: Sequence[int] | None = None,
    bus: int | None = None,
) -> list[list[int]]:
    """Improve `table` by at most `steps` exchanges, until it has `bound` transfers.

    rows: [tokens][groups] turns; first, bus: see `Slots`.
    """
    slots = Slots(table, len(rows), first, bus)
    least = [max(row) for row in rows]
    split = [t for t, places in enumerate(slots.places) if len(places) > least[t]]
    listed = [len(places) > least[t] for t, places in enumerate(slots.places)]
    transfers = slots.transfers
    for _ in range(steps):
        if transfers <= bound or not split:
            break
        pick = int(random.random() * len(split))
        token = split[pick]
        if len(slots.places[token]) <= least[token]:
            listed[token] = False
            split[pick] = split[-1]
            split.pop()
            continue
        change, cut = _step(slots, token, random)
        transfers += change
        for other in cut:
            if not listed[other] and len(slots.places[other]) > least[other]:
                listed[other] = True
                split.append(other)
    return slots.row


def _step(slots: Slots, token: int, random: Random) -> tuple[int, list[int]]:
    """Take one exchange; return the change in transfers and tokens that it may have split."""
    places = slots.places[token]
    kind = random.random()
    a = places[int(random.random() * len(places))]
    part = slots.parts[a][token]
    if kind < JOIN:
        b = next((s for s in places if not slots.parts[s][token] & part), a)
        if b != a and kind < CUT:
            hit = [t for t, other in slots.parts[b].items() if other & part]
            change = slots.tried(a, b, part)
            if change is not None and change > 0:
                slots.exchange(a, b, part)
                return 0, []
            return change or 0, hit
        if b != a:
            groups = slots.closed(a, b, part)
            if not groups & slots.parts[b][token]:
                return slots.tried(a, b, groups) or 0, []
    earliest = slots.earliest(token)
    b = earliest + int(random.random() * (len(slots.row) - earliest))
    groups = slots.closed(a, b, part)
    if a == b or not (slots.busy(a) | slots.busy(b)) & ~groups:
        return 0, []  # the whole slots would change places
    return slots.tried(a, b, groups) or 0, []
