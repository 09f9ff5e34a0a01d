"""MoE layers that are none: what they select, and numbers that are none."""

from collections.abc import Callable

import numpy as np
from onnx import numpy_helper

from tests.compiler.frontend import models as m
from tests.hostile.build import Bad, Made, N, model, transformer


def selecting(k: int, block: m.Ffn | None = None) -> Callable[[], Made]:
    """A layer whose router selects so many experts of four."""

    def made() -> Made:
        g = m.Graph(top=k)
        return transformer(block or m.dense_masked(), graph=g)

    return made


def spoilt(block: m.Ffn, place: int, number: float, rank: int = 2) -> Callable[[], Made]:
    """One element of the `place`-th stored tensor of that rank is another number."""

    def made() -> Made:
        proto = transformer(block)
        found = [t for t in proto.graph.initializer if len(t.dims) == rank and t.data_type == 1]
        array = numpy_helper.to_array(found[place]).copy()
        array[(..., 2, 3)] = number
        found[place].CopyFrom(numpy_helper.from_array(array, found[place].name))
        return proto

    return made


def product_of(number: float) -> Callable[[], Made]:
    matrix = np.eye(4)
    matrix[2, 3] = number
    return lambda: model([N("MatMul", ["x", "w"], ["y"])], {"w": matrix})


NUMBER = r"tensor '.*' of node '.*: element \[.*2, 3\] is (nan|inf|-inf), expected a finite number"
WEIGHTS = {"router": -11, "an expert's": -3, "the last": -1, "attention's": 1}
EXPERTS: dict[str, Bad] = {
    "k = 0": Bad("TopK.*k = 0, expected 1 to 4", selecting(0)),
    "k = -1": Bad("TopK.*k = -1, expected 1 to 4", selecting(-1)),
    "k = 5 of 4": Bad("TopK.*k = 5, expected 1 to 4", selecting(5)),
    "k = 0 of the operator": Bad("MoE.*k = 0, expected 1 to 4", selecting(0, m.contract())),
    "k = 5 of the operator": Bad("MoE.*k = 5, expected 1 to 4", selecting(5, m.contract())),
    "k = 0, gathered": Bad("TopK.*k = 0, expected 1 to 4", selecting(0, m.gather_batched())),
    **{
        f"{name} weight is {number}": Bad(NUMBER, spoilt(m.dense_masked(), place, number))
        for name, place in WEIGHTS.items()
        for number in (np.nan, np.inf)
    },
    "a stack's weight is NaN": Bad(NUMBER, spoilt(m.gather_batched(), 0, np.nan, 3)),
    "a stack's weight is infinite": Bad(NUMBER, spoilt(m.gather_batched(), 1, -np.inf, 3)),
    "the operator's weight is NaN": Bad(NUMBER, spoilt(m.contract(), 0, np.nan, 3)),
    "a dense weight is NaN": Bad(NUMBER, product_of(np.nan)),
    "a dense weight is infinite": Bad(NUMBER, product_of(np.inf)),
}
