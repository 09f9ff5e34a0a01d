"""A finished model whose routed experts are rounded to ternary weights: -1, 0, 1 times a scale."""

from dataclasses import replace
from typing import assert_never

from ir.workload import AnyOperator, Attention, Dense, Digital, Expert, MoELayer, Workload


def with_ternary_experts(workload: Workload) -> Workload:
    """The same model with the matrices of its routed experts as ternary weights.

    Shared experts keep theirs, and so do routed ones whose weights are ternary already. This rounds
    a finished model; MoTE (arXiv 2506.14435) trains such experts, beside a shared one of full
    precision.
    """

    def ternary(expert: Expert) -> Expert:
        up, down, gate = (
            w if w is None or w.format == "ternary" else replace(w, format="ternary", rounded=True)
            for w in (expert.up, expert.down, expert.gate)
        )
        return Expert(up or expert.up, down, gate)

    def changed(op: AnyOperator) -> AnyOperator:
        match op:
            case MoELayer():
                return replace(op, experts=tuple(ternary(e) for e in op.experts))
            case Dense() | Attention() | Digital():
                return op
            case _:
                assert_never(op)

    return replace(workload, operators=tuple(changed(op) for op in workload.operators))
