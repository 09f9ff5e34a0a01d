"""Models whose experts, routers or matrices are of a form that few have."""

from dataclasses import replace
from typing import Any

from ir.selection import ByIds
from ir.workload import AnyOperator, Dense, Expert, MoELayer, Weight, Workload
from tests.compiler.emit.test_apart import kept
from tests.ir.verify.forms.parts import changed
from tests.make import small_workload


def in_ternary(workload: Workload) -> Workload:
    """The same with ternary matrices in its experts and dense products."""

    def of(weight: Weight) -> Weight:
        return replace(weight, format="ternary")

    def change(op: AnyOperator) -> AnyOperator:
        match op:
            case Dense():
                return replace(op, weight=of(op.weight))
            case MoELayer():
                assert all(e.down and e.gate for e in op.experts)
                experts = tuple(
                    Expert(of(e.up), e.down and of(e.down), e.gate and of(e.gate))
                    for e in op.experts
                )
                return replace(op, experts=experts)
            case _:
                return op

    return changed(workload, change)


def with_bias_of_one_of_two(workload: Workload) -> Workload:
    """Of the matrices that an expert's first stage reads at once the second has no bias."""

    def of(expert: Expert) -> Expert:
        assert expert.gate
        return replace(expert, gate=replace(expert.gate, bias=None))

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, experts=tuple(map(of, op.experts))) if isinstance(op, MoELayer) else op

    return changed(workload, change)


def with_bias_of_one_expert_less(workload: Workload) -> Workload:
    """Of the matrices that the experts' second stage reads the first one's has none."""

    def change(op: AnyOperator) -> AnyOperator:
        if not isinstance(op, MoELayer):
            return op
        one, *others = op.experts
        assert one.down
        return replace(op, experts=(replace(one, down=replace(one.down, bias=None)), *others))

    return changed(workload, change)


def with_one_different(workload: Workload, **fields: Any) -> Workload:
    """The second MoE layer has other fields."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, **fields) if op.name == "moe1" else op

    return changed(workload, change)


def with_a_router_of_its_own(workload: Workload) -> Workload:
    """The second MoE layer, on the experts of the first, scores by another matrix."""
    router = workload.moe_layers[1].router
    scores = Weight("router1", 20, router.experts, bits=8)
    return with_one_different(workload, router=replace(router, projection=scores))


def with_inputs_apart_in_one() -> Workload:
    """Two layers on the same matrices: of the second each expert of a token reads a vector."""
    (layer,) = kept("nothing").moe_layers
    workload = small_workload(tied=True)
    same: dict[str, Any] = {"experts": layer.experts, "router": layer.router}

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, **same) if isinstance(op, MoELayer) else op

    return with_one_different(changed(workload, change), apart="inputs")


def scoring_other_vectors(workload: Workload) -> Workload:
    """The routers score vectors of 12 values, which a product makes beside the experts' of 20."""
    operators: list[AnyOperator] = []
    for op in workload.operators:
        if isinstance(op, MoELayer):
            low, (h,) = f"low{op.layer}", op.inputs
            operators.append(
                Dense(
                    name=low,
                    layer=op.layer,
                    inputs=(h,),
                    outputs=(low,),
                    nodes=(f"node_{low}",),
                    width=12,
                    weight=Weight(low, 20, 12, bits=8),
                )
            )
            scores = Weight("router", 12, op.router.experts, bits=8)
            router = replace(op.router, projection=scores, reads=low)
            op = replace(op, inputs=(h, low), router=router)
        operators.append(op)
    return replace(workload, operators=tuple(operators))


def scored_by_several_matrices(workload: Workload) -> Workload:
    """The first layer's router has no one matrix that crossbars could hold."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, MoELayer) and op.layer == 0:
            return replace(op, router=replace(op.router, projection=None))
        return op

    return changed(workload, change)


def with_one_matrix_for_two(workload: Workload) -> Workload:
    """Keys and values of the first layer, and queries of the second, are of one matrix."""
    products = {op.name: op for op in workload.operators if isinstance(op, Dense)}

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Dense) and op.name in ("v0", "q1"):
            return replace(op, weight=products["k0"].weight)
        return op

    return changed(workload, change)


def with_a_shared_one(workload: Workload) -> Workload:
    """Beside the experts of one matrix one of these that every token goes to."""

    def change(op: AnyOperator) -> AnyOperator:
        if not isinstance(op, MoELayer):
            return op
        return replace(op, shared=(Expert(Weight("shared", 20, 20, bits=8), None),))

    return changed(workload, change)


def with_weights_of_outputs(workload: Workload) -> Workload:
    """The router tells a gate for each of the experts that it chooses."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, MoELayer):
            return replace(op, router=replace(op.router, selection=ByIds("ids", "gates")))
        return op

    return changed(workload, change)


def of_both_choices(workload: Workload) -> Workload:
    """The first layer's experts choose among tokens; of the second's each token chooses."""
    chosen = {op.name: op for op in small_workload().operators if isinstance(op, MoELayer)}

    def change(op: AnyOperator) -> AnyOperator:
        return chosen["moe1"] if op.name == "moe1" else op

    return changed(workload, change)
