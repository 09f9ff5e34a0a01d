"""The law against what its article prints: arXiv 2502.05172, tables 1, 2 and 4, appendix E."""

from collections.abc import Iterator
from math import inf

import pytest

from moexbar.scaling.law import (
    ACTIVE,
    EXPERTS,
    LAW,
    TOKENS,
    TOKENS_EACH,
    TOTAL,
    OneNumberOfExperts,
    outside,
    short,
)
from moexbar.scaling.shape import Shape

TABLE_4 = {  # experts: the law for that many
    1: OneNumberOfExperts(30.3640, -0.1817, 53.9838, -0.1965, 1.3637),
    2: OneNumberOfExperts(27.7982, -0.1780, 66.8401, -0.2065, 1.3637),
    4: OneNumberOfExperts(24.8462, -0.1731, 87.7022, -0.2192, 1.3637),
    8: OneNumberOfExperts(21.8330, -0.1676, 119.9126, -0.2338, 1.3637),
    16: OneNumberOfExperts(19.0159, -0.1617, 167.5073, -0.2494, 1.3637),
    32: OneNumberOfExperts(16.5424, -0.1557, 234.6726, -0.2652, 1.3637),
}
TABLE_1 = {  # FLOPs: experts: (active parameters, tokens) of least loss, B
    1e20: {1: (1.7, 9.7), 2: (1.5, 11.4), 4: (1.2, 13.9), 8: (0.99, 17), 16: (0.81, 20.7)},
    1e21: {1: (5.7, 29.3), 2: (5, 33), 4: (4.4, 38), 8: (3.8, 44.3), 16: (3.3, 51.2)},
    1e22: {1: (18.8, 88.6), 2: (17.4, 96), 4: (15.8, 105.4), 8: (14.4, 115.8), 16: (13.2, 126.5)},
}
THE_32 = {1e20: (0.669, 24.9), 1e21: (2.85, 58.4), 1e22: (12.2, 136.9)}
TABLE_2 = {  # FLOPs: best number of experts for 24, 80 and 640 GB; 32 for 32 or more
    1e21: (16, 32, 32),
    1e22: (4, 16, 32),
    1e23: (1, 8, 32),
    1e24: (1, 1, 16),
}
RUNS = (  # of appendix E: layers, width, experts, active, total, least and most tokens
    (16, 1024, 32, 321e6, 5.0e9, 0.5e9, 16e9),
    (28, 1792, 4, 1.3e9, 3.8e9, 2e9, 11.1e9),
    (21, 1408, 8, 683e6, 3.3e9, 0.5e9, 16e9),
    (26, 1664, 4, 1.1e9, 3.0e9, 0.5e9, 80e9),
    (36, 2304, 1, 2.7e9, 2.7e9, 0.98e9, 9.2e9),
    (30, 1920, 2, 1.6e9, 2.6e9, 2.7e9, 5.4e9),
    (12, 768, 32, 169e6, 2.1e9, 0.5e9, 8e9),
    (16, 1280, 8, 469e6, 2.1e9, 1e9, 32e9),
    (22, 1408, 2, 709e6, 1.1e9, 0.778e9, 49.8e9),
    (18, 1152, 4, 426e6, 1.1e9, 1.3e9, 31e9),
    (8, 512, 32, 79e6, 664e6, 0.5e9, 2e9),
    (8, 512, 1, 79e6, 79e6, 0.5e9, 2e9),
)


@pytest.mark.parametrize("experts", TABLE_4)
def test_the_published_coefficients_for_each_number_of_experts(experts: int) -> None:
    """Within 0.5 %: the largest is n of one expert, 53.84 for 53.98, from rounded coefficients."""
    ours, theirs = LAW.at(experts), TABLE_4[experts]
    for name in ("m", "mu", "n", "nu", "c"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=0.005), name


@pytest.mark.parametrize("experts", TABLE_4)
@pytest.mark.parametrize("active", [79e6, 0.5e9, 2.7e9])
@pytest.mark.parametrize("tokens", [0.5e9, 10e9, 80e9])
def test_losses_are_those_of_the_published_coefficients(
    experts: int, active: float, tokens: float
) -> None:
    theirs = TABLE_4[experts].loss(round(active), tokens)
    assert LAW.at(experts).loss(round(active), tokens) == pytest.approx(theirs, rel=0.005)


def test_one_expert_counts_as_start_and_many_as_most() -> None:
    assert LAW.counted(1) == pytest.approx(2.0732)
    assert LAW.counted(10**9) == pytest.approx(290.4521, rel=1e-5)


