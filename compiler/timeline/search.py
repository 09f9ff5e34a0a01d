"""The shortest of several list schedules; how many there are depends on no duration.

1. A list schedule by each priority rule (`rules`).
2. By the rule that did best, for each opcode: the starts that come of it where that opcode takes a
   quarter longer, as priorities of one more list schedule. So what would serve a chip with one unit
   slower is tried on this one too, and a slower unit seldom shows a way that was not seen before.

No step looks at a clock. The work is counted, and the answer is the same on every machine.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from compiler.timeline.jobs import Jobs
from compiler.timeline.list_schedule import Times, list_schedule
from compiler.timeline.rules import RULES, Rule, with_turns
from ir.arrays import Ints

WORK = 800_000  # instructions timed, those of all list schedules of a program together
FEWEST = 6  # list schedules, however many instructions there are

Fits = Callable[[Times], bool]


@dataclass(frozen=True, eq=False)
class _Found:
    """A schedule, the priorities it comes from, and what tells whether its values have room."""

    times: Times
    priority: Ints
    fits: Fits

    @cached_property
    def has_room(self) -> bool:
        """Whether its values have room."""
        return self.fits(self.times)


def best_schedule(jobs: Jobs, fits: Fits = lambda times: True, work: int = WORK) -> Times:
    """The shortest schedule found, of those that fit if one does; of equals the first.

    fits: whether the values of a schedule have room; work: instructions that may be timed, those of
    the fewest schedules at least. Raises CheckError as `list_schedule` does.
    """
    passes = max(work // max(len(jobs), 1), FEWEST)
    best = _by_rule(jobs, RULES[0], fits)
    for rule in RULES[1:passes]:
        best = _better(best, _by_rule(jobs, rule, fits))
    priority = best.priority
    for opcode in np.unique(jobs.opcode)[: max(passes - len(RULES), 0) // 2].tolist():
        starts = list_schedule(_slower(jobs, opcode), priority).start_ps
        turns = with_turns(jobs, starts)
        best = _better(best, _Found(list_schedule(jobs, turns), turns, fits))
    return best.times


def _by_rule(jobs: Jobs, rule: Rule, fits: Fits) -> _Found:
    """The list schedule by one rule."""
    priority = with_turns(jobs, rule(jobs))
    return _Found(list_schedule(jobs, priority), priority, fits)


def _better(best: _Found, new: _Found) -> _Found:
    """The better of the best so far and another; room is looked at only where it matters."""
    shorter = new.times.end_ps < best.times.end_ps
    if shorter:
        return new if new.has_room or not best.has_room else best
    return new if not best.has_room and new.has_room else best


def _slower(jobs: Jobs, opcode: int) -> Jobs:
    """The jobs with those of one opcode a quarter longer, rounded up."""
    longer = jobs.opcode == opcode
    return replace(
        jobs,
        duration_ps=np.where(longer, -(-5 * jobs.duration_ps // 4), jobs.duration_ps),
        busy_ps=np.where(longer, -(-5 * jobs.busy_ps // 4), jobs.busy_ps),
    )
