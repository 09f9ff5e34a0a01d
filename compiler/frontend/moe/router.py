"""The router of a MoE layer: its kind, what it selects from, and its gate weights."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import POINTWISE, VIEWS, Anchor, root
from compiler.frontend.moe.capacity import capacity
from compiler.frontend.moe.opaque import by_ids, by_weights, is_float
from compiler.frontend.moe.projection import projected, upstream
from compiler.frontend.moe.unreadable import Unreadable
from ir.router import Router, RouterKind
from ir.selection import ByCapacity, ByCombine, ByIds, ByScoresOfIds

MAX_READINGS = 24  # values tried as the final weights of a router with a capacity
MAX_PROBABILITIES, MAX_MASKS = 3, 8  # tried with each other


def describe(
    facts: Facts, anchor: Anchor, nodes: Sequence[Node], entries: Sequence[Value]
) -> tuple[Router, ...]:
    """The `Router` of an anchor, and other readings of it: which value holds the final weights.

    nodes: those of its MoE layer; entries: what that reads, the experts' vectors first.
    """
    match anchor.kind:
        case "ids":
            return by_ids(facts, anchor, nodes)
        case "weights":
            return by_weights(facts, anchor, nodes, entries)
        case "best experts" | "best tokens":
            return _by_selection(facts, anchor, nodes, entries)
        case _:
            assert_never(anchor.kind)


def _by_selection(
    facts: Facts, anchor: Anchor, nodes: Sequence[Node], entries: Sequence[Value]
) -> tuple[Router, ...]:
    """A TopK or ArgMax over scores."""
    graph, sizes = facts.graph, facts.sizes
    before = upstream(graph, anchor, nodes)
    projection, logits, reads = projected(graph, anchor.products, entries)
    if anchor.expert_choice and sizes.batch > 1:
        raise Unreadable(
            f"experts choose among tokens in a file exported for {sizes.batch} sequences; export "
            "it with a batch of 1 or a dynamic axis",
            anchor.node,
        )
    if anchor.expert_choice:
        only = Router(
            kind="expert-choice",
            experts=anchor.experts,
            selection=ByCapacity(name_of(_scores(facts, anchor)), capacity(sizes, anchor)),
            projection=projection,
            logits=logits,
            reads=reads,
            nodes=tuple(n.name or "" for n in before),
        )
        return (only,)
    found = _choice(facts, anchor, nodes)
    if sizes.per_token(found.ids) is None:
        raise Unreadable("its choice is not one for each token", anchor.node)
    ids = name_of(found.ids)
    first = Router(
        kind=_kind(anchor, before, found.chain),
        experts=anchor.experts,
        selection=ByIds(ids, None if found.gates is None else name_of(found.gates)),
        top_k=found.top_k,
        projection=projection,
        logits=logits,
        reads=reads,
        nodes=tuple(n.name or "" for n in dict.fromkeys([*before, *found.chain])),
    )
    readings = [first]
    others = [v for v in found.others if v is not found.gates]
    readings += [replace(first, selection=ByIds(ids, name_of(v))) for v in others]
    wide = _full_width(facts, anchor, nodes)
    makers = {v.producer() for v in wide}
    kind = first.kind
    if kind == "opaque" and any(n is not None and n.op_type == "Sigmoid" for n in makers):
        kind = "sigmoid-topk"  # the same choice: a sigmoid keeps the order
    readings += [replace(first, kind=kind, selection=ByScoresOfIds(ids, name_of(v))) for v in wide]
    picks = _picks(sizes, before)
    masks = [replace(first, top_k=picks, selection=s) for s in _masks(facts, anchor, nodes, picks)]
    return (*readings, *masks)


def _masks(facts: Facts, anchor: Anchor, nodes: Sequence[Node], picks: int) -> list[ByCombine]:
    """Selections by one-hot values: as they are, or times a top-1 router's probability."""
    wide, own = _combining(facts, anchor, nodes), _of_router(facts, anchor, nodes)
    masks = [v for v in wide if v in own][:MAX_MASKS]
    apart = _probabilities(facts, anchor, nodes) if picks == 1 else []
    alone = [ByCombine(name_of(v)) for v in dict.fromkeys([*wide[:MAX_READINGS], *masks])]
    return alone + [ByCombine(name_of(v), name_of(p)) for p in apart for v in masks]


