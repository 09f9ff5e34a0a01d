"""The best residents of tiny problems by trying all, and the fewest misses over all ways to write.

200 problems of residents that never change, under both objectives, and 200 streams on which Belady
is held against dynamic programming over what may be in the slots.
"""

from functools import cache
from itertools import combinations, product

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.residency import exact as exact_room
from compiler.residency.choose import choose, start
from compiler.residency.dynamic import play
from compiler.residency.names import OBJECTIVES
from compiler.residency.outcome import kept
from compiler.residency.problem import Problem
from compiler.residency.rules import greedy, most_used, nothing
from tests.compiler.residency.problems import drawn_problem, drawn_stream

PROBLEMS, PARTS = 200, 10


def costs_of_all(problem: Problem) -> list[tuple[int, int]]:
    """(misses, stalls) of every choice that fits, counted from sets in plain Python."""
    size, pool = problem.room.size.tolist(), problem.room.pool.tolist()
    sets = [
        (set(problem.member[a:b].tolist()), n)
        for a, b, n in zip(
            problem.start[:-1], problem.start[1:], problem.count.tolist(), strict=True
        )
    ]
    found = []
    for picked in product((False, True), repeat=problem.items):
        there = {i for i, is_there in enumerate(picked) if is_there}
        taken = [0] * len(problem.room.room)
        for i in there:
            taken[pool[i]] += size[i]
        if all(n <= room for n, room in zip(taken, problem.room.room.tolist(), strict=True)):
            misses = sum(n for i, n in enumerate(problem.uses.tolist()) if i not in there)
            found.append((misses, sum(n for members, n in sets if not members <= there)))
    return found


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "cp-sat"])
@pytest.mark.parametrize("part", range(PARTS))
def test_residents_that_never_change(
    part: int, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the search of one or several layers before CP-SAT, and without."""
    if not exact:
        monkeypatch.setattr(exact_room, "able", lambda _: False)
    random = np.random.default_rng(part)
    for _ in range(PROBLEMS // PARTS):
        problem = drawn_problem(random)
        costs = costs_of_all(problem)
        for which, objective in enumerate(OBJECTIVES):
            choice = choose(problem, objective, SolverOptions(time_s=2.0))
            least = min(cost[which] for cost in costs)
            assert problem.fits(choice.resident)
            assert problem.cost(choice.resident, objective) == choice.value == least
            assert choice.bound == least
            assert all(one.proven for one in choice.certificates)
            assert problem.lower_bound(objective) <= least
            for rule in (greedy, most_used, nothing):
                assert problem.fits(rule(problem))
                assert problem.cost(rule(problem), objective) >= least
            if problem.room.uniform:
                assert problem.cost(most_used(problem), "misses") == min(costs)[0]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_search_from_nothing(part: int) -> None:
    """Without a good start, so that what is left out of the search would be missed."""
    random = np.random.default_rng(200 + part)
    searched = 0
    for _ in range(PROBLEMS // PARTS):
        problem = drawn_problem(random)
        if not problem.room.uniform or len(problem.room.room) > 1:
            continue
        found = exact_room.search_pool(problem, nothing(problem), 10**6)
        assert found.proven
        assert problem.fits(found.resident)
        least = min(stalls for _, stalls in costs_of_all(problem))
        assert problem.cost(found.resident, "stalls") == least
        searched += 1
    assert searched > 3


def fewest_misses(access: list[int], items: int, slots: int, *, bypass: bool) -> int:
    """Over all contents to begin with, and all that may be written over at every miss."""

    @cache
    def after(now: int, held: frozenset[int]) -> int:
        if now == len(access):
            return 0
        item = access[now]
        if item in held:
            return after(now + 1, held)
        ways = [held - {out} | {item} for out in held]
        if len(held) < slots:
            ways.append(held | {item})
        if bypass:
            ways.append(held)
        return 1 + min(after(now + 1, frozenset(way)) for way in ways)

    return min(after(0, frozenset(begin)) for begin in combinations(range(items), slots))


@pytest.mark.parametrize("part", range(PARTS))
def test_belady(part: int) -> None:
    random = np.random.default_rng(100 + part)
    for _ in range(PROBLEMS // PARTS):
        stream = drawn_stream(random, most_tokens=9)
        pool = np.zeros(stream.items, dtype=np.int64)
        slots = np.array([random.integers(1, min(4, stream.items))])
        found = [
            play(stream, pool, slots, "belady", bypass=bypass).misses for bypass in (False, True)
        ]
        asked = stream.access.tolist(), stream.items, int(slots[0])
        assert found[0] == fewest_misses(*asked, bypass=False)
        assert found[1] == fewest_misses(*asked, bypass=True)


@pytest.mark.parametrize("bypass", [False, True])
def test_nothing_has_fewer_misses_than_belady(bypass: bool) -> None:
    """At the same slots, accesses and rule, whatever is in the slots to begin with."""
    random = np.random.default_rng(5)
    strictly = 0
    for _ in range(60):
        stream = drawn_stream(random)
        pool = np.unique(stream.layer, return_inverse=True)[1]
        slots = np.full(pool.max() + 1, 2)
        best = play(stream, pool, slots, "belady", bypass=bypass).misses
        for _ in range(4):
            resident = np.zeros(stream.items, dtype=np.bool_)
            for layer in range(len(slots)):
                mine = np.flatnonzero(pool == layer)
                resident[random.permutation(mine)[: 2 if bypass else 1]] = True
            fixed = kept(stream, resident, pool, slots, bypass=bypass)
            assert fixed.misses >= best
            strictly += fixed.misses > best
            for policy in ("lru", "lfu"):
                changing = play(stream, pool, slots, policy, bypass=bypass, first=resident)
                assert changing.misses >= best
    assert strictly > 50


def test_the_start_is_no_worse_than_any_rule() -> None:
    random = np.random.default_rng(9)
    for _ in range(40):
        problem = drawn_problem(random)
        for objective in OBJECTIVES:
            value = problem.cost(start(problem, objective), objective)
            rules = [
                problem.cost(rule(problem), objective) for rule in (greedy, most_used, nothing)
            ]
            assert value <= min(rules)
