"""Values that are no numbers: equal where both sides have them, wrong where one has."""

import numpy as np

from backends.functional.compare import _difference
from backends.functional.machine import TOLERANCE

NAN = float("nan")


def test_the_same_places() -> None:
    """|3 - 2| of at most |2|: the NaN on both sides has no part in either."""
    found = _difference("y", 0, np.array([NAN, 3.0]), np.array([NAN, 2.0]), TOLERANCE)
    assert (found.absolute, found.relative) == (1.0, 0.5)
    assert _difference("y", 0, np.array([NAN, 2.0]), np.array([NAN, 2.0]), TOLERANCE).right


def test_other_places() -> None:
    found = _difference("y", 0, np.array([1.0, 2.0]), np.array([NAN, 2.0]), TOLERANCE)
    assert found.absolute == float("inf")
    assert not found.right
