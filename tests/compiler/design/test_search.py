"""The best design of tiny problems is that of trying every one."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from compiler.design.choices import Key, Values
from compiler.design.problem import Asked, Path, Point, Problem, Quantity, Term
from compiler.design.search import Search
from ir.errors import CheckError

KEYS: tuple[Key, ...] = ("copies", "dpus", 0, 1)


def term(rng: np.random.Generator, menu: dict[Key, tuple[int, ...]], most: int) -> Term:
    """A number for all values of one to three decisions."""
    count = int(rng.integers(1, 4))
    needs = tuple(KEYS[n] for n in sorted(rng.choice(len(KEYS), count, replace=False)))
    values = product(*(menu[key] for key in needs))
    return Term(needs, {each: int(rng.integers(0, most)) for each in values})


def problem(seed: int) -> Problem:
    """Random sums, and the greatest of twelve of them as time; a third is over two steps."""
    rng = np.random.default_rng(seed)
    menu = {key: tuple(range(1, int(rng.integers(2, 5)))) for key in KEYS}
    paths = [
        Path(tuple(term(rng, menu, 50) for _ in range(4)), 2 if n % 3 == 0 else 1)
        for n in range(12)
    ]
    return Problem(
        menu,
        tuple(term(rng, menu, 100) for _ in range(5)),
        tuple(term(rng, menu, 100) for _ in range(3)),
        int(rng.integers(0, 3000)),
        lambda values: max(paths, key=lambda path: path.time(values)),
    )


def every(tried: Problem) -> Iterator[Point]:
    """All designs."""
    for values in product(*tried.menu.values()):
        yield tried.point(dict(zip(tried.menu, values, strict=True)))


def asked(rng: np.random.Generator, points: list[Point]) -> Asked:
    """Any quantity, with limits on some of the others, of which a few cannot be kept."""
    quantities: tuple[Quantity, ...] = ("area", "time", "energy")
    minimise = quantities[int(rng.integers(3))]
    limits = []
    for quantity in quantities:
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
            found = search.best(question)
            kept = [point for point in points if question.met(point)]
            least = min((point.of(question.minimise) for point in kept), default=None)
            none += least is None
            assert (None if found is None else found.value) == least
            if found is not None:
                assert found.status == "optimal (solver)"
                assert found.bound == found.value
                assert found.point in kept
    assert none < 20


def test_a_path_that_is_no_bound_is_noticed() -> None:
    """The area of an answer is added up anew: 3 where the solver's table says 2."""
    menu: dict[Key, tuple[int, ...]] = {"copies": (1, 2)}
    path = Path((Term(("copies",), {(1,): 5, (2,): 4}),))

    class Wrong(Term):
        def of(self, values: Values) -> int:
            return super().of(values) + 1

    tried = Problem(menu, (Wrong(("copies",), {(1,): 2, (2,): 3}),), (), 0, lambda values: path)
    with pytest.raises(CheckError, match="area 3, the solver found 2"):
        Search(tried).best(Asked("area"))
