"""Programs of a form that no model has by itself: it is how they are compiled, or on what chip."""

from dataclasses import replace
from functools import cache

from compiler.pipeline import realise
from ir.compiled import Compiled
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import random_stacks, stacks_of


def in_lockstep_at_first() -> Compiled:
    """The prefill's tokens run one by one, those of the next step as they come."""
    workload, chip = small_workload(layers=1, k=3), small_chip(pg={"retain_input": False})
    c = compile_small(workload, chip, lockstep=True, decode=1)
    first, last = c.schedule.steps
    free = tuple(replace(o, order=replace(o.order, lockstep=False)) for o in last.layers)
    schedule = replace(c.schedule, steps=(first, replace(last, layers=free)))
    return realise(workload, chip, c.mapping, schedule, c.chosen)


def without_prefill(*, reference: bool) -> Compiled:
    """Two decode steps alone, numbers 1 and 2: what was before has left its caches."""
    accounting = {"accounting": "reference" if reference else "full"}
    chip = small_chip(memory=accounting, digital=accounting)
    workload = small_workload(layers=1, expert_choice=True)
    c = compile_small(workload, chip, sequence=SEQUENCE, decode=2)
    later = replace(c.schedule, steps=c.schedule.steps[1:])
    return realise(workload, chip, c.mapping, later, c.chosen)


def waiting() -> Compiled:
    """A job for every sequence computes the same as a stream's jobs, and is no fault."""
    c = compile_small(streaming(small_workload(), proven=False), sequence=SEQUENCE)
    return replace(c, workload=streaming(c.workload))


def second_stage_in_a_stack() -> Compiled:
    """A shared expert's, whose first stage is alone; a switch settles."""
    workload = small_workload(layers=1, shared=1)
    chip = small_chip(pg={"stack_limit": 2, "mux_settle_ps": 500})
    stacks = stacks_of(map_small(workload, chip), ("q0", "shared0.1.0"))
    return compile_small(workload, chip, stacks=stacks)


@cache
def moved_in_no_time() -> Compiled:
    """Correct: on a mesh without latency what is moved is gone at the moment when it is there.

    Where it was, a result of an earlier row is written at that very moment, and waits.
    """
    still = {"bus": {"transfers_per_slot": None}, "mesh": {"hop_ps": 0}}
    chip = small_chip(pg={"stack_limit": 4}, mvm={"read_ps": 122_000}, **still)
    model = small_workload(layers=1, f=5, shared=2)
    stacks = random_stacks(map_small(model, chip), chip, seed=7)
    return compile_small(model, chip, stacks=stacks, tokens=5)
