"""One region to a proven optimum by CP-SAT: every core for every PG, chains of neighbours.

For regions of a size where that can be searched; larger ones keep their quick layout and its bound.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from compiler.options import SolverOptions
from compiler.placement.layout import Layout, value_of
from compiler.placement.traffic import Flow
from compiler.solver import cp_model, solve
from ir.arrays import Ints

Var = cp_model.IntVar

_MODEL_LIMIT = 6000  # variables


def exact_layout(
    flows: tuple[Flow, ...], start: Layout, bound: int, per_core: int, options: SolverOptions
) -> tuple[Layout, int, bool]:
    """The layout found from `start` on, never worse; the best bound known; whether it repeats."""
    if start.value <= bound:
        return start, start.value, True
    rows = sum(f.pgs if any(n > 1 for n, _ in f.chains) else 2 for f in flows)
    if rows * start.width * start.height > _MODEL_LIMIT:
        return start, bound, True
    model = _Model(flows, start, bound, per_core)
    answer = solve(model.model, model.variables, options)
    if answer.values is None:
        return start, bound, answer.deterministic
    x, y = model.cores(answer.values)
    value = value_of(flows, x, y)
    best = Layout(start.width, start.height, x, y, value) if value < start.value else start
    proven = bound if answer.bound is None else max(bound, answer.bound)
    return best, min(proven, best.value), answer.deterministic


Item = tuple[int, int, int, int | None]


def _items(flows: tuple[Flow, ...]) -> Iterator[Item]:
    """Runs of PGs that are placed alike: (flow, first PG, PGs, PG before it in its chain)."""
    pg = 0
    for number, flow in enumerate(flows):
        for length, count in flow.chains:
            if length == 1:
                yield number, pg, count, None
            else:
                for i in range(length * count):
                    yield number, pg + i, 1, pg + i - 1 if i % length else None
            pg += length * count


class _Model:
    """Variables, constraints and objective; of single PGs each core takes a number."""

    def __init__(self, flows: tuple[Flow, ...], start: Layout, bound: int, per_core: int) -> None:
        self.flows, self.start, self.per_core = flows, start, per_core
        self.model = cp_model.CpModel()
        self.model.name = "region"
        self.size = start.width * start.height
        self.right = [self._ladder(f"right{i}", start.width) for i in range(len(flows))]
        self.down = [self._ladder(f"down{i}", start.height) for i in range(len(flows))]
        self.items = list(_items(flows))
        self.held = [
            [self.model.new_int_var(0, min(n, per_core), f"pg{pg}.{k}") for k in range(self.size)]
            for _, pg, n, _ in self.items
        ]
        self.every_pg_is_somewhere()
        self.no_core_over_its_capacity()
        self.chains_are_neighbours()
        self.boxes_hold_their_groups()
        self.near_boxes_hold_what_stays_in_them()
        hops = [
            flow.packets * (sum(self.right[i]) + sum(self.down[i])) for i, flow in enumerate(flows)
        ]
        self.model.add(sum(hops) >= bound)
        self.model.minimize(sum(hops))
        self.hint()

    @property
    def variables(self) -> list[Var]:
        """How many of each item's PGs each core holds, item by item."""
        return [var for row in self.held for var in row]

    def _ladder(self, name: str, side: int) -> list[Var]:
        """Booleans `the box reaches past i`, each implied by the next."""
        steps = [self.model.new_bool_var(f"{name}.{i}") for i in range(side - 1)]
        for nearer, farther in pairwise(steps):
            self.model.add_implication(farther, nearer)
        return steps

    def every_pg_is_somewhere(self) -> None:
        for (_, _, n, _), row in zip(self.items, self.held, strict=True):
            self.model.add(sum(row) == n)

    def no_core_over_its_capacity(self) -> None:
        for column in zip(*self.held, strict=True):
            self.model.add(sum(column) <= self.per_core)

    def chains_are_neighbours(self) -> None:
        row_of = {pg: row for (_, pg, _, _), row in zip(self.items, self.held, strict=True)}
        for (_, _, _, before), row in zip(self.items, self.held, strict=True):
            if before is None:
                continue
            other = row_of[before]
            for core in range(self.size):
                near = self._neighbours(core)
                self.model.add(row[core] <= cp_model.LinearExpr.sum([other[k] for k in near]))
                self.model.add(other[core] <= cp_model.LinearExpr.sum([row[k] for k in near]))

    def _neighbours(self, core: int) -> list[int]:
        y, x = divmod(core, self.start.width)
        return [
            v * self.start.width + u
            for u, v in ((x, y), (x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1))
            if 0 <= u < self.start.width and 0 <= v < self.start.height
        ]

    def boxes_hold_their_groups(self) -> None:
        for (flow, _, n, _), row in zip(self.items, self.held, strict=True):
            most = min(n, self.per_core)
            for core, var in enumerate(row):
                y, x = divmod(core, self.start.width)
                if x:
                    self.model.add(var <= most * self.right[flow][x - 1])
                if y:
                    self.model.add(var <= most * self.down[flow][y - 1])

    def near_boxes_hold_what_stays_in_them(self) -> None:
        """Implied by the others, but not by their linear relaxation: PGs within i x j cores fit."""
        for i in range(1, self.start.width + 1):
            for j in range(1, self.start.height + 1):
                beyond = [
                    [*self.right[f][i - 1 : i], *self.down[f][j - 1 : j]]
                    for f in range(len(self.flows))
                ]
                within = [
                    flow.pgs * (1 - cp_model.LinearExpr.sum(steps))
                    for flow, steps in zip(self.flows, beyond, strict=True)
                ]
                self.model.add(cp_model.LinearExpr.sum(within) <= self.per_core * i * j)

    def hint(self) -> None:
        core = self.start.y * self.start.width + self.start.x
        for (_, pg, n, _), row in zip(self.items, self.held, strict=True):
            held = np.bincount(core[pg : pg + n], minlength=self.size)
            for var, number in zip(row, held.tolist(), strict=True):
                self.model.add_hint(var, number)

    def cores(self, values: tuple[int, ...]) -> tuple[Ints, Ints]:
        """Core (x, y) of each PG from the values of `variables`."""
        held = np.array(values, dtype=np.int64).reshape(len(self.items), self.size)
        core = np.empty(len(self.start.x), dtype=np.int64)
        for (_, pg, n, _), row in zip(self.items, held, strict=True):
            core[pg : pg + n] = np.repeat(np.arange(self.size), row)
        y, x = np.divmod(core, self.start.width)
        return x, y
