"""Find the MoE layers: from a router's selection to the sum of its experts' outputs.

A selection anchors the search: TopK or ArgMax on a small projection, ids that gather matrices, or
weights of all experts. It meets the token vectors that the experts read. Everything computed from
these and from what the router reads is a candidate; the values that every path from the selection
must pass are candidate exits. The first exit whose region holds one feed-forward expert per router
output is taken and then moved on over what still belongs to the layer: reshapes and shared experts.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.dominators import computed_from, nodes_between, post_dominators
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.moe import idle
from compiler.frontend.moe.anchors import (
    Anchor,
    anchors_by_ids,
    anchors_by_table,
    anchors_by_weights,
    find_anchors,
)
from compiler.frontend.moe.experts import FeedForward, feed_forwards, one_by_place
from compiler.frontend.moe.extend import extensions
from compiler.frontend.moe.found import Evidence, FoundLayer
from compiler.frontend.moe.fused import contract_layer
from compiler.frontend.moe.meeting import entries_of, meeting, with_all_products
from compiler.frontend.moe.numbering import expert_numbers
from compiler.frontend.moe.other_selections import own_selections, row_selections
from compiler.frontend.moe.router import describe
from compiler.frontend.moe.unreadable import Unreadable
from ir.errors import InputError
from ir.workload import Expert, Suspect

Prove = Callable[[Sequence[FoundLayer]], FoundLayer]


def find_moe(facts: Facts, prove: Prove) -> tuple[list[FoundLayer], list[Suspect]]:
    """The MoE layers in graph order, and every selection that is none but looks so.

    prove: picks, of a layer read with several exits (outermost first), the one to take, or raises
    Unreadable.
    """
    graph = facts.graph
    layers: list[FoundLayer] = []
    taken: set[Node] = set()
    doubts: dict[Node, Suspect] = {}  # by the nodes that made one look for a layer
    for node in graph.nodes:
        if node.op_type in ("MoE", "QMoE") and node.domain == "com.microsoft":
            try:
                layers.append(prove(_contract(facts, node)))
            except (Unreadable, InputError) as error:
                doubts[node] = Suspect(node.name or "", node.op_type, str(error))
            else:
                taken.update(layers[-1].nodes)
    for anchor in _anchors(facts, taken):
        found, suspect = _layer(facts, anchor, prove)
        if found is not None and not taken.intersection(found.nodes):
            layers.append(found)
            taken.update(found.nodes)
        elif suspect is not None:
            own = {anchor.node, *(p.node for p in anchor.products)}
            if own.isdisjoint(doubts):
                doubts |= dict.fromkeys(own, suspect)
    layers.sort(key=lambda layer: graph.order[layer.nodes[0]])
    named = list(dict.fromkeys(s for n, s in doubts.items() if n not in taken))
    return layers, named or [*row_selections(facts, taken), *own_selections(facts, taken)]


def _anchors(facts: Facts, taken: Collection[Node]) -> Iterator[Anchor]:
    """What may decide over experts outside `taken`, which grows; the surest kind first."""
    for anchor in find_anchors(facts):
        if anchor.node not in taken:
            yield anchor
    for anchor in anchors_by_ids(facts):
        if anchor.node not in taken:
            yield anchor
    for anchor in anchors_by_table(facts):
        if anchor.node not in taken:
            met = meeting(facts, anchor)
            experts = max(met.experts, met.times)
            if experts >= anchor.experts:
                yield replace(anchor, experts=experts)
    for anchor in anchors_by_weights(facts):
        if anchor.node not in taken:
            met = meeting(facts, anchor)
            if met.zeroes and anchor.experts in (met.experts, met.times):
                yield anchor


def _unread(facts: Facts, anchor: Anchor, region: Collection[Value]) -> Suspect | None:
    """A selection whose region reads a stack of matrices, one per expert, in an unknown way."""
    products = facts.products.by_node
    for node in facts.graph.nodes:
        if node in products or not any(v in region for v in node.outputs):
            continue
        for value in node.inputs:
            shape = facts.sizes.fixed(value) if value in facts.graph.constant else None
            if shape is not None and len(shape) == 3 and shape[0] == anchor.experts:
                reason = (
                    f"a stack of {anchor.experts} matrices is read by {node.op_type} (at node "
                    f"{node.name!r}), a form that is not read"
                )
                return Suspect(anchor.node.name or "", anchor.node.op_type, reason)
    return None


def _contract(facts: Facts, node: Node) -> list[FoundLayer]:
    layer = contract_layer(facts, node)
    return extensions(facts, computed_from(facts.graph, *layer.entries), layer)


def _layer(facts: Facts, anchor: Anchor, prove: Prove) -> tuple[FoundLayer | None, Suspect | None]:
    """The layer of one anchor, or why there is none (None when nothing suggests one).

    Experts of a single matrix are looked for last, as any first matrix may look like one, and taken
    where they are what the region computes.
    """
    met = meeting(facts, anchor)
    anchor = with_all_products(facts, anchor, met)
    suspects: list[Suspect] = []
    entries = dict.fromkeys([entries_of(facts, anchor, met), (anchor.entry,)])
    for single, read in product((False, True), entries):
        found, suspect = _between(facts, anchor, read, prove, single=single)
        if found is not None and not (single and found.proof == "structure"):
            return found, None
        suspects += [suspect] if suspect is not None else []
    region = computed_from(facts.graph, anchor.entry)
    first = next((s for s in suspects if s.traced), suspects[0] if suspects else None)
    return None, first or _unread(facts, anchor, region)


def _between(
    facts: Facts, anchor: Anchor, entries: tuple[Value, ...], prove: Prove, *, single: bool
) -> tuple[FoundLayer | None, Suspect | None]:
    """The layer of one anchor that reads `entries`, or why there is none."""
    graph, name = facts.graph, anchor.node.name or ""
    region = computed_from(graph, *entries)
    chain = post_dominators(graph, region, anchor.starts)
    suspect: Suspect | None = None
    for exit_ in chain:
        nodes = nodes_between(graph, entries, [exit_], region)
        if sum(n in facts.products.by_node for n in nodes) <= len(anchor.products):
            continue
        try:
            layer = _readable(facts, anchor, entries, exit_, nodes, single=single)
            return prove(extensions(facts, region, layer)), None
        except Unreadable as why:
            doubt = Suspect(name, anchor.node.op_type, why.located, why.traced)
        except InputError as error:
            doubt = Suspect(name, anchor.node.op_type, str(error))
        if not _suggests_experts(facts, anchor, nodes):
            continue
        if suspect is None or (doubt.traced and not suspect.traced):
            suspect = doubt
        if len(nodes) > 4 * anchor.experts + 2000:
            break
    return None, suspect


def _suggests_experts(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> bool:
    """Whether a region has a stack of matrices, or several besides the router's."""
    found = [facts.products.by_node[n] for n in nodes if n in facts.products.by_node]
    own = [p for p in found if p not in anchor.products]
    return len(own) > 1 or any(p.stacked is not None or p.selected for p in own)


