"""What a curve takes of a digital unit, by its kind and its width."""

from dataclasses import replace
from typing import get_args

import pytest

from ir import timing
from ir.activation import ActivationKind, Composed, Curve, usual
from ir.curves import OPERATORS
from ir.formula import Formula, Number, Step
from ir.passes import OF_CURVES, OF_OPERATORS, ON_THE_WAY, PRODUCT, SMOOTH, Passes, passes_of
from moexbar.chips import load_chip

HERMES, PAPER = load_chip("hermes"), load_chip("paper")


def test_no_kind_is_forgotten() -> None:
    assert set(OF_CURVES) == {*get_args(Curve), "swiglu-oai"}
    assert set(OF_OPERATORS) == {*OPERATORS, "Cast"}


@pytest.mark.parametrize(
    ("kind", "values", "ns", "fj"),
    [
        # 16 d / 256 + 6 ns and 9.63 pJ per 256: the published 22, 38, 54, 70 ns of GeLU
        ("gelu", 256, 22, 9_630),
        ("gelu", 512, 38, 19_260),
        ("gelu", 768, 54, 28_890),
        ("gelu", 1024, 70, 38_520),
        ("gelu-tanh", 2880, 186, 108_338),  # 180 + 6 ns; 108337.5 fJ, up
        ("silu", 2880, 186, 108_338),  # by the rule: as GeLU
        ("relu", 256, 1, 20),
        ("relu", 2880, 1, 225),  # 1 ns whatever the width; 20 fJ x 2880 / 256
        ("hard-tanh", 2880, 1, 225),
        ("relu2", 256, 12, 9_430),  # a product: 4 + 8 ns
        ("hard-swish", 256, 24, 18_860),  # x / 6 + 1/2, times x
        ("swiglu-oai", 256, 34, 19_060),  # the curve 22, and 1 added to the up side 12
    ],
)
def test_curves_by_hand(kind: ActivationKind, values: int, ns: int, fj: int) -> None:
    cost = timing.act(HERMES, values, passes_of(usual(kind)))
    assert (cost.duration_ps, cost.busy_ps, cost.energy_fj) == (ns * 1000, ns * 1000, fj)


@pytest.mark.parametrize("kind", get_args(Curve))
def test_every_curve_is_relu_to_the_reference(kind: ActivationKind) -> None:
    relu = timing.Cost(1000, 1000, 54)  # 1 ns; 20 fJ x 688 / 256 = 53.75, up
    assert timing.act(PAPER, 688, passes_of(usual(kind))) == relu


def test_a_function_without_a_name_takes_its_steps() -> None:
    """min(x, 7) on the way, x 2 a product, sigmoid smooth; 1 + up a product: 22 + 2 x 12 ns."""
    gate = Formula(
        (
            Step("Min", (0, Number(7.0))),
            Step("Mul", (1, Number(2.0))),
            Step("sigmoid", (2,)),
        )
    )
    up = Formula((Step("Add", (0, Number(1.0))),))
    found = passes_of(Composed(gate, up))
    assert found == SMOOTH + PRODUCT + PRODUCT
    assert timing.act(HERMES, 256, found).duration_ps == 46_000
    assert passes_of(Composed(Formula((Step("Max", (0, Number(0.0))),)))) == ON_THE_WAY


def test_the_fields_of_a_chip_move_their_own_curves() -> None:
    """Twice the slope: 6 + 32 ns; the base apart: 12 + 16; ReLU stays."""
    steeper = replace(HERMES, digital=replace(HERMES.digital, smooth_ps=32_000))
    later = replace(HERMES, digital=replace(HERMES.digital, smooth_base_ps=12_000))
    for chip, ns in ((steeper, 38), (later, 28)):
        assert timing.act(chip, 256, SMOOTH).duration_ps == ns * 1000
        assert timing.act(chip, 256, ON_THE_WAY).duration_ps == 1000


def test_the_dearest_of_two_curves() -> None:
    assert max(ON_THE_WAY, Passes(products=2), SMOOTH) == SMOOTH
