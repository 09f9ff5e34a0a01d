"""Questions about models of many layers, whose sizes are too many to be chosen at once, proven.

Three quicker looks come first. Layers take shares of sizes, a linear program (`relaxed`): its mean
of paths bounds all combinations of the chip's decisions. The solver bounds all combinations at once
that differ in minor decisions alone, for which each number has its least. And designs that keep the
limits are sought under one combination, with as much less as the last one took too much.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import numpy as np

from compiler.design.choices import Key
from compiler.design.grid import NONE
from compiler.design.paths import Paths
from compiler.design.problem import Asked, Needs, Path, Point, Problem, Quantity, Shares, Sum
from compiler.design.question import Question, near
from compiler.design.relaxed import Relaxation, Relaxed, mean_under
from compiler.design.sheet import Sheet
from compiler.options import SolverOptions
from ir.arrays import Bools, Floats, Ints

QUICK, LONGER = SolverOptions(time_s=0.2), SolverOptions(time_s=1.0)
ROWS = 120  # paths that the solver is given
CUTS, SLOW, CLOSE = 100, 8, 5e-4  # at most; less than CLOSE better in SLOW of them is enough
PARTS, HUNDRED = 10_000, 100  # of a mean of paths, of areas
WORD = 1 << 62
NEWS, MANY = 15, 60  # paths after which a bound is worth another look, a dive or shares another
ENOUGH = 300  # paths that are learnt for a question
DIVES, POLISHES, TRIES = 8, 40, 8


class ManyLayers(Question):
    """A question with quicker looks before those that prove."""

    def __init__(
        self,
        paths: Paths,
        options: SolverOptions,
        asked: Asked,
        below: int,
        *,
        rough: bool = False,
    ) -> None:
        super().__init__(paths, options, asked, below)
        self.part = 20 if rough else 100  # of the value, that a gap may be
        self.minor, self.rows = self.grid.minor(), ROWS
        # paths that were known when it was last looked at so
        self.relaxed: dict[int, int] = {}
        self.shares: dict[tuple[int, ...], Shares] = {}
        self.dived: dict[int, int] = {}
        self.bounded: dict[tuple[int, ...], int] = {}

    def looked_at(self, at: int) -> bool:
        """The first of the quicker looks that has not been taken, or else one that proves."""
        alike, known = self._alike(at), len(self.paths)
        if not self.paths.means and at not in self.relaxed:
            self._by_shares(at)
        elif known >= self.bounded.get(alike, -NEWS) + NEWS:
            self._bound_alike(at, alike)
        elif alike not in self.shares and at not in self.relaxed:
            self._by_shares(at)
        elif known >= self.dived.get(at, -MANY) + MANY:
            self._dive(at)
        elif known >= self.relaxed.get(at, -MANY) + MANY:
            self._by_shares(at)
        else:
            return super().looked_at(at) or self._by_all_paths(at)
        return True

    def near(self, bound: int) -> bool:
        """Whether what was found is good enough, or more is not to be had in a minute or two."""
        enough = self.learnt >= ENOUGH and self.value < NONE
        return enough or near(self.value, bound, self.part)

    def _by_all_paths(self, at: int) -> bool:
        """The same look with all paths, where the one with those that say most learnt nothing."""
        self.rows = None
        learnt = super().looked_at(at)
        self.rows = ROWS
        return learnt

    def _alike(self, at: int) -> tuple[int, ...]:
        """The combinations that differ in minor decisions alone, by the places of all others."""
        shared = self.shared(at)
        return tuple(place for key, place in shared.items() if key not in self.minor)

    def _bound_alike(self, at: int, alike: tuple[int, ...]) -> None:
        """A bound of all combinations that differ in minor decisions alone."""
        self.bounded[alike] = len(self.paths)
        _, answer = self.of_layers(at, self.asked, LONGER, self.minor, self.rows)
        places = np.indices(self.grid.shape).reshape(len(self.grid.shape), -1)
        major = [n for n, key in enumerate(self.problem.shared) if key not in self.minor]
        mine = (np.array(alike) == places[major].T).all(axis=1)
        if answer.status == "infeasible":
            self.grid.bound[mine] = NONE
        elif answer.bound is not None:
            bound = self.whole(answer.bound) + self._more_area(at, mine)
            self.grid.bound[mine] = np.maximum(self.grid.bound[mine], bound)

    def counting(
        self, at: int, paths: Mapping[Needs, Ints], times: Ints, most: int | None
    ) -> Bools:
        """[paths] at most so many: those that say most where layers take shares, and the newest."""
        counts = super().counting(at, paths, times, most)
        shares = self.shares.get(self._alike(at))
        if shares is None or most is None:
            return counts
        taken = mean_under(self.problem, paths, shares) / times
        counts &= np.argsort(np.argsort(-taken)) < most
        counts[-most // 4 :] = True
        return counts

    def _more_area(self, at: int, mine: Ints) -> Ints:
        """[combinations] area that depends on no layer, beyond the least of minor decisions."""
        if self.asked.minimise != "area":
            return np.zeros(int(mine.sum()), dtype=np.int64)
        least = self.sums["area"].fixed(self.shared(at), self.minor).get(())
        more = [self.grid.common(total)[mine] for total in self.problem.area()]
        if least is not None:
            more = [common - int(row[0]) for common, row in zip(more, least, strict=True)]
        found: Ints = np.min(more, axis=0)
        return found

    def _by_shares(self, at: int) -> None:
        """A mean of paths, the best for one combination, which raises the bounds of many."""
        self.relaxed[at] = len(self.paths)
        shared, menu = self.shared(at), self.problem.menu
        values = {key: menu[key][place] for key, place in shared.items()}
        program, last, before = self._program(shared), None, list[float]()
        for _ in range(CUTS):
            answer = program.solve()
            if answer is None:
                break
            last = answer
            before.append(answer.value)
            path = self.problem.blended(values, answer.shares)
            row = Sheet(self.problem, [path.sum]).fixed(shared)
            taken = float(mean_under(self.problem, row, answer.shares)[0]) / path.times
            slow = len(before) > SLOW and answer.value <= (1 + CLOSE) * before[-1 - SLOW]
            if slow or taken <= (1 + CLOSE) * answer.time or answer.value > self.value:
                break
            self.learn(path)
            program.add(_first(row), path.times)
        if last is not None:
            self.shares[self._alike(at)] = last.shares
            self._learn_mean(last)

    def _program(self, shared: Mapping[Key, int]) -> Relaxed:
        """The linear program with all paths so far."""
        sums = {quantity: _rows(sheet, shared) for quantity, sheet in self.sums.items()}
        paths = self.paths.sheet.fixed(shared)
        longest = sum(float(block[0].max()) for block in paths.values())
        program = Relaxed(self.problem, self.asked, sums, longest)
        for number, path in enumerate(self.paths.every):
            program.add({needs: block[number] for needs, block in paths.items()}, path.times)
        return program

    def _learn_mean(self, found: Relaxation) -> None:
        """The mean of paths by their prices."""
        total = float(found.paths.sum())
        if total <= 0:
            return
        parts = np.rint(found.paths / total * self._parts()).astype(int).tolist()
        mean = Path.mean((p, n) for p, n in zip(self.paths.every, parts, strict=False) if n)
        each = mean.times * (1000 if self.asked.minimise == "energy" else 1)
        price = total / sum(parts) if self.asked.minimise == "area" else found.area * each
        if len(found.areas) > 1 and found.areas.sum() > 0:
            self._learn_area(found.areas)
        self.paths.means.append(mean)
        self.grid.add(mean, price)

    def _parts(self) -> int:
        """How many paths a mean is of: as many as sums of it and of energy in 64 bits bear."""
        first = self.paths.every[0]
        largest = _size(first.sum)
        if "energy" in self.asked.quantities:
            largest += 1000 * first.times * _size(self.problem.energy())
        return max(1, min(PARTS, WORD // max(largest, 1)))

    def _learn_area(self, prices: Floats) -> None:
        """The mean of areas by their prices."""
        parts = np.rint(prices / prices.sum() * HUNDRED).astype(int).tolist()
        areas = zip(self.problem.area(), parts, strict=True)
        mean = Path.mean((Path(total), n) for total, n in areas if n)
        self.paths.areas.append(mean)
        self.grid.add_area(mean)

    def _dive(self, at: int) -> None:
        """Designs under one combination, each with as much less as the one before took too much."""
        self.dived[at] = len(self.paths)
        over = dict.fromkeys((quantity for quantity, _ in self.asked.limits), 0)
        for _ in range(DIVES):
            limits = tuple((q, most - over[q]) for q, most in self.asked.limits)
            asked = replace(self.asked, limits=limits)
            values, answer = self.of_layers(at, asked, QUICK, most=self.rows)
            tight = any(over.values())
            if not tight and answer.bound is not None:
                bound = max(int(self.grid.bound[at]), self.whole(answer.bound))
                self.grid.bound[at] = bound
            if answer.status == "infeasible" and not tight:
                self.grid.bound[at] = NONE
            if answer.values is None and not tight:
                return
            if answer.values is None:
                over = {q: n // 2 for q, n in over.items()}
                continue
            point = self.tried(values)
            if self.asked.met(point):
                self._polish(point)
                return
            over = {q: over[q] + max(0, point.of(q) - most) // 2 for q, most in self.asked.limits}

    def _polish(self, point: Point) -> None:
        """Sizes changed while a design gets better, or as good in less time, as paths let hope."""
        for _ in range(POLISHES):
            for other in self._better(point)[:TRIES]:
                tried = self.tried(self.paths.sheet.values(other))
                if self.asked.met(tried) and self._order(tried) < self._order(point):
                    point = tried
                    break
            else:
                return

    def _order(self, point: Point) -> tuple[int, int]:
        return point.of(self.asked.minimise), point.of("time")

    def _better(self, point: Point) -> Ints:
        """[designs, decisions] near ones that keep the limits and are better by all paths."""
        sheet, minimise = self.paths.sheet, self.asked.minimise
        others = _near(self.problem, sheet.positions(point.values))
        amounts: dict[Quantity, Ints] = {"time": self.paths.least(others)}
        amounts |= {
            quantity: sums.under(others).max(axis=0) for quantity, sums in self.sums.items()
        }
        least, faster = self._order(point)
        value, time = amounts[minimise], amounts["time"]
        good = (value < least) | ((value == least) & (time < faster))
        for quantity, most in self.asked.limits:
            good &= amounts[quantity] <= most
        keys = [sheet.values(other) for other in others[good]]
        new = np.array([tuple(key.values()) not in self.seen for key in keys], dtype=bool)
        order = np.lexsort((time[good][new], value[good][new]))
        found: Ints = others[good][new][order]
        return found


def _first(rows: Mapping[Needs, Ints]) -> dict[Needs, Ints]:
    """The first sum of several."""
    return {needs: block[0] for needs, block in rows.items()}


def _size(total: Sum) -> int:
    """No sum of its numbers is larger."""
    return sum(int(np.abs(numbers).max()) for numbers in total.blocks.values())


def _rows(sheet: Sheet, shared: Mapping[Key, int]) -> list[dict[Needs, Ints]]:
    """Each sum of a sheet under decisions of the chip."""
    blocks = sheet.fixed(shared)
    return [
        {needs: block[number] for needs, block in blocks.items()}
        for number in range(len(sheet.sums))
    ]


def _near(problem: Problem, here: Ints) -> Ints:
    """Positions of designs with another value of a decision, or of two layers one up, one down."""
    shape = [len(choices) for choices in problem.menu.values()]
    found = []
    for number, count in enumerate(shape):
        for place in range(count):
            found.append(here + (place - here[number]) * _one(number, len(here)))
    layers = [n for n, key in enumerate(problem.menu) if isinstance(key, int)]
    for up, down in permutations(layers, 2):
        if here[up] + 1 < shape[up] and here[down] > 0:
            found.append(here + _one(up, len(here)) - _one(down, len(here)))
    return np.array(found, dtype=np.int64).reshape(-1, len(here))


def _one(place: int, count: int) -> Ints:
    """A one at a place, else zeros."""
    ones: Ints = (np.arange(count) == place).astype(np.int64)
    return ones
