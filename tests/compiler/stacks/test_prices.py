"""PGs of one budget between regions: where they spare most, and never more than there are."""

import numpy as np
import pytest

import compiler.stacks.two_levels as two_levels
from compiler.stacks.parts import Part, starting_parts
from compiler.stacks.pools import value_of
from compiler.stacks.prices import at_prices, trade
from compiler.stacks.problem import Candidate, StackProblem
from compiler.stacks.rules import far_apart
from compiler.stacks.start import size_of
from ir.stacks import Member
from tests.compiler.stacks.test_brute_force import BIN_PS, allowed, best, chosen, drawn, rows_of


def two_regions() -> tuple[StackProblem, list[Part]]:
    """Two layers that share nothing, and 6 PGs: 4 for one layer and 2 for the other.

    Each has two fire groups of 2 PGs. Those of layer 0 compute in turn; those of layer 1, which
    begin in one stack, at once for two bins of 10 ps.
    """
    candidates = tuple(Candidate(Member(layer, 0, g), 2, 1) for layer in (0, 1) for g in (0, 1))
    busy = np.array([[10, 0], [0, 10], [10, 10], [10, 10]])
    problem = StackProblem(candidates, busy, BIN_PS, 2, 6, 1)
    return problem, starting_parts(problem, ((0,), (1,)), np.array([0, 1, 2, 2]))


def figures(parts: list[Part]) -> list[tuple[int, int]]:
    return [(part.search.value, part.search.size) for part in parts]


def test_a_trade_takes_where_it_costs_nothing_and_gives_where_it_spares_most() -> None:
    _, parts = two_regions()
    assert figures(parts) == [(0, 4), (20, 2)]
    trade(parts, 6, 1_000_000)
    assert figures(parts) == [(0, 2), (0, 4)]


def test_a_trade_that_costs_more_than_it_spares_is_taken_back() -> None:
    # Those of layer 0, of 4 PGs, would meet for 20 ps, 5 for each PG; those of layer 1, of 1 PG,
    # meet for 6 ps, 6 for each PG. So one PG is worth more there, but four are taken: 20 + 0 > 6.
    candidates = tuple(
        Candidate(Member(layer, 0, g), pgs, 1) for layer, pgs in ((0, 4), (1, 1)) for g in (0, 1)
    )
    busy = np.array([[10, 10], [10, 10], [10, 0], [6, 0]])
    problem = StackProblem(candidates, busy, BIN_PS, 2, 9, 1)
    parts = starting_parts(problem, ((0,), (1,)), np.array([0, 1, 2, 2]))
    assert figures(parts) == [(0, 8), (6, 1)]
    trade(parts, 9, 1_000_000)
    assert figures(parts) == [(0, 8), (6, 1)]


def test_at_a_price_all_pay_the_same_is_found() -> None:
    problem, parts = two_regions()
    found = at_prices(parts, problem.budget, looked=1_000_000, seed=0)
    assert figures(found) == [(0, 2), (0, 4)]
    assert figures(parts) == [(0, 4), (20, 2)]  # as they were


@pytest.mark.parametrize("seed", range(200, 230))
def test_neither_is_worse_or_takes_more_than_there_is(seed: int) -> None:
    problem = drawn(seed)
    parts = starting_parts(problem, far_apart(problem))
    start = sum(part.search.value for part in parts)
    if sum(part.search.size for part in parts) > problem.budget:
        return
    trade(parts, problem.budget, 100_000)
    traded = sum(part.search.value for part in parts)
    found = at_prices(parts, problem.budget, looked=100_000, seed=0)
    assert sum(part.search.value for part in found) <= traded <= start
    assert sum(part.search.size for part in found) <= problem.budget
    for part in [*parts, *found]:
        pool, stack = part.search.pool, part.search.stack
        assert (part.search.value, part.search.size) == (
            value_of(pool, stack),
            size_of(pool, stack),
        )
    assert allowed(problem, [stack for part in found for stack in part.stacks()])


def test_two_levels_alone_are_within_a_tenth_of_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """As large problems are solved: over 25 small ones, never better than the best there is."""
    monkeypatch.setattr(two_levels, "_WHOLE_TERMS", -1)
    monkeypatch.setattr(two_levels, "_SOON_TERMS", -1)
    total = least = 0
    for seed in range(25):
        problem = drawn(seed)
        if (of_all := best(problem)) is None:
            continue
        stacking = chosen(problem)
        assert stacking.certificate is not None
        assert stacking.certificate.bound <= of_all <= stacking.certificate.value, seed
        assert allowed(problem, rows_of(problem, stacking)), seed
        total += stacking.certificate.value
        least += of_all
    assert least <= total <= 1.1 * least
