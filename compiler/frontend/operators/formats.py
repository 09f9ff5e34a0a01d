"""How crossbars are to hold the experts of a model: as binary numbers, or as ternary ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from ir.onnxdoor.load import Source
from ir.onnxdoor.ternary import is_ternary
from ir.onnxdoor.weights import load_weight
from ir.workload import AnyOperator, Attention, Dense, Digital, Expert, MoELayer


def with_formats(source: Source, operators: Sequence[AnyOperator]) -> list[AnyOperator]:
    """The operators, with the experts' matrices as ternary weights where the model stores such.

    That is told from the values, however they are stored. Routed experts are ternary if all of a
    layer's are, a shared one by itself. Only of layers that were run: the weights of others are not
    read.
    """
    return [_with_format(source, op) for op in operators]


def _with_format(source: Source, op: AnyOperator) -> AnyOperator:
    match op:
        case MoELayer(proof="run"):
            shared = [_with_ternary(source, [expert])[0] for expert in op.shared]
            experts = _with_ternary(source, op.experts)
            return replace(op, experts=tuple(experts), shared=tuple(shared))
        case MoELayer() | Dense() | Attention() | Digital():
            return op
        case _:
            assert_never(op)


def _with_ternary(source: Source, experts: Sequence[Expert]) -> Sequence[Expert]:
    """The experts as ternary ones if every matrix of all of them is, else as they are."""
    if not all(is_ternary(load_weight(source, w)) for e in experts for w in e.weights):
        return experts
    return [
        Expert(
            replace(e.up, format="ternary"),
            None if e.down is None else replace(e.down, format="ternary"),
            None if e.gate is None else replace(e.gate, format="ternary"),
        )
        for e in experts
    ]
