"""Questions of several layers: what is told of all designs is true of every one."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from compiler.design import grid, many
from compiler.design import question as question_module
from compiler.design.answer import Found
from compiler.design.grid import NONE
from compiler.design.many import ManyLayers
from compiler.design.paths import Paths
from compiler.design.problem import Asked, Quantity
from compiler.design.question import Question
from compiler.design.search import Search
from compiler.options import SolverOptions
from tests.compiler.design.layered import Layered, layered

OPTIONS = SolverOptions()
LOOKS = (
    *((ManyLayers, name) for name in ("_by_shares", "_bound_alike", "_dive", "_polish", "_better")),
    (ManyLayers, "_by_parts"),
    (ManyLayers, "_by_all_paths"),
    (Question, "looked_at"),
)
ASKED: tuple[tuple[Quantity, tuple[Quantity, ...]], ...] = (
    ("area", ("time",)),
    ("time", ("area",)),
    ("energy", ("area", "time")),
    ("area", ("time", "energy")),
    ("time", ("energy",)),
)


def question(made: Layered, number: int, part: float) -> Asked:
    """One of ASKED, with limits so far from the least to the median of all designs."""
    minimise, limited = ASKED[number % len(ASKED)]
    limits = []
    for quantity in limited:
        low, middle = np.quantile(made.amounts[quantity], [0, 0.5])
        limits.append((quantity, int(low + part * (middle - low))))
    return Asked(minimise, tuple(limits))


def answered(made: Layered, paths: Paths, asked: Asked, below: int = NONE) -> Found:
    """What is told, after a look at all that can be wrong with it."""
    found, least = ManyLayers(paths, OPTIONS, asked, below).answered(), made.least(asked)
    assert found.bound <= least
    if found.best is None:
        assert least == NONE or below < NONE
        return found
    best = found.best
    here = made.designs.tolist().index(paths.sheet.positions(best.point.values).tolist())
    for quantity, amount in best.point.amounts.items():
        assert amount == made.amounts[quantity][here]
    assert asked.met(best.point)
    assert best.bound == found.bound <= least <= best.value < below
    if best.status == "optimal (solver)":
        assert best.bound == best.value
    else:
        assert best.gap <= 0.01
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of look is taken from now on."""
    counted: Counter[str] = Counter()
    for kind, name in LOOKS:
        real = getattr(kind, name)

        def look(self: Question, *args: Any, name: str = name, real: Any = real) -> Any:
            counted[name] += 1
            return real(self, *args)

        monkeypatch.setattr(kind, name, look)
    return counted


def test_what_is_told_is_true_of_all_designs(looks: Counter[str]) -> None:
    """Five problems of 576 to 2916 designs and five questions each, the later with known paths.

    Every second time is one of three steps. Limits are random, and too low at times.
    """
    told: Counter[str] = Counter()
    for seed in range(5):
        made, rng = layered(seed, 5, 1 + 2 * (seed % 2)), np.random.default_rng(seed)
        paths = Search(made.problem).paths if seed % 3 else Paths(made.problem)
        for number in range(5):
            best = answered(made, paths, question(made, number, rng.uniform(0, 1.5))).best
            told["none" if best is None else best.status] += 1
    assert told["optimal (solver)"] > 12
    assert told["none"] > 2
    assert set(looks) | {"_by_all_paths"} == {name for _, name in LOOKS}


@pytest.mark.parametrize("models", [2, 3])
def test_what_is_told_of_the_largest_of_several_areas_is_true(models: int) -> None:
    """Two problems and five questions each, by both kinds of question."""
    told: Counter[str] = Counter()
    for seed in range(50, 52):
        made, rng = layered(seed, 4, 1, models), np.random.default_rng(seed)
        paths = Search(made.problem).paths
        for number in range(5):
            asked = question(made, number, rng.uniform(0, 1.2))
            best = answered(made, paths, asked).best
            told["none" if best is None else best.status] += 1
            exact = Question(Search(made.problem).paths, OPTIONS, asked, NONE).answered().best
            assert (NONE if exact is None else exact.value) == made.least(asked)
    assert told["optimal (solver)"] >= 7


@pytest.mark.parametrize("rows", [many.ROWS, 4])
def test_a_hundredth_is_enough_after_some_paths(
    monkeypatch: pytest.MonkeyPatch, looks: Counter[str], rows: int
) -> None:
    """After two paths, not twenty. With four rows a look that learns nothing is taken by all."""
    monkeypatch.setattr(question_module, "PATIENCE", 2)
    monkeypatch.setattr(many, "ROWS", rows)
    told: Counter[str] = Counter()
    for seed in range(30, 32):
        made = layered(seed)
        for number, part in enumerate((0.1, 0.3, 1.2, 0.6, 0.3)):
            best = answered(made, Paths(made.problem), question(made, number, part)).best
            told["none" if best is None else best.status] += 1
    assert told["feasible"] > 1
    assert (looks["_by_all_paths"] > 0) == (rows == 4)


def test_a_dive_within_less_than_the_limits_bounds_nothing() -> None:
    """Here 106 ps are kept after a dive that asks for less, under which the least is larger."""
    made = layered(19, 5, 3)
    found = answered(made, Search(made.problem).paths, Asked("area", (("time", 106),)))
    assert found.bound == made.least(Asked("area", (("time", 106),)))


def test_what_no_design_keeps_is_told_as_none() -> None:
    """One ps, um2 or fJ less than any design takes."""
    made = layered(0)
    for minimise, limited in ASKED:
        low = tuple((q, int(made.amounts[q].min()) - 1) for q in limited[:1])
        found = answered(made, Paths(made.problem), Asked(minimise, low))
        assert found == Found(None, NONE)


@pytest.mark.parametrize("seed", range(2))
def test_only_what_is_below_is_of_use(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """With the best known, or a better value, nothing is found, and that value is the bound.

    With one more than the best, the best is found. Never is a hundredth enough.
    """
    monkeypatch.setattr(question_module, "PATIENCE", 1 << 30)
    made = layered(seed)
    for number in range(len(ASKED)):
        asked = question(made, number, 1.0)
        least = made.least(asked)
        for below in (least, least - 20):
            assert answered(made, Paths(made.problem), asked, below) == Found(None, below)
        above = answered(made, Paths(made.problem), asked, least + 1)
        assert above.best is not None
        assert above.best.value == least


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("minimise", ["area", "time", "energy"])
def test_a_mean_of_paths_at_its_price_is_the_linear_program_s_bound(
    monkeypatch: pytest.MonkeyPatch, minimise: Quantity, steps: int
) -> None:
    """Without the row of multiples that is tried beside it.

    What is lost: a time may be nearly a ps longer, as it is rounded down; parts of a mean are ten
    thousandths; bounds are whole.
    """
    monkeypatch.setattr(grid, "MULTIPLES", 0)
    for seed in range(4):
        made = layered(seed, 5, steps)
        limited: Quantity = "time" if minimise == "area" else "area"
        most = int(np.quantile(made.amounts[limited], 0.1))
        asked = ManyLayers(Paths(made.problem), OPTIONS, Asked(minimise, ((limited, most),)), NONE)
        for number in (0, 100, 200):
            asked.learn(made.problem.longest(asked.paths.sheet.values(made.designs[number])))
        found = asked._program(asked.shared(7)).solve()
        assert found is not None
        asked._learn_mean(found)
        longer = {"area": float(found.paths.sum()) * steps, "energy": made.problem.power / 1000}
        least = found.value - longer.get(minimise, 0.0)
        assert 0.9999 * least - 1 <= asked.grid.bound[7] <= found.value
