"""Find the MoE layers: from a router's selection to the sum of its experts' outputs.

A selection anchors the search: TopK or ArgMax on a small projection, ids that gather matrices, or
weights of all experts. It meets the token vectors that the experts read. Everything computed from
these and from what the router reads is a candidate; the values that every path from the selection
must pass are candidate exits. The first exit whose region holds one feed-forward expert per router
output is taken and then moved on over what still belongs to the layer: reshapes and shared experts.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.dominators import computed_from, nodes_between, post_dominators
from compiler.frontend.moe.anchors import (
    Anchor,
    anchors_by_ids,
    anchors_by_table,
    anchors_by_weights,
    find_anchors,
)
from compiler.frontend.moe.apart import halves
from compiler.frontend.moe.extend import extensions
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.moe.fused import contract_layer
from compiler.frontend.moe.meeting import entries_of, meeting, with_all_products
from compiler.frontend.moe.other_selections import own_selections, row_selections
from compiler.frontend.moe.reading import readable
from compiler.frontend.moe.unreadable import Unreadable
from ir.errors import InputError
from ir.selection import ByIds
from ir.workload import Suspect

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
        read = _read(facts, anchor, prove, found)
        if read and not any(taken.intersection(layer.nodes) for layer in read):
            layers += read
            taken.update(n for layer in read for n in layer.nodes)
        elif suspect is not None:
            own = {anchor.node, *(p.node for p in anchor.products)}
            if own.isdisjoint(doubts):
                doubts |= dict.fromkeys(own, suspect)
    graph.count_led_to(0)  # what was over a limit is no doubt about a layer
    layers.sort(key=lambda layer: graph.order[layer.nodes[0]])
    named = list(dict.fromkeys(s for n, s in doubts.items() if n not in taken))
    return layers, named or [*row_selections(facts, taken), *own_selections(facts, taken)]


def _read(facts: Facts, anchor: Anchor, prove: Prove, found: FoundLayer | None) -> list[FoundLayer]:
    """The layers of an anchor: the one that was found, or those that keep its experts apart.

    Of one expert a token single matrices may be found as either; two such layers are more.
    """
    if found is not None and (found.experts[0].down is not None or found.router.top_k != 1):
        return [found]
    apart = halves(facts, anchor, prove)
    return [found] if found is not None and len(apart) < 2 else apart


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
    plain: FoundLayer | None = None
    final = False
    for exit_ in chain:
        if final:
            break
        nodes = nodes_between(graph, entries, [exit_], region)
        if sum(n in facts.products.by_node for n in nodes) <= len(anchor.products):
            continue
        try:
            layer = readable(facts, anchor, entries, exit_, nodes, single=single)
            found = prove(extensions(facts, region, layer))
            if not _is_unweighted(anchor, found):
                return found, None
            plain = plain or found
            continue
        except Unreadable as why:
            doubt = Suspect(name, anchor.node.op_type, why.located, why.traced)
            final = why.final
        except InputError as error:
            doubt = Suspect(name, anchor.node.op_type, str(error))
        if not _suggests_experts(facts, anchor, nodes):
            continue
        if suspect is None or (doubt.traced and not suspect.traced):
            suspect = doubt
        if len(nodes) > 4 * anchor.experts + 2000:
            break
    return plain, None if plain is not None else suspect


def _is_unweighted(anchor: Anchor, layer: FoundLayer) -> bool:
    """Whether a token's one expert may still be weighted, by what its ids do not lead to."""
    match layer.router.selection:
        case ByIds(gates=None):
            return anchor.kind == "ids" and layer.router.top_k == 1
        case _:
            return False


def _suggests_experts(facts: Facts, anchor: Anchor, nodes: Sequence[Node]) -> bool:
    """Whether a region has a stack of matrices, or several besides the router's."""
    found = [facts.products.by_node[n] for n in nodes if n in facts.products.by_node]
    own = [p for p in found if p not in anchor.products]
    return len(own) > 1 or any(p.stacked is not None or p.selected for p in own)
