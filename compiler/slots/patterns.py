"""The exact model whose size does not grow with the window: what slots look like, and tokens.

A slot that runs tokens on disjoint sets of groups is a partition of the groups into such sets (an
idle group is a set of its own). A token with row c of counts is a multiset of sets that adds up to
c, one set per transfer: its split. Any token may take any set a slot offers, so only numbers
matter: n_q slots of partition q and z_ty tokens of type t (equal rows) with split y, such that

    sum_q n_q = slots;  sum_y z_ty = tokens of type t;
    for every set A: sum of n_q over partitions with A >= sum of z_ty x (times A is in y);
    minimise sum z_ty x (sets in y).

Restricted to some of the groups it is a relaxation: splits then count only sets within them, and a
token costs at least max_g c[t, g] over ALL groups. That gives lower bounds for many groups.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from compiler.options import SolverOptions
from compiler.solver import SolverAnswer, cp_model, solve
from ir.arrays import Ints

MOST_GROUPS = 8  # 4140 partitions
MOST_SPLITS = 30_000  # variables z of one model
MOST_TURNS = 9  # of one token on three groups or more: up to 21147 splits

Split = tuple[int, ...]  # sets of groups as bit masks, ascending; one per transfer


@dataclass(frozen=True)
class TokenType:
    """Tokens with equal rows: their turns per group, their least transfers, and which they are."""

    row: tuple[int, ...]
    least: int
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class PatternModel:
    """The solver's model with the meaning of its variables, in the order they are read.

    slot_count[i] counts the slots of `partitions[i]`; split_count[j] the tokens of type
    `splits[j][0]` split as `splits[j][1]`.
    """

    model: cp_model.CpModel
    slots: int
    types: tuple[TokenType, ...]
    partitions: tuple[Split, ...]
    splits: tuple[tuple[int, Split], ...]
    slot_count: tuple[cp_model.IntVar, ...]
    split_count: tuple[cp_model.IntVar, ...]

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.slot_count) + len(self.split_count)


def build(
    counts: Ints,
    slots: int,
    groups: Ints,
    warm: Ints | None = None,
    partitions: tuple[Split, ...] | None = None,
) -> PatternModel | None:
    """Model `counts` [tokens, groups] on the columns `groups`; None if that is too big.

    warm: a table [slots, all groups] to start from; only where `groups` hold every turn.
    partitions: the only ones to use; its bound then holds for these alone. Default: all.
    """
    if partitions is None and len(groups) > MOST_GROUPS:
        return None
    types = types_of(counts, groups)
    by_type = splits_by_type(types, MOST_SPLITS)
    if by_type is None:
        return None
    splits = [(i, split) for i, of_type in enumerate(by_type) for split in of_type]
    if partitions is None:
        wanted = {part for _, split in splits for part in split}
        wanted |= {1 << g for g in range(len(groups))}
        # A set that no split has offers nothing: the slot with that set taken apart is as good.
        partitions = tuple(q for q in partitions_of(len(groups)) if wanted.issuperset(q))
    model = cp_model.CpModel()
    slot_count = tuple(model.new_int_var(0, slots, f"slots {q}") for q in partitions)
    split_count = tuple(
        model.new_int_var(0, len(types[i].tokens), f"type {i} split {y}") for i, y in splits
    )
    patterns = PatternModel(model, slots, types, partitions, tuple(splits), slot_count, split_count)
    _every_slot_is_some_partition(patterns)
    _every_token_is_split(patterns)
    _every_set_finds_a_slot(patterns)
    _fewest_transfers(patterns)
    if warm is not None:
        _start_from(patterns, warm[:, groups])
    return patterns


def run(patterns: PatternModel, options: SolverOptions) -> SolverAnswer:
    """Solve; the answer's values are slot_count, then split_count."""
    return solve(patterns.model, patterns.slot_count + patterns.split_count, options)


def table_of(
    patterns: PatternModel, values: tuple[int, ...], groups: Ints, shape: tuple[int, int]
) -> Ints:
    """Build the table of `shape` [slots, all groups] that the solver's `values` describe.

    groups: the columns the model was built on; they must hold every turn. Values that break the
    model give a table that `check_table` refuses.
    """
    offers: dict[int, list[int]] = {}
    slot = 0
    for partition, number in zip(patterns.partitions, values, strict=False):
        for s in range(slot, slot + number):
            for part in partition if s < shape[0] else ():
                offers.setdefault(part, []).append(s)
        slot += number
    table = np.full(shape, -1, dtype=np.int64)
    waiting = [list(kind.tokens) for kind in patterns.types]
    for (kind, split), number in zip(
        patterns.splits, values[len(patterns.partitions) :], strict=True
    ):
        for _ in range(min(number, len(waiting[kind]))):
            token = waiting[kind].pop()
            for part in (part for part in split if offers.get(part)):
                columns = [g for i, g in enumerate(groups.tolist()) if part >> i & 1]
                table[offers[part].pop(), columns] = token
    return table


