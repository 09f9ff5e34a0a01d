"""Which tokens every step works on: the prefill, then one token of every sequence at a time."""

import numpy as np

from ir.arrays import Bools, Ints
from ir.errors import InputError
from ir.schedule import Caches, Step
from ir.workload import Workload, is_constant


def plan_steps(
    arrival: Ints, caches: Caches, *, expert_choice: bool, reference: bool = False, first: int = 0
) -> tuple[Step, ...]:
    """The steps of a window from number `first` on, without their slot orders.

    arrival: [tokens] step in which each token arrives. Without a KV cache every token so far runs
    again. Expert choice scores every token so far, unless a GO cache keeps the scores; token choice
    scores the tokens that run. `reference` (see Memory.accounting): the newest token runs alone
    where there is a GO cache, whatever happens to keys and values.
    """
    steps = []
    for number in range(first, int(arrival.max(initial=0)) + 1):
        so_far, fresh = np.flatnonzero(arrival <= number), np.flatnonzero(arrival == number)
        later = number > 0
        rows = fresh if later and (caches.go if reference else caches.kv) else so_far
        scored = rows
        if expert_choice and not reference:
            scored = fresh if later and caches.go else so_far
        steps.append(Step(number, fresh, rows, scored, (), kv=later and caches.kv))
    return tuple(steps)


def refuse_caches(workload: Workload, caches: Caches, decode: int) -> None:
    """InputError where layers of one step would score different tokens, which no step says yet.

    With one cache alone expert choice scores other tokens than those that run, token choice none;
    with the reference's accounting (see `plan_steps`) neither does. What is scored again without
    running is the experts' vectors, which the cache of keys alone keeps: no others.
    """
    kinds = {op.router.capacity is None for op in workload.moe_layers}
    if decode and caches.kv != caches.go and len(kinds) > 1:
        have, lack = ("kv", "go") if caches.kv else ("go", "kv")
        told = f"{have} alone, with layers whose tokens choose and layers whose experts choose"
        raise InputError("caches", told, f"keep {lack} too, or neither")
    constant = {name for op in workload.operators if is_constant(op) for name in op.outputs}
    choosing = [op for op in workload.moe_layers if op.router.capacity is not None]
    others = [{*op.inputs, op.scored} - {op.inputs[0]} - constant for op in choosing]
    if decode and caches.kv and not caches.go and any(others):
        told = "kv alone, with routers that read other vectors than their experts work on"
        raise InputError("caches", told, "keep go too, or neither")


def pairs_run(step: Step, chosen: Bools) -> Bools:
    """Token-expert pairs of a layer that run in `step`: bool [tokens, experts] like `chosen`.

    Those of the tokens that run and whose output nothing keeps.
    """
    runs = np.zeros(len(chosen), dtype=np.bool_)
    runs[np.intersect1d(step.rows, step.scored)] = True
    return chosen & runs[:, None]
