"""Reunite split tokens a few slots at a time, by an exact model of these slots (CP-SAT).

The turns of some slots are taken out and put back with the fewest transfers, all else as it is; no
token goes before its arrival, and no slot has more transfers than the bus carries. The slots are
those of a token that has more transfers than it needs, their neighbours, and some by chance: where
slots are far apart, tokens that came early may still change places.
"""

from random import Random

import numpy as np

from compiler.options import SolverOptions
from compiler.slots.bounds import transfers_bound
from compiler.slots.cp_sat_limited import at_most, not_before
from compiler.slots.cp_sat_slots import SlotModel, variables_of
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from compiler.solver import cp_model, solve
from ir.arrays import Ints
from ir.schedule import distinct_per_row

SLOTS = 12  # of one model
TURN_S = 0.5  # deterministic seconds of one model, at most


def windows_repaired(
    problem: SlotProblem, first: Ints, start: Solved, seed: int, time_s: float
) -> Solved:
    """Improve `start` within `time_s` deterministic seconds; first: [tokens], ascending.

    A buffer's limit is not in the models: such a problem keeps its start.
    """
    if problem.limits.buffer is not None:
        return start
    random = Random(seed)  # noqa: S311 - it breaks ties, it keeps no secrets
    table, least = start.table.copy(), problem.counts.max(axis=1, initial=0)
    deterministic, left = start.deterministic, time_s
    while left > 0:
        places = [np.flatnonzero((table == t).any(axis=1)) for t in range(len(least))]
        split = [t for t, at in enumerate(places) if len(at) > least[t]]
        if sum(len(at) for at in places) <= start.bound or not split:
            break
        chosen = _slots_near(places[random.choice(split)], len(table), random)
        better, repeats = _solved(problem, first, table, chosen, min(TURN_S, left), seed)
        deterministic = deterministic and repeats
        left -= TURN_S
        table[chosen] = better
    return Solved(table, start.bound, start.solver_bound, start.solver_slots, deterministic)


def _slots_near(places: Ints, slots: int, random: Random) -> Ints:
    """SLOTS slots, ascending: those of a token, about as many beside them as by chance."""
    chosen = set(places.tolist())
    near = [s + step for s in places.tolist() for step in (-2, -1, 1, 2) if 0 <= s + step < slots]
    random.shuffle(near)
    chosen |= set(near[: max(0, (SLOTS - len(chosen)) // 2)])
    other = [s for s in range(slots) if s not in chosen]
    chosen |= set(random.sample(other, min(len(other), max(0, SLOTS - len(chosen)))))
    return np.array(sorted(chosen), dtype=np.int64)


def _solved(
    problem: SlotProblem, first: Ints, table: Ints, chosen: Ints, time_s: float, seed: int
) -> tuple[Ints, bool]:
    """Order the turns of the `chosen` slots anew: their rows, and whether that repeats."""
    rows = table[chosen]
    tokens = np.unique(rows[rows >= 0])
    warm = np.where(rows >= 0, np.searchsorted(tokens, rows), -1)
    counts = np.stack([(warm == t).sum(axis=0) for t in range(len(tokens))])
    built = _model(counts, warm, np.searchsorted(chosen, first[tokens]), problem.limits.bus)
    answer = solve(built.model, built.variables, SolverOptions(time_s=time_s, seed=seed))
    if answer.values is None:
        return rows, answer.deterministic
    found = built.table_of(answer.values)
    best = min(found, warm, key=distinct_per_row)  # an equal one moves on
    return np.where(best >= 0, tokens[best], -1), answer.deterministic


def _model(counts: Ints, warm: Ints, first: Ints, bus: int | None) -> SlotModel:
    """Fewest transfers on len(warm) slots, started at `warm`."""
    built = variables_of(counts, len(warm))
    not_before(built, first)
    if bus is not None:
        at_most(built, bus)
    sent = cp_model.LinearExpr.sum(list(built.sent.values()))
    built.model.add(sent >= transfers_bound(counts))
    built.model.minimize(sent)
    for (t, g, s), variable in built.turn.items():
        built.model.add_hint(variable, int(warm[s, g] == t))
    return built
