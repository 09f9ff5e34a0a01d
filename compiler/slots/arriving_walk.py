"""A longer walk for tokens that arrive one after another: whole tokens move, at a cost at times.

`repair` exchanges turns of two slots at a time. With few groups each slot holds two or three
tokens, and two slots seldom share a boundary between them, so such exchanges soon find nothing.
Here a token that is split over slots a and b moves whole into any slot c: its groups of a change
places with those of c, and then its groups of b. What was in the way goes where the parts were, and
costs a transfer only where it is cut in two. An exchange that costs n transfers is kept with
probability exp(-n / T), and T falls from WARM to COLD: simulated annealing. The best table is the
answer. No token comes before its arrival, no slot has more transfers than the bus carries.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp
from random import Random

import numpy as np

from compiler.slots.limits import check_limits
from compiler.slots.problem import SlotProblem
from compiler.slots.repair import Slots
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.schedule import distinct_per_row

WARM, COLD = 0.25, 0.12  # transfers
WHOLE = 0.5  # share of steps that move a whole token
JOIN = 0.75  # up to here steps that join two parts in one of their slots
CUT = 0.5  # share of those that join them at other tokens' cost

Moves = list[tuple[int, int, int]]  # exchanges (slot, slot, groups), in the order they are made


class Walk:
    """A table of slots on its way, and the tokens that have more transfers than they need."""

    def __init__(self, slots: Slots, least: Sequence[int], random: Random) -> None:
        self.slots = slots
        self.least = least
        self.random = random
        self.split = [t for t in range(len(least)) if self.is_split(t)]
        self.listed = [self.is_split(t) for t in range(len(least))]

    def is_split(self, token: int) -> bool:
        """Whether `token` has more transfers than it needs."""
        return len(self.slots.places[token]) > self.least[token]

    def below(self, number: int) -> int:
        """Draw an integer from 0 to number - 1."""
        return int(self.random.random() * number)

    def draw(self) -> int | None:
        """Draw a split token; None if the one drawn is whole again, which then leaves the list."""
        pick = self.below(len(self.split))
        token = self.split[pick]
        if self.is_split(token):
            return token
        self.listed[token] = False
        self.split[pick] = self.split[-1]
        self.split.pop()
        return None

    def moves(self, token: int) -> Moves:
        """Draw exchanges that may bring parts of `token` together; none where there are none."""
        slots, places = self.slots, self.slots.places[token]
        a = places[self.below(len(places))]
        part = slots.parts[a][token]
        others = [s for s in places if not slots.parts[s][token] & part]
        earliest = slots.earliest(token)
        c = earliest + self.below(len(slots.row) - earliest)
        kind = self.random.random()
        if kind < JOIN and others:
            b = others[self.below(len(others))]
            if kind < WHOLE:
                both = part | slots.parts[b][token]
                if c in (a, b) or slots.parts[c].get(token, 0) & both:
                    return []
                return [(a, c, part), (b, c, slots.parts[b][token])]
            if self.random.random() < CUT:
                return [(a, b, part)]
            groups = slots.closed(a, b, part)
            return [] if groups & slots.parts[b][token] else [(a, b, groups)]
        if a == c:
            return []
        groups = slots.closed(a, c, part)
        whole = not (slots.busy(a) | slots.busy(c)) & ~groups  # slots that would change places
        return [] if whole else [(a, c, groups)]

    def step(self, temperature: float) -> int:
        """Take one step; return the change in transfers."""
        token = self.draw()
        moves = [] if token is None else self.moves(token)
        touched = {t for a, b, _ in moves for s in (a, b) for t in self.slots.parts[s]}
        done, change = 0, 0
        for move in moves:
            more = self.slots.tried(*move)
            if more is None:
                break
            done, change = done + 1, change + more
        refused = change > 0 and self.random.random() >= exp(-change / temperature)
        if done < len(moves) or refused:
            for move in reversed(moves[:done]):
                self.slots.exchange(*move)
            return 0
        for other in touched:
            if not self.listed[other] and self.is_split(other):
                self.listed[other] = True
                self.split.append(other)
        return change


def walked(
    problem: SlotProblem, first: Ints, best: Solved, start: Ints, steps: int, seed: int
) -> Solved:
    """Walk from the table `start`, at most `steps` steps, until it meets the bound of `best`.

    first: [tokens], ascending. A table that is no better, or that brings too many tokens into the
    buffer, leaves `best`.
    """
    if best.proven:
        return best
    slots = Slots(start.tolist(), len(first), first.tolist(), problem.limits.bus)
    least: list[int] = problem.counts.max(axis=1, initial=0).tolist()
    random = Random(seed)  # noqa: S311 - it breaks ties, it keeps no secrets
    bound = max(best.bound, best.solver_bound)
    found = np.array(annealed(slots, least, bound, steps, random), dtype=np.int64)
    if distinct_per_row(found) >= best.transfers or check_limits(found, problem.limits):
        return best
    return replace(best, table=found)


def annealed(
    slots: Slots, least: Sequence[int], bound: int, steps: int, random: Random
) -> list[list[int]]:
    """Improve `slots` by at most `steps` steps, until it has `bound` transfers; the best table.

    least: [tokens], the transfers that each needs.
    """
    walk = Walk(slots, least, random)
    transfers = fewest = slots.transfers
    best = [list(row) for row in slots.row]
    for step in range(steps):
        if fewest <= bound or not walk.split:
            break
        transfers += walk.step(WARM + (COLD - WARM) * step / steps)
        if transfers < fewest:
            fewest, best = transfers, [list(row) for row in slots.row]
    return best
