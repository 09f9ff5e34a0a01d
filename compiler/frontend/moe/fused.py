"""MoE layers that are one operator: com.microsoft::MoE and com.microsoft::QMoE."""

import math
from collections.abc import Collection, Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.dominators import computed_from, nodes_between
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.products import Product
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import root, router_products
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.moe.projection import projected
from compiler.frontend.moe.unreadable import Unreadable
from ir.activation import Activation, AnyActivation, Curve, usual
from ir.onnxdoor.packing import reads_packed
from ir.onnxdoor.widen import as_stored
from ir.router import RouterKind
from ir.selection import ByLogits
from ir.workload import Expert, Router, Weight

_QMOE = {"fc1": (2, 4), "fc2": (5, 7), "fc3": (8, 10)}  # weight and bias inputs
_CURVES: dict[str, Curve] = {  # by activation_type
    "relu": "relu",
    "gelu": "gelu-tanh",
    "silu": "silu",
    "identity": "identity",
    "geglu": "gelu-tanh",
}
_MOE = {"fc1": (2, 3), "fc2": (4, 5), "fc3": (6, 7)}


def contract_layer(facts: Facts, node: Node) -> FoundLayer:
    """The layer of a MoE or QMoE node with its router; Unreadable says what cannot be mapped."""
    graph, data, logits = facts.graph, node.inputs[0], node.inputs[1]
    if data is None or logits is None:
        raise Unreadable("input or router_probs is missing", node)
    entry = root(graph, data)
    matrices = router_products(facts, logits)
    beside = _beside(graph, entry, logits, matrices)
    entries = (entry, *beside)
    region = computed_from(graph, *entries)
    inside = logits in region and bool(matrices)
    ends = [node.outputs[0]]
    own = nodes_between(graph, entries if inside else {*entries, logits}, ends, region)
    experts, activation = _experts(facts.sizes, node)
    projection, product, reads = projected(graph, matrices, entries)
    router = Router(
        kind=_kind(node, own),
        experts=len(experts),
        selection=ByLogits(name_of(logits)),
        top_k=int(node.attributes.get_int("k", 1) or 1),
        projection=projection,
        logits=product,
        reads=reads,
        nodes=tuple(n.name or "" for n in own if n is not node),
    )
    return FoundLayer(
        entry=entry,
        exit=node.outputs[0],
        nodes=tuple(own),
        selection=node,
        router=router,
        experts=experts,
        shared=(),
        activation=activation,
        form=node.op_type,
        remarks=_remarks(node),
        beside=beside,
    )


def _beside(
    graph: Graph, entry: Value, logits: Value, matrices: Sequence[Product]
) -> tuple[Value, ...]:
    """What the router reads that is not made of the entry: its vectors, else the logits."""
    if logits not in graph.data or logits in computed_from(graph, entry):
        return ()
    reads = root(graph, matrices[0].data) if len(matrices) == 1 else None
    if reads is not None and logits in computed_from(graph, entry, reads):
        return (reads,)
    return (logits,)


def _kind(node: Node, own: Collection[Node]) -> RouterKind:
    """Softmax, then the k best; renormalised equals a softmax over the k best logits.

    own: the layer's nodes; a router that selects by a sigmoid before hands the operator its choice
    as logits, very low where an expert was not selected.
    """
    before = {n.op_type for n in own if n is not node}
    if "TopK" in before and ("Sigmoid" in before or {"Exp", "Reciprocal"} <= before):
        return "sigmoid-topk"
    asked = bool(node.attributes.get_int("normalize_routing_weights", 0))
    renormalised = asked or node.op_type == "QMoE"  # which always does, without router_weights
    return "topk-softmax" if renormalised else "softmax-topk"


def _remarks(node: Node) -> tuple[str, ...]:
    if node.attributes.get_int("use_sparse_mixer", 0):
        return (f"node {node.name!r}: use_sparse_mixer is ignored by ONNX Runtime on CPU",)
    return ()


