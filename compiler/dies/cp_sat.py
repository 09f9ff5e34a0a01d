"""Dies by CP-SAT: the whole of a small problem, or some items over some dies while others stay.

A net goes over as many links as there are dies, other than its source's, with a target on them or
beyond: for each die a of the source, the link into die v is used where a target is on a die whose
route from a leads through v. Where the source may be on several dies that holds for whichever it
is on.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from math import gcd

from compiler.dies.problem import Problem
from compiler.options import SolverOptions
from compiler.solver import SolverAnswer, cp_model, solve
from ir.arrays import Array, Ints


class DieModel:
    """die: where every item is that stays, and where the search starts, int64 [items].

    free: the dies that each item may go to which does not stay.
    """

    def __init__(
        self, problem: Problem, before: Array, die: Ints, free: Mapping[int, Sequence[int]]
    ) -> None:
        self.problem, self.before, self.die = problem, before, die
        self.free = {item: tuple(dies) for item, dies in free.items()}
        self.model = cp_model.CpModel()
        self.model.name = "dies"
        self.on = {
            (item, d): self.model.new_bool_var(f"{item}.on.{d}")
            for item, dies in self.free.items()
            for d in dies
        }
        self.kept = 0  # byte-links of nets that cannot change, and of links that are used anyhow
        self.links: list[cp_model.IntVar] = []
        self.bytes: list[int] = []
        self.routes: dict[tuple[int, int], tuple[int, ...]] = {}
        for item, dies in self.free.items():
            self.model.add_exactly_one(self.on[item, d] for d in dies)
            for d in dies:
                self.model.add_hint(self.on[item, d], bool(die[item] == d))
        self._room()
        self._nets()

    def route(self, a: int, d: int) -> tuple[int, ...]:
        """The dies after `a` on the route to `d`, the last one first."""
        if (a, d) not in self.routes:
            way, here = list[int](), d
            while here != a:
                way.append(here)
                here = int(self.before[a, here])
            self.routes[a, d] = tuple(way)
        return self.routes[a, d]

    def _room(self) -> None:
        """No die has more than it has room for, overheads of all layers on it included."""
        problem = self.problem
        area, layer = problem.area.tolist(), problem.layer.tolist()
        stay = [i for i in range(len(problem.items)) if i not in self.free]
        for d in sorted({d for dies in self.free.values() for d in dies}):
            there = [i for i in stay if self.die[i] == d]
            taken = {layer[i] for i in there}
            room = problem.capacity_um2 - sum(area[i] for i in there)
            room -= sum(int(problem.overhead[of]) for of in taken)
            movers = [i for i, dies in self.free.items() if d in dies]
            terms = [self.on[i, d] for i in movers]
            sizes = [area[i] for i in movers]
            for of in sorted({layer[i] for i in movers} - taken):
                if problem.overhead[of]:
                    opened = self.model.new_bool_var(f"layer{of}.on.{d}")
                    for i in movers:
                        if layer[i] == of:
                            self.model.add_implication(self.on[i, d], opened)
                    terms.append(opened)
                    sizes.append(int(problem.overhead[of]))
            self.model.add(cp_model.LinearExpr.weighted_sum(terms, sizes) <= room)

    def _nets(self) -> None:
        nets = self.problem.nets
        for n, (source, size) in enumerate(
            zip(nets.source.tolist(), nets.bytes.tolist(), strict=True)
        ):
            targets = nets.member[nets.start[n] : nets.start[n + 1]].tolist()
            if source in self.free or any(t in self.free for t in targets):
                self._net(n, source, targets, size)
            else:
                root = int(self.die[source])
                used = {v for t in targets for v in self.route(root, int(self.die[t]))}
                self.kept += size * len(used)

    def _net(self, n: int, source: int, targets: list[int], size: int) -> None:
        """Which links one net goes over."""
        roots = self.free.get(source, (int(self.die[source]),))
        link: dict[int, cp_model.IntVar] = {}
        for root in roots:
            stay = {v for t in targets if t not in self.free for v in self.route(root, self.at(t))}
            if source not in self.free:
                self.kept += size * len(stay)
            for v in sorted(stay) if source in self.free else ():
                self.model.add_implication(self.on[source, root], self._link(link, n, v, size))
            for target in targets:
                for v, beyond in self._beyond(root, target).items():
                    if v in stay:
                        continue
                    used = self._link(link, n, v, size)
                    if source in self.free:
                        self.model.add(sum(beyond) + self.on[source, root] <= 1 + used)
                    else:
                        self.model.add(sum(beyond) <= used)
        if source in self.free:
            self._away_from_the_source(source, targets, link)

    def _away_from_the_source(
        self, source: int, targets: list[int], link: dict[int, cp_model.IntVar]
    ) -> None:
        """What follows from the rest, and is seen by a relaxation: a die with a target is reached.

        Unless the source is on it too, wherever the source is.
        """
        for target in targets:
            for v in self.free.get(target, ()):
                if v in link:
                    here = self.on.get((source, v))
                    self.model.add(self.on[target, v] - (0 if here is None else here) <= link[v])

    def at(self, item: int) -> int:
        """The die of an item that stays."""
        return int(self.die[item])

    def _beyond(self, root: int, target: int) -> dict[int, list[cp_model.IntVar]]:
        """Of every die on a way to a free target: that the target is there or beyond."""
        found: dict[int, list[cp_model.IntVar]] = {}
        for d in self.free.get(target, ()):
            for v in self.route(root, d):
                found.setdefault(v, []).append(self.on[target, d])
        return found

    def _link(self, link: dict[int, cp_model.IntVar], n: int, v: int, size: int) -> cp_model.IntVar:
        if v not in link:
            link[v] = self.model.new_bool_var(f"net{n}.into.{v}")
            self.links.append(link[v])
            self.bytes.append(size)
        return link[v]

    def solve(self, options: SolverOptions) -> tuple[SolverAnswer, Ints, int]:
        """The solver's answer, the dies of all items, and the bound in byte-links (0: none)."""
        unit = max(1, reduce(gcd, self.bytes, 0))
        weights = [size // unit for size in self.bytes]
        self.model.minimize(cp_model.LinearExpr.weighted_sum(self.links, weights))
        answer = solve(self.model, list(self.on.values()), options, relax=True)
        die = self.die.copy()
        for (item, d), value in zip(self.on, answer.values or (), strict=False):
            if value:
                die[item] = d
        bound = 0 if answer.bound is None else self.kept + answer.bound * unit
        return answer, die, bound


def model_terms(problem: Problem, dies: int) -> int:
    """How many sums a model of the whole has, at most: it is not worth making beyond a limit."""
    return len(problem.nets.member) * dies * dies + len(problem.items) * dies
