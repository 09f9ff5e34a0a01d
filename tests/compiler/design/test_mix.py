"""One chip for several small models, against all chips tried one by one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import pytest

from compiler.design.choices import DECISIONS, Key, Menu, Whole
from compiler.design.designer import Designer
from compiler.design.figures import Figures, figures
from compiler.design.floor import Floor
from compiler.design.mix import Mix
from compiler.design.problem import Asked, Quantity
from compiler.design.search import Search
from compiler.options import Shape
from compiler.trace import no_routing
from ir.arrays import Ints
from ir.errors import InfeasibleError, InputError
from tests.compiler.design.make import CHIP, floor_of, streaming

MENU = Menu((1, 2), (1, 2), (1, 4), (1, 2), (1, 2), (1, 3), (1,))
FEW = replace(MENU, lanes=(1,), buffers=(2,))
PREFILL, STEPS = Shape(12), Shape(6, 2, 3)


def floors(shape: Shape) -> dict[str, Floor]:
    """Small ones and larger ones, of two layers and of four, and with experts in one or in none."""
    chip = replace(CHIP, memory=replace(CHIP.memory, passive_uw=40))
    dense = streaming(dense_layers=(0, 1))
    works = {
        "two": streaming(),
        "wide": streaming(f=24, experts=6),
        "much": streaming(d=40, f=60, experts=8),
        "four": streaming(layers=4, d=12, f=8),
        "one": streaming(dense_layers=(0,)),
    }
    found = {
        name: floor_of(work, shape, chip, seed) for seed, (name, work) in enumerate(works.items())
    }
    options, none = found["two"].options, no_routing(shape.length, 2 * shape.batch)
    return found | {"none": Floor(dense, none, chip, options)}


FLOORS = {shape: floors(shape) for shape in (PREFILL, STEPS)}
CASES = [
    (PREFILL, ("two", "wide"), (7, 3), 1),
    (PREFILL, ("two", "two"), (1, 2), 1),
    (PREFILL, ("wide", "much"), (1, 1), 1),
    (PREFILL, ("one", "none", "two"), (5, 3, 1), 1),
    (PREFILL, ("wide", "one"), (1, 999), 2),
    (STEPS, ("two", "wide"), (3, 7), 1),
    (STEPS, ("none", "much"), (9, 1), 2),
    (STEPS, ("one", "wide"), (2, 3), 1),
    (PREFILL, ("four", "four"), (2, 1), 1),
    (STEPS, ("four", "two", "one"), (1, 1, 4), 1),
]


@dataclass(frozen=True, eq=False)
class Tried:
    """All designs of a mix with one whole, each by the models' own figures."""

    mix: Mix
    whole: Whole
    menu: Menu

    def _alone(self, floor: Floor) -> Iterator[tuple[tuple[int, ...], Figures]]:
        """The figures of a model by the values of the chip, with all sizes of its layers."""
        leaders = floor.leaders(self.whole.stack)
        for common in product(*(self.menu.of(key) for key in DECISIONS)):
            for sizes in product(self.menu.sizes, repeat=len(leaders)):
                values: dict[Key, int] = dict(zip(DECISIONS, common, strict=True))
                values |= dict(zip(leaders, sizes, strict=True))
                yield common, figures(floor, floor.design_of(values, self.whole))

    @cached_property
    def amounts(self) -> dict[Quantity, Ints]:
        """What each takes: [designs]; of energy without rests and cores, as it is chosen by."""
        by_chip: list[dict[tuple[int, ...], list[Figures]]] = []
        for floor in self.mix.floors:
            mine: dict[tuple[int, ...], list[Figures]] = {}
            for common, told in self._alone(floor):
                mine.setdefault(common, []).append(told)
            by_chip.append(mine)
        found = [
            self._of(each)
            for chip in by_chip[0]
            for each in product(*(mine[chip] for mine in by_chip))
        ]
        return dict(zip(("area", "time", "energy"), np.array(found).T, strict=True))

    def _of(self, each: tuple[Figures, ...]) -> tuple[int, int, int]:
        weights, total = self.mix.weights, sum(self.mix.weights)
        steps = max(self.mix.floors[0].tokens.decode, 1)
        kinds = Counter[str]()
        for told in each:
            kinds |= Counter(told.area_um2)  # the largest of each
        own = ("crossbars and peripheral groups", "input buffers")
        together = max(sum(told.area_um2.get(kind, 0) for kind in own) for told in each)
        area = together + sum(um2 for kind, um2 in kinds.items() if kind not in own)
        time = sum(w * told.window_ps for w, told in zip(weights, each, strict=True))
        causes = ("instructions", "buffers")
        energy = [sum(told.energy_fj.get(cause, 0) for cause in causes) for told in each]
        mean = sum(w * fj for w, fj in zip(weights, energy, strict=True)) // total
        passive = self.mix.chip.memory.passive_uw * (time // (total * steps)) // 1000
        return area, time // (total * steps), mean + passive

    def questions(self) -> Iterator[Asked]:
        """The least of each, and within limits that half or a tenth of all designs keep."""
        half = {q: int(np.quantile(n, 0.5)) for q, n in self.amounts.items()}
        few = {q: int(np.quantile(n, 0.1)) for q, n in self.amounts.items()}
        yield Asked("area", (("time", few["time"]),))
        yield Asked("area", (("time", half["time"]),))
        yield Asked("time", (("area", few["area"]),))
        yield Asked("time", (("area", half["area"]),))
        yield Asked("energy", (("time", half["time"]), ("area", half["area"])))

    def least(self, asked: Asked) -> int:
        """The best of all."""
        kept = np.ones(len(self.amounts["area"]), dtype=bool)
        for quantity, most in asked.limits:
            kept &= self.amounts[quantity] <= most
        return int(self.amounts[asked.minimise][kept].min(initial=1 << 62))


@pytest.mark.parametrize(("shape", "names", "weights", "stack"), CASES)
def test_the_chip_is_the_best_of_all(
    shape: Shape, names: tuple[str, ...], weights: tuple[int, ...], stack: int
) -> None:
    """Fifty questions. Energies are means of rounded numbers, 1 fJ off for each station.

    Of more than six layers a hundredth is enough; all found here are the best.
    """
    mix = Mix(tuple(FLOORS[shape][name] for name in names), weights)
    whole = Whole(2, stack=stack)
    tried, problem = Tried(mix, whole, FEW), mix.problem(whole, FEW)
    search = Search(problem)
    for asked in tried.questions():
        best, least = search.best(asked).best, tried.least(asked)
        if best is None:
            assert least == 1 << 62
            continue
        off = 200 if asked.minimise == "energy" else 0
        assert best.value == pytest.approx(least, abs=off)
        assert best.status == "optimal (solver)" or len(problem.own) > 6
        assert best.bound <= least + off
        told, _ = mix.figures(mix.designs(best.point.values, whole))
        assert told.total_um2 == best.point.of("area")
        assert told.time_ps == best.point.of("time")
        assert all(best.point.of(q) <= most for q, most in asked.limits)


def later(asked: Asked, ps: int) -> Asked:
    """The same with so much more time."""
    return replace(asked, limits=tuple((q, n + ps * (q == "time")) for q, n in asked.limits))


@pytest.mark.parametrize("shape", [PREFILL, STEPS])
@pytest.mark.parametrize("part", [0.4, 0.8])
def test_within_a_power_the_chip_is_the_best_of_all(shape: Shape, part: float) -> None:
    """Each model waits by itself, so that no run draws more; whole ps are lost in the search.

    The power is a part of what the thriftier model of the fastest chip draws.
    """
    free = Mix(tuple(FLOORS[shape][name] for name in ("two", "wide")), (2, 1))
    fast = Designer(free, FEW).best(Asked("time"))
    most = max(2, round(part * min(told.total_fj / told.time_ps for told in fast.each)))
    mix = replace(free, floors=tuple(replace(floor, power_mw=most) for floor in free.floors))
    tried = Tried(mix, Whole(2), FEW)
    found = Designer(mix, replace(FEW, sizes=(2,))).best(Asked("time"))
    assert all(told.total_fj <= most * told.time_ps for told in found.each)
    assert found.figures.time_ps > fast.figures.time_ps
    search = Search(mix.problem(Whole(2), FEW))
    for asked in list(tried.questions())[:4]:
        best, off = search.best(asked).best, 60 if asked.minimise == "time" else 0
        assert best is not None
        assert tried.least(later(asked, 60)) - off <= best.value <= tried.least(asked)


def mix_of(*names: str, weights: tuple[int, ...]) -> Mix:
    return Mix(tuple(FLOORS[PREFILL][name] for name in names), weights)


@pytest.mark.parametrize("weights", [(1, 1), (7, 3), (1, 50)])
def test_one_model_twice_is_that_model(weights: tuple[int, ...]) -> None:
    """Time and area as of one, whatever the weights; the smallest and the fastest and between."""
    alone, twice = Designer(FLOORS[PREFILL]["wide"], FEW), mix_of("wide", "wide", weights=weights)
    both, fast = Designer(twice, FEW), alone.best(Asked("time"))
    middle = (fast.figures.time_ps + alone.best(Asked("area")).figures.time_ps) // 2
    for asked in (Asked("time"), Asked("area"), Asked("area", (("time", middle),))):
        one, two = alone.best(asked), both.best(asked)
        assert two.best.value == one.best.value
        assert two.best.status == one.best.status == "optimal (solver)"
        assert two.figures.total_um2 <= max(told.total_um2 for told in two.each)


def test_the_model_of_nearly_all_runs_decides() -> None:
    """Of 999 in 1000 runs it takes as long as alone, but for a thousandth of the other's time."""
    alone = Designer(FLOORS[PREFILL]["much"], FEW).best(Asked("time"))
    both = Designer(mix_of("two", "much", weights=(1, 999)), FEW).best(Asked("time"))
    assert both.each[1].time_ps == alone.figures.time_ps
    assert both.figures.time_ps == (both.each[0].time_ps + 999 * alone.figures.time_ps) // 1000


def test_a_mix_costs_no_less_area_than_its_largest_model() -> None:
    """And no more than one chip beside the other; each model's design has the chip's decisions."""
    mix = mix_of("wide", "much", "one", weights=(2, 1, 1))
    chosen = Designer(mix, FEW).best(Asked("time"))
    areas = [told.total_um2 for told in chosen.each]
    assert max(areas) <= chosen.figures.total_um2 < sum(areas)
    common = [{key: d.values[key] for key in DECISIONS} for d in chosen.designs]
    assert common[0] == common[1] == common[2]
    assert [len(design.sizes) for design in chosen.designs] == [2, 2, 1]
    assert mix.values(chosen.designs) == dict(chosen.best.point.values)
    assert len({design.whole for design in chosen.designs}) == 1


def test_what_a_mix_cannot_keep_is_said() -> None:
    designer = Designer(mix_of("two", "wide", weights=(1, 1)), FEW)
    least = designer.best(Asked("time")).figures.time_ps
    with pytest.raises(InfeasibleError, match="time of a design: needs") as raised:
        designer.best(Asked("area", (("time", least - 1),)))
    assert raised.value.demand.value == least
    for weights in ((1,), (1, 0), (1, 2, 3)):
        with pytest.raises(InputError, match="expected one from 1 up of each"):
            mix_of("two", "wide", weights=weights)


def test_the_usual_values_are_those_of_all_models() -> None:
    """Groups of up to 8 of eight experts, where four experts have groups of up to 4."""
    menu = mix_of("two", "much", weights=(1, 1)).menu({"lanes": (1, 2)})
    assert (menu.sizes, menu.lanes) == ((1, 2, 4, 8), (1, 2))
    problem = mix_of("two", "much", weights=(1, 1)).problem(Whole(8), menu)
    assert [problem.menu[key] for key in problem.own] == [(1, 2, 4)] * 2 + [(1, 2, 4, 8)] * 2