def _of_router(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> set[Value]:
    """The values made of the router's scores and selection alone, not of any token vector."""
    found = {anchor.source, *anchor.starts, *(p.out for p in anchor.products)}
    for node in nodes:
        data = facts.graph.data_inputs(node)
        if data and node not in facts.products.by_node and all(v in found for v in data):
            found.update(node.outputs)
    return found


def _probabilities(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> list[Value]:
    """Values of one number per token, made of the router's scores: the last one first."""
    sizes, known = facts.sizes, {anchor.source, *(p.out for p in anchor.products[:1])}
    found: list[Value] = []
    for node in nodes:
        data = facts.graph.data_inputs(node)
        if node.op_type not in POINTWISE or not any(v in known for v in data):
            continue
        out = node.outputs[0]
        alone = sizes.per_token(out) == 1
        masked = any(is_float(sizes, v) and v not in known for v in data)
        if not is_float(sizes, out) or (alone and masked):
            continue  # which expert it is, or what one expert weights
        known.add(out)
        if alone:
            found.append(out)
    return found[::-1][:MAX_PROBABILITIES]


def _picks(sizes: Sizes, upstream: Sequence[Node]) -> int:
    """Experts a token gets from all selections together, each of which leaves out the others'."""
    counts = [1 for n in upstream if n.op_type == "ArgMax"]
    for node in upstream:
        if node.op_type == "TopK":
            counts.append(_taken(sizes, node) or 1)
    return sum(counts)


def _combining(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> list[Value]:
    """Values [.., tokens, experts] or [.., tokens, experts, slots] made from one-hot selections.

    The last one first: a capacity may have taken some away.
    """
    graph, sizes = facts.graph, facts.sizes
    scores, known = sizes.shape(anchor.source), set(anchor.starts)
    found: list[Value] = []
    hot = False
    for node in nodes:
        if not any(v in known for v in graph.data_inputs(node)):
            continue
        known.update(node.outputs)
        hot = hot or node.op_type in ("OneHot", "Equal")
        shape = sizes.shape(node.outputs[0])
        if not hot or scores is None or shape is None or len(scores) < 2:
            continue
        rows, lead = scores[-2:], shape[-3:-1] if len(shape) == len(scores) + 1 else shape[-2:]
        if np.array_equal(lead, rows):
            found.append(node.outputs[0])
    return found[::-1]


@dataclass(frozen=True, eq=False)
class _Choice:
    """Selected ids and their final weights [.., k], and the nodes that make them after the pick."""

    ids: Value
    gates: Value | None
    top_k: int
    chain: list[Node]
    others: tuple[Value, ...] = ()


def _choice(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> _Choice:
    """What the router hands on: from one TopK, or from several single picks joined."""
    several = _joined(facts.graph, anchor, nodes)
    if several is not None:
        return several
    if anchor.node.op_type == "ArgMax":
        return _Choice(anchor.node.outputs[0], None, 1, [])
    ids, found, chain = _gates(facts, anchor, nodes)
    return _Choice(ids, found[-1], _taken(facts.sizes, anchor.node), chain, tuple(found[::-1]))


def _joined(graph: Graph, anchor: Anchor, nodes: Sequence[Node]) -> _Choice | None:
    """K picks of one expert each, concatenated: ids by a Concat, weights by another."""
    picks = ("ArgMax", "TopK")
    own = anchor.node.outputs[-1]
    found: Node | None = None
    gates: Value | None = None
    for node in nodes:
        if node.op_type != "Concat" or None in node.inputs:
            continue
        sources = [root(graph, v) for v in node.inputs if v is not None]
        makers = [v.producer() for v in sources]
        if all(
            m is not None and m.op_type in picks and v is m.outputs[-1]
            for m, v in zip(makers, sources, strict=True)
        ):
            found = node if own in sources else found
        elif all(m is not None and m.op_type in ("GatherElements", *picks) for m in makers):
            gates = node.outputs[0]
    if found is None:
        return None
    return _Choice(found.outputs[0], gates, len(found.inputs), [found])


def _kind(anchor: Anchor, upstream: Collection[Node], chain: Collection[Node]) -> RouterKind:
    before = {n.op_type for n in upstream if n is not anchor.node}
    if anchor.node.op_type == "ArgMax":
        return "argmax"
    if "Sigmoid" in before:
        return "sigmoid-topk"
    if "Softmax" in before:
        return "softmax-topk"
    if any(n.op_type == "Softmax" for n in chain):
        return "topk-softmax"
    return "opaque"


def _taken(sizes: Sizes, node: Node) -> int:
    """How many a TopK takes, by its input or, up to opset 9, its attribute; 0: not known."""
    if len(node.inputs) < 2:
        return int(node.attributes.get_int("k", 0) or 0)
    return next(iter(sizes.numbers(node.inputs[1]) or ()), 0)


def _scores(facts: Facts, anchor: Anchor) -> Value:
    """[.., tokens, experts]: the selection's input before the transpose that turned it."""
    value = anchor.source
    while True:
        node = value.producer()
        token, shape = facts.axes.of(value), facts.sizes.fixed(value)
        rank = len(shape) if shape is not None else 0
        turned = token is not None and token.axis == rank - 1
        if not turned or node is None or node.op_type not in ("Transpose", *VIEWS):
            return value
        inputs = facts.graph.data_inputs(node)
        if len(inputs) != 1:
            return value
        value = inputs[0]


def _gates(
    facts: Facts, anchor: Anchor, nodes: Sequence[Node]
) -> tuple[Value, list[Value], list[Node]]:
    """Selected ids, their weights [.., k] (the final ones last), and the nodes that make them."""
    graph, sizes = facts.graph, facts.sizes
    values, ids = anchor.node.outputs[0], anchor.node.outputs[1]
    shape = sizes.shape(ids)
    inside = set(nodes)
    made: dict[Value, None] = {values: None}
    found: list[Value] = [values]
    chain = []
    for node in sorted(inside, key=graph.order.__getitem__):
        data = graph.data_inputs(node)
        looked_up = (
            node.op_type == "GatherElements" and len(node.inputs) > 1 and (node.inputs[1] is ids)
        )
        follows = bool(data) and all(v in made for v in data) and node is not anchor.node
        if not looked_up and not (follows and node.op_type in POINTWISE - {"TopK", "OneHot"}):
            continue
        out = sizes.shape(node.outputs[0])
        if shape is None or out is None or len(out) != len(shape):
            continue
        if not np.array_equal(out[:-1], shape[:-1]) or out[-1][0] not in (shape[-1][0], 1):
            continue
        made[node.outputs[0]] = None
        chain.append(node)
        if np.array_equal(out, shape):
            found.append(node.outputs[0])
    return ids, found, chain


def _full_width(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> list[Value]:
    """Weights [.., tokens, experts] that the selection was scattered into, the last one first."""
    graph, sizes = facts.graph, facts.sizes
    before, found = sizes.shape(anchor.source), list[Value]()
    known: set[Value] = set()
    for node in nodes:
        data = graph.data_inputs(node)
        scattered = node.op_type in ("ScatterElements", "ScatterND") and any(
            v in anchor.node.outputs for v in data
        )
        follows = node.op_type in POINTWISE and any(v in known for v in data)
        out = sizes.shape(node.outputs[0]) if scattered or follows else None
        if out is None or before is None or not np.array_equal(out, before):
            continue
        known.add(node.outputs[0])
        found.append(node.outputs[0])
    return found[::-1]
