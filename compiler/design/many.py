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

from compiler.design.branch import Parting
from compiler.design.choices import Key
from compiler.design.grid import NONE
from compiler.design.paths import Paths
from compiler.design.problem import Asked, Needs, Path, Point, Problem, Quantity, Shares, Sum
from compiler.design.question import Question, near
from compiler.design.relaxed import Relaxation, Relaxed, first_row, mean_under, rows_of
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
PARTS_AT_ONCE, MOST_PARTS = 40, 200  # of all designs


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
        self.parted: dict[tuple[int, ...], Parting] = {}
        self.beside = 0  # paths that were learnt for parts of all designs

    def looked_at(self, at: int) -> bool:
        """The first of the quicker looks that has not been taken, or else one that proves."""
        alike, known = self._alike(at), self.known_well
        if not self.paths.means and at not in self.relaxed:
            self._by_shares(at)
        elif known >= self.bounded.get(alike, -NEWS) + NEWS:
            self._bound_alike(at, alike)
        elif alike not in self.shares and at not in self.relaxed:
            self._by_shares(at)
        elif known >= self.dived.get(at, -MANY) + MANY:
            self._dive(at)
        elif self._by_parts(at):
            pass
        elif known >= self.relaxed.get(at, -MANY) + MANY:
            self._by_shares(at)
        else:
            return super().looked_at(at) or self._by_all_paths(at)
        return True

    def near(self, bound: int) -> bool:
        """Whether what was found is good enough, or more is not to be had in a minute or two."""
        enough = self.learnt - self.beside >= ENOUGH and self.value < NONE
        return enough or near(self.value, bound, self.part)

    @property
    def known_well(self) -> int:
        """Paths that say something of all designs."""
        return len(self.paths) - self.beside

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

    def alike(self, at: int) -> Bools:
        """[combinations] those that differ from one in minor decisions alone."""
        places = np.indices(self.grid.shape).reshape(len(self.grid.shape), -1)
        major = [n for n, key in enumerate(self.problem.shared) if key not in self.minor]
        found: Bools = (np.array(self._alike(at)) == places[major].T).all(axis=1)
        return found

    def _bound_alike(self, at: int, alike: tuple[int, ...]) -> None:
        """A bound of all combinations that differ in minor decisions alone."""
        self.bounded[alike] = self.known_well
        _, answer = self.of_layers(at, self.asked, LONGER, self.minor, self.rows)
        mine = self.alike(at)
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

    def _more_area(self, at: int, mine: Bools) -> Ints:
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
        self.relaxed[at] = self.known_well
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
            program.add(first_row(row), path.times)
        if last is not None:
            self.shares[self._alike(at)] = last.shares
            self._learn_mean(last)

    def _program(self, shared: Mapping[Key, int]) -> Relaxed:
        """The linear program with all paths so far."""
        sums = {quantity: rows_of(sheet, shared) for quantity, sheet in self.sums.items()}
        paths = self.paths.sheet.fixed(shared)
        longest = sum(float(block[0].max()) for block in paths.values())
        program = Relaxed(self.problem, self.asked, sums, longest)
        for number, path in enumerate(self.paths.every):
            program.add({needs: block[number] for needs, block in paths.items()}, path.times)
        return program

    def _learn_mean(self, found: Relaxation) -> None:
        """The mean of paths by their prices."""
        mean, price = self.mean_of(found)
        if mean is None:
            return
        if len(found.areas) > 1 and found.areas.sum() > 0:
            self._learn_area(found.areas)
        self.paths.means.append(mean)
        self.grid.add(mean, price)

    def mean_of(self, found: Relaxation) -> tuple[Path | None, float]:
        """The mean of paths by their prices, None without any, and the price of what is limited."""
        total = float(found.paths.sum())
        if total <= 0:
            return None, 0.0
        parts = np.rint(found.paths / total * self._parts()).astype(int).tolist()
        mean = Path.mean((p, n) for p, n in zip(self.paths.every, parts, strict=False) if n)
        each = mean.times * (1000 if self.asked.minimise == "energy" else 1)
        return mean, total / sum(parts) if self.asked.minimise == "area" else found.area * each

    def learn_beside(self, path: Path) -> None:
        """A path of a part of all designs, which by itself says little of the others."""
        self.beside += 1
        self.paths.learn(path)

    def _by_parts(self, at: int) -> bool:
        """A better bound by parts of all designs, where they give one: of area within a time."""
        alone = [quantity for quantity, _ in self.asked.limits] == ["time"]
        of_area = self.asked.minimise == "area" and alone and len(self.problem.area()) == 1
        if not of_area or self.value == NONE:
            return False
        alike = self._alike(at)
        if alike not in self.parted:
            self.parted[alike] = Parting(self, at)
        parting = self.parted[alike]
        if len(parting.parts) > MOST_PARTS or not parting.grow(PARTS_AT_ONCE):
            return False
        self.grid.bound = np.maximum(self.grid.bound, parting.bound)
        self._dive(at)
        return True

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
        self.dived[at] = self.known_well
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


def _size(total: Sum) -> int:
    """No sum of its numbers is larger."""
    return sum(int(np.abs(numbers).max()) for numbers in total.blocks.values())


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
