"""What a layer computes that keeps its experts apart, on numbers small enough to read."""

from dataclasses import replace

import numpy as np

from ir.activation import usual
from ir.arrays import Array
from ir.router import Router
from ir.selection import ByIds
from ir.semantics import combine_weights, places, routed_sum
from ir.workload import Apart, Expert, MoELayer, Weight

IDS, GATES = np.array([[2, 0], [1, 2]]), np.array([[1.0, 0.5], [0.25, 2.0]])
VALUES = {"ids": IDS, "gates": GATES}


class Times:
    """Expert e multiplies a number by 10^e."""

    def product(self, x: Array, weight: Weight) -> Array:
        return np.asarray(x * 10 ** int(weight.tensor), dtype=np.float32)


def layer(apart: Apart) -> MoELayer:
    router = Router("topk-softmax", 3, ByIds("ids", "gates"), top_k=2)
    experts = tuple(Expert(Weight(str(e), 1, 1), None) for e in range(3))
    return MoELayer(
        "moe", 0, ("x",), ("y",), (), 1, router, experts, usual("identity"), "grouped", apart=apart
    )


def computed(op: MoELayer, x: Array) -> list[list[float]]:
    combine = combine_weights(op.router, VALUES, 2)
    found: list[list[float]] = routed_sum(
        Times(), op, x, combine, at=places(op, VALUES, 2)
    ).tolist()
    return found


def test_places_are_where_the_ids_stand() -> None:
    """Token 0 has expert 2 in place 0 and expert 0 in place 1; a sum needs none."""
    found = places(layer("outputs"), VALUES, 2)
    assert found is not None
    assert found.tolist() == [[1, -1, 0], [-1, 0, 1]]
    assert places(layer("nothing"), VALUES, 2) is None


def test_outputs_apart() -> None:
    """Token 0 is 3: 1 x 300 by expert 2, then 0.5 x 3 by expert 0."""
    op = layer("outputs")
    assert (op.d_model, op.d_result, op.d_out) == (1, 1, 2)
    assert computed(op, np.array([[3.0], [4.0]])) == [[300, 1.5], [10, 800]]
    plain = replace(op, router=replace(op.router, selection=ByIds("ids", None)))
    assert computed(plain, np.array([[3.0], [4.0]])) == [[300, 3], [40, 400]]


def test_inputs_apart() -> None:
    """Token 0 has 3 for expert 2 and 7 for expert 0: 300 + 0.5 x 7; token 1 0.25 x 40 + 2 x 500."""
    op = layer("inputs")
    assert (op.d_model, op.d_result, op.d_out) == (2, 1, 1)
    assert computed(op, np.array([[3.0, 7.0], [4.0, 5.0]])) == [[303.5], [1010]]


def test_a_sum_reads_one_vector() -> None:
    assert computed(layer("nothing"), np.array([[3.0], [4.0]])) == [[301.5], [810]]
