"""Which slot orders are tried where tokens of several sequences come one after another."""

import pytest

from compiler.options import Shape
from compiler.ordering import BY_TRANSFERS, policies_for
from tests.make import options_of, small_chip, small_workload


@pytest.mark.parametrize(
    ("shape", "orders"),
    [
        (Shape(1, batch=8, decode=2), BY_TRANSFERS),  # eight tokens a step
        (Shape(4, batch=2, decode=1), BY_TRANSFERS),
        (Shape(1, batch=1, decode=8), ("min-transfer",)),  # one token a step has one order
        (Shape(4, batch=2), ("min-transfer",)),  # no steps, and nothing is proven to stream
    ],
    ids=str,
)
def test_steps_of_a_batch(shape: Shape, orders: tuple[str, ...]) -> None:
    options = options_of(shape, (0, 12), (0, 12), scheduling="auto")
    assert policies_for(small_workload(), options, small_chip()) == orders
