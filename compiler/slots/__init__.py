"""Slot scheduling: in which slot every group runs which token of a window.

One entry, `order_slots`, for eight policies:

- `token-serial`: one token at a time on all groups (the unshared chip's order).
- `token-order`: the same slots, but a group need not wait for the others: not in lockstep.
- `compact`: every group in token order without gaps: L slots, many transfers.
- `reschedule`: the paper's: compact with idles put in, so that more transfers are shared.
- `min-transfer`: L slots and, nearly always, the proven minimum of transfers; milliseconds.
- `column-generation`: min-transfer with a proof or a better order where it has none.
- `cp-sat`: the same, finished by an exact model for small windows or few groups.
- `online`: sees tokens as they come and holds W unfinished ones; what hardware can build.

L = max_g sum_t c[t, g] slots are always enough (docs/model.md, section Slots) unless the bus or the
buffer limits a slot. `token-serial`, `token-order`, `min-transfer`, `cp-sat` and `online` keep such
limits. The slots of min-transfer, column-generation and cp-sat then come in an even sequence
(`evened`).

Tokens may come one after another (`arriving`); all policies but reschedule take that.
"""

from dataclasses import replace
from time import perf_counter

import numpy as np
import numpy.typing as npt

from compiler.options import POLICIES, Policy, one_of
from compiler.slots.arriving import ARRIVING, arriving_order
from compiler.slots.bounds import check_counts, slots_bound, transfers_bound
from compiler.slots.column_generation import column_generation_table
from compiler.slots.cp_sat_limited import cp_sat_limited_table
from compiler.slots.cp_sat_slots import cp_sat_table
from compiler.slots.evened import evened
from compiler.slots.limited import limited_table
from compiler.slots.limits import Limits, check_limits
from compiler.slots.min_transfer import min_transfer_table
from compiler.slots.online import HELD, SPLIT, check_split, online_table
from compiler.slots.problem import SlotProblem
from compiler.slots.rules import compact_table, reschedule_table, token_serial_table
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.arrivals import Arrivals, presence_of
from ir.errors import CheckError, InputError
from ir.schedule import SlotOrder

__all__ = ["ARRIVING", "LIMITED", "count_slots", "order_slots"]

IN_TURN: tuple[Policy, ...] = ("token-serial", "token-order")  # one slot order, two ways to run it
LIMITED: tuple[Policy, ...] = (*IN_TURN, "min-transfer", "cp-sat", "online")
EVENED: tuple[Policy, ...] = ("min-transfer", "column-generation", "cp-sat")


def order_slots(
    counts: npt.ArrayLike,
    policy: str,
    *,
    seed: int = 0,
    time_s: float = 10.0,
    bus: int | None = None,
    buffer: int | None = None,
    split: float = SPLIT,
    arrivals: npt.ArrayLike | None = None,
) -> SlotOrder:
    """Order one window's turns under `policy`, with bounds and what they prove.

    counts: integers [tokens, groups], how many experts of the group the token uses; a token
    without experts is a row of zeros. `time_s` (deterministic seconds) limits cp-sat and
    column-generation; `seed` steers the ties of min-transfer and those two. The same arguments give
    the same order.

    bus: at most so many transfers in a slot (B); buffer: at most so many unfinished tokens, from
    their first slot to their last (W; online: from when they come, 64 by default). `split` is a
    parameter of online (see there).

    arrivals: integers [tokens], the first slot in which each token may run; None, or all in slot 0:
    all are there. Slots are then counted from 0, those before the first turn included, and bounds
    and status hold for these arrivals.

    `transfers_bound` of min-transfer, column-generation and cp-sat holds at the order's own number
    of slots, that of the others at any. Raises InputError for a policy that does not exist or
    cannot keep the limits or arrivals, or counts or arrivals that are none, and CheckError if the
    order is not one of `counts` within the limits, which would be a fault of this package.
    """
    start = perf_counter()
    c = check_counts(counts)
    problem = SlotProblem(c, Limits(bus, buffer), presence_of(arrivals, len(c)))
    check_split(split)
    _check_policy(policy, problem.limits)
    if isinstance(problem.presence, Arrivals):
        solved = arriving_order(problem, problem.presence, policy, seed, time_s, split)
    else:
        solved = _all_there(problem, policy, seed, time_s, split)
    wrong = problem.wrong(solved.table)
    if wrong is not None:
        raise CheckError("slot order", policy, wrong)
    least = problem.slots_bound
    return SlotOrder(
        policy=policy,
        table=solved.table,
        slots_bound=max(least, solved.solver_slots),
        transfers_bound=max(solved.bound, solved.solver_bound),
        status=solved.status(least),
        lockstep=policy == "token-serial",
        seconds=perf_counter() - start,
        deterministic=solved.deterministic,
        presence=problem.presence,
    )


def _all_there(problem: SlotProblem, policy: str, seed: int, time_s: float, split: float) -> Solved:
    """Order tokens that are all there, the slots in an even sequence where the limits allow it."""
    solved = _ordered(problem.counts, policy, seed, time_s, problem.limits, split)
    even = evened(solved.table) if policy in EVENED else solved.table
    if check_limits(even, problem.limits) is None:  # it may hold more tokens in the buffer
        solved = replace(solved, table=even)
    return solved


def count_slots(
    counts: npt.ArrayLike, policy: str, *, bus: int | None = None, buffer: int | None = None
) -> int:
    """Count the slots of `policy` on a window (arguments as order_slots), in milliseconds.

    Most policies take L slots. Within limits cp-sat may take fewer than is said here: what counts
    is the order of min-transfer, from which it starts. arriving: tokens come one a slot.
    """
    c, limits = check_counts(counts), Limits(bus, buffer)
    if policy in IN_TURN:
        return transfers_bound(c)
    if policy == "arriving":
        return SlotProblem(c, limits, Arrivals(np.arange(len(c)))).slots_bound
    if policy == "online" or limits:
        kept = "online" if policy == "online" else "min-transfer"
        return order_slots(c, kept, bus=bus, buffer=buffer).slots
    return slots_bound(c)


def _check_policy(policy: str, limits: Limits) -> None:
    one_of("policy", policy, POLICIES)
    if limits and policy not in LIMITED:
        raise InputError(
            "policy",
            f"{policy} keeps no limit on bus or buffer, expected one of {', '.join(LIMITED)}",
        )


def _ordered(
    counts: Ints, policy: str, seed: int, time_s: float, limits: Limits, split: float
) -> Solved:
    """Table, bound on its transfers, and who proved what."""
    if policy in IN_TURN:
        return Solved(token_serial_table(counts), transfers_bound(counts))
    if policy == "compact":
        return Solved(compact_table(counts), transfers_bound(counts))
    if policy == "reschedule":
        return Solved(reschedule_table(counts), transfers_bound(counts))
    if policy == "online":
        held = HELD if limits.buffer is None else limits.buffer
        return Solved(online_table(counts, held, limits.bus, split), transfers_bound(counts))
    if policy == "min-transfer" and limits:
        return Solved(*limited_table(counts, limits, seed))
    if policy == "min-transfer":
        return Solved(*min_transfer_table(counts, seed))
    if policy == "column-generation":
        return column_generation_table(counts, seed, time_s)
    if limits:
        return cp_sat_limited_table(counts, limits, seed, time_s)
    return cp_sat_table(counts, seed, time_s)