def _experts(sizes: Sizes, node: Node) -> tuple[tuple[Expert, ...], AnyActivation]:
    quantised = node.op_type == "QMoE"
    if quantised and (node.attributes.get_int("weights_prepacked", 0) or 0) > 0:
        raise Unreadable("weights_prepacked: the bytes are in the order of a CUDA kernel", node)
    if quantised and len(node.inputs) > 14 and node.inputs[14] is not None:
        raise Unreadable("router_weights: gates that come from outside the operator", node)
    if quantised and not reads_packed(node):
        raise Unreadable("its weights are packed in a way that is not read", node)
    if node.attributes.get_int("swiglu_limit_after_activation", 0):
        raise Unreadable("swiglu_limit_after_activation: clipped after the activation", node)
    places = _QMOE if quantised else _MOE
    width = _width(sizes, node)
    bits = int(node.attributes.get_int("expert_weight_bits", 4) or 4) if quantised else 0
    fc1, bias1 = _matrix(sizes, node, *places["fc1"], bits)
    fc2, bias2 = _matrix(sizes, node, *places["fc2"], bits)
    fc3, bias3 = _matrix(sizes, node, *places["fc3"], bits)
    if fc1 is None or fc2 is None:
        raise Unreadable("fc1 or fc2 is not an initialiser", node)
    kind = node.attributes.get_string("activation_type", "relu") or "relu"
    fused = kind in ("swiglu", "geglu") and fc3 is None
    hidden = fc1.outer // 2 if fused else fc1.outer
    if fc1.inner != width or fc2.outer != width or fc2.inner != hidden:
        raise Unreadable(
            f"fc1 {fc1.outer} x {fc1.inner} and fc2 {fc2.outer} x {fc2.inner} do not fit "
            f"a width of {width}",
            node,
        )
    interleaved = node.attributes.get_int("swiglu_fusion", 0) == 1
    experts = []
    for index in range(fc1.count):
        down = fc2.weight(index, bias2)
        if fused:
            gate = fc1.weight(index, bias1, hidden, 0, 2 if interleaved else 1)
            up = fc1.weight(
                index, bias1, hidden, 1 if interleaved else hidden, 2 if interleaved else 1
            )
            experts.append(Expert(up, down, gate))
        elif fc3 is not None:
            experts.append(Expert(fc3.weight(index, bias3), down, fc1.weight(index, bias1)))
        else:
            experts.append(Expert(fc1.weight(index, bias1), down))
    return tuple(experts), _activation(node, kind)


def _activation(node: Node, kind: str) -> AnyActivation:
    """What the kernel computes: swiglu is silu on the gate unless it is scaled or clipped."""
    if kind != "swiglu":
        if kind not in _CURVES:
            known = ", ".join((*_CURVES, "swiglu"))
            raise Unreadable(f"activation_type {kind!r} is not known, expected {known}", node)
        return usual(_CURVES[kind])
    alpha = node.attributes.get_float("activation_alpha", 1.0)
    beta = node.attributes.get_float("activation_beta", 0.0)
    limit = node.attributes.get_float("swiglu_limit", None)
    if alpha == 1.0 and beta == 0.0 and limit is None:
        return usual("silu")
    clip = math.inf if limit is None else float(limit)
    return Activation("swiglu-oai", (float(alpha or 1.0), float(beta or 0.0), clip))


class _Stack:
    """A tensor [experts, outer, inner] of matrices stored as [columns, rows]."""

    def __init__(self, name: str, shape: tuple[int, int, int], bits: int) -> None:
        self.name, self.bits = name, bits
        self.count, self.outer, self.inner = shape

    def weight(
        self,
        index: int,
        bias: str | None,
        columns: int | None = None,
        start: int = 0,
        step: int = 1,
    ) -> Weight:
        """One expert's matrix, or some of its columns."""
        return Weight(
            tensor=self.name,
            rows=self.inner,
            columns=columns or self.outer,
            bits=self.bits,
            index=index,
            transposed=True,
            start=start,
            step=step,
            bias=bias,
        )


def _matrix(
    sizes: Sizes, node: Node, place: int, bias_place: int, bits: int
) -> tuple[_Stack | None, str | None]:
    value = _input(node, place)
    if value is None:
        return None, None
    shape = sizes.fixed(value)
    if not value.is_initializer() or shape is None or len(shape) != 3 or None in shape:
        raise Unreadable(f"input {place} is not a stored tensor of three axes", node)
    count, outer, inner = (int(d or 0) for d in shape)
    tensor = value.const_value
    stored = as_stored(tensor).dtype.bitwidth if tensor is not None else 32
    if bits:
        inner, stored = inner * 8 // bits, bits
    bias = _input(node, bias_place)
    return _Stack(name_of(value), (count, outer, inner), stored), name_of(bias) or None


def _width(sizes: Sizes, node: Node) -> int:
    shape = sizes.fixed(node.inputs[0])
    if shape is None or shape[-1] is None:
        raise Unreadable("the width of a token vector is unknown", node)
    return shape[-1]


def _input(node: Node, place: int) -> Value | None:
    return node.inputs[place] if len(node.inputs) > place else None
