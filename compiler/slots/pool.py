"""The turns that are left, and the greedy that fills one slot with them.

The groups are served by ascending slack. A token may start only if no group that has the most of
its turns left is busy: then it runs on all of those, its greatest number of turns left falls by
one, and it ends with max_g c[t, g] transfers. Of the tokens that may start on a group, the one that
covers the next tightest free groups is taken, group by group. If none may start, a group with slack
waits; a group without slack splits a token, at one transfer above the bound.

Sets of tokens are bit masks in Python integers, so that one operation handles a whole window.
"""

from collections.abc import Callable, Sequence


class Pool:
    """The turns that are left of the tokens admitted, seen per group as bit masks of tokens.

    left[t][g]: turns; turns[g]: their sum over tokens; users[g]: tokens with a turn left in g;
    critical[g]: tokens with no more turns left in any other group than in g; unfinished: tokens
    with any turn left.
    """

    def __init__(self, groups: int) -> None:
        self.left: dict[int, list[int]] = {}
        self.turns = [0] * groups
        self.users = [0] * groups
        self.critical = [0] * groups
        self.unfinished = 0

    def admit(self, token: int, row: Sequence[int]) -> None:
        """Add a token with row[g] turns in group g."""
        self.left[token] = list(row)
        most = max(row, default=0)
        if not most:
            return
        self.unfinished |= 1 << token
        for g, turns in enumerate(row):
            if turns:
                self.turns[g] += turns
                self.users[g] |= 1 << token
                if turns == most:
                    self.critical[g] |= 1 << token

    def run(self, token: int, free: list[int]) -> tuple[list[int], int]:
        """Give `token` a turn in each group of `free` it uses: those, and whom they now block."""
        bit, left = 1 << token, self.left[token]
        served = [g for g in free if left[g]]
        blocked = bit
        for g in served:
            blocked |= self.critical[g]
            left[g] -= 1
            self.turns[g] -= 1
            if not left[g]:
                self.users[g] &= ~bit
        most = max(left)
        for g, turns in enumerate(left):
            if turns == most and most:
                self.critical[g] |= bit
            else:
                self.critical[g] &= ~bit
        if not most:
            self.unfinished &= ~bit
        return served, blocked


class Room:
    """What a slot has room for: transfers on the bus, and tokens in the buffer.

    resident: tokens that are in the buffer already, as a bit mask; they are preferred.
    """

    def __init__(
        self, bus: int | None = None, buffer: int | None = None, resident: int = 0
    ) -> None:
        self.bus = bus
        self.new = None if buffer is None else buffer - resident.bit_count()
        self.resident = resident

    def allowed(self, candidates: int) -> int:
        """Those of `candidates` that may run."""
        if self.bus == 0:
            return 0
        if self.new is None:
            return candidates
        known = candidates & self.resident
        return known or (candidates if self.new else 0)

    def take(self, token: int) -> None:
        """Run `token`."""
        if self.bus is not None:
            self.bus -= 1
        if self.new is not None and not self.resident >> token & 1:
            self.new -= 1
            self.resident |= 1 << token


Choice = Callable[[Pool, int, list[int]], int]  # candidates, free groups by slack -> token


def widest(pool: Pool, candidates: int, free: list[int]) -> int:
    """Of `candidates`, the first that covers the most of `free` from its front on."""
    for g in free[1:]:
        narrower = candidates & pool.critical[g] or candidates & pool.users[g]
        if narrower:
            candidates = narrower
    return (candidates & -candidates).bit_length() - 1


def oldest(_pool: Pool, candidates: int, _free: list[int]) -> int:
    """Of `candidates`, the first."""
    return (candidates & -candidates).bit_length() - 1


def soonest(pool: Pool, candidates: int, free: list[int]) -> int:
    """Of `candidates`, the first with the fewest transfers left, then the fewest turns to wait.

    What counts is its turns that this slot leaves, less those it runs. Tokens that end soon make
    room, and those that stay have turns for many groups: no group runs dry.
    """
    best, token = (0, 0), -1
    while candidates:
        bit = candidates & -candidates
        candidates ^= bit
        left = pool.left[bit.bit_length() - 1]
        key = (max(left), sum(left) - 2 * sum(1 for g in free if left[g]))
        if token < 0 or key < best:
            best, token = key, bit.bit_length() - 1
    return token


def fill_slot(
    pool: Pool,
    slack: Sequence[float],
    split_at: float = 0,
    choose: Choice = widest,
    room: Room | None = None,
) -> tuple[list[int], int]:
    """Choose what every group runs in a slot: the token or -1, and the number of tokens.

    slack: by group; one whose slack is at most `split_at` splits a token rather than wait.
    """
    room = room or Room()
    row = [-1] * len(slack)
    free = sorted(range(len(slack)), key=slack.__getitem__)
    blocked = transfers = 0
    while free:
        g = free[0]
        candidates = room.allowed(pool.users[g] & ~blocked)
        if not candidates and slack[g] <= split_at:
            candidates = room.allowed(pool.users[g])  # a split
        if not candidates:
            free = free[1:]
            continue
        token = choose(pool, candidates, free)
        room.take(token)
        served, more = pool.run(token, free)
        for h in served:
            row[h] = token
        free = [h for h in free if row[h] < 0]
        blocked |= more
        transfers += 1
    return row, transfers
