"""The shortest of several list schedules, the same on every machine: no step looks at a clock.

1. A list schedule by each priority rule (`rules`).
2. From each of these, the shortest first: latest starts as the next priorities (`justify`), as long
   as that makes it shorter.
3. From the shortest: the starts that come of it where one opcode takes longer, as priorities, then
   2. What would serve a chip with a slower unit is so tried on this one too, and a slower unit
   seldom shows a way that was not seen before. From what is shorter, 3 anew.

It ends when nothing helps, when none can be shorter, or when the counted work is done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from compiler.timeline.chains import chains
from compiler.timeline.jobs import Jobs
from compiler.timeline.justify import latest_starts
from compiler.timeline.list_schedule import Times, list_schedule
from compiler.timeline.rules import RULES, with_turns
from ir.arrays import Ints

WORK = 800_000  # instructions timed, those of all list schedules of a program together
FEWEST = 6  # list schedules, however many instructions there are
QUARTERS = (5, 6, 8, 3)  # of its durations that an opcode takes in their place, in turn

Fits = Callable[[Times], bool]


def best_schedule(jobs: Jobs, fits: Fits = lambda times: True, work: int = WORK) -> Times:
    """The shortest schedule found, of those that fit if one does; of equals the first.

    fits: whether the values of a schedule have room; work: instructions that may be timed, those of
    the fewest schedules at least. Raises CheckError as `list_schedule` does.
    """
    search = _Search(jobs, fits, max(work // max(len(jobs), 1), FEWEST))
    for times in sorted(search.by_rules(), key=lambda times: times.end_ps):
        search.justify(times)
    while search.shorter_by_another_opcode():
        pass
    return search.best.times


@dataclass(frozen=True, eq=False)
class _Found:
    """A schedule, and what tells whether its values have room."""

    times: Times
    fits: Fits

    @cached_property
    def has_room(self) -> bool:
        """Whether its values have room."""
        return self.fits(self.times)


class _Search:
    """The best schedule so far, and how many list schedules may still be made."""

    def __init__(self, jobs: Jobs, fits: Fits, left: int) -> None:
        self.jobs, self.fits, self.left = jobs, fits, left
        self.floor_ps = _floor_ps(jobs)
        self.tried: set[int] = set()  # ends of the schedules that were justified
        self.best = _Found(self.timed(RULES[0](jobs)), fits)

    @property
    def open(self) -> bool:
        """Whether a try, two list schedules, may still be made and can be of use."""
        return self.left >= 2 and self.best.times.end_ps > self.floor_ps

    def timed(self, priority: Ints, jobs: Jobs | None = None) -> Times:
        """The list schedule by a priority, counted; of other jobs if given."""
        self.left -= 1
        return list_schedule(jobs or self.jobs, with_turns(self.jobs, priority))

    def schedule(self, priority: Ints) -> Times:
        """The list schedule by a priority; the best is kept."""
        times = self.timed(priority)
        self.best = _better(self.best, _Found(times, self.fits))
        return times

    def by_rules(self) -> list[Times]:
        """By every rule, or half of what may be made."""
        some = RULES[1 : 1 + self.left // 2]
        return [self.best.times, *(self.schedule(rule(self.jobs)) for rule in some)]

    def justify(self, times: Times) -> None:
        """By latest starts, again and again, as long as that is shorter."""
        while self.open and times.end_ps not in self.tried:
            self.tried.add(times.end_ps)
            self.left -= 1
            after = self.schedule(latest_starts(self.jobs, times))
            times = after if after.end_ps < times.end_ps else times

    def shorter_by_another_opcode(self) -> bool:
        """From the best, one opcode after the other longer, until one gives a better schedule."""
        before = self.best
        for longer in _slower(self.jobs):
            if not self.open:
                break
            starts = self.timed(before.times.start_ps, longer).start_ps
            self.justify(self.schedule(starts))
            if self.best is not before:
                return True
        return False


def _better(best: _Found, new: _Found) -> _Found:
    """The better of the best so far and another; room is looked at only where it matters."""
    shorter = new.times.end_ps < best.times.end_ps
    if shorter:
        return new if new.has_room or not best.has_room else best
    return new if not best.has_room and new.has_room else best


def _floor_ps(jobs: Jobs) -> int:
    """What no schedule is shorter than: the longest chain, and the fullest pool of units."""
    before, _ = chains(jobs.duration_ps, jobs.ended.at, jobs.ended.rows)
    busy = np.zeros(len(jobs.servers), dtype=np.int64)
    np.add.at(busy, jobs.pool, jobs.busy_ps)
    return max(int(before.max(initial=0)), int((busy // jobs.servers).max(initial=0)))


def _slower(jobs: Jobs) -> Iterator[Jobs]:
    """The jobs with those of one opcode longer (at the last shorter), rounded up."""
    for quarters in QUARTERS:
        for opcode in np.unique(jobs.opcode).tolist():
            times = np.where(jobs.opcode == opcode, quarters, 4)
            yield replace(
                jobs,
                duration_ps=-(-times * jobs.duration_ps // 4),
                busy_ps=-(-times * jobs.busy_ps // 4),
            )
