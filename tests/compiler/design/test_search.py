"""The best design of tiny problems is that of trying every one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest

from compiler.design.choices import Key, Values
from compiler.design.problem import Asked, Path, Point, Problem, Quantity, Shares, Sum, Term
from compiler.design.search import LIMITS, Search
from ir.errors import CheckError, InputError

KEYS: tuple[Key, ...] = ("copies", "dpus", 0, 1)
QUANTITIES: tuple[Quantity, ...] = ("area", "time", "energy")


def term(rng: np.random.Generator, menu: dict[Key, tuple[int, ...]], most: int) -> Term:
    """A number for all values of one to three decisions."""
    count = int(rng.integers(1, 4))
    needs = tuple(KEYS[n] for n in sorted(rng.choice(len(KEYS), count, replace=False)))
    return Term(needs, rng.integers(0, most, prod(len(menu[key]) for key in needs)))


def problem(seed: int) -> Problem:
    """Random sums, and the greatest of twelve of them as time; a third is over two steps."""
    rng = np.random.default_rng(seed)
    menu = {key: tuple(range(1, int(rng.integers(2, 5)))) for key in KEYS}
    paths = [
        Path(Sum.of(term(rng, menu, 50) for _ in range(4)), 2 if n % 3 == 0 else 1)
        for n in range(12)
    ]
    area = Sum.of(term(rng, menu, 100) for _ in range(5))
    energy = Sum.of(term(rng, menu, 100) for _ in range(3))
    power = int(rng.integers(0, 3000))

    def longest(values: Values) -> Path:
        return max(paths, key=lambda path: tried.of(path.sum, values) // path.times)

    def blended(values: Values, shares: Shares) -> Path:
        largest = {layer: max(sizes, key=sizes.__getitem__) for layer, sizes in shares.items()}
        return longest(dict(values) | largest)

    tried = Problem(menu, lambda: (area,), lambda: energy, power, longest, blended)
    return tried


def every(tried: Problem) -> Iterator[Point]:
    """All designs."""
    for values in product(*tried.menu.values()):
        yield tried.point(dict(zip(tried.menu, values, strict=True)), QUANTITIES)


def asked(rng: np.random.Generator, points: list[Point]) -> Asked:
    """Any quantity, with limits on some of the others, of which a few cannot be kept."""
    minimise = QUANTITIES[int(rng.integers(3))]
    limits = []
    for quantity in QUANTITIES:
        if quantity != minimise and rng.random() < 0.6:
            low, middle = np.quantile([p.of(quantity) for p in points], [0, 0.5])
            limits.append((quantity, int(rng.uniform(low - 10, middle))))
    return Asked(minimise, tuple(limits))


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_no_design_is_better(first: int) -> None:
    """100 problems, two questions each; the second begins with the paths of the first."""
    none = 0
    for seed in range(first, first + 10):
        tried, rng = problem(seed), np.random.default_rng(seed)
        points, search = list(every(tried)), Search(tried)
        for _ in range(2):
            question = asked(rng, points)
            found = search.best(question).best
            kept = [point for point in points if question.met(point)]
            least = min((point.of(question.minimise) for point in kept), default=None)
            none += least is None
            assert (None if found is None else found.value) == least
            if found is not None:
                assert found.status == "optimal (solver)"
                assert found.bound == found.value
                assert found.point.values in [point.values for point in kept]
    assert none < 20


def test_a_sum_that_is_not_the_solver_s_is_noticed() -> None:
    """The area of an answer is added up anew: 3, where the solver was given 2."""
    menu: dict[Key, tuple[int, ...]] = {"copies": (1, 2)}
    path = Path(Sum.of([Term(("copies",), np.array([5, 4]))]))
    areas = iter([Sum.of([Term(("copies",), np.array(n))]) for n in ([2, 3], [2, 3], [3, 4])])
    tried = Problem(
        menu,
        lambda: (next(areas),),
        lambda: Sum({}),
        0,
        lambda values: path,
        lambda values, shares: path,
    )
    with pytest.raises(CheckError, match="area 3, the solver found 2"):
        Search(tried).best(Asked("area"))


def test_too_little_time_is_told_as_such() -> None:
    """In a nanosecond that there is no design may be seen at once, and no design is found."""
    told = 0
    for seed in range(20):
        points = list(every(problem(seed)))
        wanted = asked(np.random.default_rng(seed), points)
        try:
            found = Search(problem(seed), replace(LIMITS, time_s=1e-9)).best(wanted)
            assert found.best is None
            assert not any(wanted.met(point) for point in points)
        except InputError as error:
            told += 1
            assert "no answer in 1e-09 s of the solver" in str(error)
            assert error.hint == "give it more time: --time"
    assert 5 < told < 20
