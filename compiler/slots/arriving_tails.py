"""Exact bounds on what comes last: the end of a window is small enough for a model of its slots.

What comes in slot a or later has the slots from a on. If CP-SAT proves that these tokens alone
cannot be sent in L - a slots with at most e transfers more than sum of m_t, then

    transfers in L slots >= sum of m_t over all tokens + e + 1,

as those before have at least m_t each. The question is asked for the last 4 slots, 8, 16 and so on
while the model is small, and for a greater e as long as the answer is no. It is a question of yes
or no: that no token has more than e transfers above m_t is then in the model, which rules out most
splits at once.
"""

from dataclasses import replace

import numpy as np

from compiler.options import SolverOptions
from compiler.slots.bounds import transfers_bound
from compiler.slots.cp_sat_limited import at_most, not_before
from compiler.slots.cp_sat_slots import MOST_TURNS, variables_of
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from compiler.solver import SolverAnswer, cp_model, solve
from ir.arrays import Ints

SHORTEST = 4  # slots of the first tail; each next one has twice as many


def tails_bound(
    problem: SlotProblem, first: Ints, start: Solved, seed: int, time_s: float
) -> Solved:
    """Raise the solver's bound of `start` by its tails; first: [tokens], ascending.

    time_s: deterministic seconds of one question. Holds with any limits: only that on the bus is in
    the model, and fewer limits allow more orders.
    """
    counts, slots = problem.counts, len(start.table)
    least = transfers_bound(counts)
    tail = SHORTEST
    while not start.proven:
        a = max(0, slots - tail)
        later, came = counts[first >= a], first[first >= a] - a
        if np.count_nonzero(later) * (slots - a) > MOST_TURNS:
            break
        more = max(start.bound, start.solver_bound) - least
        bus = problem.limits.bus
        answer = question(
            later, came, slots - a, more, bus, SolverOptions(time_s=time_s, seed=seed)
        )
        if not answer.deterministic:
            start = replace(start, deterministic=False)
        if answer.status == "infeasible":
            start = replace(start, solver_bound=least + more + 1)
        elif a == 0:
            break
        else:
            tail *= 2
    return start


def question(
    counts: Ints, first: Ints, slots: int, more: int, bus: int | None, options: SolverOptions
) -> SolverAnswer:
    """Ask whether `counts` can be sent in `slots` slots with sum of m_t + `more` transfers.

    counts: [tokens, groups]; first: [tokens], the slot in which each comes.
    """
    built = variables_of(counts, slots)
    not_before(built, first)
    if bus is not None:
        at_most(built, bus)
    above = []
    for t, least in enumerate(counts.max(axis=1, initial=0).tolist()):
        if least:
            sent = [built.sent[t, s] for s in range(int(first[t]), slots)]
            above.append(built.model.new_int_var(0, more, f"transfers of {t} above {least}"))
            built.model.add(cp_model.LinearExpr.sum(sent) == least + above[-1])
    built.model.add(cp_model.LinearExpr.sum(above) <= more)
    return solve(built.model, built.variables, options)
