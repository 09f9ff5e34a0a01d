"""Products of floats are rounded alike on however many threads numpy's BLAS has."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from ir.products import product


def threads() -> list[int]:
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_a_product_is_numpys() -> None:
    assert product(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])).tolist() == [[11.0]]
    assert product(np.ones((5, 2, 3)), np.ones((3, 4))).shape == (5, 2, 4)
    assert product(np.ones((2, 3)), np.ones(3)).tolist() == [3.0, 3.0]


def test_threads_change_nothing() -> None:
    """Of 1000 sums of 3001 terms in 32 bits some differ as soon as the order does."""
    random = np.random.default_rng(0)
    x = random.standard_normal((20, 3001), dtype=np.float32)
    w = random.standard_normal((3001, 50), dtype=np.float32)
    given = [_with(number, x, w) for number in (1, 2, 3)]
    assert given[0] == given[1] == given[2]


def _with(number: int, x: np.ndarray, w: np.ndarray) -> bytes:
    with threadpool_limits(limits=number, user_api="blas"):
        before = threads()
        found = product(x, w).tobytes()
        assert threads() == before
    return found
