"""Schedules whose steps are not those that the tokens arrive in, or keep what they do not say."""

from dataclasses import replace
from functools import cache

import numpy as np

from ir.compiled import Compiled
from ir.schedule import Caches
from tests.ir.verify.wrong.edits import Corrupt, Tables, in_step, scheduled, with_column
from tests.ir.verify.wrong.programs import stepping
from tests.make import compile_small, small_workload


def step_that_runs_all_tokens_again(c: Compiled) -> Compiled:
    steps = c.schedule.steps
    again = replace(steps[1], rows=np.flatnonzero(c.schedule.so_far(1)))
    return replace(c, schedule=replace(c.schedule, steps=(steps[0], again, *steps[2:])))


def step_left_out(c: Compiled) -> Compiled:
    return scheduled(c, steps=c.schedule.steps[:-1])


def step_field(name: str) -> Corrupt:
    """The tokens of the last step one short."""

    def corrupt(c: Compiled) -> Compiled:
        last = len(c.schedule.steps) - 1
        return in_step(c, last, **{name: getattr(c.schedule.steps[last], name)[:-1]})

    corrupt.__name__ = f"{name}_of_a_step_one_short"
    return corrupt


def step_that_says_it_has_no_keys(c: Compiled) -> Compiled:
    return in_step(c, 1, kv=not c.schedule.steps[1].kv)


def first_step_with_keys(c: Compiled) -> Compiled:
    return in_step(c, 0, kv=not c.schedule.steps[0].kv)


def without_steps(c: Compiled) -> Compiled:
    return scheduled(c, steps=())


def tokens_of_a_schedule(name: str) -> Corrupt:
    """What is said of every token is said of all but one."""

    def corrupt(c: Compiled) -> Compiled:
        return scheduled(c, **{name: getattr(c.schedule, name)[:-1]})

    corrupt.__name__ = f"{name}_of_a_token_too_few"
    return corrupt


def sequences_out_of_order(c: Compiled) -> Compiled:
    """Both sequences under the other's number, in the program as well."""
    other = scheduled(c, sequence=1 - c.schedule.sequence)
    return with_column(other, "seq", 1 - c.program.seq)


def step_that_is_skipped(c: Compiled) -> Compiled:
    """What arrives in the last step comes one later, in all that names a step."""
    last = c.schedule.steps[-1].number
    late = in_step(c, len(c.schedule.steps) - 1, number=last + 1)
    arrival = c.schedule.arrival
    late = scheduled(late, arrival=np.where(arrival == last, last + 1, arrival))
    step = c.program.step
    return with_column(late, "step", np.where(step == last, last + 1, step))


def steps_before_the_first(c: Compiled) -> Compiled:
    """All that names a step names the one before: the first is number -1."""
    steps = tuple(replace(step, number=step.number - 1) for step in c.schedule.steps)
    early = scheduled(c, steps=steps, arrival=c.schedule.arrival - 1)
    return with_column(early, "step", c.program.step - 1)


def empty_step_before_the_first(c: Compiled) -> Compiled:
    """Number -1, in which no token runs: no cost, and no meaning."""
    none, first = np.empty(0, dtype=np.int64), c.schedule.steps[0]
    idle = tuple(
        replace(
            layer,
            token=none,
            expert=none,
            replica=none,
            group=none,
            slot=none,
            order=replace(layer.order, table=layer.order.table[:0], slots_bound=0),
        )
        for layer in first.layers
    )
    empty = replace(first, number=-1, rows=none, scored=none, fresh=none, kv=False, layers=idle)
    return scheduled(c, steps=(empty, *c.schedule.steps))


@cache
def keeping_nothing() -> Compiled:
    """Correct: a second step for which nothing is kept."""
    return compile_small(small_workload(layers=1), decode=1, caches=Caches(kv=False, go=False))


def token_before_the_first_step(c: Compiled) -> Compiled:
    """Token 0 arrives in step -1, so that no step works on it, and a later one reads its keys."""
    arrival = c.schedule.arrival.copy()
    arrival[0] = -1
    return in_step(scheduled(c, arrival=arrival), 0, fresh=np.flatnonzero(arrival == 0))


TABLES: Tables = [
    (
        stepping,
        [
            ("schedule", step_that_runs_all_tokens_again),
            ("labels", step_left_out),
            *(("schedule", step_field(name)) for name in ("rows", "scored", "fresh")),
            ("schedule", step_that_says_it_has_no_keys),
            ("schedule", first_step_with_keys),
            ("columns", without_steps),
            ("schedule", sequences_out_of_order),
            ("schedule", step_that_is_skipped),
            ("schedule", steps_before_the_first),
            ("schedule", token_before_the_first_step),
            ("schedule", empty_step_before_the_first),
            ("columns", tokens_of_a_schedule("arrival")),
            ("columns", tokens_of_a_schedule("trace")),
        ],
    ),
    (keeping_nothing, [("schedule", steps_before_the_first)]),
]
