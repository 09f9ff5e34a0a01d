"""A shape as the workload that the front end finds in such a model, without a file."""

from dataclasses import replace

from ir.activation import usual
from ir.passes import OF_CURVES, PRODUCT
from ir.router import Router
from ir.selection import ByIds
from ir.workload import (
    AnyOperator,
    Attention,
    Dense,
    Digital,
    DigitalKind,
    Expert,
    MoELayer,
    Weight,
    Workload,
)
from moexbar.scaling.shape import HEAD, Shape

BITS = 16  # of a stored weight; crossbars take as many of them as they hold


def workload_of(shape: Shape) -> Workload:
    """Embedding, layers and head: every operator that takes crossbars, time or units."""
    operators: list[AnyOperator] = [_digital("embed", "embed", -1, shape.width)]
    for layer in range(shape.layers):
        operators += _layer(shape, layer)
    last, name = shape.layers - 1, "head"
    operators.append(_digital("norm", "norm", last, shape.width))
    operators.append(_dense(name, last, shape.width, shape.vocabulary))
    operators.append(replace(_digital("other", "logits", last, shape.vocabulary), elements=0))
    title = f"{shape.layers} layers of {shape.width}, {shape.experts} experts"
    return Workload(title, "0" * 64, ("ids",), (name,), tuple(operators))


def _layer(shape: Shape, layer: int) -> list[AnyOperator]:
    """Norm, attention with its four products, sum; norm, feed-forward or experts, sum."""
    d = shape.width
    attention = Attention(
        name=f"L{layer}.attention",
        layer=layer,
        inputs=tuple(f"L{layer}.{name}" for name in ("query", "key", "value")),
        outputs=(f"L{layer}.attention",),
        nodes=(f"L{layer}.attention",),
        width=d,
        heads=shape.heads,
        kv_heads=shape.heads,
        head_dim=HEAD,
        causal=True,
        proven=True,
    )
    return [
        _digital("norm", f"L{layer}.norm", layer, d),
        *(_dense(f"L{layer}.{name}", layer, d, d) for name in ("query", "key", "value")),
        attention,
        _dense(f"L{layer}.out", layer, d, d),
        _digital("add", f"L{layer}.add", layer, d),
        _digital("norm", f"L{layer}.norm.2", layer, d),
        *(_feed_forward(shape, layer) if shape.experts == 1 else [_experts(shape, layer)]),
        _digital("add", f"L{layer}.add.2", layer, d),
    ]


def _feed_forward(shape: Shape, layer: int) -> list[AnyOperator]:
    """One gated feed-forward: a dense model's, or one expert without a router."""
    curve = _digital("act", f"L{layer}.act", layer, shape.hidden)
    return [
        _dense(f"L{layer}.gate", layer, shape.width, shape.hidden),
        _dense(f"L{layer}.up", layer, shape.width, shape.hidden),
        replace(curve, passes=OF_CURVES["silu"] + PRODUCT),
        _dense(f"L{layer}.down", layer, shape.hidden, shape.width),
    ]


def _experts(shape: Shape, layer: int) -> MoELayer:
    """A router of which every token takes one expert, and the experts."""
    d, name = shape.width, f"L{layer}.moe"
    scores = _weight(f"{name}.router", d, shape.experts)
    return MoELayer(
        name=name,
        layer=layer,
        inputs=(f"L{layer}.norm.2",),
        outputs=(name,),
        nodes=(name,),
        width=d,
        router=Router("softmax-topk", shape.experts, ByIds("ids", "gates"), 1, scores),
        experts=tuple(
            Expert(
                up=_weight(f"{name}.{e}.up", d, shape.hidden),
                down=_weight(f"{name}.{e}.down", shape.hidden, d),
                gate=_weight(f"{name}.{e}.gate", d, shape.hidden),
            )
            for e in range(shape.experts)
        ),
        activation=usual("silu"),
        form="of a shape",
    )


def _digital(kind: DigitalKind, name: str, layer: int, width: int) -> Digital:
    return Digital(
        name=name,
        layer=layer,
        inputs=(),
        outputs=(name,),
        nodes=(name,),
        width=width,
        kind=kind,
        scope="token",
        elements=width,
    )


def _dense(name: str, layer: int, rows: int, columns: int) -> Dense:
    weight = _weight(name, rows, columns)
    return Dense(name, layer, (), (name,), (name,), columns, weight=weight)


def _weight(name: str, rows: int, columns: int) -> Weight:
    return Weight(name, rows, columns, bits=BITS)
