"""The operators of a workload from the parts of the graph."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import weight_of
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.products import Product
from compiler.frontend.facts.shape_rules import ELEMENTWISE
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.operators.attention import FoundAttention
from compiler.frontend.operators.curved import passes_of_nodes
from compiler.frontend.operators.digital import elements_of, scope_of
from compiler.frontend.operators.held import held_by
from compiler.frontend.operators.layers import layer_numbers
from compiler.frontend.operators.parts import Part, inputs_of
from ir.errors import InputError
from ir.passes import ON_THE_WAY
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer


@dataclass(frozen=True, eq=False)
class Lent:
    """What layers are fed by beside their own nodes: those of the layer that has their router.

    readers: who reads a value that such nodes make, which needs no passing on; starts: the values
    that the layers read instead.
    """

    readers: Mapping[Value, Collection[Node]]
    starts: Collection[Value]


def _lent(graph: Graph, parts: Sequence[Part]) -> Lent:
    readers: dict[Value, Collection[Node]] = {}
    starts: dict[Value, None] = {}
    for part in parts:
        if isinstance(part.found, FoundLayer) and part.found.lent:
            starts.update(dict.fromkeys(part.found.beside))
            starts.update(dict.fromkeys(inputs_of(graph, {*part.nodes, *part.found.lent})))
            made = [v for n in part.found.lent for v in n.outputs]
            readers.update(dict.fromkeys(made, part.nodes))
    return Lent(readers, starts)


def operators_of(facts: Facts, parts: Sequence[Part], tokens: int) -> list[AnyOperator]:
    """One operator per part, numbered by layer and named by kind.

    tokens: the length of a sequence at which elements are counted; of a side that of the side.
    """
    lent = _lent(facts.graph, parts)
    made = [_of_side(facts, part, tokens, lent) for part in parts]
    scales = [i for i, part in enumerate(parts) if _only_scales(facts, part)]
    numbers = layer_numbers(made, scales)
    counts: dict[str, int] = {}
    out = []
    for operator, layer in zip(made, numbers, strict=True):
        stem = f"L{layer}.{operator.name}" if layer >= 0 else operator.name
        counts[stem] = counts.get(stem, 0) + 1
        name = stem if counts[stem] == 1 else f"{stem}.{counts[stem]}"
        out.append(replace(operator, name=name, layer=layer))
    return out


def _only_scales(facts: Facts, part: Part) -> bool:
    """Whether a part mixes tokens only to quantise all of them with one scale."""
    axes = facts.axes
    mixing = [n for n in part.nodes if axes.scope(n) == "sequence"]
    return bool(mixing) and all(
        n.op_type == "DynamicQuantizeLinear"
        or (
            n.op_type in ELEMENTWISE and all(axes.of(v) is None for v in facts.graph.data_inputs(n))
        )
        for n in mixing
    )


def _of_side(facts: Facts, part: Part, tokens: int, lent: Lent) -> AnyOperator:
    """The operator of a part, of the side that its tokens are of."""
    if not facts.sides:
        return _operator(facts, part, tokens, lent)
    side = _side(facts, part, lent)
    made = _operator(facts, part, tokens if side is None else facts.sides[side].tokens, lent)
    match made:
        case Attention():
            read = set(facts.axes.sides_of(inputs_of(facts.graph, part.nodes))) - {side}
            return replace(made, side=side, key_side=read.pop() if len(read) == 1 else side)
        case Digital(scope="constant"):
            return made
        case Digital() | Dense() | MoELayer():
            return replace(made, side=side)
        case _:
            assert_never(made)


def _side(facts: Facts, part: Part, lent: Lent) -> int | None:
    """The one side whose tokens are in what a part gives; None where there is not one.

    A layer's result has the tokens that enter it.
    """
    if isinstance(part.found, FoundLayer):
        made: Collection[Value] = part.found.entries[:1]
    else:
        made = _outputs(facts.graph, part.nodes, lent)
    sides = set(facts.axes.sides_of(made))
    return sides.pop() if len(sides) == 1 else None


def _operator(facts: Facts, part: Part, tokens: int, lent: Lent) -> AnyOperator:
    """One operator, not yet in a layer; its name is its kind."""
    graph, sizes = facts.graph, facts.sizes
    nodes = sorted(part.nodes, key=graph.order.__getitem__)
    outputs = _outputs(graph, part.nodes, lent)
    found = part.found
    if isinstance(found, FoundLayer):  # the weighted sum comes first
        outputs = [found.exit, *(v for v in outputs if v is not found.exit)]
    names = tuple(n.name or "" for n in nodes)
    read = inputs_of(graph, nodes)
    if isinstance(found, FoundLayer):  # the token vectors come first
        read = inputs_of(graph, {*nodes, *found.lent})
        read = [*found.entries, *(v for v in read if v not in found.entries)]
    inputs = tuple(name_of(v) for v in read)
    outs = tuple(name_of(v) for v in outputs)
    width = (sizes.per_token(outputs[0]) or 0) if outputs else 0
    if isinstance(found, FoundLayer):
        layer = found.as_operator()
        return replace(layer, inputs=inputs, outputs=outs, nodes=names, width=width)
    if isinstance(found, FoundAttention):
        return Attention(
            "attention",
            -1,
            inputs,
            outs,
            names,
            width,
            found.heads,
            found.kv_heads,
            found.head_dim,
            found.causal,
            queries=tuple(name_of(v) for v in read if v in found.queries),
            proven=found.defined,
        )
    if isinstance(found, Product):
        weight = weight_of(found.matrix, found.bias)
        if weight is None:
            raise InputError(graph.name, f"node {found.node.name!r}: no matrix")
        return Dense("dense", -1, inputs, outs, names, width, weight)
    scope = scope_of(facts.axes, found.nodes)
    elements = elements_of(sizes, found.nodes, scope, tokens)
    if not width and scope != "constant":  # its shape depends on the data: all it makes, per token,
        width = max(elements, 1)  # and where nothing is known of it, one value
    held = held_by(facts, found.nodes, scope, tokens)
    return Digital(
        found.kind,
        -1,
        inputs,
        outs,
        names,
        width,
        found.kind,
        scope,
        elements,
        held.macs,
        held.weight_bytes,
        held.gathered_bytes,
        passes_of_nodes(graph, found.nodes) if found.kind == "act" else ON_THE_WAY,
    )


def _outputs(graph: Graph, nodes: Collection[Node], lent: Lent) -> list[Value]:
    """What of a set of nodes is read outside or is a model output; constants are not.

    Nor is what a layer reads of the nodes lent to it: it has the values that those start from.
    """
    ordered = sorted(nodes, key=graph.order.__getitem__)
    return [
        v
        for n in ordered
        for v in n.outputs
        if (v not in graph.constant or v.is_graph_output()) and _passes(graph, v, nodes, lent)
    ]


def _passes(graph: Graph, value: Value, nodes: Collection[Node], lent: Lent) -> bool:
    """Whether `nodes` give a value of theirs to others."""
    if value.is_graph_output() or value in lent.starts:
        return True
    served = lent.readers.get(value, ())
    return any(r not in nodes and r not in served for r in graph.readers(value))
