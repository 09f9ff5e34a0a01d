"""The few shapes of data that every room speaks of: numpy arrays by element type, ranges."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

Span = tuple[int, int]  # [start, stop)


def largest(array: Array) -> float:
    """The largest magnitude in an array; 0.0 where it holds nothing."""
    return float(np.abs(array).max(initial=0.0))
