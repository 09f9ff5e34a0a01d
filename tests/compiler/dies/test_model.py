"""CP-SAT by itself, from a poor start; symmetries; and bounds of hubs that share room."""

from itertools import product

import numpy as np
import pytest

from compiler.dies import Flow, Item, Problem, byte_links
from compiler.dies.bounds import byte_link_bound
from compiler.dies.cp_sat import DieModel
from compiler.dies.links import before_of, hops_of
from compiler.dies.packing import dies_needed
from compiler.dies.symmetries import symmetries, turned
from compiler.options import SolverOptions
from ir.chip import Dies
from ir.topology import Topology, topology_of
from tests.compiler.dies.problems import cost, drawn_problem, drawn_topology, fits, least


def solved(problem: Problem, topology: Topology) -> tuple[int, int]:
    """(value, bound) of CP-SAT from all items on die 0, which has no room for them."""
    before = before_of(topology)
    nowhere = np.zeros(len(problem.items), dtype=np.int64)
    start, domains = turned(problem, before, topology.columns, nowhere)
    model = DieModel(problem, before, start, domains)
    _, die, bound = model.solve(SolverOptions(time_s=20.0))
    return byte_links(problem, topology, die), bound


def test_the_model_needs_no_search_before_it() -> None:
    random = np.random.default_rng(11)
    seen = 0
    for _ in range(60):
        dies = int(random.integers(2, 5))
        topology, problem = drawn_topology(random, dies), drawn_problem(random, dies, most=5)
        want = least(problem, topology)
        if want is not None:
            seen += 1
            assert solved(problem, topology) == (want, want)
    assert seen > 20


def test_some_items_stay() -> None:
    """Each stays by a toss where some way that fits has it: as good as every way for the others."""
    random, seen = np.random.default_rng(14), 0
    for _ in range(60):
        dies = int(random.integers(2, 5))
        topology, problem = drawn_topology(random, dies), drawn_problem(random, dies, most=5)
        every = product(range(topology.count), repeat=len(problem.items))
        fitting = [die for die in every if fits(problem, topology.count, die)]
        if not fitting:
            continue
        start = fitting[int(random.integers(len(fitting)))]
        stay = random.random(len(start)) < 0.5
        kept = [die for die in fitting if (np.array(die) == start)[stay].all()]
        want = min(cost(problem, topology, die) for die in kept)
        free = {int(i): range(topology.count) for i in np.flatnonzero(~stay)}
        model = DieModel(problem, before_of(topology), np.array(start), free)
        _, die, bound = model.solve(SolverOptions(time_s=20.0))
        assert (die == np.array(start))[stay].all()
        assert byte_links(problem, topology, die) == bound == want
        seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("dies", "columns", "count"),
    [(6, 3, 2), (9, 3, 2), (7, 3, 1)],
)
def test_symmetries_of_a_mesh(dies: int, columns: int, count: int) -> None:
    """Of a whole mesh left and right are alike; not up and down, as routes go by the lower die."""
    topology = topology_of(Dies(1, columns=columns), dies)
    assert len(symmetries(before_of(topology), columns)) == count


def test_nothing_to_place() -> None:
    empty, row = Problem((), {}, 5, (), ()), topology_of(Dies(1), 2)
    assert dies_needed(empty) == (0, 0)
    assert turned(empty, before_of(row), 0, np.zeros(0, dtype=np.int64))[1] == {}


def test_symmetries_leave_byte_links_as_they_are() -> None:
    random = np.random.default_rng(12)
    for dies in (3, 4, 5, 6, 7, 9):
        topology, problem = drawn_topology(random, dies), drawn_problem(random, dies, most=9)
        images = symmetries(before_of(topology), topology.columns)
        assert len(images) >= 1
        die = random.integers(0, dies, len(problem.items))
        same = {byte_links(problem, topology, image[die]) for image in images}
        assert same == {byte_links(problem, topology, die)}


def test_hubs_that_share_room() -> None:
    """Three layers in a chain, each a hub with two items, two items a die, five dies in a row."""
    row = topology_of(Dies(1, topology="table", table=tuple((a, a + 1) for a in range(4))), 5)
    random = np.random.default_rng(13)
    for _ in range(12):
        items = tuple(Item(layer, 1) for layer in range(3) for _ in range(3))
        inside = [
            Flow(3 * layer, 3 * layer + i, int(random.integers(1, 9)))
            for layer in range(3)
            for i in (1, 2)
        ]
        chain = [Flow(3 * layer, 3 * layer + 3, int(random.integers(20, 60))) for layer in (0, 1)]
        problem = Problem(items, {}, 2, (*inside, *chain), ())
        value, bound = solved(problem, row)
        assert 0 < byte_link_bound(problem, hops_of(before_of(row))) <= value == bound
