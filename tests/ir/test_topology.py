"""Routes between dies, on every topology."""

from itertools import pairwise

import networkx as nx
import pytest

from ir.chip import Dies
from ir.errors import InputError
from ir.topology import Topology, topology_of

PAIRS = ((0, 1), (1, 2), (1, 3), (3, 4), (0, 4))


def _all() -> list[Topology]:
    sizes = (1, 2, 3, 4, 5, 7, 9, 11)
    dies = [Dies(1), Dies(1, topology="ring"), Dies(1, topology="all-to-all"), Dies(1, columns=2)]
    table = topology_of(Dies(1, topology="table", table=PAIRS), 5)
    return [*(topology_of(d, n) for d in dies for n in sizes), table]


@pytest.mark.parametrize("topology", _all(), ids=lambda t: f"{t.count}-{t.columns}-{len(t.links)}")
def test_routes_are_shortest_and_begin_with_routes(topology: Topology) -> None:
    """Against networkx; what is before the last die is that die's own route."""
    graph = nx.Graph(topology.joined)
    graph.add_nodes_from(range(topology.count))
    for a, lengths in nx.all_pairs_shortest_path_length(graph):
        for b, length in lengths.items():
            route = topology.route(a, b)
            assert (route[0], route[-1], len(route) - 1) == (a, b, length)
            assert set(pairwise(route)) <= set(topology.links)
            assert a == b or topology.route(a, int(topology.before[a, b])) == route[:-1]


def test_a_tree_has_each_link_once() -> None:
    """On 3 x 3 dies 8 is reached from 0 by 1, 2, 5: the way to 5 is a part of it."""
    mesh = topology_of(Dies(1), 9)
    assert mesh.tree(0, {5, 8}) == ((0, 1), (1, 2), (2, 5), (5, 8))
    assert mesh.tree(4, {4}) == ()


def test_the_last_row_of_a_mesh_may_not_be_full() -> None:
    """Five dies as 3 and 2: from 4 to 2 there is no die 5 to go by."""
    mesh = topology_of(Dies(1), 5)
    assert mesh.columns == 3
    assert mesh.route(4, 2) == (4, 1, 2)
    assert mesh.route(2, 4) == (2, 1, 4)


def test_a_ring_takes_the_shorter_way() -> None:
    """Of two as short the one of ascending numbers."""
    ring = topology_of(Dies(1, topology="ring"), 5)
    assert ring.route(0, 3) == (0, 4, 3)
    assert topology_of(Dies(1, topology="ring"), 2).links == ((0, 1), (1, 0))


def test_dies_that_are_not_joined_are_refused() -> None:
    """Die 2 of the table has no neighbour; die 7 is none."""
    apart = topology_of(Dies(1, topology="table", table=((0, 1),)), 3)
    with pytest.raises(InputError, match="die 2 is not joined to die 0"):
        apart.route(0, 2)
    with pytest.raises(InputError, match=r"names die 7, expected 0 to 2"):
        topology_of(Dies(1, topology="table", table=((0, 7),)), 3)
