"""An expert-choice router's capacity, recovered from samples of what the graph computes."""

import numpy as np
import pytest

from compiler.frontend.facts.sizes import SAMPLES, SMALL
from compiler.frontend.moe.capacity import fit_capacity
from ir.selection import Capacity

TOKENS = np.array([*SMALL, *SAMPLES], dtype=np.int64)


@pytest.mark.parametrize(
    ("numerator", "denominator", "lowest"),
    [
        (4, 16, (1, 4)),
        (1, 1, (1, 1)),
        (3, 8, (3, 8)),
        (5, 4, (5, 4)),  # more than one token each: cut to T by Capacity.of
        (2, 96, (1, 48)),
        (127, 128, (127, 128)),
    ],
)
def test_floor(numerator: int, denominator: int, lowest: tuple[int, int]) -> None:
    found = fit_capacity(TOKENS * numerator // denominator, TOKENS)
    assert found == Capacity(None, *lowest, 0)


def test_constant() -> None:
    assert fit_capacity(np.full(len(TOKENS), 8), TOKENS) == Capacity(constant=8)


def test_minimum() -> None:
    found = fit_capacity(np.maximum(TOKENS // 4, 2), TOKENS)
    assert found == Capacity(None, 1, 4, 2)
    assert found is not None
    # 2 tokens: at least 2; 40 tokens: 10; 1 token has only one to give
    assert [found.of(t) for t in (1, 2, 7, 40)] == [1, 2, 2, 10]


def test_not_linear() -> None:
    """ceil(T / 4) is no floor(T n / d): refused instead of approximated."""
    assert fit_capacity(-(-TOKENS // 4), TOKENS) is None
    assert fit_capacity(TOKENS**2, TOKENS) is None
    assert fit_capacity(np.array([5, 0]), np.array([10, 100])) is None  # half, but not of more
