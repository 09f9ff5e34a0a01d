"""Stations: when tokens that come in order leave a unit, given when they arrive.

Every kernel is linear in the (max, +) sense: what tokens wait for are sums and maxima of arrivals,
so the times of a whole chip are the lengths of longest paths.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from ir.arrays import Array, Ints
from ir.jit import compiled

NEVER = -(1 << 60)  # of tokens that do not come
NO_WAY = -(10**12)  # ps, longer than any path is: a second


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

    def length(self, first: int, last: int) -> int:
        """From a token's arrival to another's leaving, if no other came: NO_WAY if it waits not."""

    def waited_for(self, arrival: Ints, token: int) -> int:
        """The last whose arrival, with what is between, makes `token` leave when it does.

        It may come after `token`, where both are of one job.
        """


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

    @cached_property
    def _before(self) -> Ints:
        """[jobs] what there is to do before each."""
        before: Ints = np.cumsum(self.each) - self.each
        return before

    def _there(self, arrival: Ints) -> Ints:
        """[jobs] when the last token of each is there."""
        there = np.full(len(self.each), NEVER, dtype=np.int64)
        np.maximum.at(there, self.job, arrival)
        return there

    def run(self, arrival: Ints) -> Ints:
        """One job after another; its tokens leave together."""
        there, before = self._there(arrival), self._before
        done = before + np.maximum.accumulate(there - before) + self.each
        left: Ints = done[self.job]
        return left

    def length(self, first: int, last: int) -> int:
        """The jobs from that of the one to that of the other."""
        a, b = int(self.job[first]), int(self.job[last])
        if a > b:
            return NO_WAY
        return int(self._before[b] - self._before[a] + self.each[b])

    def waited_for(self, arrival: Ints, token: int) -> int:
        """The last token of the last job that came when there was nothing to do."""
        there, end = self._there(arrival), int(self.job[token]) + 1
        late = (there[:end] - self._before[:end])[::-1]
        job = end - 1 - int(np.argmax(late))
        return int(np.flatnonzero((self.job == job) & (arrival == there[job]))[-1])


@dataclass(frozen=True, eq=False)
class Turns:
    """The first stage of a layer's expert groups, with their input buffers and its broadcasts.

    first: [tokens + 1] where each token's turns begin; group, times: [turns] which group runs the
    token, and how often; a LOAD takes load_ps and the bus load_busy_ps; entries: of an input
    buffer. pace: [groups] from one turn to the next, by what comes after; after: [groups] from the
    end of a turn until the pair is on its way. met: [groups, tokens] what each does for other
    layers after a token's turns, once it is there; without rows where it serves none.
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
    met: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

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
        return self._run(arrival, 0)

    def _run(self, arrival: Ints, begin: int) -> Ints:
        """The tokens from `begin` on, as if none had come before: [arrivals]."""
        done: Ints = _turns(
            arrival,
            self.first[begin:],
            self.group,
            self.times,
            self.pace,
            self.after,
            self.load_ps,
            self.load_busy_ps,
            self.mvm_ps,
            self.entries,
            self.met[:, begin:],
        )
        return done

    def length(self, first: int, last: int) -> int:
        """With their turns, and those of what is between on groups that are waited for."""
        if first > last:
            return NO_WAY
        arrival = np.full(last + 1 - first, NEVER, dtype=np.int64)
        arrival[0] = 0
        return max(int(self._run(arrival, first)[-1]), NO_WAY)

    def lengths(self, rows: Ints) -> Ints:
        """`length` from some tokens to all: [rows, tokens]."""
        tokens = len(self.first) - 1
        found = np.full((len(rows), tokens), NO_WAY, dtype=np.int64)
        for row, first in enumerate(rows.tolist()):
            arrival = np.full(tokens - first, NEVER, dtype=np.int64)
            arrival[0] = 0
            found[row, first:] = np.maximum(self._run(arrival, first), NO_WAY)
        return found

    def waited_for(self, arrival: Ints, token: int) -> int:
        """By halves: the last token that may come first without that it leaves earlier."""
        until = arrival[: token + 1]
        end, low, high = self._run(until, 0)[-1], 0, token
        while low < high:
            middle = (low + high + 1) // 2
            if self._run(until[middle:], middle)[-1] == end:
                low = middle
            else:
                high = middle - 1
        return low


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
    met: Array,
) -> Array:
    never = -(1 << 60)
    held = np.full((len(pace), entries), never)  # when each entry is free again
    turn = np.zeros(len(pace), dtype=np.int64)
    free = np.full(len(pace), never)
    bus = never
    done = arrival.copy()
    for t in range(len(arrival)):
        start = arrival[t]
        if first[t] < first[t + 1]:
            start = max(start, bus)
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
        for g in range(len(met)):
            if met[g, t] > 0:
                free[g] = max(free[g], start) + met[g, t]
    return done
