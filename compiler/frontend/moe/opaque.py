"""Routers of which only the outcome is read: a token's ids, or its weights of all experts."""

from collections.abc import Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import POINTWISE, Anchor
from compiler.frontend.moe.projection import projected, upstream
from compiler.frontend.moe.unreadable import Unreadable
from ir.selection import ByCombine, ByIds, ByScoresOfIds, Selection
from ir.workload import Router

MAX_READINGS = 24  # values tried as the final weights of a router


def by_ids(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> tuple[Router, ...]:
    """Ids from wherever; their weights are a value as wide, or stand under them in a wide one."""
    graph, sizes, ids = facts.graph, facts.sizes, name_of(anchor.source)
    k = sizes.per_token(anchor.source)
    if k is None or k > anchor.experts:
        raise Unreadable("its ids are not so many for every token", anchor.node)
    before = upstream(graph, anchor, nodes)
    floats = [v for n in reversed(nodes) for v in n.outputs if is_float(sizes, v)]
    gates = [v for v in floats if sizes.per_token(v) == k and _last(sizes, v) in (k, 1)]
    wide = [v for v in floats if sizes.per_token(v) == anchor.experts == _last(sizes, v)]
    made = {anchor.source}
    for node in nodes:
        if any(v in made for v in graph.data_inputs(node)):
            made.update(node.outputs)
    with_ids = {v for n in nodes if any(v in made for v in n.inputs) for v in n.inputs}
    gates = sorted(gates, key=lambda v: v not in made)  # hidden vectors may be as wide
    wide = sorted(wide, key=lambda v: v not in with_ids)
    selections: list[Selection] = [ByIds(ids, name_of(v)) for v in gates[:MAX_READINGS]]
    selections += [ByScoresOfIds(ids, name_of(v)) for v in wide[:MAX_READINGS]]
    return tuple(
        Router(
            kind="opaque",
            experts=anchor.experts,
            selection=selection,
            top_k=k,
            nodes=tuple(n.name or "" for n in before),
        )
        for selection in [*selections, ByIds(ids, None)]
    )


def by_weights(
    facts: Facts, anchor: Anchor, nodes: Sequence[Node], entries: Sequence[Value]
) -> tuple[Router, ...]:
    """A weight for every expert, 0 where it does nothing: any number of experts for a token."""
    sizes, made = facts.sizes, {anchor.source: None}
    for node in nodes:
        if node.op_type in POINTWISE and any(v in made for v in facts.graph.data_inputs(node)):
            made.update(dict.fromkeys(node.outputs))
    wide = [v for v in made if sizes.per_token(v) == anchor.experts and is_float(sizes, v)]
    if not wide:
        raise Unreadable("its weights are not one for each token and expert", anchor.node)
    projection, logits, reads = projected(facts.graph, anchor.products, entries)
    readers = {n for v in made for n in facts.graph.readers(v)}
    chain = [n for n in nodes if any(v in made for v in n.outputs) and n in readers]
    return tuple(
        Router(
            kind="opaque",
            experts=anchor.experts,
            selection=ByCombine(name_of(value)),
            top_k=anchor.experts,
            projection=projection,
            logits=logits,
            reads=reads,
            nodes=tuple(n.name or "" for n in [anchor.node, *chain]),
        )
        for value in wide[::-1][:MAX_READINGS]
    )


def is_float(sizes: Sizes, value: Value) -> bool:
    """Whether a value may hold floats: its type is one or not known."""
    kind = sizes.kind(value)
    return kind is None or kind.is_floating_point()


def _last(sizes: Sizes, value: Value) -> int | None:
    """Length of a value's last axis."""
    return (sizes.fixed(value) or (None,))[-1]
