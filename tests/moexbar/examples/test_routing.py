"""Synthetic routing: valid, repeatable, and with the traits it was asked for."""

import numpy as np
import pytest

from ir.routing import Routing
from moexbar.examples.catalogue import EXAMPLES, GPT_OSS_TRAITS, MIXTRAL_TRAITS
from moexbar.examples.statistics import Statistics, measure
from moexbar.examples.synthetic import Traits, synthetic_routing

NONE = Traits(skew=0, topic=0, topic_memory=0, drift=0, drift_memory=0, rank=4)


def made(
    traits: Traits,
    experts: int = 32,
    k: int = 4,
    seed: int = 0,
    layers: int = 4,
    sequences: int = 32,
) -> Routing:
    return synthetic_routing(
        list(range(layers)), experts, k, traits, sequences=sequences, length=256, seed=seed
    )


def test_shape_and_ids() -> None:
    routing = synthetic_routing([3, 5], 16, 4, NONE, sequences=2, length=8, seed=0)
    assert routing.layer.tolist() == [3, 5]
    assert routing.num_experts.tolist() == [16, 16]
    assert routing.sequence.tolist() == [0] * 8 + [1] * 8
    assert routing.choices is not None
    assert routing.choices.shape == (2, 16, 4)
    assert routing.matrix(0).sum(axis=1).tolist() == [4] * 16  # four distinct experts each


def test_same_seed_same_trace() -> None:
    one, same, other = (made(GPT_OSS_TRAITS, layers=1, seed=s).choices for s in (1, 1, 2))
    assert one is not None and same is not None and other is not None
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_without_traits_experts_are_drawn_independently() -> None:
    found = measure(made(NONE))
    # 8192 tokens x 4 of 32: load 1024 with a deviation of 30 per expert, so a fullest of about 1.06
    assert found.skew < 1.1
    assert found.spread == pytest.approx(1.0, abs=0.15)
    assert found.repeat == pytest.approx(0.0, abs=0.01)
    assert found.lift < 1.3


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (Traits(1.0, 0, 0, 0, 0, 4), "skew"),
        (Traits(0, 1.0, 0, 0, 0, 4), "spread"),
        (Traits(0, 0, 0, 2.0, 0.9, 4), "repeat"),
        (Traits(0, 0, 0, 2.0, 0.0, 2), "lift"),
        (Traits(0, 1.0, 0.9, 0, 0, 4), "long"),
        (Traits(0, 0, 0, 2.0, 0.99, 4), "short"),
    ],
)
def test_each_trait_does_what_it_says(change: Traits, more: str) -> None:
    plain, changed = measure(made(NONE)), measure(made(change))
    assert getattr(changed, more) > getattr(plain, more) + 0.2


# Measured on the recorded traces by benchmarks/synthetic_routing.py; docs/examples.md.
MIXTRAL = Statistics(1.17, 1.45, 0.14, 0.42, 0.31, 3.20, 2.52)
GPT_OSS = Statistics(2.57, 3.66, 0.30, 0.48, 0.10, 4.78, 9.09)


@pytest.mark.parametrize(
    ("traits", "experts", "k", "real"),
    [(MIXTRAL_TRAITS, 8, 2, MIXTRAL), (GPT_OSS_TRAITS, 32, 4, GPT_OSS)],
)
def test_like_the_recorded_traces(traits: Traits, experts: int, k: int, real: Statistics) -> None:
    found = measure(made(traits, experts, k, layers=12, sequences=88))  # as long
    assert found.skew == pytest.approx(real.skew, rel=0.2)
    assert found.window_skew == pytest.approx(real.window_skew, rel=0.1)
    assert found.repeat == pytest.approx(real.repeat, abs=0.1)
    assert found.short == pytest.approx(real.short, abs=0.15)
    assert found.long == pytest.approx(real.long, abs=0.25)
    assert found.spread == pytest.approx(real.spread, rel=0.25)
    assert found.lift == pytest.approx(real.lift, rel=0.4)


def test_statistics_of_a_trace_done_by_hand() -> None:
    """Tokens alternate between experts {0, 1} and {2, 3}, 512 tokens of each."""
    choices = np.repeat([[[0, 1]], [[2, 3]]], 512, axis=0).reshape(1, 1024, 2)
    found = measure(
        Routing(
            np.array([0]),
            np.array([4]),
            np.zeros(1024, dtype=np.int64),
            choices=choices.astype(np.int16),
        )
    )
    assert found.skew == 1.0  # every expert has half of the tokens
    assert found.window_skew == 2.0  # two experts have all, two none: 512 over a mean of 256
    # the token before used both experts, but at the one change: 2044 of 2046, independent 1/2
    assert found.repeat == pytest.approx((2044 / 2046 - 0.5) / 0.5)
    # both of a pair in 1/2 of the tokens, 1/4 by chance: ratio 2; four uniform experts, two of
    # them distinct, share with ratio 4/3 x 1/2
    assert found.lift == pytest.approx(2 / (4 / 3 / 2))


def test_every_example_has_a_traits_entry() -> None:
    assert EXAMPLES["mixtral-8x7b"].traits == MIXTRAL_TRAITS
    assert EXAMPLES["deepseek-v3"].traits == GPT_OSS_TRAITS