def optimal(experts: int, flops: float) -> tuple[float, float]:
    """Active parameters and tokens of least loss for 6 N D FLOPs: equation 7 of the article."""
    one = LAW.at(experts)
    g = (one.mu * one.m / (one.nu * one.n)) ** (-1 / (one.mu + one.nu))
    active = g * (flops / 6) ** (one.nu / (one.mu + one.nu))
    return active, flops / 6 / active


@pytest.mark.parametrize("flops", TABLE_1)
def test_published_optima_for_a_training_budget(flops: float) -> None:
    """Table 1, printed in two to four digits; from rounded coefficients within 1 % of its digits.

    1 % is what a coefficient of 0.0098 with two digits leaves open in the exponents of large N.
    """
    for experts, (active, tokens) in {**TABLE_1[flops], 32: THE_32[flops]}.items():
        n, d = optimal(experts, flops)
        step = 0.05 if active >= 1 else 0.0005
        assert n / 1e9 == pytest.approx(active, rel=0.01, abs=step + 0.01 * active)
        assert d / 1e9 == pytest.approx(tokens, rel=0.01, abs=0.05 + 0.01 * tokens)


def least_losses(flops: float, memory: float) -> dict[int, float]:
    """{experts: least loss}, of models with 2 bytes a number and 16k tokens of cache."""
    found = dict.fromkeys(TABLE_4, inf)
    for experts in TABLE_4:
        for layers in range(4, 400):
            shape = Shape(layers, 64 * layers, experts)
            kept = 2 * 16_384 * layers * shape.width
            if 2 * (shape.total + kept) <= memory:
                loss = LAW.at(experts).loss(shape.active, flops / 6 / shape.active)
                found[experts] = min(found[experts], loss)
    return found


def test_published_best_numbers_of_experts_for_a_memory() -> None:
    """Table 2, by law, counts of parameters and shapes: 9 of its 12 numbers, else the next one.

    Table 4's own coefficients give the same 9. Where ours is another the published one has at most
    0.4 % more loss, 1.8635 for 1.8564.
    """
    same = 0
    for flops, published in TABLE_2.items():
        for gb, theirs in zip((24, 80, 640), published, strict=True):
            losses = least_losses(flops, gb * 1e9)
            ours = min(losses, key=losses.__getitem__)
            same += ours == theirs
            assert ours in (theirs // 2, theirs, 2 * theirs)
            assert losses[theirs] <= 1.004 * losses[ours]
    assert same == 9


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run[1]}x{run[0]}-{run[2]}")
def test_parameters_are_those_of_the_article_s_runs_which_are_in_range(
    run: tuple[int, int, int, float, float, float, float],
) -> None:
    layers, width, experts, active, total, *ends = run
    shape = Shape(layers, width, experts)
    assert shape.active == pytest.approx(active, rel=0.04)  # 1.3B for 1.35B
    assert shape.total == pytest.approx(total, rel=0.04)
    for tokens in ends:
        assert not list(outside(experts, shape.active, shape.total, tokens))


def test_the_ends_of_the_range_are_runs() -> None:
    assert (Shape(8, 512, 1).active, Shape(36, 2304, 1).active) == (ACTIVE.low, ACTIVE.high)
    assert Shape(16, 1024, 32).total == TOTAL.high
    assert 31e9 / Shape(18, 1152, 4).active == pytest.approx(TOKENS_EACH.high, rel=0.005)
    assert 0.98e9 / Shape(36, 2304, 1).active == pytest.approx(TOKENS_EACH.low, rel=0.005)
    assert (EXPERTS.low, EXPERTS.high, TOKENS.low, TOKENS.high) == (1, 32, 0.5e9, 80e9)


def broken() -> Iterator[tuple[tuple[int, int, int, float], str]]:
    yield (33, 10**9, 10**9, 20e9), "1 to 32 experts"
    yield (1, ACTIVE.high.__trunc__() + 1, 3 * 10**9, 20e9), str(ACTIVE)
    yield (8, 10**9, 6 * 10**9, 20e9), str(TOTAL)
    yield (1, 2 * 10**9, 2 * 10**9, 81e9), "500M to 80B tokens"
    yield (1, 10**9, 10**9, 74e9), "0.36 to 73 tokens for each active parameter"


@pytest.mark.parametrize(("given", "said"), list(broken()))
def test_each_limit_is_said_alone(given: tuple[int, int, int, float], said: str) -> None:
    assert list(outside(*given)) == [said]


def test_numbers_are_short() -> None:
    assert [short(n) for n in (7, 78_666_752, 2.716e9, 2e12)] == ["7", "78.7M", "2.72B", "2T"]
