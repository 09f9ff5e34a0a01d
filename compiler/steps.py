"""Which tokens every step works on: the prefill, then one token of every sequence at a time."""

import numpy as np

from ir.arrays import Bools, Ints
from ir.schedule import Caches, Step


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


def pairs_run(step: Step, chosen: Bools) -> Bools:
    """Token-expert pairs of a layer that run in `step`: bool [tokens, experts] like `chosen`.

    Those of the tokens that run and whose output nothing keeps.
    """
    runs = np.zeros(len(chosen), dtype=np.bool_)
    runs[np.intersect1d(step.rows, step.scored)] = True
    return chosen & runs[:, None]
