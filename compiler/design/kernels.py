"""Stations: when tokens that come in order leave a unit, given when they arrive.

Every kernel is linear in the (max, +) sense: what tokens wait for are sums and maxima of arrivals,
so the times of a whole chip are the lengths of longest paths.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ir.arrays import Array, Ints
from ir.jit import compiled

NEVER = -(1 << 60)  # of tokens that do not come


class Kernel(Protocol):
    """A unit and what each token has it do."""

    @property
    def busy(self) -> Ints:
        """[tokens] what each keeps its unit busy with."""

    @property
    def work_ps(self) -> int:
        """Of the unit with most of it, in all."""

    @property
    def energy_fj(self) -> int:
        """Of all."""

    @property
    def alone(self) -> Ints:
        """[tokens] the time of each token that is alone."""

    def run(self, arrival: Ints) -> Ints:
        """When each token leaves: [tokens] from [tokens], ps."""


@dataclass(frozen=True, eq=False)
class Queue:
    """One unit, or `copies` that take the tokens in turn.

    busy: [tokens] until it takes the next one; after: [tokens] from its start until the token is
    on its way.
    """

    busy: Ints
    after: Ints
    copies: int = 1
    energy_fj: int = 0

    @property
    def work_ps(self) -> int:
        """Of the busiest copy."""
        return max(int(self.busy[n :: self.copies].sum()) for n in range(self.copies))

    @property
    def alone(self) -> Ints:
        """What it takes for each."""
        return self.after

    def run(self, arrival: Ints) -> Ints:
        """Each starts when it is there and the one before it, on its copy, is done."""
        start = np.empty(len(arrival), dtype=np.int64)
        for n in range(self.copies):
            mine = slice(n, None, self.copies)
            before = np.cumsum(self.busy[mine]) - self.busy[mine]
            start[mine] = before + np.maximum.accumulate(arrival[mine] - before)
        return start + self.after


@dataclass(frozen=True, eq=False)
class Jobs:
    """A unit whose jobs are of several tokens each, and begin when the last of them is there.

    job: [tokens] ascending from 0; each: [jobs] what a job takes.
    """

    job: Ints
    each: Ints
    energy_fj: int = 0

    @property
    def busy(self) -> Ints:
        """A job's on its last token."""
        last = np.append(np.diff(self.job) > 0, [True])
        return np.where(last, self.each[self.job], 0)

    @property
    def work_ps(self) -> int:
        """Of all jobs."""
        return int(self.each.sum())

    @property
    def alone(self) -> Ints:
        """Its own job's."""
        own: Ints = self.each[self.job]
        return own

    def run(self, arrival: Ints) -> Ints:
        """One job after another; its tokens leave together."""
        there = np.full(len(self.each), NEVER, dtype=np.int64)
        np.maximum.at(there, self.job, arrival)
        before = np.cumsum(self.each) - self.each
        done = before + np.maximum.accumulate(there - before) + self.each
        left: Ints = done[self.job]
        return left


@dataclass(frozen=True, eq=False)
class Turns:
    """The first stage of a layer's expert groups, with their input buffers and its broadcasts.

    first: [tokens + 1] where each token's turns begin; group, times: [turns] which group runs the
    token, and how often; a LOAD takes load_ps and the bus load_busy_ps; entries: of an input
    buffer. pace: [groups] from one turn to the next, by what comes after; after: [groups] from the
    end of a turn until the pair is on its way.
    """

    first: Ints
    group: Ints
    times: Ints
    load_ps: int
    load_busy_ps: int
    mvm_ps: int
    entries: int
    pace: Ints
    after: Ints
    energy_fj: int = 0

    @property
    def busy(self) -> Ints:
        """Of the fullest group of each."""
        return self._most(self.times * self.mvm_ps)

    @property
    def work_ps(self) -> int:
        """Turns of the busiest group."""
        turns = np.bincount(self.group, self.times, minlength=len(self.pace))
        return int((turns.astype(np.int64) * self.pace).max(initial=0))

    @property
    def alone(self) -> Ints:
        """A LOAD, the turns of a group, and the way from it."""
        return self._most(self.load_ps + self.times * self.mvm_ps + self.after[self.group])

    def _most(self, of_turns: Ints) -> Ints:
        """The most of each token's turns: [tokens], 0 without any."""
        most = np.zeros(len(self.first) - 1, dtype=np.int64)
        token = np.repeat(np.arange(len(most)), np.diff(self.first))
        np.maximum.at(most, token, of_turns)
        return most

    def run(self, arrival: Ints) -> Ints:
        """LOADs start in order; each waits for an entry in every buffer that it fills."""
        of_turns = self.first, self.group, self.times, self.pace, self.after
        sizes = self.load_ps, self.load_busy_ps, self.mvm_ps, self.entries
        done: Ints = _turns(arrival, *of_turns, *sizes)
        return done


@compiled
def _turns(
    arrival: Array,
    first: Array,
    group: Array,
    times: Array,
    pace: Array,
    after: Array,
    load_ps: int,
    load_busy_ps: int,
    mvm_ps: int,
    entries: int,
) -> Array:
    never = -(1 << 60)
    held = np.full((len(pace), entries), never)  # when each entry is free again
    turn = np.zeros(len(pace), dtype=np.int64)
    free = np.full(len(pace), never)
    bus = never
    done = arrival.copy()
    for t in range(len(arrival)):
        if first[t] == first[t + 1]:
            continue
        start = max(arrival[t], bus)
        for n in range(first[t], first[t + 1]):
            g = group[n]
            start = max(start, held[g, turn[g]])
        bus = start + load_busy_ps
        for n in range(first[t], first[t + 1]):
            g = group[n]
            begun = max(start + load_ps, free[g])
            end = begun + times[n] * mvm_ps
            free[g] = begun + times[n] * pace[g]
            held[g, turn[g]] = end
            turn[g] = (turn[g] + 1) % entries
            done[t] = max(done[t], end + after[g])
    return done
