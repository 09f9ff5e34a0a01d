"""The activation that some nodes compute."""

import math
from collections.abc import Collection, Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts.sizes import Sizes
from ir.activation import (
    Activation,
    AnyActivation,
    Curve,
    UnknownActivation,
    named,
    usual,
    usual_numbers,
)

_NEAR = 0.01  # of a number: rounded to bfloat16 it is off by up to 0.004

CURVES = frozenset(
    """
    Sigmoid Tanh Erf Relu Gelu Softplus QuickGelu FastGelu Swish HardSwish Mish Elu Exp
    LeakyRelu BiasGelu Celu Selu
    """.split()
)


def activation_of(sizes: Sizes, steps: Collection[Node]) -> AnyActivation:
    """The activation that some nodes compute, by the functions they use."""
    kinds = {n.op_type for n in steps}
    scales = [
        number
        for n in steps
        if n.op_type in ("Mul", "Div")
        for v in n.inputs
        for number in _scalar(sizes, v)
    ]
    if "Sigmoid" in kinds:
        if any(abs(s - 1.702) < _NEAR * 1.702 for s in scales):
            return _with_numbers("quick-gelu", scales)
        return usual("silu" if "Mul" in kinds else "sigmoid")
    if "Relu" in kinds:
        squared = any(
            n.op_type == "Pow" or (n.op_type == "Mul" and n.inputs[0] is n.inputs[1]) for n in steps
        )
        return usual("relu2" if squared else "relu")
    for node in steps:
        if node.op_type == "Gelu":
            tanh = node.attributes.get_string("approximate") == "tanh"
            return usual("gelu-tanh" if tanh else "gelu")
        if node.op_type == "QuickGelu":
            alpha = node.attributes.get_float("alpha", 1.702) or 1.702
            if abs(alpha - 1.0) < 1e-6:
                return usual("silu")
            return _with_numbers("quick-gelu", [alpha])
        if node.op_type == "Swish":
            return usual("silu")
    if "Erf" in kinds:
        return _with_numbers("gelu", [*scales, *(1 / s for s in scales if s)])
    if "Softplus" in kinds:
        return usual("mish")
    if "Tanh" in kinds:
        return _with_numbers("gelu-tanh", scales) if len(kinds) > 2 else usual("tanh")
    curves = sorted(kinds & CURVES)
    if not curves:
        return usual("identity")
    return named(curves[0].lower()) if len(curves) == 1 else UnknownActivation("unknown")


def _with_numbers(kind: Curve, scales: Sequence[float]) -> Activation:
    """The curve, with the model's own numbers where they are not the usual ones."""
    defined = usual_numbers(kind)
    found = [min(scales, key=lambda s: abs(s - n), default=n) for n in defined]
    own = [f if abs(f - n) < _NEAR * n else n for f, n in zip(found, defined, strict=True)]
    if all(abs(o - n) < 1e-6 * n for o, n in zip(own, defined, strict=True)):
        return usual(kind)
    return Activation(kind, tuple(own))


def clipped_gate(
    sizes: Sizes, gate: Collection[Node], up: Collection[Node], shared: Collection[Node]
) -> Activation | None:
    """A gate that is clipped, scaled and shifted; None where it is plain.

    gate, up: the nodes of either side, `shared` those of both.
    """
    alpha, limit, beta = 1.0, math.inf, 0.0
    for node in gate:
        before = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        if node.op_type == "Sigmoid" and before is not None and before.op_type == "Mul":
            alpha = next((s for v in before.inputs for s in _scalar(sizes, v)), alpha)
        if node.op_type == "QuickGelu":
            alpha = float(node.attributes.get_float("alpha", 1.702) or 1.702)
        limit = _upper_limit(sizes, node, limit)
    for node in up:
        limit = _upper_limit(sizes, node, limit)
        if node.op_type == "Add" and node not in shared:
            beta = next((s for v in node.inputs for s in _scalar(sizes, v)), beta)
    curved = any(n.op_type in ("Sigmoid", "QuickGelu") for n in gate)
    if not curved or (limit == math.inf and not beta):
        return None
    return Activation("swiglu-oai", (alpha, beta, limit))


def _upper_limit(sizes: Sizes, node: Node, known: float) -> float:
    """The greatest value a Clip or Min lets through."""
    if node.op_type == "Clip":
        given = node.attributes.get_float("max", None)
        found = [] if given is None else [float(given)]
        if len(node.inputs) > 2:
            found = _scalar(sizes, node.inputs[2])
    elif node.op_type == "Min":
        found = [s for v in node.inputs for s in _scalar(sizes, v)]
    else:
        return known
    return found[0] if found and found[0] < 1e30 else known


def _scalar(sizes: Sizes, value: Value | None) -> list[float]:
    content = sizes.content(value)
    return [float(content[0].ravel()[0])] if content is not None and content[0].size == 1 else []
