"""Refuse a graph that asks for too much: large values, endless loops, selections of nothing.

Shapes are inferred before anything is computed, so what would be too large is known by its shape:
for the few tokens at which layers are run, or the length that the file is exported for.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import onnx_ir
from onnx_ir import Node, Value

from compiler.frontend.facts.graph import Graph, axis_attribute
from compiler.frontend.facts.sizes import Sizes
from ir.errors import InputError
from ir.limits import Limits
from ir.onnxdoor.load import Source
from ir.onnxdoor.subgraphs import subgraphs

COPIES = 64  # of the largest stored tensor, which a gather may make for the tokens of a trial
_BITS = 32  # of an element whose type is not known
_NO_WIDTH = (onnx_ir.DataType.STRING, onnx_ir.DataType.UNDEFINED)


def refuse_large(graph: Graph, sizes: Sizes) -> None:
    """InputError names the first node that makes too large a value, or runs or selects in vain."""
    known = _with_bodies(graph, sizes)
    limits, where = _of_model(graph.source), graph.name
    for node in _nodes(graph.source.graph, known, limits, where, 1):
        told = f"node {node.name or node.op_type!r} ({node.op_type})"
        for value in node.outputs:
            _check_value(known, value, limits, where, told)
        _check_selection(known, node, where, told)
    for value in graph.inputs:
        _check_value(known, value, limits, where, f"input {value.name!r}")


def _of_model(source: Source) -> Limits:
    """The limits with room for what large models make: each token's own copy of its experts."""
    stored = max((tensor.nbytes for tensor in source.tensors), default=0)
    limits = source.limits
    return replace(limits, value_bytes=max(limits.value_bytes, COPIES * stored))


def _with_bodies(graph: Graph, sizes: Sizes) -> Sizes:
    """The sizes with what can be told of values in the bodies of If, Loop and Scan."""
    main = graph.source.graph
    if len(graph.source.every_node) == len(graph.nodes):
        return sizes
    inner = [n for n in graph.source.every_node if n.graph is not main]
    held = [v for body in main.subgraphs() for v in body.initializers.values()]
    return sizes.extended(held, inner)


def _nodes(
    graph: onnx_ir.Graph, sizes: Sizes, limits: Limits, where: str, times: int
) -> Iterator[Node]:
    """Every node, those of subgraphs too; bodies that run too often are refused."""
    for node in graph:
        yield node
        inner = subgraphs(node)
        if inner:
            rounds = times * _rounds(sizes, node)
            told = f"node {node.name or node.op_type!r} ({node.op_type}): its body"
            limits.check("rounds", rounds, where, told)
        for body in inner:
            yield from _nodes(body, sizes, limits, where, rounds)


def _rounds(sizes: Sizes, node: Node) -> int:
    """Rounds of a Loop or Scan for a few tokens, as far as they are known; else 1."""
    if node.op_type == "Loop" and node.inputs:
        content = sizes.content(node.inputs[0])
        return max(int(content[0].ravel()[0]), 1) if content and content[0].size else 1
    if node.op_type == "Scan" and node.inputs:
        shape = sizes.shape(node.inputs[-1])
        return max(int(shape[0, 0]), 1) if shape is not None and len(shape) else 1
    return 1


def _check_value(sizes: Sizes, value: Value, limits: Limits, where: str, told: str) -> None:
    shape = sizes.shape(value)
    if shape is None:
        return
    dims = [int(d) for d in shape[:, 0]]
    limits.check("axes", len(dims), where, f"{told}: its value")
    kind = sizes.kind(value)
    bits = _BITS if kind in _NO_WIDTH or kind is None else kind.bitwidth
    made = math.prod(d if d >= 0 else 1 for d in dims) * bits // 8
    if made > limits.value_bytes:
        tokens = f" for {sizes.tokens[0]} tokens" if sizes.static_tokens is None else ""
        shown = "x".join(str(d) if d >= 0 else "?" for d in dims)
        limits.check("value_bytes", made, where, f"{told}: a value [{shown}]{tokens}")


def _check_selection(sizes: Sizes, node: Node, where: str, told: str) -> None:
    """A selection takes at least one of what there is, and no more than all of it."""
    if node.op_type == "TopK":
        scores = node.inputs[0]
        given = node.inputs[1] if len(node.inputs) > 1 else None
        stored = given is not None and given.is_initializer()  # else it may grow with the tokens
        numbers = sizes.numbers(given) if stored else None
        k = numbers[0] if numbers else node.attributes.get_int("k", None)
    elif node.op_type in ("MoE", "QMoE") and len(node.inputs) > 1:
        scores, k = node.inputs[1], node.attributes.get_int("k", 1)
    else:
        return
    shape = sizes.fixed(scores)
    if k is None or not shape:
        return
    axis = axis_attribute(node, -1, len(shape))
    most = shape[axis] if 0 <= axis < len(shape) else None
    if k < 1 or (most is not None and k > most):
        expected = "at least 1" if most is None else f"1 to {most}"
        raise InputError(where, f"{told}: k = {k}, expected {expected}")
