"""Slot orders of tokens that arrive one after another, by policy.

token-serial, token-order, compact and online take a token when it is there. min-transfer,
column-generation and cp-sat know the whole window, as without arrivals. reschedule is refused: its
waits are counted from tokens that are all there.
"""

from dataclasses import replace

import numpy as np

from compiler.options import Policy
from compiler.slots.arriving_exact import column_generation_from, cp_sat_from
from compiler.slots.arriving_greedy import arriving_tables
from compiler.slots.arriving_rules import compact_from, token_serial_from
from compiler.slots.bounds import transfers_bound
from compiler.slots.online import HELD, online_table
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.arrivals import Arrivals
from ir.errors import InputError

ARRIVING: tuple[Policy, ...] = (
    "token-serial",
    "token-order",
    "compact",
    "min-transfer",
    "column-generation",
    "cp-sat",
    "online",
)


def arriving_order(
    problem: SlotProblem, came: Arrivals, policy: str, seed: int, time_s: float, split: float
) -> Solved:
    """Order `problem`, whose tokens come as `came` says; arguments as `order_slots`.

    Raises InputError for a policy that is not in ARRIVING.
    """
    if policy not in ARRIVING:
        raise InputError(
            "policy",
            f"{policy} counts on tokens that are all there, expected one of "
            f"{', '.join(ARRIVING)} with arrivals",
        )
    by_arrival = np.argsort(came.first, kind="stable")
    renamed = SlotProblem(
        problem.counts[by_arrival], problem.limits, Arrivals(came.first[by_arrival])
    )
    found = _ordered(renamed, came.first[by_arrival], policy, seed, time_s, split)
    table = np.where(found.table >= 0, by_arrival[found.table], -1)
    return replace(found, table=table)


def _ordered(
    problem: SlotProblem, first: Ints, policy: str, seed: int, time_s: float, split: float
) -> Solved:
    """Table, bound on its transfers, and who proved what; first: [tokens], ascending."""
    counts, limits = problem.counts, problem.limits
    match policy:
        case "token-serial" | "token-order":
            return Solved(token_serial_from(counts, first), transfers_bound(counts))
        case "compact":
            return Solved(compact_from(counts, first), transfers_bound(counts))
        case "online":
            held = HELD if limits.buffer is None else limits.buffer
            table = online_table(counts, held, limits.bus, split, first)
            return Solved(table, transfers_bound(counts))
        case "min-transfer":
            tables, bound = arriving_tables(problem, first, seed)
            return Solved(tables[0], bound)
        case "column-generation":
            return column_generation_from(problem, first, seed, time_s)
        case _:
            return cp_sat_from(problem, first, seed, time_s)
