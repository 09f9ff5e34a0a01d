"""The best of tiny assignments by trying all: 200 problems on all kinds of topologies."""

import numpy as np
import pytest

from compiler.dies import assign, byte_links, dies_needed
from compiler.dies.bounds import byte_link_bound
from compiler.dies.links import before_of, hops_of
from compiler.options import DIE_RULES, DieOptions, DieSolver
from ir.chip import Dies
from ir.errors import InfeasibleError
from ir.topology import topology_of
from tests.compiler.dies.problems import cost, drawn_problem, drawn_topology, fits, least

PROBLEMS, PARTS = 200, 10
RULES: tuple[DieSolver, ...] = ("in-order", "cut")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_solver_against_all_assignments(part: int) -> None:
    """cp-sat reaches the least and proves it; others are above it, and bounds below."""
    random = np.random.default_rng(part)
    fitting = 0
    for _ in range(PROBLEMS // PARTS):
        dies = int(random.integers(2, 5))
        topology = drawn_topology(random, dies)
        problem = drawn_problem(random, dies, most=6 if dies < 4 else 5)
        want = least(problem, topology)
        if want is None:
            for solver in DIE_RULES:
                with pytest.raises(InfeasibleError):
                    assign(problem, topology, DieOptions(solver))
            continue
        fitting += 1
        best = assign(problem, topology, DieOptions("cp-sat"))
        assert best.byte_links == want == best.certificate.bound
        assert best.certificate.proven
        assert cost(problem, topology, tuple(best.die.tolist())) == want
        assert byte_link_bound(problem, hops_of(before_of(topology))) <= want
        found = assign(problem, topology, DieOptions("search"))
        assert fits(problem, dies, tuple(found.die.tolist()))
        assert found.byte_links >= want >= found.certificate.bound
        for solver in RULES:
            try:
                rule = assign(problem, topology, DieOptions(solver))
            except InfeasibleError:
                continue
            assert rule.byte_links >= found.byte_links
    assert 5 < fitting < PROBLEMS // PARTS


@pytest.mark.parametrize("part", range(5))
def test_fewest_dies(part: int) -> None:
    """Up to 4 dies, against trying all packings; 5 where none of these is one."""
    random = np.random.default_rng(50 + part)
    strictly = 0
    for _ in range(20):
        problem = drawn_problem(random, 3, most=5, room=0.9)
        try:
            bound, reached = dies_needed(problem)
        except InfeasibleError:
            continue
        everywhere = [least(problem, topology_of(Dies(1), n)) is not None for n in range(1, 5)]
        true = 1 + everywhere.index(True) if any(everywhere) else 5
        assert bound == reached == true
        strictly += true > 1
    assert strictly > 3


def test_the_search_is_seldom_far_from_the_least() -> None:
    """On problems of up to 6 items on 3 dies it finds the least of most."""
    random = np.random.default_rng(99)
    hit = seen = 0
    for _ in range(40):
        topology, problem = drawn_topology(random, 3), drawn_problem(random, 3)
        want = least(problem, topology)
        if want is not None:
            seen += 1
            hit += assign(problem, topology, DieOptions("search")).byte_links == want
    assert seen > 15
    assert hit >= 0.9 * seen


def test_bounds_of_larger_problems_hold() -> None:
    """20 to 40 items on 9 to 16 dies: below what the search finds, and often above 0."""
    random = np.random.default_rng(7)
    above = 0
    for _ in range(12):
        dies = int(random.integers(9, 17))
        topology = topology_of(Dies(1, topology=("mesh", "ring")[int(random.integers(0, 2))]), dies)
        problem = drawn_problem(random, dies, most=40, room=0.9)
        try:
            found = assign(problem, topology, DieOptions("search"))
        except InfeasibleError:
            continue
        assert (
            found.certificate.bound <= found.byte_links == byte_links(problem, topology, found.die)
        )
        above += found.certificate.bound > 0
    assert above > 5
