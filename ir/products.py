"""Products of floats on one thread, so that they are rounded alike on however many cores.

BLAS cuts a product by the threads that it has, and how it is cut decides in which order it sums.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController  # pyright: ignore[reportMissingTypeStubs]

from ir.arrays import Array


def product(x: Array, w: Array) -> Array:
    """X @ w, of any shapes that numpy multiplies."""
    with _threads().limit(limits=1, user_api="blas"):
        return np.asarray(np.matmul(x, w))


@lru_cache(maxsize=1)
def _threads() -> Any:  # it has no types
    """The libraries that numpy has loaded: they are looked up once, which takes 5 ms."""
    return ThreadpoolController()
