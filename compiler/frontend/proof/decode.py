"""Whether a model can generate token by token, and how we know.

Native: it takes its caches as inputs. Derived: its attention is causal and its position function
depends on the position alone, so keys and values of past tokens may be kept; proven by running
every attention on T and on T + 1 tokens and comparing the rows of the first T.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from compiler.frontend.operators.attention import OPERATORS, is_two_sided
from compiler.frontend.proof.cut_attention import CutAttention, UnknownShapeError
from ir.arrays import Array, largest
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime, at_hand
from ir.selection import ByCapacity
from ir.workload import Attention, Dense, Digital, MoELayer, Router, Workload

TOKENS = 11
_TOLERANCE = 1e-4  # relative to the largest element


@dataclass(frozen=True)
class Decode:
    """`native`, `derived` or `no`, and the reason."""

    kind: Literal["native", "derived", "no"]
    reason: str


class _NoDecodeError(Exception):
    """Why a model cannot decode."""


def decode_of(facts: Facts, workload: Workload, runtime: Runtime | None = None) -> Decode:
    """How a model can decode."""
    caches = _caches(facts)
    try:
        if caches:
            _check_mixing(facts, workload)
            return Decode("native", f"takes its past as inputs, such as {name_of(caches[0])!r}")
        return Decode("derived", _derived(facts, workload, runtime))
    except _NoDecodeError as reason:
        return Decode("no", str(reason))


def _caches(facts: Facts) -> list[Value]:
    """Inputs that hold the past: vectors of three or more axes beside the tokens."""
    graph = facts.graph
    return [
        v
        for v in graph.inputs
        if v not in graph.token_inputs
        and v.dtype is not None
        and v.dtype.is_floating_point()
        and v.shape is not None
        and len(v.shape) >= 3
        and any(_leads_to_state(facts, node) for node in graph.readers(v))
    ]


def _leads_to_state(facts: Facts, node: Node) -> bool:
    """Whether a node joins the past to the present: it also reads what the tokens are."""
    stateful = node.op_type in (*OPERATORS, "CausalConvWithState")
    return stateful or (node.op_type == "Concat" and facts.graph.is_data(node))


def _derived(facts: Facts, workload: Workload, runtime: Runtime | None) -> str:
    """What was proven, or _NoDecodeError."""
    attentions = list(workload.attentions())
    if not attentions:
        raise _NoDecodeError("no attention was recognised")
    fixed = facts.sizes.static_tokens
    if fixed is not None:
        raise _NoDecodeError(
            f"a static export: prefill of exactly {fixed} tokens only (export it with a "
            "dynamic length)"
        )
    _check_structure(facts, workload)
    with at_hand(runtime) as opened:
        for attention in attentions:
            try:
                _compare(facts, opened, attention)
            except InputError as error:
                raise _NoDecodeError(
                    f"{attention.name} could not be run: {error.problem}"
                ) from error
    return (
        f"{len(attentions)} causal attentions: rows of K, V and the output for {TOKENS} tokens are "
        f"the same with {TOKENS + 1}"
    )


def _check_structure(facts: Facts, workload: Workload) -> None:
    """Tokens must meet in causal attention only (and in an expert-choice selection)."""
    makers = {v: op for op in workload.operators for v in op.outputs}
    _check_mixing(facts, workload)
    for op in workload.operators:
        match op:
            case Attention():
                if not op.causal:
                    raise _NoDecodeError(f"{op.name} is not causal")
                if not any(v in makers for v in op.inputs):
                    raise _NoDecodeError(f"{op.name}: its projections were not recognised")
            case MoELayer(router=Router(selection=ByCapacity(scores))):
                _check_scores(facts, op, scores)
            case MoELayer() | Dense() | Digital():
                pass
            case _:
                assert_never(op)


def _check_mixing(facts: Facts, workload: Workload) -> None:
    """No state but keys and values, which are all that a program keeps (a convolution has one).

    Nor after the last layer: a step has the vectors of its own tokens alone.
    """
    graph = facts.graph
    mixing = {n.name for n in graph.nodes if facts.axes.scope(n) == "sequence"}
    for op in workload.digital():
        if op.scope == "sequence" and op.inputs:
            node = next((n for n in op.nodes if n in mixing), op.nodes[0])
            raise _NoDecodeError(f"{op.name} mixes tokens outside attention (node {node!r})")


def _check_scores(facts: Facts, layer: MoELayer, scores: str) -> None:
    """An expert-choice score must depend on its own token alone."""
    graph = facts.graph
    names = {name_of(v): v for n in graph.nodes for v in n.outputs}
    todo, entry = [names[scores]], names.get(layer.inputs[0])
    seen: set[Value] = set()
    while todo:
        value = todo.pop()
        node = value.producer()
        if value is entry or node is None or value in seen:
            continue
        seen.add(value)
        if graph.is_data(node) and facts.axes.scope(node) == "sequence":
            raise _NoDecodeError(f"{layer.name}: a token's score depends on other tokens")
        todo.extend(graph.data_inputs(node))


def _compare(facts: Facts, runtime: Runtime, attention: Attention) -> None:
    """Run one attention on T and T + 1 tokens; _NoDecodeError where the first T rows differ."""
    graph, axes = facts.graph, facts.axes
    values = graph.by_name
    nodes = [n for n in graph.nodes if n.name in set(attention.nodes)]
    wanted = [v for v in _watched(graph_nodes=nodes, facts=facts) if axes.of(v) is not None]
    wanted += [v for v in (values[n] for n in attention.outputs) if axes.of(v) is not None]
    wanted = list(dict.fromkeys(wanted))
    if not wanted:
        raise _NoDecodeError(f"{attention.name}: no value with a token axis to compare")
    try:
        with CutAttention(facts, runtime, attention, wanted) as cut:
            long = cut.vectors(TOKENS + 1, np.random.default_rng(0))
            runs = [cut.run(long, tokens) for tokens in (TOKENS, TOKENS + 1)]
    except UnknownShapeError as error:
        raise _NoDecodeError(str(error)) from error
    for value in wanted:
        _same_rows(facts, attention, value, runs[0][name_of(value)], runs[1][name_of(value)])


def _watched(graph_nodes: Sequence[Node], facts: Facts) -> list[Value]:
    """Operands of the attention's two products but the softmax's result: q, k and v."""
    found: list[Value] = []
    for node in graph_nodes:
        if is_two_sided(facts.graph, node):
            found.extend(facts.graph.data_inputs(node))
    return [v for v in found if not any(n.op_type == "Softmax" for n in _makers(v, facts, 3))]


def _makers(value: Value, facts: Facts, depth: int) -> list[Node]:
    node = value.producer()
    if node is None or depth == 0:
        return []
    inputs = facts.graph.data_inputs(node)
    return [node, *(_makers(inputs[0], facts, depth - 1) if len(inputs) == 1 else [])]


def _same_rows(facts: Facts, attention: Attention, value: Value, short: Array, long: Array) -> None:
    """The rows of the first T tokens must be the same."""
    axis = facts.axes.of(value)
    if axis is None or not short.size:
        return
    rows = long.take(np.arange(short.shape[axis.axis]), axis=axis.axis)
    limit = max(_TOLERANCE * largest(short), 1e-12)
    if rows.shape != short.shape or largest(rows - short) > limit:
        raise _NoDecodeError(
            f"{attention.name}: rows of {name_of(value)!r} change when a token is added"
        )
