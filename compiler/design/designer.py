"""Which design is best for a model, or several: within limits, or on the frontier of area and time.

What stands behind a peripheral group at most is a number of the whole chip that lengths of wires
depend on. Every most is tried.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from compiler.design.answer import Best
from compiler.design.choices import Design, Menu, Whole
from compiler.design.efficient import least_product
from compiler.design.figures import Figures
from compiler.design.floor import Floor
from compiler.design.grid import NONE
from compiler.design.menus import check_menu
from compiler.design.mix import Designs, Mix
from compiler.design.mixed import sizes_of
from compiler.design.problem import UNITS, Asked, Quantity
from compiler.design.question import near
from compiler.design.search import LIMITS, Search
from compiler.options import SolverOptions
from ir.certificate import Status
from ir.errors import Amount, CheckError, InfeasibleError, InputError

TRIES = 4  # of a limit that rests and cores do not keep


@dataclass(frozen=True)
class Chosen:
    """A design, its figures, and what is proven of it among others.

    designs: of each model, which differ in group sizes; each: the figures of each.
    """

    designs: Designs
    figures: Figures
    best: Best
    each: tuple[Figures, ...]

    @property
    def design(self) -> Design:
        """The chip's decisions, and the first model's group sizes."""
        return self.designs[0]


@dataclass(eq=False)
class Designer:
    """Models and their tokens, the values of all decisions, and what is known of designs so far.

    tell: is told of each kind of chip before it is looked at.
    """

    models: Floor | Mix
    menu: Menu = field(default_factory=Menu)
    options: SolverOptions = LIMITS
    tell: Callable[[Whole], None] = lambda _: None
    _searches: dict[Whole, Search] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chip = self.mix.chip
        if chip.mesh.width:
            raise InputError(
                f"chip {chip.name}",
                f"mesh.width: {chip.mesh.width}, expected auto for a chip to design",
                "leave mesh.width and mesh.height open",
            )
        if not self.mix.has_experts:
            self.menu = replace(self.menu, replicas=(0,))
        for floor in self.mix.floors:
            sizes = self.menu.sizes if self.mix.alone else sizes_of(floor, self.menu)
            check_menu(floor, replace(self.menu, sizes=sizes))
        split = chip.split
        if (self.menu.columns or self.menu.bits) and not (split.adc_area and split.adc_energy):
            raise InputError(
                f"chip {chip.name}",
                "split: no share of converters, so that others have no known cost",
                "leave columns and bits of converters out, or state what they take",
            )

    @cached_property
    def mix(self) -> Mix:
        """All models, one of them too."""
        return self.models if isinstance(self.models, Mix) else Mix((self.models,))

    @cached_property
    def wholes(self) -> tuple[Whole, ...]:
        """All that the whole chip may have; without experts no peripheral groups share."""
        every = tuple(self.menu.wholes())
        if self.mix.has_experts:
            return every
        return tuple(whole for whole in every if whole.mux == self.menu.sizes[0])

    def best(self, asked: Asked) -> Chosen:
        """The design that is asked for; InfeasibleError says what is short, and by how much."""
        product = asked.minimise == "product"
        found = least_product(self._best, asked.limits) if product else self._best(asked)
        if found is None:
            raise self._short(asked)
        return found

    def _best(self, asked: Asked) -> Chosen | None:
        found: Chosen | None = None
        bounds = {whole: self._search(whole).least(asked) for whole in self.wholes}
        for rough in (True, False):  # what one whole can do shortens the search of all others
            for whole in self.wholes:
                value = NONE if found is None else found.best.value
                if bounds[whole] < value and (rough or not near(value, bounds[whole])):
                    other, bound = self._best_with(asked, whole, found, rough=rough)
                    bounds[whole], found = max(bounds[whole], bound), other or found
        if found is None:
            return None
        least = min(found.best.value, *bounds.values())
        status: Status = "optimal (solver)" if least == found.best.value else "feasible"
        best = replace(found.best, bound=least, status=status)
        return self._no_more_than_used(asked, replace(found, best=best))

    def _no_more_than_used(self, asked: Asked, found: Chosen) -> Chosen:
        """The same with no more behind a peripheral group than its largest group has."""
        whole, sizes = found.design.whole, [n for d in found.designs for _, n in d.sizes]
        whole = replace(whole, mux=max(sizes, default=whole.mux))
        designs = tuple(replace(design, whole=whole) for design in found.designs)
        told, each = self.mix.figures(designs)
        same = all(told.of(q) <= found.figures.of(q) for q in asked.least)
        if not same or not _keeps(told, asked):
            return found
        return replace(found, designs=designs, figures=told, each=each)

    def _best_with(
        self, asked: Asked, whole: Whole, before: Chosen | None, *, rough: bool
    ) -> tuple[Chosen | None, int]:
        """The best with this whole, if it is better than the one before, and a bound.

        The search knows no energy of rests and cores, nor what is waited for these where power is
        limited: where a limit is not kept with them, it is asked anew with as much less.
        """
        self.tell(whole)
        limits, least = asked.limits, NONE
        below = NONE if before is None else before.best.value
        for _ in range(TRIES):
            found = self._search(whole).best(replace(asked, limits=limits), below, rough=rough)
            least = min(least, found.bound)
            if found.best is None:
                break
            designs = self.mix.designs(found.best.point.values, whole)
            told, each = self.mix.figures(designs)
            self._check(found.best, told)
            over = {q: max(told.of(q) - most, 0) for q, most in asked.limits}
            if not any(over.values()):
                return Chosen(designs, told, _as_told(found.best, told), each), least
            limits = tuple((q, most - over[q]) for q, most in limits)
        return None, least

    def _search(self, whole: Whole) -> Search:
        if whole not in self._searches:
            problem = self.mix.problem(whole, self.menu)
            self._searches[whole] = Search(problem, self.options)
        return self._searches[whole]

    def frontier(self, points: int, limits: tuple[tuple[Quantity, int], ...] = ()) -> list[Chosen]:
        """Designs of which none has both less area and less time, from the smallest on.

        The smallest and the fastest, and between them the smallest for times that go down by a
        factor. Each is proven as `best` is.
        """
        small = self.best(Asked("area", limits))
        fast = self.best(Asked("time", limits))
        slow = self.best(Asked("time", (*limits, ("area", small.figures.total_um2))))
        ends = fast.figures.time_ps, slow.figures.time_ps
        found = [slow]
        for number in range(1, points):
            part = number / max(points - 1, 1)
            limit = round(ends[1] * (ends[0] / ends[1]) ** part)
            found.append(self.best(Asked("area", (*limits, ("time", max(limit, ends[0]))))))
        return _undominated(found)

    def _check(self, best: Best, told: Figures) -> None:
        """Area and time are those of the model, not of its tables.

        A chip that waits to keep its power does so for rests and cores as well.
        """
        for quantity in ("area", "time"):
            value, again = best.point.of(quantity), told.of(quantity)
            waits = quantity == "time" and self.mix.power_mw is not None and value < again
            if value != again and not waits:
                raise CheckError("design", quantity, f"{value} by tables, {again} by the model")

    def _short(self, asked: Asked) -> InfeasibleError:
        """What is short: a limit that nothing keeps alone, or the nearest of several together."""
        power = self._short_of_power(asked)
        if power is not None:
            return power
        for quantity, most in asked.limits:
            least = self._best(Asked(quantity))
            if least is not None and least.best.value > most:
                hint = f"allow at least {words(quantity, least.best.value)}"
                return _shortage(quantity, least.best.value, most, hint)
        needs: list[tuple[float, Quantity, int, int]] = []
        for quantity, most in asked.limits:
            others = tuple(limit for limit in asked.limits if limit[0] != quantity)
            least = self._best(Asked(quantity, others))
            if least is not None:
                needs.append((least.best.value / most, quantity, least.best.value, most))
        _, quantity, value, most = min(needs)
        hint = " or ".join(f"allow {words(q, v)}" for _, q, v, _ in sorted(needs))
        return _shortage(quantity, value, most, hint)

    def _short_of_power(self, asked: Asked) -> InfeasibleError | None:
        """What a design draws that keeps all else in all the time there is; None if none does.

        Nor is it told of several models, each of which draws something else.
        """
        most, limits = self.mix.power_mw, dict(asked.limits)
        if most is None or "time" not in limits or not self.mix.alone:
            return None
        floor = replace(self.mix.floors[0], power_mw=None)
        free = Designer(floor, self.menu, self.options)
        found = free._best(Asked("energy", asked.limits))
        if found is None:
            return None
        more = self.mix.chip.memory.passive_uw * (limits["time"] - found.figures.time_ps) // 1000
        need = -(-(found.figures.total_fj + max(more, 0)) // limits["time"])
        return InfeasibleError(
            "power of a design",
            Amount(need, f"{need / 1000:,.3f} W"),
            Amount(most, f"{most / 1000:,.3f} W"),
            "mW",
            f"allow at least {need / 1000:,.3f} W, or more time",
        )


def words(quantity: Quantity, value: int) -> str:
    """An amount as people say it."""
    if quantity == "area":
        return f"{value / 1e6:,.3f} mm2"
    return f"{value / 1e6:,.3f} us" if quantity == "time" else f"{value / 1e9:,.3f} uJ"


def _shortage(quantity: Quantity, value: int, most: int, hint: str) -> InfeasibleError:
    return InfeasibleError(
        f"{quantity} of a design",
        Amount(value, words(quantity, value)),
        Amount(most, words(quantity, most)),
        UNITS[quantity],
        hint,
    )


def _as_told(best: Best, told: Figures) -> Best:
    """With its time as it is told, where it waits longer than the search knows."""
    amounts = {**best.point.amounts, "time": told.time_ps}
    return replace(best, point=replace(best.point, amounts=amounts))


def _keeps(told: Figures, asked: Asked) -> bool:
    return all(told.of(quantity) <= most for quantity, most in asked.limits)


def _undominated(found: list[Chosen]) -> list[Chosen]:
    """By area, those that are faster than all smaller ones."""
    out: list[Chosen] = []
    for chosen in sorted(found, key=lambda c: (c.figures.total_um2, c.figures.time_ps)):
        if not out or chosen.figures.time_ps < out[-1].figures.time_ps:
            out.append(chosen)
    return out
