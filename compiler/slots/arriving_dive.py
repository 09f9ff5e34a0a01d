"""An order slot by slot at the prices of the bound: a dive, where tokens arrive one after another.

The bound of `columns` on the turns that are left has prices that say which sets of groups are
scarce, and so what a slot gains by what it runs (`arriving_prices`). Each slot runs the tokens that
have come with the greatest sum of gains: a heaviest packing. The bound of the rest then rises as
little as these prices allow, where walks see a scarce set only once its token is split. Of equal
gains, whole tokens for the groups with little slack are best, and a group without slack always
runs. Once all tokens are there the rest is a window without arrivals, which `column_generation`
orders.

Prices are found anew in each of the first slots, where few tokens have come and slack is least, and
then now and then. A dive ends where the bound says that it cannot become better than what is known.
"""

from dataclasses import replace

import numpy as np

from compiler.slots.arriving_prices import Prices, Row, parts, without
from compiler.slots.column_generation import column_generation_table
from compiler.slots.columns import SCALE, WORK_PER_SECOND, bound_from, parts_of
from compiler.slots.packing import heaviest_packings
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.schedule import distinct_per_row

ROOMS = (10, 3)  # slots; a turn in a group with slack n weighs 1 / (room + n); one dive for each
FIRST_SLOTS = 16  # that have prices of their own
STRIDE = 8  # slots after them that share prices
MOST_COLUMNS = 400  # that the next prices start from
GAIN = 1000  # weight of a gain of 1 / SCALE, against which those of turns break ties
MUST = SCALE * GAIN * 1000  # weight of a group that has to run: more than any gain


def dived(problem: SlotProblem, first: Ints, best: Solved, seed: int, time_s: float) -> Solved:
    """Dive for an order with fewer transfers than `best`, in as many slots.

    first: [tokens], ascending. time_s: about seconds of each dive, counted in work. Limits are not
    kept, so under limits `best` is the answer.
    """
    for room in ROOMS:
        if not best.proven and not problem.limits:
            best = _dive(problem, first, best, room, seed, time_s)
    return best


def _dive(
    problem: SlotProblem, first: Ints, best: Solved, room: int, seed: int, time_s: float
) -> Solved:
    """Dive once."""
    left, table = problem.counts.copy(), np.full_like(best.table, -1)
    groups, work, sent = np.arange(left.shape[1]), int(WORK_PER_SECOND * time_s), 0
    columns = tuple(parts_of(row) for row in best.table.tolist())
    last = int(first[left.any(axis=1)][-1])
    for slot in range(last + 1):
        if slot < FIRST_SLOTS or slot % STRIDE == 0:
            start = ((), *columns[-MOST_COLUMNS:])
            most = best.transfers - sent
            found = bound_from(left, len(table) - slot, groups, start, most, work)
            if found is None or found.work >= work or found.bound >= most:
                return best
            columns, work, prices = found.partitions, work - found.work, Prices(found)
        came = int(np.searchsorted(first, slot, side="right"))
        slack = len(table) - slot - left.sum(axis=0)
        table[slot] = fullest(left[:came], slack, prices, room)
        run = np.flatnonzero(table[slot] >= 0)
        left[table[slot, run], run] -= 1
        sent += distinct_per_row(table[slot : slot + 1])
    rest = column_generation_table(left, seed, time_s)
    table = np.concatenate([table[: last + 1], rest.table])
    if len(table) != len(best.table) or distinct_per_row(table) >= best.transfers:
        return best
    return replace(best, table=table, deterministic=best.deterministic and rest.deterministic)


def fullest(left: Ints, slack: Ints, prices: Prices, room: int) -> Ints:
    """Choose what a slot runs: [groups], a token or -1.

    left: turns [tokens, groups] of the tokens that have come; slack: [groups], slots from this one
    on that the group can spare. Two sets that go to one token are one transfer.
    """
    tie = [GAIN // (room + n) for n in slack.tolist()]
    must = sum(1 << g for g, n in enumerate(slack.tolist()) if n <= 0)
    oldest: dict[Row, int] = {}
    for token, row in enumerate(left.tolist()):
        oldest.setdefault(tuple(row), token)
    weight: dict[int, int] = {}
    runs: dict[int, int] = {}
    for row, token in oldest.items():
        for part in parts(row):
            worth = GAIN * prices.gain(row, part) + MUST * (part & must).bit_count()
            if not any(without(row, part)):
                worth += sum(n for g, n in enumerate(tie) if part >> g & 1)
            if worth > weight.get(part, 0):
                weight[part], runs[part] = worth, token
    found = np.full(len(slack), -1)
    for part in heaviest_packings(weight, len(slack)).within((1 << len(slack)) - 1):
        found[[g for g in range(len(slack)) if part >> g & 1]] = runs[part]
    return found
