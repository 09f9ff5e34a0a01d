"""Sums side by side are those of one design at a time."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from compiler.design.choices import Key
from compiler.design.problem import Problem, Sum, Term
from compiler.design.sheet import Sheet
from tests.compiler.design.test_search import KEYS, problem, term


def sums(tried: Problem, seed: int) -> list[Sum]:
    """Five, of one to four terms each, so that not all of them have the same blocks."""
    rng, menu = np.random.default_rng(seed), dict(tried.menu)
    return [Sum.of(term(rng, menu, 50) for _ in range(1 + n % 4)) for n in range(5)]


def places(tried: Problem, keys: tuple[Key, ...]) -> list[dict[Key, int]]:
    """All places of some decisions."""
    every = product(*(range(n) for n in tried.shape(keys)))
    return [dict(zip(keys, found, strict=True)) for found in every]


def test_sums_are_looked_up_by_position() -> None:
    """Two sums of copies (1, 2) and a layer's size (1, 4, 8), under copies 2 and size 8.

    3 x 1 + 2 = 5, the last of the first sum's six numbers; the second sum knows the copies alone.
    """
    menu: dict[Key, tuple[int, ...]] = {"copies": (1, 2), 0: (1, 4, 8)}
    tried = replace(problem(0), menu=menu)
    both = Sum.of([Term(("copies", 0), np.array([10, 11, 12, 13, 14, 15]))])
    sheet = Sheet(tried, [both])
    sheet.add(Sum.of([Term(("copies",), np.array([7, 9]))]))
    here = sheet.positions({"copies": 2, 0: 8})
    assert here.tolist() == [1, 2]
    assert sheet.values(here) == {"copies": 2, 0: 8}
    assert sheet.under(np.array([here, [0, 1]])).tolist() == [[15, 11], [9, 7]]


@pytest.mark.parametrize("seed", range(5))
def test_sums_under_many_designs_are_those_under_each(seed: int) -> None:
    """All designs of a problem at once; a sum that is added later counts as the others do."""
    tried = problem(seed)
    first, *others = sums(tried, seed)
    sheet = Sheet(tried, [first])
    designs = np.array([list(at.values()) for at in places(tried, KEYS)])
    assert sheet.under(designs).shape == (1, len(designs))
    for other in others:
        sheet.add(other)
    found = sheet.under(designs)
    for number, here in enumerate(designs):
        values = sheet.values(here)
        assert sheet.positions(values).tolist() == here.tolist()
        assert found[:, number].tolist() == [tried.of(each, values) for each in sheet.sums]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_left_to_the_layers_adds_up_to_the_sums(seed: int) -> None:
    """Under each combination of the chip's decisions, and all sizes of both layers."""
    tried = problem(seed)
    sheet = Sheet(tried, sums(tried, seed))
    for shared in places(tried, tried.shared):
        left = sheet.fixed(shared)
        assert all(isinstance(key, int) for needs in left for key in needs)
        for own in places(tried, tried.own):
            total = sum(numbers[:, tried._index(needs, own)] for needs, numbers in left.items())
            values = sheet.values(np.array([(shared | own)[key] for key in tried.menu]))
            assert np.array(total).tolist() == [tried.of(each, values) for each in sheet.sums]


@pytest.mark.parametrize("free", [("copies",), ("dpus",), ("copies", "dpus")])
@pytest.mark.parametrize("seed", range(3))
def test_of_free_decisions_each_number_has_the_least(seed: int, free: tuple[Key, ...]) -> None:
    """Block by block the least over the free decisions, by trying all of their values."""
    tried = problem(seed)
    sheet = Sheet(tried, sums(tried, seed))
    for shared in places(tried, tried.shared):
        left = sheet.fixed(shared, free)
        for own in places(tried, tried.own):
            total = sum(numbers[:, tried._index(needs, own)] for needs, numbers in left.items())
            here = shared | own
            least = [
                sum(
                    min(int(block[tried._index(n, here | at)]) for at in places(tried, free))
                    for n, block in each.blocks.items()
                )
                for each in sheet.sums
            ]
            assert np.array(total).tolist() == least
