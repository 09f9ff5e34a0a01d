"""The kinds of operators of a workload, and what is asked of them."""

from typing import get_args

import pytest

from ir.ternary import with_ternary_experts
from ir.workload import (
    AnyOperator,
    Attention,
    Dense,
    Digital,
    MoELayer,
    Operator,
    Scope,
    has_products,
    is_constant,
)
from tests.make import small_workload


def test_every_kind_of_operator_is_in_the_union() -> None:
    """So that a `match` over the union that the type checker calls complete is complete."""
    assert set(get_args(AnyOperator)) == set(Operator.__subclasses__())


def test_operators_by_kind_are_in_order_and_all() -> None:
    """A layer: q, k, v, o on crossbars, one attention, one MoE layer; the head comes last."""
    workload = small_workload(layers=2)
    names = [op.name for op in workload.dense()]
    assert names == [f"{c}{n}" for n in (0, 1) for c in "qkvo"] + ["head"]
    assert [op.name for op in workload.attentions()] == ["attention0", "attention1"]
    assert [op.name for op in workload.moe_layers] == ["moe0", "moe1"]
    kinds = (workload.dense(), workload.attentions(), workload.digital(), workload.moe_layers)
    every = [op for kind in kinds for op in kind]
    assert len(every) == len(workload.operators)
    assert {op.name for op in every} == {op.name for op in workload.operators}


@pytest.mark.parametrize("scope", get_args(Scope))
def test_only_a_digital_operator_can_be_constant(scope: Scope) -> None:
    digital = Digital("mask", -1, (), ("mask",), ("n",), 4, "other", scope, 4)
    assert is_constant(digital) == (scope == "constant")
    others = [op for op in small_workload().operators if not isinstance(op, Digital)]
    assert {type(op) for op in others} == {Dense, Attention, MoELayer}
    assert not any(is_constant(op) for op in others)


def test_products_stand_on_crossbars() -> None:
    asked = {type(op): has_products(op) for op in small_workload().operators}
    assert asked == {Dense: True, MoELayer: True, Attention: False, Digital: False}


def test_ternary_are_the_routed_experts_alone() -> None:
    workload = small_workload(layers=1, shared=1)
    changed = with_ternary_experts(workload)
    (layer,), (before,) = changed.moe_layers, workload.moe_layers
    assert {e.up.format for e in layer.experts} == {"ternary"}
    assert layer.shared == before.shared
    others = [op for op in changed.operators if op is not layer]
    assert others == [op for op in workload.operators if op is not before]
