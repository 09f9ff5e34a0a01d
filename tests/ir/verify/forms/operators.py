"""Models whose other operators are of a kind, or in a place, that few have."""

from dataclasses import replace
from typing import Any

from ir.workload import AnyOperator, Digital, MoELayer, Workload
from tests.ir.verify.forms.parts import changed
from tests.make import small_workload


def with_held_matrices(workload: Workload) -> Workload:
    """Digital operators of every scope hold matrices; the first norm takes rows of a stack too."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Digital) and op.kind in ("norm", "other"):
            return replace(op, macs=300, weight_bytes=400, gathered_bytes=50)
        return op

    return changed(workload, change)


def of_other_kinds(workload: Workload) -> Workload:
    """A digital operator of no special kind for each token, and one that puts vectors together.

    The nodes of the first have twice as many elements as its result.
    """
    kinds: dict[str, Any] = {"norm_b0": "other", "add_b0": "join"}

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Digital) and op.name in kinds:
            return replace(op, kind=kinds[op.name], elements=2 * op.width)
        return op

    return changed(workload, change)


def experts_first(workload: Workload) -> Workload:
    """The first MoE layer works on what comes with the token."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=("ids",)) if op.name == "moe0" else op

    return changed(workload, change)


def multiplying_at_once(workload: Workload) -> Workload:
    """Queries, keys and values are of the first operator's vectors, with no norm between."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=("embed",)) if op.name in ("q0", "k0", "v0") else op

    return changed(workload, change)


def one_product() -> Workload:
    """Nothing but one matrix, of what the first operator looks up."""
    workload = small_workload(layers=1)
    embed, head = workload.operators[0], workload.operators[-1]
    return replace(workload, operators=(embed, replace(head, inputs=embed.outputs)))


def nothing_but_a_product() -> Workload:
    """One operator, of what comes in."""
    head = one_product().operators[-1]
    return replace(one_product(), operators=(replace(head, inputs=("ids",)),))


def with_the_mask_beside_vectors(workload: Workload) -> Workload:
    """MoE layers take a constant too, which is everywhere and in no cache."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, "mask")) if isinstance(op, MoELayer) else op

    return changed(workload, change)


def with_a_constant_of_shapes(workload: Workload) -> Workload:
    """The mask takes a model input's shape and a vector's, beside the constants it is made of."""
    embed = next(op for op in workload.operators if op.name == "embed")
    others = [op for op in workload.operators if op.name != "embed"]

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=("ids", "embed", *op.inputs)) if op.name == "mask" else op

    return replace(workload, operators=(embed, *map(change, others)))


def with_a_sum_of_the_last_layers(workload: Workload) -> Workload:
    """The last layer adds what the experts of the first one gave too."""
    last = f"add_a{len(workload.moe_layers) - 1}"

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, "moe0")) if op.name == last else op

    return changed(workload, change)