def _readable(
    facts: Facts,
    anchor: Anchor,
    entries: tuple[Value, ...],
    exit_: Value,
    nodes: list[Node],
    *,
    single: bool,
) -> FoundLayer:
    """Read the region from `entries` to `exit_` as a MoE layer, or raise Unreadable."""
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
    rows, columns = found.experts[0].up.rows, found.experts[0].last.columns
    if facts.sizes.per_token(entries[0]) != rows:
        words = f"experts that read {rows} numbers, not {name_of(entries[0])!r} as it is"
        raise Unreadable(words, routed[0].ups[0].node)
    if facts.sizes.per_token(exit_) != columns:
        raise Unreadable(f"{name_of(exit_)!r} is not one vector per token", exit_.producer())
    weighted = _depends(graph, nodes, [anchor.node.outputs[0]])
    on_input = any(u.data in weighted and not b.single for b in routed for u in b.ups)
    on_input = on_input and anchor.kind == "best experts" and anchor.node.op_type == "TopK"
    routers = [
        replace(router, experts=len(found.experts), idle=run)
        for run in found.idle
        for router in describe(facts, anchor, nodes, entries)
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
    )


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
    for _ in range(16):
        readers = [n for n in graph.readers(value) if graph.is_data(n)]
        if len(readers) != 1:
            return False
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
