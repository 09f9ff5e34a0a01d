"""Which design is best for a model: within limits, or on the frontier of area and time.

What stands behind a peripheral group at most, and the width of the mesh, are numbers of the whole
chip that lengths of wires depend on. Every most is tried, each on the mesh that its best design
takes; what is proven holds on that mesh.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

from compiler.design.choices import Design, Menu, Whole, design_of
from compiler.design.figures import Figures, figures
from compiler.design.floor import Floor
from compiler.design.model import Model
from compiler.design.problem import UNITS, Asked, Quantity
from compiler.design.search import LIMITS, Best, Search
from compiler.design.tables import problem_of
from compiler.options import SolverOptions
from ir.certificate import Status
from ir.errors import Amount, CheckError, InfeasibleError, InputError

MESHES = 4  # widths that are tried of each most
WORDS: dict[Quantity, str] = {"area": "area", "time": "time", "energy": "energy"}


@dataclass(frozen=True)
class Chosen:
    """A design, its figures on its own mesh, and what is proven of it among others."""

    design: Design
    figures: Figures
    best: Best


@dataclass(eq=False)
class Designer:
    """A model and its tokens, the values of all decisions, and what is known of designs so far."""

    floor: Floor
    menu: Menu = field(default_factory=Menu)
    options: SolverOptions = LIMITS
    _searches: dict[tuple[Whole, int], Search] = field(default_factory=dict)
    _known: list[Chosen] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.floor.chip.mesh.width:
            raise InputError(
                f"chip {self.floor.chip.name}",
                f"mesh.width: {self.floor.chip.mesh.width}, expected auto for a chip to design",
                "leave mesh.width and mesh.height open",
            )
        split = self.floor.chip.split
        if (self.menu.columns or self.menu.bits) and not (split.adc_area and split.adc_energy):
            raise InputError(
                f"chip {self.floor.chip.name}",
                "split: no share of converters, so that others have no known cost",
                "leave columns and bits of converters out, or state what they take",
            )

    @cached_property
    def wholes(self) -> tuple[Whole, ...]:
        """All that the whole chip may have; without experts no peripheral groups share."""
        every = tuple(self.menu.wholes())
        if self.floor.expert_layers:
            return every
        return tuple(whole for whole in every if whole.mux == self.menu.sizes[0])

    def best(self, asked: Asked) -> Chosen:
        """The design that is asked for; InfeasibleError says what is short, and by how much."""
        found = self._best(asked)
        if found is None:
            raise self._short(asked)
        return found

    def _best(self, asked: Asked) -> Chosen | None:
        found: Chosen | None = None
        bounds: list[int] = []
        for whole in self.wholes:
            below = None if found is None else found.best.value
            other = self._on_own_mesh(asked, whole, below)
            if other is not None:
                found = other
                bounds.append(other.best.bound)
        if found is None:
            return None
        proven = found.best.value <= min(bounds)
        status: Status = found.best.status if proven else "feasible"
        best = replace(found.best, bound=min(bounds), status=status)
        return self._no_more_than_used(asked, replace(found, best=best))

    def _no_more_than_used(self, asked: Asked, found: Chosen) -> Chosen:
        """The same with no more behind a peripheral group than its largest group has."""
        mux = max((size for _, size in found.design.sizes), default=found.design.whole.mux)
        design = replace(found.design, whole=replace(found.design.whole, mux=mux))
        told = figures(self.floor, design)
        same = _amount(told, asked.minimise) == _amount(found.figures, asked.minimise)
        if not same or not _keeps(told, asked):
            return found
        return replace(found, design=design, figures=told)

    def _on_own_mesh(self, asked: Asked, whole: Whole, below: int | None) -> Chosen | None:
        """The best with this whole, and less than `below`, that is chosen for its own mesh.

        Or that keeps the limits on it: where it does not, it is chosen anew with as much less.
        """
        width, limits = self.floor.width(self._first(asked, whole)), asked.limits
        extra = () if below is None else ((asked.minimise, below - 1),)
        found: Chosen | None = None
        bounds: list[int] = []
        for _ in range(MESHES):
            best = self._search(whole, width).best(Asked(asked.minimise, (*limits, *extra)))
            if best is None:
                break
            design = design_of(best.point.values, whole)
            own, told = self.floor.width(design), figures(self.floor, design)
            if own == width:
                _check(best, told)
                bounds = bounds if limits != asked.limits else []
            bounds.append(best.bound)
            over = {q: _amount(told, q) - most for q, most in asked.limits}
            if max(over.values(), default=0) <= 0:
                found = Chosen(design, told, replace(best, bound=min(bounds)))
                self._known.append(found)
                if own == width:
                    break
            width, limits = own, tuple((q, most - max(over[q], 0)) for q, most in asked.limits)
        return found

    def _first(self, asked: Asked, whole: Whole) -> Design:
        """Whose mesh is taken first: the last that is known to keep the limits, or a middle one."""
        for chosen in reversed(self._known):
            largest = max((size for _, size in chosen.design.sizes), default=1)
            if largest <= whole.mux and _keeps(chosen.figures, asked):
                return chosen.design
        menu = self.menu.up_to(whole.mux)
        keys = menu.keys(self.floor.expert_layers)
        return design_of({key: menu.of(key)[len(menu.of(key)) // 2] for key in keys}, whole)

    def _search(self, whole: Whole, width: int) -> Search:
        key = whole, width
        if key not in self._searches:
            model = Model(self.floor, whole, width)
            self._searches[key] = Search(problem_of(model, self.menu), self.options)
        return self._searches[key]

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

    def _short(self, asked: Asked) -> InfeasibleError:
        """What is short: a limit that nothing keeps alone, or the nearest of several together."""
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


def words(quantity: Quantity, value: int) -> str:
    """An amount as people say it."""
    if quantity == "area":
        return f"{value / 1e6:,.3f} mm2"
    return f"{value / 1e6:,.3f} us" if quantity == "time" else f"{value / 1e9:,.3f} uJ"


def _shortage(quantity: Quantity, value: int, most: int, hint: str) -> InfeasibleError:
    return InfeasibleError(
        f"{WORDS[quantity]} of a design",
        Amount(value, words(quantity, value)),
        Amount(most, words(quantity, most)),
        UNITS[quantity],
        hint,
    )


def _amount(told: Figures, quantity: Quantity) -> int:
    amounts: dict[Quantity, int] = {
        "area": told.total_um2,
        "time": told.time_ps,
        "energy": told.total_fj,
    }
    return amounts[quantity]


def _keeps(told: Figures, asked: Asked) -> bool:
    return all(_amount(told, quantity) <= most for quantity, most in asked.limits)


def _check(best: Best, told: Figures) -> None:
    """Area and time are those of the model, not of its tables."""
    for quantity in ("area", "time"):
        value, again = best.point.of(quantity), _amount(told, quantity)
        if value != again:
            raise CheckError("design", quantity, f"{value} by tables, {again} by the model")


def _undominated(found: list[Chosen]) -> list[Chosen]:
    """By area, those that are faster than all smaller ones."""
    out: list[Chosen] = []
    for chosen in sorted(found, key=lambda c: (c.figures.total_um2, c.figures.time_ps)):
        if not out or chosen.figures.time_ps < out[-1].figures.time_ps:
            out.append(chosen)
    return out
