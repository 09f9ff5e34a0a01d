"""Fronts against the definition, knees by hand, conditions on numbers and texts."""

import math
from itertools import product

import numpy as np
import pytest

from moexbar.fronts import Condition, Floats, front, knee

NAN = math.nan


def brute(values: Floats) -> list[bool]:
    """By the definition: no other row is nowhere more and somewhere less."""

    def beats(one: Floats, other: Floats) -> bool:
        return bool((one <= other).all() and (one < other).any())

    return [
        not np.isnan(row).any() and not any(beats(other, row) for other in values) for row in values
    ]


@pytest.mark.parametrize(("figures", "seed"), list(product((1, 2, 3, 4), range(6))))
def test_a_front_is_what_no_other_beats(figures: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 6, (40, figures)).astype(float)  # few values, so many are equal
    values[random.random(values.shape) < 0.05] = NAN
    assert front(values).tolist() == brute(values)


def test_fronts_of_nothing_and_of_equals() -> None:
    assert front(np.zeros((0, 2))).tolist() == []
    assert front(np.ones((3, 2))).tolist() == [True] * 3
    assert front(np.array([[1.0, NAN], [2.0, 2.0]])).tolist() == [False, True]


def test_the_knee_is_farthest_below_the_line_through_the_ends() -> None:
    # ends (0, 1) and (1, 0): the line x + y = 1; below it by 0.5 - 0.3, 0.6, 0.2
    values = np.array([[0.0, 1.0], [0.2, 0.6], [0.2, 0.2], [0.5, 0.3], [1.0, 0.0]])
    assert knee(values) == 2
    assert knee(values * [1000, 1] + [5, 7]) == 2  # whatever the units are


def test_the_knee_of_three_figures_is_below_the_plane() -> None:
    ends = np.eye(3) * -1 + 1  # (0, 1, 1), (1, 0, 1), (1, 1, 0): the plane x + y + z = 2
    values = np.vstack([ends, [[0.5, 0.5, 0.6], [0.4, 0.4, 0.4], [0.9, 0.3, 0.3]]])
    assert knee(values) == 4


@pytest.mark.parametrize(
    "values",
    [
        [[0, 1], [1, 0]],  # two ends, nothing between
        [[0, 1], [0.5, 0.5], [1, 0]],  # on the line
        [[0, 1], [0.6, 0.6], [1, 0]],  # above it
        [[1, 1], [1, 1], [1, 1]],
        [[0], [1], [2]],
    ],
)
def test_there_may_be_no_knee(values: list[list[float]]) -> None:
    assert knee(np.array(values, dtype=float)) is None


@pytest.mark.parametrize("seed", range(5))
def test_no_row_is_farther_than_the_knee(seed: int) -> None:
    """Of random fronts of two figures, by the distance from the line, computed as a height."""
    random = np.random.default_rng(seed)
    values = random.random((60, 2))
    values = values[front(values)]
    low, high = values.min(axis=0), values.max(axis=0)
    x, y = ((values - low) / (high - low)).T
    heights = (1 - x - y) / math.sqrt(2)
    assert knee(values) == int(np.argmax(heights))


@pytest.mark.parametrize(
    ("sign", "value", "holds"),
    [
        ("<=", 2.0, [True, True, False, False, False]),
        ("<", 2.0, [True, False, False, False, False]),
        (">", 1.0, [False, True, True, False, False]),
        (">=", 3.0, [False, False, True, False, False]),
        ("==", 2.0, [False, True, False, False, False]),
        ("!=", 2.0, [True, False, True, False, False]),
        ("==", "auto", [False, False, False, True, False]),
        ("!=", "auto", [True, True, True, False, False]),
    ],
)
def test_conditions(sign: str, value: float | str, holds: list[bool]) -> None:
    assert Condition("x", sign, value).holds([1, 2.0, "3", "auto", None]).tolist() == holds
