"""Which windows of a trace groups are fitted to: the one rule for traces and compilations."""

import numpy as np
import pytest

from compiler.trace import calibrate
from ir.errors import InputError
from ir.routing import Routing

SEQUENCE = np.repeat(np.arange(8), 8)  # 8 sequences of 8 tokens


def token_choice(domain: np.ndarray | None = None) -> Routing:
    """64 tokens of 4 experts, each token to one of them."""
    choices = (np.arange(64) % 4).reshape(1, 64, 1).astype(np.int16)
    return Routing(
        layer=np.array([0]),
        num_experts=np.array([4]),
        sequence=SEQUENCE,
        choices=choices,
        domain=domain,
        source="test",
    )


def expert_choice() -> Routing:
    """64 tokens of 4 experts, each expert takes 2 tokens of a sequence."""
    scores = np.random.default_rng(0).random((1, 64, 4)).astype(np.float32)
    return Routing(
        layer=np.array([0]),
        num_experts=np.array([4]),
        sequence=SEQUENCE,
        scores=scores,
        capacity=np.array([2]),
        source="test",
    )


def test_windows_a_quarter_apart_in_four_orders_where_tokens_choose() -> None:
    # 32 tokens, windows of 8 from 0, 2, ..., 24: 13 of them, in order and in 3 shuffled orders
    routing = token_choice()
    fit = calibrate(routing.matrix(0), routing, (0, 32), 8)
    assert len(fit.windows) == 13 * 4
    assert fit.chosen.shape == (32 * 4, 4)


def test_aligned_windows_alone_where_experts_choose() -> None:
    # 32 tokens, windows of 8 from 0, 8, 16, 24, in order only
    routing = expert_choice()
    fit = calibrate(routing.matrix(0), routing, (32, 64), 8)
    assert fit.windows == [(0, 8), (8, 16), (16, 24), (24, 32)]
    assert np.array_equal(fit.chosen, routing.matrix(0)[32:])


def test_what_is_asked_for_goes_before_the_rule() -> None:
    # a stride of 4 and one shuffled order: 7 windows twice, although experts choose
    routing = expert_choice()
    fit = calibrate(routing.matrix(0), routing, (0, 32), 8, stride=4, shuffles=1)
    assert len(fit.windows) == 7 * 2
    # shuffles alone leave the windows aligned: 4 windows twice
    assert len(calibrate(routing.matrix(0), routing, (0, 32), 8, shuffles=1).windows) == 4 * 2


def test_robust_takes_the_domains_of_the_fit_range() -> None:
    # domains 0 and 1 hold a sequence of 8 tokens each in the first 16: two parts of one window
    routing = token_choice(domain=np.repeat(np.arange(8) % 2, 8))
    fit = calibrate(routing.matrix(0), routing, (0, 16), 8, shuffles=0, robust=True)
    assert (len(fit.windows), fit.parts) == (2, 2)
    assert fit.chosen.shape == (16, 4)


def test_a_range_without_a_window_is_refused() -> None:
    routing = token_choice()
    with pytest.raises(InputError, match="16 tokens, expected at least one window of 32"):
        calibrate(routing.matrix(0), routing, (0, 16), 32)
