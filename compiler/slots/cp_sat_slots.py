"""The exact order: fewest transfers within exactly L slots, by CP-SAT.

The start is the order of `column_generation`, with its bound. Where the two do not meet, an exact
model is solved.

`patterns` counts kinds of slots and of token splits, so its size depends on the number of groups,
not of tokens: up to 8 groups, any window. The model here says for every token, group and slot
whether they meet: any number of groups, small windows. Its slots are interchangeable, which is
broken by fixing the turns of the busiest group, which runs in every slot, in token order; equal
tokens that do not use that group come in order of the sum of their slots. Where neither model is
small enough, the start is the answer.

A table of the solver is used only if it passes `check_table` and has L slots and no more transfers
than the start, and a bound only if no table in hand contradicts it.
"""

from dataclasses import dataclass

import numpy as np

from compiler.options import SolverOptions
from compiler.slots import patterns
from compiler.slots.bounds import transfers_bound
from compiler.slots.column_generation import column_generation_table
from compiler.slots.solved import Solved, judged
from compiler.solver import cp_model, solve
from ir.arrays import Ints

MOST_TURNS = 20_000  # token, group, slot variables of the slot-indexed model
TURNS_PER_PATTERN = 8  # a pattern model that is at most this many times larger solves faster
START_SHARE = 0.5  # of the time, at most, for the start


def cp_sat_table(counts: Ints, seed: int, time_s: float) -> Solved:
    """Find the best order in `time_s` deterministic seconds. counts: int64 [tokens, groups]."""
    best = column_generation_table(counts, seed, START_SHARE * time_s)
    if best.proven:
        return best
    options = SolverOptions(time_s=(1 - START_SHARE) * time_s, seed=seed)
    return _solved(counts, best, np.flatnonzero(counts.any(axis=0)), options)


def _solved(counts: Ints, start: Solved, used: Ints, options: SolverOptions) -> Solved:
    """Solve one of the two exact models, if one is small enough; used: the groups with turns."""
    turns = int(np.count_nonzero(counts)) * len(start.table)
    pattern = patterns.build(counts, len(start.table), used, start.table)
    if pattern is not None and pattern.size <= TURNS_PER_PATTERN * turns:
        answer = patterns.run(pattern, options)
        if answer.values is None:
            return judged(counts, start, start.table, answer)
        found = patterns.table_of(pattern, answer.values, used, start.table.shape)
        return judged(counts, start, found, answer)
    if turns > MOST_TURNS:
        return start
    model = build(counts, start.table)
    answer = solve(model.model, model.variables, options)
    found = start.table if answer.values is None else model.table_of(answer.values)
    return judged(counts, start, found, answer)


@dataclass(frozen=True)
class SlotModel:
    """turn[t, g, s]: token t runs in group g in slot s; sent[t, s]: it is transferred there."""

    model: cp_model.CpModel
    counts: Ints
    slots: int
    turn: dict[tuple[int, int, int], cp_model.IntVar]
    sent: dict[tuple[int, int], cp_model.IntVar]

    @property
    def variables(self) -> list[cp_model.IntVar]:
        """The variables whose values make the table."""
        return list(self.turn.values())

    def table_of(self, values: tuple[int, ...]) -> Ints:
        """Return the table [slots, groups] of the values of `variables`."""
        table = np.full((self.slots, self.counts.shape[1]), -1, dtype=np.int64)
        for (token, group, slot), value in zip(self.turn, values, strict=True):
            if value:
                table[slot, group] = token
        return table


def build(counts: Ints, warm: Ints) -> SlotModel:
    """Model `counts` [tokens, groups] on len(warm) slots, started at `warm`."""
    built = variables_of(counts, len(warm))
    _busiest_group_in_token_order(built)
    _equal_tokens_in_order(built)
    sent = cp_model.LinearExpr.sum(list(built.sent.values()))
    built.model.add(sent >= transfers_bound(counts))
    built.model.minimize(sent)
    _start_from(built, warm)
    return built


def variables_of(counts: Ints, slots: int) -> SlotModel:
    """The variables, and what every slot order of `counts` keeps to."""
    model = cp_model.CpModel()
    pairs = [(int(t), int(g)) for t, g in np.argwhere(counts > 0)]
    turn = {
        (t, g, s): model.new_bool_var(f"token {t} group {g} slot {s}")
        for t, g in pairs
        for s in range(slots)
    }
    sent = {
        (t, s): model.new_bool_var(f"token {t} sent in slot {s}")
        for t in sorted({t for t, _ in pairs})
        for s in range(slots)
    }
    built = SlotModel(model, counts, slots, turn, sent)
    _every_turn_is_run(built, pairs)
    _one_token_per_group_and_slot(built)
    _turns_need_their_token(built)
    return built


def _every_turn_is_run(built: SlotModel, pairs: list[tuple[int, int]]) -> None:
    for t, g in pairs:
        turns = [built.turn[t, g, s] for s in range(built.slots)]
        built.model.add(cp_model.LinearExpr.sum(turns) == int(built.counts[t, g]))


def _one_token_per_group_and_slot(built: SlotModel) -> None:
    for g in range(built.counts.shape[1]):
        tokens = [int(t) for t in np.flatnonzero(built.counts[:, g])]
        for s in range(built.slots):
            built.model.add_at_most_one(built.turn[t, g, s] for t in tokens)


def _turns_need_their_token(built: SlotModel) -> None:
    for (t, _, s), variable in built.turn.items():
        built.model.add_implication(variable, built.sent[t, s])
    for t, most in enumerate(built.counts.max(axis=1).tolist()):
        if most:
            sent = [built.sent[t, s] for s in range(built.slots)]
            built.model.add(cp_model.LinearExpr.sum(sent) >= most)


def _busiest_group_in_token_order(built: SlotModel) -> None:
    """Slots may be renamed, so the group that is never idle can have any order: the tokens'."""
    busiest = int(np.argmax(built.counts.sum(axis=0)))
    turns = np.repeat(np.arange(len(built.counts)), built.counts[:, busiest])
    for s, t in enumerate(turns):
        built.model.add(built.turn[int(t), busiest, s] == 1)


def _equal_tokens_in_order(built: SlotModel) -> None:
    """Equal tokens may be renamed, unless the busiest group's fixed order names them apart."""
    busiest = int(np.argmax(built.counts.sum(axis=0)))
    last: dict[tuple[int, ...], int] = {}
    for t, row in enumerate(built.counts.tolist()):
        if row[busiest] or not any(row):
            continue
        before = last.get(tuple(row))
        last[tuple(row)] = t
        if before is not None:
            slots = range(built.slots)
            earlier, later = ([built.sent[u, s] for s in slots] for u in (before, t))
            built.model.add(
                cp_model.LinearExpr.weighted_sum(earlier, list(slots))
                <= cp_model.LinearExpr.weighted_sum(later, list(slots))
            )


def _start_from(built: SlotModel, warm: Ints) -> None:
    """Hint at `warm` with its slots renamed so that the busiest group is in token order."""
    busiest = int(np.argmax(built.counts.sum(axis=0)))
    table = warm[np.argsort(warm[:, busiest], kind="stable")]
    for (t, g, s), variable in built.turn.items():
        built.model.add_hint(variable, int(table[s, g] == t))
    for (t, s), variable in built.sent.items():
        built.model.add_hint(variable, bool(np.any(table[s] == t)))
