"""A region read as a MoE layer: its experts, which of them is which router output, its router."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import FOLLOWED, Graph, name_of
from compiler.frontend.moe import idle
from compiler.frontend.moe.anchors import Anchor
from compiler.frontend.moe.experts import FeedForward, feed_forwards, one_by_place
from compiler.frontend.moe.found import Evidence, FoundLayer
from compiler.frontend.moe.numbering import expert_numbers
from compiler.frontend.moe.router import describe
from compiler.frontend.moe.unreadable import Unreadable
from ir.workload import Apart, Expert, Router


def readable(
    facts: Facts,
    anchor: Anchor,
    entries: tuple[Value, ...],
    exit_: Value,
    nodes: list[Node],
    *,
    single: bool,
    apart: Apart = "nothing",
    routers: Sequence[Router] = (),
) -> FoundLayer:
    """Read the region from `entries` to `exit_` as a MoE layer, or raise Unreadable.

    single: as for `feed_forwards`; routers: readings of the router, where they are known, as they
    are where something stands `apart`.
    """
    graph = facts.graph
    blocks = feed_forwards(facts, nodes, anchor.products, anchor.starts, single=single)
    chosen = _depends(graph, nodes, anchor.starts)
    routed = [b for b in blocks if _is_routed(graph, b, chosen)]
    if blocks and not routed:
        raise Unreadable("no expert's output is weighted once and as it is", blocks[0].down.node)
    if len(routed) != len(blocks):
        inner = next(b for b in blocks if b not in routed)
        raise Unreadable(
            "an expert that is not routed is summed before the routed ones", inner.down.node
        )
    found = _experts(facts, anchor, nodes, entries[0], routed, chosen)
    many = (routers[0].top_k or 1) if routers else 1
    _check_widths(facts, entries[0], exit_, routed, (apart, many))
    weighted = _depends(graph, nodes, [anchor.node.outputs[0]])
    on_input = any(u.data in weighted and not b.single for b in routed for u in b.ups)
    on_input = on_input and anchor.kind == "best experts" and anchor.node.op_type == "TopK"
    routers = [
        replace(router, experts=len(found.experts), idle=run)
        for run in found.idle
        for router in routers or describe(facts, anchor, nodes, entries)
    ]
    places, top_k = len(routed) // len(one_by_place(routed)), routers[0].top_k
    if places not in (1, top_k):
        raise Unreadable(f"{places} of the {top_k} experts of every token", anchor.node)
    return FoundLayer(
        entry=entries[0],
        beside=entries[1:],
        exit=exit_,
        nodes=tuple(nodes),
        selection=anchor.node,
        router=routers[0],
        experts=tuple(found.experts),
        shared=(),
        activation=routed[0].activation,
        form=_form(anchor, routed, chosen),
        weight_on="input" if on_input else "output",
        evidence=found.evidence,
        routers=tuple(routers[1:]),
        passing=routers[0].idle_outputs if found.passing else (),
        keeps=idle.keeps(entries[0], nodes),
        apart=apart,
    )


def _check_widths(
    facts: Facts,
    entry: Value,
    exit_: Value,
    routed: Sequence[FeedForward],
    apart: tuple[Apart, int],
) -> None:
    """Unreadable where a token's vectors are not as wide as its experts read and make them.

    apart: what stands side by side, and for how many experts of a token.
    """
    expert, (what, k) = routed[0].experts()[0], apart
    rows = expert.up.rows * (k if what == "inputs" else 1)
    columns = expert.last.columns * (k if what == "outputs" else 1)
    if facts.sizes.per_token(entry) != rows:
        words = f"experts that read {rows} numbers, not {name_of(entry)!r} as it is"
        raise Unreadable(words, routed[0].ups[0].node)
    if facts.sizes.per_token(exit_) != columns:
        raise Unreadable(f"{name_of(exit_)!r} is not one vector per token", exit_.producer())


def _form(anchor: Anchor, routed: Sequence[FeedForward], chosen: Collection[Value]) -> str:
    """A name for the way the experts are computed."""
    stacked = routed[0].stacked is not None
    if anchor.expert_choice:
        return "expert-choice-stacked" if stacked else "expert-choice-list"
    if routed[0].down.selected and not routed[0].down.single:
        return "gather-batched"
    if routed[0].down.members:
        return "grouped"
    if stacked and not routed[0].down.single:
        return "dense-batched"
    gathered = routed[0].down.single or any(u.data in chosen for u in routed[0].ups)
    return "per-expert-gather" if gathered else "dense-masked"


def _depends(graph: Graph, nodes: Sequence[Node], starts: Collection[Value]) -> frozenset[Value]:
    """The values of the region that depend on any of `starts`."""
    found = set(starts)
    for node in nodes:
        if any(v in found for v in graph.data_inputs(node)):
            found.update(node.outputs)
    return frozenset(found)


def _is_routed(graph: Graph, block: FeedForward, chosen: Collection[Value]) -> bool:
    """Whether the selection decides over this expert: its input, or a factor on its output."""
    if any(u.selected or u.data in chosen for u in block.ups):
        return True
    value = block.out
    for _ in range(FOLLOWED):
        readers = [n for n in graph.readers(value) if graph.is_data(n)]
        if len(readers) != 1:
            break
        node = readers[0]
        others = [v for v in graph.data_inputs(node) if v is not value]
        if others and node.op_type != "Concat":  # experts may be stacked before they are weighted
            return node.op_type not in ("Add", "Sum") and any(v in chosen for v in others)
        value = node.outputs[0]
    return False


@dataclass(frozen=True, eq=False)
class _Experts:
    """The experts by index and how we know it.

    idle: outputs of the router before and after theirs, as they may be; passing: whether those seem
    to pass the token on.
    """

    experts: list[Expert]
    evidence: Evidence
    idle: Sequence[tuple[int, int]] = ((0, 0),)
    passing: bool = False


def _experts_hit(anchor: Anchor, routed: Sequence[FeedForward]) -> list[Expert]:
    """The experts of a stack from which block i takes the i-th that was hit: a traced loop."""
    stacks = {
        (*(p.matrix.tensor for p in (*b.ups, b.down)), b.stacked, b.activation) for b in routed
    }
    if len(stacks) != 1 or routed[0].stacked != anchor.experts:
        raise Unreadable("blocks that take one expert each from different stacks", anchor.node)
    if len(routed) != anchor.experts:
        raise Unreadable(
            f"a loop over the experts that were hit when the model was traced: {len(routed)} of "
            f"{anchor.experts}, wrong for any input that hits another number of them",
            anchor.node,
            traced=True,
        )
    return routed[0].experts()


def _experts(
    facts: Facts,
    anchor: Anchor,
    nodes: Sequence[Node],
    vectors: Value,
    routed: Sequence[FeedForward],
    chosen: Collection[Value],
) -> _Experts:
    """The experts by index, and how we know the index."""
    if routed and all(p.single for b in routed for p in (*b.ups, b.down)):
        return _Experts(_experts_hit(anchor, routed), "hit loop")
    routed = one_by_place(routed)
    count, outputs = sum(b.stacked or 1 for b in routed), anchor.experts
    passing = 1 < count < outputs and idle.passes_on(facts, vectors, chosen)
    if count != outputs:
        idle.check_meant(facts, anchor, nodes, routed, chosen, passing=passing)
    if len({b.activation for b in routed}) != 1:
        raise Unreadable("experts with different activations", anchor.node)
    if len(routed) == 1 and routed[0].stacked is not None:
        runs = idle.runs(None, count, outputs)
        return _Experts(routed[0].experts(), "numbered", runs, passing)
    if any(b.stacked is not None for b in routed):
        raise Unreadable("stacked and single experts in one layer", anchor.node)
    experts = [block.experts()[0] for block in routed]
    numbers, evidence = expert_numbers(facts, routed, chosen, outputs)
    runs = idle.runs(numbers, count, outputs)
    if numbers is None:
        return _Experts(experts, evidence, runs, passing)
    by_number = dict(zip(numbers, experts, strict=True))
    return _Experts([by_number[i] for i in sorted(numbers)], evidence, runs, passing)
