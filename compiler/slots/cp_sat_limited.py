"""The exact order within limits on the bus and the buffer, and arrivals, by CP-SAT: small windows.

The slot-indexed model of `cp_sat_slots` on as many slots as the start has, plus: at most B tokens
sent in a slot; at most W tokens between their first and their last slot; none before it has come;
slots after the last that is used come last. It minimises first the slots, then the transfers in
them. Slots are not interchangeable once the buffer is limited or tokens come one after another, so
their symmetry stays. Too large a model leaves the start.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from compiler.options import SolverOptions
from compiler.slots.cp_sat_slots import MOST_TURNS, SlotModel, variables_of
from compiler.slots.limited import limited_table
from compiler.slots.limits import Limits
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from compiler.solver import SolverAnswer, cp_model, solve
from ir.arrays import Ints
from ir.arrivals import Arrivals
from ir.certificate import PROVEN


def cp_sat_limited_table(counts: Ints, limits: Limits, seed: int, time_s: float) -> Solved:
    """Find the best order within `limits`; counts: int64 [tokens, groups].

    time_s: limit in CP-SAT's deterministic seconds.
    """
    start = Solved(*limited_table(counts, limits, seed))
    return finished(SlotProblem(counts, limits), start, seed, time_s)


def finished(problem: SlotProblem, start: Solved, seed: int, time_s: float) -> Solved:
    """Find the best order of `problem` from `start` on, if the model is small enough."""
    counts, least = problem.counts, problem.slots_bound
    known = start.status(least) in PROVEN
    if known or int(np.count_nonzero(counts)) * len(start.table) > MOST_TURNS:
        return start
    built, used = build(problem, start.table)
    worth = int(counts.sum()) + 1  # a slot is worth more than all transfers
    slots, sent = sum(used), sum(built.sent.values())
    built.model.add(slots >= least)
    built.model.minimize(worth * slots + sent)
    answer = solve(built.model, built.variables, SolverOptions(time_s=time_s, seed=seed))
    return _judged(problem, start, built, answer, worth)


def build(problem: SlotProblem, warm: Ints) -> tuple[SlotModel, list[cp_model.IntVar]]:
    """Model `problem` on len(warm) slots, and whether it or a later one is used; from `warm` on."""
    built, limits = variables_of(problem.counts, len(warm)), problem.limits
    used = [built.model.new_bool_var(f"slot {s} used") for s in range(built.slots)]
    _sent_in_used_slots(built, used)
    if limits.bus is not None:
        at_most(built, limits.bus)
    if limits.buffer is not None:
        _buffer(built, limits.buffer)
    if isinstance(problem.presence, Arrivals):
        not_before(built, problem.presence.first)
    for (t, g, s), variable in built.turn.items():
        built.model.add_hint(variable, int(warm[s, g] == t))
    return built, used


def _sent_in_used_slots(built: SlotModel, used: list[cp_model.IntVar]) -> None:
    for (_, s), variable in built.sent.items():
        built.model.add_implication(variable, used[s])
    for earlier, later in pairwise(used):
        built.model.add_implication(later, earlier)


def at_most(built: SlotModel, most: int) -> None:
    """No slot has more than `most` transfers."""
    for s in range(built.slots):
        sent = [variable for (_, slot), variable in built.sent.items() if slot == s]
        built.model.add(cp_model.LinearExpr.sum(sent) <= most)


def not_before(built: SlotModel, first: Ints) -> None:
    """No token is sent before its slot in `first`: [tokens]."""
    for (t, s), variable in built.sent.items():
        if s < first[t]:
            built.model.add(variable == 0)


def _buffer(built: SlotModel, most: int) -> None:
    """Resident = sent now or before, and sent now or later."""
    resident: list[list[cp_model.IntVar]] = [[] for _ in range(built.slots)]
    for t in dict.fromkeys(t for t, _ in built.sent):
        begun = [built.model.new_bool_var(f"token {t} begun by {s}") for s in range(built.slots)]
        to_come = [built.model.new_bool_var(f"token {t} due at {s}") for s in range(built.slots)]
        for s in range(built.slots):
            built.model.add_implication(built.sent[t, s], begun[s])
            built.model.add_implication(built.sent[t, s], to_come[s])
            if s:
                built.model.add_implication(begun[s - 1], begun[s])
                built.model.add_implication(to_come[s], to_come[s - 1])
            here = built.model.new_bool_var(f"token {t} resident in {s}")
            built.model.add_bool_or([here, begun[s].negated(), to_come[s].negated()])
            resident[s].append(here)
    for tokens in resident:
        built.model.add(cp_model.LinearExpr.sum(tokens) <= most)


def _judged(
    problem: SlotProblem, start: Solved, built: SlotModel, answer: SolverAnswer, worth: int
) -> Solved:
    """Keep the better table, after a check in exact integers, and bounds that fit it."""
    best = start
    if answer.values is not None:
        table = built.table_of(answer.values)
        table = table[: 1 + int(np.max(np.flatnonzero(np.any(table >= 0, axis=1)), initial=-1))]
        found = Solved(table, problem.transfers_bound_at(len(table)))
        valid = problem.wrong(table) is None
        if valid and (len(table), found.transfers) < (len(start.table), start.transfers):
            best = found
    slots = len(best.table)
    claim = answer.bound or 0
    if claim > worth * slots + best.transfers:
        claim = 0  # contradicted by the table in hand
    # A bound of worth x slots + n says: that many slots are needed, and n transfers in them.
    solver_slots, solver_bound = -(-(claim - worth + 1) // worth), claim - worth * slots
    return replace(
        best,
        solver_slots=max(0, min(slots, solver_slots)),
        solver_bound=max(solver_bound, best.bound) if claim else 0,
        deterministic=answer.deterministic,
    )
