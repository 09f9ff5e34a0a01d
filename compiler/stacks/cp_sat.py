"""Stacks by CP-SAT: the largest member of a stack leads it, so that its PGs are the leader's.

Variables: who leads whom, and which followers are led by the same one. Where layers are given too,
which layer leads which region, as all layers with a stack in common are in one.
"""

from itertools import combinations

import numpy as np

from compiler.options import SolverOptions
from compiler.solver import SolverAnswer, cp_model, solve
from compiler.stacks.problem import Pool
from ir.arrays import Ints


def model_terms(depth: Ints, limit: int) -> int:
    """Triples and pairs that the model speaks of, nearly; beyond a limit it is not worth making."""
    n = len(depth)
    ordered = np.sort(depth)
    below = np.searchsorted(ordered, limit - ordered, side="right")  # fit with each, some itself
    pairs = int(below.sum()) // 2
    if 3 * int(depth.min(initial=limit)) > limit:
        return pairs + n
    return pairs * n // 3 + pairs + n


class StackModel:
    """The model of one pool with at most `budget` PGs.

    layer [n] and together: of all layers at most so many share a region; without them all may.
    """

    def __init__(self, pool: Pool, layer: Ints | None = None, together: int = 0) -> None:
        self.pool = pool
        self.order: Ints = np.lexsort((np.arange(len(pool)), -pool.size))
        self.size, self.depth = pool.size[self.order].tolist(), pool.depth[self.order].tolist()
        self.meeting = pool.meeting[np.ix_(self.order, self.order)]
        self.model = cp_model.CpModel()
        self.model.name = "stacks"
        self.led = self._led()
        self.one_leader_each()
        self.no_stack_over_the_limit()
        if layer is not None:
            self.layers_of_a_stack_share_a_region(layer[self.order], together)

    def _led(self) -> dict[tuple[int, int], cp_model.IntVar]:
        """(leader, member) by rank, (k, k) where k leads."""
        n, limit = len(self.pool), self.pool.limit
        return {
            (i, k): self.model.new_bool_var(f"{i}.leads.{k}")
            for i in range(n)
            for k in range(i, n)
            if i == k or self.depth[i] + self.depth[k] <= limit
        }

    @property
    def pgs(self) -> cp_model.LinearExprT:
        """PGs of all stacks."""
        leads = [self.led[k, k] for k in range(len(self.pool))]
        return cp_model.LinearExpr.weighted_sum(leads, self.size)

    def one_leader_each(self) -> None:
        """Each follows one that leads, or leads."""
        for k in range(len(self.pool)):
            self.model.add_exactly_one(self.led[i, k] for i in range(k + 1) if (i, k) in self.led)
        for (i, _), led in self.led.items():
            self.model.add_implication(led, self.led[i, i])

    def no_stack_over_the_limit(self) -> None:
        """Leader and followers together are no deeper than the limit."""
        for i in range(len(self.pool)):
            members = [k for k in range(i, len(self.pool)) if (i, k) in self.led]
            depth = cp_model.LinearExpr.weighted_sum(
                [self.led[i, k] for k in members], [self.depth[k] for k in members]
            )
            self.model.add(depth <= self.pool.limit)

    def layers_of_a_stack_share_a_region(self, layer: Ints, together: int) -> None:
        """The first layer of a region hosts the others; one that leads another has its host."""
        layers = np.unique(layer).tolist()
        home = {
            (a, b): self.model.new_bool_var(f"layer{a}.hosts.{b}")
            for a in layers
            for b in layers
            if a <= b
        }
        for b in layers:
            self.model.add_exactly_one(home[a, b] for a in layers if a <= b)
            for a in layers:
                if a <= b:
                    self.model.add_implication(home[a, b], home[a, a])
        for a in layers:
            self.model.add(sum(home[a, b] for b in layers if a <= b) <= together)
        of = layer.tolist()
        for (i, k), led in self.led.items():
            first, second = sorted((of[i], of[k]))
            for a in layers if first < second else ():
                one, other = home.get((a, first)), home.get((a, second))
                if one is not None and other is not None:
                    self.model.add(one == other).only_enforce_if(led)
                elif other is not None:
                    self.model.add_implication(led, other.negated())

    def meet_least(self, budget: int) -> None:
        """Minimise meetings with at most `budget` PGs."""
        self.model.add(self.pgs <= budget)
        terms: list[cp_model.IntVar] = []
        costs: list[int] = []
        for (i, k), led in self.led.items():
            if self.meeting[i, k]:  # 0 of one with itself
                terms.append(led)
                costs.append(int(self.meeting[i, k]))
        for j, k in combinations(range(len(self.pool)), 2):
            if self.meeting[j, k] and self._follow_together(j, k):
                terms.append(self._both(j, k))
                costs.append(int(self.meeting[j, k]))
        self.model.minimize(cp_model.LinearExpr.weighted_sum(terms, costs))

    def _follow_together(self, j: int, k: int) -> list[int]:
        """Leaders that two may have in common."""
        depth = self.depth[j] + self.depth[k]
        return [i for i in range(j) if depth + self.depth[i] <= self.pool.limit]

    def _both(self, j: int, k: int) -> cp_model.IntVar:
        """Whether two follow the same one."""
        both = self.model.new_bool_var(f"{j}.with.{k}")
        for i in self._follow_together(j, k):
            self.model.add_bool_or(self.led[i, j].negated(), self.led[i, k].negated(), both)
        return both

    def take_fewest(self) -> None:
        """Minimise PGs instead."""
        self.model.minimize(self.pgs)

    def hint(self, stack: Ints) -> None:
        """Start from these stacks [n]."""
        of = stack[self.order].tolist()
        leader = {s: of.index(s) for s in set(of)}
        for (i, k), led in self.led.items():
            self.model.add_hint(led, leader[of[k]] == i)

    def solve(self, options: SolverOptions) -> SolverAnswer:
        """Solve it."""
        return solve(self.model, list(self.led.values()), options)

    def stacks(self, values: tuple[int, ...]) -> Ints:
        """Read an answer: a stack of each of the pool [n], the row of its leader."""
        found = np.empty(len(self.pool), dtype=np.int64)
        for (i, k), value in zip(self.led, values, strict=True):
            if value:
                found[self.order[k]] = self.order[i]
        return found
