"""The order of the parts of a graph."""

from pathlib import Path

import pytest

from compiler.frontend.facts.graph import Graph
from compiler.frontend.operators.digital import DigitalSet
from compiler.frontend.operators.parts import Part, in_order
from ir.errors import InputError
from ir.onnxdoor.load import open_model
from tests.compiler.frontend import models as m


def graph_of(folder: Path) -> Graph:
    """Relu and Tanh of a vector, their sum, and the sum's sigmoid."""
    g = m.Graph()
    x = g("Gather", g.weight(m.VOCAB, m.D), "input_ids", axis=0)
    total = g("Add", g("Relu", x), g("Tanh", x))
    g("Sigmoid", total)
    g.nodes[-1].output[0] = "out"
    return Graph.of(open_model(g.model(folder / "m.onnx", {"out": [1, "tokens", m.D]})))


def parts_of(graph: Graph, *kinds: str) -> list[Part]:
    """One part for each list of operators."""
    sets = [[n for n in graph.nodes if n.op_type in words.split()] for words in kinds]
    return [Part(DigitalSet("other", nodes), set(nodes)) for nodes in sets]


def test_sources_come_first_and_graph_order_where_free(tmp_path: Path) -> None:
    """Of Relu and Tanh neither reads the other: they stand as in the graph."""
    graph = graph_of(tmp_path)
    kinds = [n.op_type for n in graph.nodes]
    assert kinds == ["Gather", "Relu", "Tanh", "Add", "Sigmoid"]
    shuffled = parts_of(graph, "Sigmoid", "Tanh", "Add", "Gather", "Relu")
    ordered = in_order(graph, shuffled)
    assert [n.op_type for part in ordered for n in part.nodes] == kinds


def test_a_part_that_starts_early_waits_for_what_it_reads(tmp_path: Path) -> None:
    """Gather with Add starts first in the graph, but reads Relu, and Tanh stands between."""
    graph = graph_of(tmp_path)
    parts = parts_of(graph, "Gather", "Relu Add", "Tanh", "Sigmoid")
    assert in_order(graph, parts) == [parts[0], parts[2], parts[1], parts[3]]


def test_parts_that_read_each_other(tmp_path: Path) -> None:
    """Gather and Add in one part: it makes what Relu reads, and reads what Relu makes."""
    graph = graph_of(tmp_path)
    parts = parts_of(graph, "Gather Add", "Relu", "Tanh", "Sigmoid")
    with pytest.raises(InputError, match="depend on each other at node 'Gather"):
        in_order(graph, parts)