def splits_by_type(types: tuple[TokenType, ...], most: int) -> list[tuple[Split, ...]] | None:
    """List every split of every type; None where that is more than `most` splits."""
    found: list[tuple[Split, ...]] = []
    number = 0
    for kind in types:
        if sum(kind.row) > MOST_TURNS and np.count_nonzero(kind.row) > 2:
            return None  # before they are listed, which could take for ever
        found.append(splits_of(kind.row))
        number += len(found[-1])
        if number > most:
            return None
    return found


def splits_of(row: tuple[int, ...]) -> tuple[Split, ...]:
    """List every multiset of sets of groups that adds up to `row`, fewest sets first."""
    return tuple(sorted(set(_splits(row)), key=lambda split: (len(split), split)))


@lru_cache(maxsize=4096)
def _splits(row: tuple[int, ...]) -> tuple[Split, ...]:
    support = [g for g, turns in enumerate(row) if turns]
    if not support:
        return ((),)
    first, rest = support[0], support[1:]
    found = []
    for chosen in range(1 << len(rest)):
        part = [first] + [g for i, g in enumerate(rest) if chosen >> i & 1]
        left = tuple(turns - (g in part) for g, turns in enumerate(row))
        mask = sum(1 << g for g in part)
        found += [tuple(sorted((mask, *split))) for split in _splits(left)]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=16)
def partitions_of(groups: int) -> tuple[Split, ...]:
    """List every partition of `groups` groups into sets (bit masks)."""

    def extend(g: int, parts: tuple[int, ...]) -> Iterator[Split]:
        if g == groups:
            yield parts
            return
        for i, part in enumerate(parts):
            yield from extend(g + 1, (*parts[:i], part | 1 << g, *parts[i + 1 :]))
        yield from extend(g + 1, (*parts, 1 << g))

    return tuple(extend(0, ()))


def types_of(counts: Ints, groups: Ints) -> tuple[TokenType, ...]:
    """Gather the tokens with at least one turn, by row on `groups` and least transfers."""
    members: dict[tuple[tuple[int, ...], int], list[int]] = {}
    rows = counts[:, groups].tolist()
    for token, (row, least) in enumerate(zip(rows, counts.max(axis=1).tolist(), strict=True)):
        if least:
            members.setdefault((tuple(row), least), []).append(token)
    return tuple(TokenType(row, least, tuple(members[row, least])) for row, least in members)


def _every_slot_is_some_partition(patterns: PatternModel) -> None:
    patterns.model.add(cp_model.LinearExpr.sum(patterns.slot_count) == patterns.slots)


def _every_token_is_split(patterns: PatternModel) -> None:
    for i, kind in enumerate(patterns.types):
        mine = [
            v for (k, _), v in zip(patterns.splits, patterns.split_count, strict=True) if k == i
        ]
        patterns.model.add(cp_model.LinearExpr.sum(mine) == len(kind.tokens))


def _every_set_finds_a_slot(patterns: PatternModel) -> None:
    needed: dict[int, list[tuple[cp_model.IntVar, int]]] = {}
    for (_, split), variable in zip(patterns.splits, patterns.split_count, strict=True):
        for part, times in Counter(split).items():
            needed.setdefault(part, []).append((variable, times))
    offered: dict[int, list[cp_model.IntVar]] = {part: [] for part in needed}
    for partition, variable in zip(patterns.partitions, patterns.slot_count, strict=True):
        for part in partition:
            if part in offered:
                offered[part].append(variable)
    for part, terms in needed.items():
        demand = cp_model.LinearExpr.weighted_sum([v for v, _ in terms], [n for _, n in terms])
        patterns.model.add(cp_model.LinearExpr.sum(offered[part]) >= demand)


def _fewest_transfers(patterns: PatternModel) -> None:
    cost = [max(len(split), patterns.types[i].least) for i, split in patterns.splits]
    patterns.model.minimize(cp_model.LinearExpr.weighted_sum(patterns.split_count, cost))


def _start_from(patterns: PatternModel, warm: Ints) -> None:
    """Hint the solver at the slots and splits of a table of the same counts."""
    slots: Counter[Split] = Counter()
    split_of: dict[int, list[int]] = {}
    for row in warm.tolist():
        parts: dict[int, int] = {}
        for g, token in enumerate(row):
            key = token if token >= 0 else -1 - g  # an idle group is a set of its own
            parts[key] = parts.get(key, 0) | 1 << g
        slots[tuple(sorted(parts.values()))] += 1
        for token, part in parts.items():
            split_of.setdefault(token, []).append(part)
    tokens: Counter[tuple[int, Split]] = Counter()
    for i, kind in enumerate(patterns.types):
        tokens.update((i, tuple(sorted(split_of[token]))) for token in kind.tokens)
    for partition, variable in zip(patterns.partitions, patterns.slot_count, strict=True):
        patterns.model.add_hint(variable, slots[tuple(sorted(partition))])
    for key, variable in zip(patterns.splits, patterns.split_count, strict=True):
        patterns.model.add_hint(variable, tokens[key])
