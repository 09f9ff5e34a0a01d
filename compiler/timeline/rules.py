"""Which of the ready instructions goes first: the priority rules of the list schedule.

A rule gives every instruction a number; the lower, the earlier it is taken. MVMs keep the number of
the draft under every rule (on a group that experts share, their slots), as they meet on their
groups alone.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from compiler.timeline.chains import chains
from compiler.timeline.jobs import Jobs
from ir.arrays import Ints
from ir.program import Opcode

FIRST = -(1 << 60)  # before all tokens
Rule = Callable[[Jobs], Ints]


def lead(jobs: Jobs, tokens: float) -> Ints:
    """Tokens in turn, but an operator leads the next one by so many tokens.

    0: the lowest token first, and of it the earliest operator (the draft's numbers). More: the
    earlier operators work ahead, so that a unit further on does not run out of work. Less: tokens
    are brought to their end first.
    """
    pitch = int(jobs.node.max(initial=0)) + 1
    shift = np.floor(jobs.node * (tokens * pitch)).astype(np.int64)
    return _whole_first(jobs, jobs.priority + shift)


def step_lead(jobs: Jobs, tokens: float) -> Ints:
    """The same with the instructions of a chain in place of operators."""
    pitch = int(jobs.node.max(initial=0)) + 1
    before, _ = _chains(jobs, np.ones(len(jobs), dtype=np.int64))
    shift = np.floor(before * (tokens * pitch)).astype(np.int64)
    return _whole_first(jobs, jobs.priority + shift)


def longest_tail(jobs: Jobs) -> Ints:
    """The longest chain of durations first that waits for an instruction: the critical path."""
    return -_chains(jobs, jobs.duration_ps)[1]


def most_steps(jobs: Jobs) -> Ints:
    """The longest chain first, in instructions."""
    return -_chains(jobs, np.ones(len(jobs), dtype=np.int64))[1]


def earliest_steps(jobs: Jobs) -> Ints:
    """What has the fewest instructions before it, layer after layer; then tokens in turn."""
    before, _ = _chains(jobs, np.ones(len(jobs), dtype=np.int64))
    return before * (int(jobs.priority.max(initial=0)) + 1) + jobs.priority


def latest_steps(jobs: Jobs) -> Ints:
    """What has the most instructions before it; then tokens in turn."""
    before, _ = _chains(jobs, np.ones(len(jobs), dtype=np.int64))
    return -before * (int(jobs.priority.max(initial=0)) + 1) + jobs.priority


# The order matters where there is work for a few alone: the best on the shipped models come first.
RULES: tuple[Rule, ...] = (
    partial(lead, tokens=1),
    longest_tail,
    partial(lead, tokens=0),
    partial(step_lead, tokens=1),
    partial(lead, tokens=6),
    most_steps,
    partial(lead, tokens=2),
    latest_steps,
    earliest_steps,
    partial(step_lead, tokens=0.5),
    partial(lead, tokens=-1),
    partial(lead, tokens=3),
)


def with_turns(jobs: Jobs, priority: Ints) -> Ints:
    """The priority with the draft's own for MVMs, which keep their turns."""
    return np.where(jobs.opcode == Opcode.MVM, jobs.priority, priority)


def _whole_first(jobs: Jobs, priority: Ints) -> Ints:
    return np.where(jobs.whole, FIRST + jobs.priority, priority)


def _chains(jobs: Jobs, weight: Ints) -> tuple[Ints, Ints]:
    before, behind = chains(weight, jobs.ended.at, jobs.ended.rows)
    return before, behind
