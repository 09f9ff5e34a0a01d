"""What a mapping puts on dies: its fire groups as items, and what they send each other.

A layer's home is the die of its first matrix: its digital and attention units are there, the whole
vectors, and the buffer that holds them. From there an input goes once to every die with a matrix
that multiplies it, results come back one by one, and the hidden vector of an expert goes from the
die of its first stage to that of its second.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.dies.areas import Areas
from compiler.dies.problem import Cast, Flow, Item, Problem
from compiler.fire_groups import FireGroup
from compiler.grouping.split import split_counts, split_pairs
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.links import routing_values
from ir.mapping import DenseOwner, Grouping, Owner, RoutedOwner, SharedOwner, owner_columns
from ir.stacks import Member
from ir.workload import Dense, MoELayer, Workload, is_constant


@dataclass(frozen=True, eq=False)
class Pieces:
    """The fire groups of a mapping, in the model's order, and the routing they are judged by.

    chosen: {MoE layer: bool [tokens, experts]}.
    """

    workload: Workload
    chip: Chip
    grouping: Grouping
    fires: tuple[FireGroup, ...]
    chosen: Mapping[int, Bools]
    tokens: int

    def problem(self, areas: Areas, capacity_um2: int) -> Problem:
        """Which die each of the fire groups is on, as a problem by itself."""
        home = set(self.anchors.values())
        items = [
            Item(f.layer, areas.of_fire(f) + (areas.at_home[f.layer] if i in home else 0))
            for i, f in enumerate(self.fires)
        ]
        flows = (*self._results(), *self._moves())
        casts = tuple(self._inputs())
        return Problem(tuple(items), areas.of_region, capacity_um2, flows, casts)

    @cached_property
    def anchors(self) -> dict[int, int]:
        """The first fire group of each layer, whose die is the layer's home: {layer: item}."""
        first: dict[int, int] = {}
        for i, fire in enumerate(self.fires):
            first.setdefault(fire.layer, i)
        return first

    @cached_property
    def members(self) -> list[Member]:
        """The fire groups as units number them: [items]."""
        return [Member(fire.layer, fire.stage, fire.number) for fire in self.fires]

    @cached_property
    def _number(self) -> dict[Member, int]:
        return {member: i for i, member in enumerate(self.members)}

    @cached_property
    def _banks(self) -> dict[tuple[int, Owner, int], list[int]]:
        """(operator, whose, stage) -> items of its copies, in turn; not those of routed experts."""
        found: dict[tuple[int, Owner, int], list[int]] = {}
        for i, fire in enumerate(self.fires):
            first = fire.blocks[0]
            match first.owner:
                case RoutedOwner():
                    continue
                case SharedOwner(number):
                    key: Owner = SharedOwner(number)
                case DenseOwner():
                    key = DenseOwner()
            found.setdefault((first.operator, key, fire.stage), []).append(i)
        return found

    def _size(self, values: int) -> int:
        """Bytes of a vector."""
        return -(-values * self.chip.mvm.output_bits // 8)

    def _of_copy(self, copies: list[int]) -> Bools:
        """Which tokens each copy of a bank takes: bool [tokens, copies]."""
        turn = np.arange(self.tokens)[:, None] % max(len(copies), 1)
        taken: Bools = turn == np.arange(len(copies))
        return taken

    # -- inputs ----------------------------------------------------------------------------------
    def _inputs(self) -> Iterator[Cast]:
        """Each value once to all matrices of a region that multiply it, token by token."""
        readers: dict[tuple[int, str], list[tuple[list[int], Bools]]] = {}
        width: dict[tuple[int, str], int] = {}
        for index, op in enumerate(self.workload.operators):
            region = self.workload.region_at(index)
            for name, values, items, taken in self._multiplied(index, op):
                readers.setdefault((region, name), []).append((items, taken))
                width[region, name] = values
        for (region, name), every in readers.items():
            targets = np.array([i for some, _ in every for i in some], dtype=np.int64)
            used = np.concatenate([matrix for _, matrix in every], axis=1)
            yield from self._casts(region, targets, used, self._size(width[region, name]))

    def _casts(self, region: int, items: Ints, taken: Bools, size: int) -> Iterator[Cast]:
        """One cast for each set of items that some tokens go to."""
        sets, count = np.unique(np.packbits(taken, axis=1), axis=0, return_counts=True)
        every = np.unpackbits(sets, axis=1, count=len(items)).astype(bool)
        for row, times in zip(every, count.tolist(), strict=True):
            if row.any():
                targets = tuple(sorted({*items[row].tolist()}))
                yield Cast(self.anchors[region], targets, size * times)

    def _multiplied(self, index: int, op: object) -> Iterator[tuple[str, int, list[int], Bools]]:
        """(value, how wide, items, bool [tokens, items]) of each value an operator multiplies."""
        work = self.workload
        match op:
            case Dense():
                banks = self._banks[work.homes[index], DenseOwner(), 0]
                taken = self._of_copy(banks)
                if op.newest:
                    taken = taken & (np.arange(self.tokens) == self.tokens - 1)[:, None]
                yield op.inputs[0], op.weight.rows, banks, taken
            case MoELayer():
                router = self._banks.get((work.matrix_homes[index], DenseOwner(), 0), [])
                yield op.scored, op.scored_width, router, self._of_copy(router)
                for number in range(len(op.shared)):
                    banks = self._banks[work.homes[index], SharedOwner(number), 0]
                    yield op.inputs[0], op.d_model, banks, self._of_copy(banks)
                grouping = self.grouping.of(work.expert_homes[op.layer])
                chosen = grouping.on_crossbars(self.chosen[op.layer])
                used = split_counts(grouping, chosen) > 0
                groups = [g for g, of in enumerate(grouping.groups) if of]
                items = [self._number[Member(grouping.layer, 0, g)] for g in groups]
                yield op.inputs[0], op.d_model, items, used[:, groups]
                if self.chip.digital.experts_wait_for_router or op.weight_on == "input":
                    values = routing_values(op, self.chip)
                    yield f"{op.name} routing", values, items, used[:, groups]
            case _:
                return

    # -- results and hidden vectors --------------------------------------------------------------
    def _results(self) -> Iterator[Flow]:
        """What comes back to the homes, and goes from first stages to second ones."""
        for index, op in enumerate(self.workload.operators):
            home = self.workload.homes[index]
            match op:
                case Dense():
                    tokens = 1 if op.newest else self.tokens
                    yield from self._back(
                        self._banks[home, DenseOwner(), 0], op.weight.columns, tokens
                    )
                case MoELayer():
                    yield from self._of_experts(op)
                    for number, expert in enumerate(op.shared):
                        first = self._banks[home, SharedOwner(number), 0]
                        last = self._banks.get((home, SharedOwner(number), 1), [])
                        hidden = self._size(expert.up.columns)
                        for a, b in zip(first, last, strict=False):
                            yield Flow(a, b, hidden * -(-self.tokens // len(first)))
                        yield from self._back(last or first, expert.last.columns, self.tokens)
                    router = self._banks.get((self.workload.matrix_homes[index], DenseOwner(), 0))
                    if router:
                        yield from self._back(router, op.router.outputs, self.tokens)
                case _:
                    pass

    def _back(self, copies: list[int], values: int, tokens: int) -> Iterator[Flow]:
        """Results of a bank, whose copies take the tokens in turn."""
        for number, i in enumerate(copies):
            of_copy = -(-(tokens - number) // len(copies))
            home = self.anchors[self.fires[i].layer]
            yield Flow(i, home, self._size(values) * max(of_copy, 0))

    def _of_experts(self, op: MoELayer) -> Iterator[Flow]:
        """Hidden vectors and results of the pairs of each group."""
        grouping = self.grouping.of(self.workload.expert_homes[op.layer])
        split = split_pairs(grouping, grouping.on_crossbars(self.chosen[op.layer]))
        home = self.anchors[grouping.layer]
        hidden, results = np.zeros((2, len(grouping.groups)), dtype=np.int64)
        for expert, of in zip(op.experts, split.T, strict=True):
            pairs = np.bincount(of[of >= 0], minlength=len(hidden))
            hidden += pairs * self._size(expert.up.columns)
            results += pairs * self._size(op.d_result)
        for g, experts in enumerate(grouping.groups):
            if not experts:
                continue
            first = last = self._number[Member(grouping.layer, 0, g)]
            if not op.single:
                last = self._number[Member(grouping.layer, 1, g)]
                yield Flow(first, last, int(hidden[g]))
            yield Flow(last, home, int(results[g]))

    # -- between regions -------------------------------------------------------------------------
    def _moves(self) -> Iterator[Flow]:
        """Each value once to each region that reads it elsewhere."""
        operators = list(enumerate(self.workload.operators))
        maker = {name: i for i, op in operators for name in op.outputs if not is_constant(op)}
        seen: set[tuple[str, int]] = set()
        for index, op in operators:
            there = self.workload.region_at(index)
            for name in () if is_constant(op) else op.inputs:
                source = maker.get(name)
                if source is None or (name, there) in seen:
                    continue
                seen.add((name, there))
                here, made = self.workload.region_at(source), self.workload.operators[source]
                if here != there:
                    tokens = 1 if made.newest else self.tokens
                    size = self._size(made.width) * tokens
                    yield Flow(self.anchors[here], self.anchors[there], size)


def copy_number(fire: FireGroup) -> int:
    """Which copy of its matrix a fire group is."""
    return owner_columns(fire.blocks[0].owner)[1]


def in_model_order(fires: Sequence[FireGroup]) -> tuple[FireGroup, ...]:
    """Fire groups layer by layer, as the model has their first matrices."""
    return tuple(sorted(fires, key=lambda fire: (fire.layer, min(fire.members))))
