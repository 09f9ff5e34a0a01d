"""Byte-links against a walk link by link, and changes on a board against counting anew."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.dies import Cast, Flow, Item, Problem, byte_links
from compiler.dies.anneal import anneal
from compiler.dies.board import MOVED, WORK, ask, board_of, make, price, settle, unsettle
from compiler.dies.links import before_of, hops_of
from ir.chip import Dies
from ir.topology import topology_of
from tests.compiler.dies.problems import cost, drawn_problem, drawn_topology


@settings(deadline=None)  # machine code is made in the first call
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_byte_links_are_those_of_all_routes(seed: int, dies: int) -> None:
    random = np.random.default_rng(seed)
    topology, problem = drawn_topology(random, dies), drawn_problem(random, dies, most=12)
    die = random.integers(0, dies, len(problem.items))
    assert byte_links(problem, topology, die) == cost(problem, topology, tuple(die.tolist()))
    every = range(topology.count)
    links = [[len(topology.route(a, b)) - 1 for b in every] for a in every]
    assert hops_of(before_of(topology)).tolist() == links


def test_a_cast_has_each_link_once() -> None:
    """On 3 x 3 dies from 0 to 5 and 8: 0-1, 1-2, 2-5, 5-8, each with 10 bytes; back from 8 four."""
    problem = Problem(
        (Item(0, 1), Item(0, 1), Item(0, 1)), {}, 9, (Flow(2, 0, 1),), (Cast(0, (1, 2), 10),)
    )
    mesh = topology_of(Dies(1), 9)
    assert byte_links(problem, mesh, np.array([0, 5, 8])) == 4 * 10 + 4
    assert byte_links(problem, mesh, np.array([4, 4, 4])) == 0


@settings(deadline=None)  # machine code is made in the first call
@given(st.integers(0, 10**6))
def test_a_change_costs_what_counting_anew_says(seed: int) -> None:
    """Up to three items at once; room is taken and given back with them."""
    random = np.random.default_rng(seed)
    dies = int(random.integers(2, 9))
    topology, problem = drawn_topology(random, dies), drawn_problem(random, dies, most=9, room=2)
    die = random.integers(0, dies, len(problem.items))
    board = board_of(problem, topology, before_of(topology), die, 0)
    for _ in range(6):
        some = random.permutation(len(problem.items))[: int(random.integers(1, 4))]
        new = board.die.copy()
        board.now[MOVED] = 0
        for item in some.tolist():
            new[item] = random.integers(0, dies)
            ask(board, item, int(new[item]))
        had_room = (problem.taken(board.die, dies) <= problem.capacity_um2).all()
        fits = bool((problem.taken(new, dies)[new[some]] <= problem.capacity_um2).all())
        assert settle(board) == fits
        if fits:
            before = byte_links(problem, topology, board.die)
            assert price(board) == byte_links(problem, topology, new) - before
            if random.integers(0, 2):
                make(board)
                assert (board.die == new).all()
            else:
                unsettle(board)
        assert (board.used == problem.taken(board.die, dies)).all()
        if had_room and fits:
            assert problem.fits(board.die, dies)


def test_annealing_counts_as_it_goes() -> None:
    """What it says it added is what it added; it stays within the room, and repeats."""
    random = np.random.default_rng(3)
    for _ in range(20):
        topology, problem = drawn_topology(random, 9), drawn_problem(random, 9, most=30)
        die = np.arange(len(problem.items)) % 9
        boards = [board_of(problem, topology, before_of(topology), die, 5) for _ in range(2)]
        added = [anneal(board, 40, int(board.now[WORK]) + 20_000) for board in boards]
        assert (boards[0].die == boards[1].die).all()
        assert added[0] == added[1]
        board = boards[0]
        found = byte_links(problem, topology, board.die)
        assert byte_links(problem, topology, die) + added[0] == found
        assert found == int((board.bytes * board.links).sum())
        assert (board.used == problem.taken(board.die, 9)).all()
        over = board.used > problem.capacity_um2
        assert not (over & (problem.taken(die, 9) <= problem.capacity_um2)).any()
        for d in range(9):
            there, item = set[int](), int(board.head[d])
            while item >= 0:
                there.add(item)
                item = int(board.after[item])
            assert there == set(np.flatnonzero(board.die == d).tolist())
