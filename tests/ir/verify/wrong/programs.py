"""Right programs that corruptions of several kinds are made in."""

from dataclasses import replace
from functools import cache

import numpy as np

from ir.compiled import Compiled
from ir.program import Lists
from ir.schedule import Caches
from ir.selection import Capacity
from tests.dies import JOINED, at_random, die_chip
from tests.ir.verify.forms.parts import with_digital
from tests.make import compile_small, small_chip, small_workload


@cache
def base() -> Compiled:
    """Correct: two sequences, a gated shared expert, a factor, constants, two regions, pairs."""
    workload = small_workload(k=3, shared=1, shared_gates=(True,), scale=2.5, masks=True)
    sequence = np.array([0, 0, 0, 1, 1, 1, 1])
    return compile_small(workload, small_chip(pg={"retain_input": False}), sequence=sequence)


@cache
def in_lockstep() -> Compiled:
    """Correct: one token at a time."""
    workload, chip = small_workload(k=3), small_chip(pg={"retain_input": False})
    return compile_small(workload, chip, lockstep=True)


@cache
def stepping() -> Compiled:
    """Correct: expert choice, two decode steps of two sequences, keys and scores kept."""
    workload = small_workload(expert_choice=True, capacity=Capacity(constant=2))
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    return compile_small(workload, sequence=sequence, decode=2)


@cache
def stepping_without_keys() -> Compiled:
    """Correct: the same with the outputs of earlier tokens kept instead of their keys."""
    workload = small_workload(expert_choice=True, capacity=Capacity(constant=2))
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    return compile_small(workload, sequence=sequence, decode=2, caches=Caches(kv=False))


@cache
def gates_on_input() -> Compiled:
    """Correct: gates multiply the experts' input, so a MUL the first stage's sums."""
    return compile_small(small_workload(k=3, shared=1, weight_on="input"))


@cache
def dense_twice() -> Compiled:
    """Correct: everything but routed experts stands twice, a shared expert among it."""
    return compile_small(small_workload(layers=1, shared=1), copies=2)


@cache
def on_digital_units() -> Compiled:
    """Correct: of four experts the last one is on digital units."""
    return compile_small(small_workload(k=3), grouping=with_digital(3))


@cache
def no_adders() -> Compiled:
    """Correct: digital units add all sums, and there are no other adders."""
    chip = small_chip(accumulate={"where": "dpu"}, pg={"retain_input": False})
    c = compile_small(small_workload(layers=1, k=3), chip)
    p = c.program
    kept = [i for i, u in enumerate(p.units) if u.kind != "acc"]
    place = np.full(len(p.units) + 1, -1)
    place[kept] = np.arange(len(kept))
    units, dst = tuple(p.units[i] for i in kept), Lists(p.dst.offsets, place[p.dst.values])
    fewer = replace(p, units=units, unit=place[p.unit], src=place[p.src], dst=dst)
    return replace(c, program=fewer)


@cache
def on_dies() -> Compiled:
    """Correct: on a ring of four dies, each fire group on a random one; a decode step.

    Two layers with a shared expert, experts in pairs, routers on crossbars and gates of the input,
    in a way that routing, hidden vectors, results and choices of tokens all cross links.
    """
    dies, digital = JOINED["ring of 4"], {"router_on": "crossbar"}
    workload = small_workload(k=3, shared=1, weight_on="input", embedded=True)
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    chip = die_chip(dies, digital=digital, pg={"retain_input": False})
    return compile_small(workload, chip, sequence=sequence, decode=1, sites=at_random(dies, 3))
