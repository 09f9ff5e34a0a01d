"""A lower bound on transfers for any window, by column generation.

The model is that of `patterns`, without its integrality: n_q slots of partition q and z_ty tokens
of type t with split y. Its partitions are columns, far too many to write down (10 billion for 16
groups); a few hundred matter. With a price p_A >= 0 on every set A that a split may use,

    transfers >= sum_t tokens_t * min_y (cost_ty + sum of p over the sets of y)
                 - slots * max_q (sum of p over the sets of q)

for any prices (Lagrange), and the dynamic program of `packing` finds the maximum over q. The linear
program over the columns at hand proposes prices, the partitions that pay most become its next
columns, until none pays or the bound, rounded up, meets what is known. The bound is computed from
the prices in integers, so no float is trusted.

Restricted to some groups it stays a bound, as in `patterns`: those with the least slack matter.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from compiler.linear import ColumnProgram
from compiler.slots.packing import MOST_GROUPS, Packings, heaviest_packings
from compiler.slots.patterns import Split, TokenType, splits_by_type, types_of
from ir.arrays import Ints

MOST_SPLITS = 40_000  # columns z of one program
SCALE = 10**6  # prices are rounded to 1 / SCALE transfers
NEW_COLUMNS = 60  # partitions added per round
WORK_PER_SECOND = 30_000  # at least; counted so that a limit in time gives the same answer anywhere
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class ColumnBound:
    """A proven bound on the transfers, and the partitions that the program found useful.

    work: columns looked at, summed over the rounds. price: of every set, in transfers / SCALE, and
    slot: of a slot, the most that a partition is worth; they prove the bound.
    """

    bound: int
    partitions: tuple[Split, ...]
    work: int
    price: dict[int, int]
    slot: int


@dataclass
class _Master:
    """The linear program over the partitions so far, on `groups` groups and `slots` slots.

    Rows: one per token type, one per set (offered - used >= 0), one for the number of slots.
    """

    types: tuple[TokenType, ...]
    splits: list[tuple[Split, ...]]
    slots: int
    groups: int
    row_of: dict[int, int] = field(init=False)
    program: ColumnProgram = field(init=False)
    columns: dict[Split, None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sets = sorted({part for splits in self.splits for split in splits for part in split})
        self.row_of = {part: len(self.types) + i for i, part in enumerate(sets)}
        rows = [(float(len(kind.tokens)), float(len(kind.tokens))) for kind in self.types]
        rows += [(0.0, math.inf)] * len(sets)
        self.program = ColumnProgram([*rows, (-float(self.slots), math.inf)])
        for i, (kind, splits) in enumerate(zip(self.types, self.splits, strict=True)):
            for split in splits:
                used = [(self.row_of[part], -float(n)) for part, n in Counter(split).items()]
                self.program.add(float(cost_of(split, kind)), [(i, 1.0), *used])

    @property
    def size(self) -> int:
        """Columns of the program."""
        return sum(len(splits) for splits in self.splits) + len(self.columns)

    def add(self, parts: Split) -> bool:
        """Add the partition that `parts` and single groups make; False if it is there already."""
        useful = [part for part in parts if part in self.row_of]
        rest = ((1 << self.groups) - 1) & ~sum(useful)
        singles = [1 << g for g in range(self.groups) if rest >> g & 1]
        partition = tuple(sorted([*useful, *singles]))
        if partition in self.columns:
            return False
        self.columns[partition] = None
        offered = [(self.row_of[part], 1.0) for part in partition if part in self.row_of]
        self.program.add(0.0, [*offered, (len(self.types) + len(self.row_of), -1.0)])
        return True

    def prices(self) -> tuple[float, dict[int, int], int] | None:
        """Solve: the least cost, the integer price of every set, and what a slot pays for."""
        solved = self.program.solve()
        if solved is None:
            return None
        cost, duals = solved
        sets = {part: max(0, round(SCALE * duals[row])) for part, row in self.row_of.items()}
        return cost, sets, round(SCALE * duals[-1])

    def bound(self, price: dict[int, int], packings: Packings) -> int:
        """Return the bound of the docstring for integer prices, rounded up."""
        total = -self.slots * int(packings.best[-1])
        for kind, splits in zip(self.types, self.splits, strict=True):
            total += len(kind.tokens) * min(
                SCALE * cost_of(split, kind) + sum(price[part] for part in split)
                for split in splits
            )
        return -(-total // SCALE)


def cost_of(split: Split, kind: TokenType) -> int:
    """Transfers of a token of type `kind` that is split so on the groups of the model."""
    return max(len(split), kind.least)


def column_bound(
    counts: Ints, table: Ints, groups: Ints, known: int, work: int
) -> ColumnBound | None:
    """Bound the transfers of `counts` on len(table) slots by the turns in the columns `groups`.

    table: an order [slots, all groups], whose slots are the first columns; known: stop when the
    bound is this good; work: columns to look at, see WORK_PER_SECOND. None if the model is too big.
    """
    start = [parts_of(row) for row in table[:, groups].tolist()]
    return bound_from(counts, len(table), groups, start, known, work)


def bound_from(
    counts: Ints, slots: int, groups: Ints, start: Iterable[Split], known: int, work: int
) -> ColumnBound | None:
    """Bound the transfers of `counts` on `slots` slots as `column_bound` does.

    start: the sets of groups of each of the first columns, of which some order can be made.
    """
    if not 0 < len(groups) <= MOST_GROUPS:
        return None
    types = types_of(counts, groups)
    splits = splits_by_type(types, MOST_SPLITS)
    if splits is None:
        return None
    master = _Master(types, splits, slots, len(groups))
    for parts in start:
        master.add(parts)
    best, done = ColumnBound(0, (), 0, {}, 0), 0
    while done < work:
        done += master.size
        found = master.prices()
        if found is None:
            break
        cost, price, slot_price = found
        packings = heaviest_packings(price, len(groups))
        bound = master.bound(price, packings)
        if bound > best.bound:
            best = ColumnBound(bound, (), 0, price, int(packings.best[-1]))
        if best.bound >= min(known, math.ceil(cost - _TOLERANCE)):
            break
        if not _add_best(master, price, packings, slot_price):
            break
    return replace(best, partitions=tuple(master.columns), work=done)


def parts_of(row: list[int]) -> Split:
    """List the sets of groups that run one token, of one slot of a table."""
    parts: dict[int, int] = {}
    for g, token in enumerate(row):
        if token >= 0:
            parts[token] = parts.get(token, 0) | 1 << g
    return tuple(parts.values())


def _add_best(master: _Master, price: dict[int, int], packings: Packings, slot_price: int) -> bool:
    """Add, for each set that pays, the best partition around it; best first; False if none."""
    everything = (1 << master.groups) - 1
    paying = sorted(
        (-weight - int(packings.best[everything ^ part]), part)
        for part, weight in price.items()
        if weight > 0
    )
    added = 0
    for cost, part in paying:
        if -cost <= slot_price or added == NEW_COLUMNS:
            break
        added += master.add((part, *packings.within(everything ^ part)))
    return added > 0
