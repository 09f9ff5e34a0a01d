"""Visits: a token in a step. What every step has to do, from arrivals and caches alone.

A window without decode has one visit per token. A token that nothing keeps the keys and values of
is visited again in every later step.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ir.arrays import Bools, Ints
from ir.schedule import Schedule
from ir.sides import Side, on_side
from ir.verify.check import Fault


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits in order of (step, token), and the sequences' passes in order of (step, sequence).

    token, step: [visits]; `step` is the place in `numbers`, the numbers of the steps. runs: the
    token's vector runs through the layers; scored: the routers score it (one of them at least);
    fresh: it arrives. expert_choice, reference: what the definitions depend on beside the
    schedule. sides: the model's, each of which has its own of the tokens.
    """

    schedule: Schedule
    expert_choice: bool
    reference: bool
    sides: tuple[Side, ...] = ()

    @cached_property
    def numbers(self) -> Ints:
        """Numbers of the steps, ascending: [steps]."""
        return np.array([step.number for step in self.schedule.steps], dtype=np.int64)

    @cached_property
    def grid(self) -> tuple[Bools, Bools, Bools]:
        """(runs, scored, fresh): bool [steps, tokens], from the definitions."""
        number = self.numbers[:, None]
        so_far, fresh = self.schedule.arrival <= number, self.schedule.arrival == number
        caches, later = self.schedule.caches, number > 0
        if self.reference:  # it runs the newest token alone where it has a GO cache
            runs = np.where(later & caches.go, fresh, so_far)
            return runs, runs, fresh
        runs = np.where(later & caches.kv, fresh, so_far)
        scored = np.where(later & caches.go, fresh, so_far) if self.expert_choice else runs
        return runs, scored, fresh

    @cached_property
    def _index(self) -> tuple[Ints, Ints]:
        runs, scored, _ = self.grid
        step, token = np.nonzero(runs | scored)
        return step.astype(np.int64), token.astype(np.int64)

    @property
    def step(self) -> Ints:
        """Place of each visit's step: [visits]."""
        return self._index[0]

    @property
    def token(self) -> Ints:
        """Token of each visit: [visits]."""
        return self._index[1]

    def __len__(self) -> int:
        return len(self.token)

    @cached_property
    def runs(self) -> Bools:
        """Whether the token's vector runs through the layers: [visits]."""
        return self.grid[0][self._index]

    @cached_property
    def scored(self) -> Bools:
        """Whether the routers score the token: [visits]."""
        return self.grid[1][self._index]

    @cached_property
    def fresh(self) -> Bools:
        """Whether the token arrives in the step: [visits]."""
        return self.grid[2][self._index]

    @cached_property
    def table(self) -> Ints:
        """Visit of each (step, token), -1 = none: [steps, tokens]."""
        out = np.full((len(self.numbers), self.schedule.tokens), -1, dtype=np.int64)
        out[self._index] = np.arange(len(self))
        return out

    @cached_property
    def sequence_ids(self) -> Ints:
        """Distinct sequence ids of the window: [sequences]."""
        return np.unique(self.schedule.sequence)

    @cached_property
    def of_pass(self) -> Ints:
        """Pass (step x sequence) of each visit: [visits]."""
        place = np.searchsorted(self.sequence_ids, self.schedule.sequence[self.token])
        out: Ints = self.step * len(self.sequence_ids) + place
        return out

    @property
    def passes(self) -> int:
        """Number of passes: steps x sequences."""
        return len(self.numbers) * len(self.sequence_ids)

    def count(self, which: Bools) -> Ints:
        """Visits of `which` [visits] in each pass: [passes]."""
        return np.bincount(self.of_pass[which], minlength=self.passes)

    @cached_property
    def of_side(self) -> dict[int | None, Bools]:
        """Whether a side of the model has each visit's token, by side; None: all: [visits]."""
        every = (None, *range(len(self.sides)))
        has = {side: on_side(self.sides, side, self.schedule.sequence) for side in every}
        return {side: tokens[self.token] for side, tokens in has.items()}

    @cached_property
    def running(self) -> dict[int | None, Ints]:
        """Visits of each pass that run, by side: [passes]."""
        return {side: self.count(self.runs & mine) for side, mine in self.of_side.items()}

    @cached_property
    def so_far(self) -> Ints:
        """Tokens of each pass's sequence that have arrived: [passes]."""
        return self.so_far_by[None]

    @cached_property
    def so_far_by(self) -> dict[int | None, Ints]:
        """Those of them that a side of the model has, by side: [passes]."""
        return {side: self._so_far(side) for side in self.of_side}

    def _so_far(self, side: int | None) -> Ints:
        arrived = self.schedule.arrival <= self.numbers[:, None]
        arrived &= on_side(self.sides, side, self.schedule.sequence)
        mine = self.schedule.sequence == self.sequence_ids[:, None]
        out: Ints = np.einsum("st,qt->sq", arrived.astype(np.int64), mine.astype(np.int64)).ravel()
        return out

    @cached_property
    def newest(self) -> Bools:
        """Whether a visit is the last of its pass that runs: [visits]."""
        out = np.zeros(len(self), dtype=np.bool_)
        rows = np.flatnonzero(self.runs)
        out[rows[np.append(np.diff(self.of_pass[rows]) != 0, True)]] = True
        return out


def check_shapes(schedule: Schedule) -> Fault | None:
    """Every token arrives once and is of one place of the trace; there is a step."""
    for name in ("arrival", "trace"):
        found, wanted = getattr(schedule, name).shape, (schedule.tokens,)
        if found != wanted:
            return Fault("schedule", f"{name} of {found}, expected {wanted}")
    return None if schedule.steps else Fault("schedule", "no step, expected at least one")


def check_steps(visits: Visits) -> Fault | None:
    """The schedule's steps work on the tokens that arrivals and caches ask for."""
    schedule = visits.schedule
    if np.any(np.diff(schedule.sequence) < 0):
        return Fault("schedule", "sequences are not in order")
    if np.any(schedule.arrival < 0):
        return Fault("schedule", "a token arrives before step 0")
    last = int(schedule.arrival.max(initial=0))
    first = int(visits.numbers[0])
    if first < 0 or not np.array_equal(visits.numbers, np.arange(first, last + 1)):
        return Fault("schedule", f"steps {visits.numbers.tolist()}, expected the last to be {last}")
    runs, scored, fresh = visits.grid
    for at, step in enumerate(schedule.steps):
        for name, found, wanted in (
            ("rows", step.rows, runs[at]),
            ("scored", step.scored, scored[at]),
            ("fresh", step.fresh, fresh[at]),
        ):
            if not np.array_equal(found, np.flatnonzero(wanted)):
                return Fault(f"step {step.number}", f"{name} are not those of its caches")
        if step.kv != (step.number > 0 and schedule.caches.kv):
            return Fault(f"step {step.number}", f"kv is {step.kv}")
    return None
