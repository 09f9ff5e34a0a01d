"""ONNX file -> Workload, in one page."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnx_ir import Node, Value

from compiler.frontend.attention import FoundAttention, find_attention
from compiler.frontend.axes import Axes, TokenAxis
from compiler.frontend.constants import weight_of
from compiler.frontend.decode import Decode, decode_of
from compiler.frontend.digital import DigitalSet, elements_of, scope_of, split_digital
from compiler.frontend.dimensions import check_dimensions, unknown_operators
from compiler.frontend.extend import Room
from compiler.frontend.graph import Graph, name_of
from compiler.frontend.layer import FoundLayer
from compiler.frontend.layers import layer_numbers
from compiler.frontend.moe import find_moe
from compiler.frontend.products import Product, Products
from compiler.frontend.proof import Prover, no_proof
from compiler.frontend.sizes import Sizes
from compiler.frontend.traced import refuse_traced
from ir.errors import InputError
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.session import Runtime
from ir.workload import Attention, Dense, Digital, Operator, Workload

REFERENCE_TOKENS = 128  # at which sizes that grow with the square of the tokens are counted


def read_model(
    path: str | Path | Source,
    tokens: int | None = None,
    batch: int | None = None,
    prove: bool = True,
    trust_traced: bool = True,
    decodes: bool = False,
    runtime: Runtime | None = None,
) -> Workload:
    """Read the model at `path`, or one opened before.

    Weights are loaded only to prove MoE layers of moderate size.
    tokens: the length of a sequence, at which operators that mix tokens (average per token) or do
    not depend on them (in all) count their elements; a static export has its own, and another one
    asked for is an error; None: its own, else 128. batch: sequences run together, likewise. prove:
    run every MoE layer against its definition (see `proof`); without, layers are read from the
    graph's structure. trust_traced: False refuses a file whose routing was recorded by tracing;
    decodes: True one that cannot generate step by step. runtime: the child process that runs the
    layers, one of its own if there is none. Raises InputError naming file, dimension, node and
    layer.
    """
    source = path if isinstance(path, Source) else open_model(path)
    workload, room = _read(source, tokens, batch, prove=prove, runtime=runtime)
    if decodes:
        _refuse_decode(source.path, decode_of(room, workload, runtime))
    if not trust_traced:
        refuse_traced(source.path, workload)
    return workload


def survey_model(path: str | Path) -> tuple[Workload, Decode]:
    """The workload of the model at `path`, and how it can decode."""
    workload, room = _read(open_model(path), None, None, prove=True)
    return workload, decode_of(room, workload)


def _refuse_decode(path: str | Path, verdict: Decode) -> None:
    if verdict.kind == "no":
        raise InputError(
            str(path),
            f"--decode: this model cannot decode: {verdict.reason}",
            "compile its prefill alone (--decode 0), or export it with a dynamic length",
        )


def _read(
    source: Source,
    tokens: int | None,
    batch: int | None,
    *,
    prove: bool,
    runtime: Runtime | None = None,
) -> tuple[Workload, Room]:
    graph = Graph.of(source)
    check_dimensions(graph, tokens, batch)
    sizes = Sizes.fitting(graph)
    axes = Axes(graph, sizes)
    products = Products(graph, sizes)
    room = Room(graph, sizes, axes, products)
    with Prover(graph, sizes, runtime) as prover:
        layers, suspects = find_moe(room, prover.prove if prove else no_proof)
    notes = [f"node {s.node!r} ({s.op_type}) stays digital: {s.reason}" for s in suspects]
    notes.extend(prover.notes)
    notes.extend(unknown_operators(graph))
    axes = Axes(graph, sizes, _exit_axes(sizes, axes, layers))
    room = Room(graph, sizes, axes, products)
    parts = _parts(graph, sizes, axes, products, layers, notes)
    _attach_constants(graph, parts)
    operators = _operators(graph, sizes, axes, _ordered(graph, parts), tokens or REFERENCE_TOKENS)
    workload = Workload(
        name=source.path.stem,
        sha256=source.sha256,
        inputs=tuple(name_of(v) for v in graph.inputs),
        outputs=tuple(name_of(v) for v in graph.outputs),
        operators=tuple(operators),
        notes=tuple(notes),
        suspects=tuple(suspects),
    )
    return workload, room


@dataclass(eq=False)
class _Part:
    """An operator to be: what was found, and the nodes it stands for."""

    found: FoundLayer | FoundAttention | Product | DigitalSet
    nodes: set[Node]


def _exit_axes(sizes: Sizes, axes: Axes, layers: Iterable[FoundLayer]) -> dict[Value, TokenAxis]:
    """A layer's output has its tokens where its input has them (or where the shape says)."""
    known: dict[Value, TokenAxis] = {}
    for layer in layers:
        before, shape = axes.of(layer.entry), sizes.fixed(layer.exit)
        rank = sizes.rank(layer.entry)
        if before is None or shape is None or rank is None:
            continue
        axis = max(before.axis + len(shape) - rank, 0)
        together = shape[axis] == sizes.tokens[0] * sizes.batch * before.inner
        known[layer.exit] = TokenAxis(axis, before.inner, sizes.batch if together else 1)
    return known


def _parts(
    graph: Graph,
    sizes: Sizes,
    axes: Axes,
    products: Products,
    layers: Sequence[FoundLayer],
    notes: list[str],
) -> list[_Part]:
    """Every node that is no constant in exactly one part."""
    parts = [_Part(layer, _absorbed(graph, layer.nodes)) for layer in layers]
    for layer in layers:
        notes.extend(layer.notes)
    taken = {n for part in parts for n in part.nodes}
    refused: dict[str, list[Node]] = {}
    for product in products.by_node.values():
        if product.node in taken:
            continue
        reason = _not_dense(sizes, axes, product)
        if reason:
            refused.setdefault(reason, []).append(product.node)
        else:
            parts.append(_Part(product, set(product.nodes)))
            taken.update(product.nodes)
    notes.extend(_refusals(refused))
    for attention in find_attention(graph, sizes, products, taken):
        nodes = _absorbed(graph, attention.nodes)
        parts.append(_Part(attention, nodes))
        taken.update(nodes)
    left = [n for n in graph.nodes if n not in taken and not _is_constant(graph, n)]
    for found in split_digital(graph, sizes, axes, left):
        parts.append(_Part(found, set(found.nodes)))
    return parts


def _is_constant(graph: Graph, node: Node) -> bool:
    return all(v in graph.constant for v in node.outputs)


def _absorbed(graph: Graph, nodes: Iterable[Node]) -> set[Node]:
    """`nodes` with the shape arithmetic that serves them alone or leads from them back to them."""
    inside = set(nodes)
    todo = [v for n in nodes for v in graph.reads(n)]
    while todo:
        node = todo.pop().producer()
        if node is None or node in inside or graph.is_data(node) or _is_constant(graph, node):
            continue
        shown = any(v.is_graph_output() for v in node.outputs)
        if not shown and all(r in inside for v in node.outputs for r in graph.readers(v)):
            inside.add(node)
            todo.extend(graph.reads(node))
    return inside | _returning(graph, inside)


def _returning(graph: Graph, inside: Collection[Node]) -> set[Node]:
    """The nodes outside that depend on a node inside and are needed by one (through shapes)."""
    first = min(graph.order[node] for node in inside)
    upstream: set[Node] = set()
    todo = [v for n in inside for v in graph.reads(n)]
    while todo:
        node = todo.pop().producer()
        if node is None or node in inside or node in upstream or graph.order[node] < first:
            continue
        upstream.add(node)
        todo.extend(graph.reads(node))
    found: set[Node] = set()
    for node in sorted(upstream, key=graph.order.__getitem__):
        makers = [v.producer() for v in graph.reads(node)]
        if any(m is not None and (m in inside or m in found) for m in makers):
            found.add(node)
    return found


def _refusals(refused: Mapping[str, Sequence[Node]]) -> list[str]:
    """One note per reason, naming the first node."""
    notes = []
    for reason, nodes in refused.items():
        more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        notes.append(f"node {nodes[0].name!r} ({nodes[0].op_type}){more} stays digital: {reason}")
    return notes


def _not_dense(sizes: Sizes, axes: Axes, product: Product) -> str:
    """Why a product is no crossbar work, '' if it is."""
    token = axes.of(product.data)
    if product.flipped:
        return "the constant matrix is the first operand"
    if product.stacked is not None or product.selected:
        return "several matrices in one product"
    if axes.scope(product.node) != "token" or token is None:
        return "its rows are not one per token"
    if sizes.per_token(product.data) != product.matrix.axes[-2].length:
        return "a token has several rows"
    if weight_of(product.matrix) is None:
        return f"its matrix is not a plain part of {product.matrix.tensor!r}"
    return ""


def _attach_constants(graph: Graph, parts: list[_Part]) -> None:
    """Give every node made from initialisers alone to the operator that first reads it."""
    owner = {node: part for part in parts for node in part.nodes}
    for node in reversed(graph.nodes):
        if node in owner:
            continue
        readers = [r for v in node.outputs for r in graph.readers(v) if r in owner]
        if readers:
            part = owner[min(readers, key=graph.order.__getitem__)]
            part.nodes.add(node)
        else:  # a model output that no input influences
            part = _Part(DigitalSet("other", [node]), {node})
            parts.append(part)
        owner[node] = part


def _ordered(graph: Graph, parts: Sequence[_Part]) -> list[_Part]:
    """The parts so that each comes after those it reads from; graph order where free."""
    owner = {node: part for part in parts for node in part.nodes}
    place = {id(p): min(graph.order[n] for n in p.nodes) for p in parts}
    out: list[_Part] = []
    state: dict[int, int] = {}
    for start in sorted(parts, key=lambda p: place[id(p)]):
        stack = [start]
        while stack:
            part = stack[-1]
            if state.get(id(part)) == 2:
                stack.pop()
                continue
            sources = _sources(graph, owner, part)
            waiting = [p for p in sources if state.get(id(p)) != 2]
            if not waiting:
                state[id(part)] = 2
                out.append(stack.pop())
            elif state.get(id(part)) == 1 and any(state.get(id(p)) == 1 for p in waiting):
                names = sorted(n.name or "" for n in part.nodes)
                raise InputError(graph.name, f"operators depend on each other at node {names[0]!r}")
            else:
                state[id(part)] = 1
                stack.extend(sorted(waiting, key=lambda p: -place[id(p)]))
    return out


def _sources(graph: Graph, owner: dict[Node, _Part], part: _Part) -> list[_Part]:
    found: dict[int, _Part] = {}
    for value in _inputs(graph, part.nodes):
        node = value.producer()
        if node is not None and owner[node] is not part:
            found[id(owner[node])] = owner[node]
    return list(found.values())


def _inputs(graph: Graph, nodes: Collection[Node]) -> list[Value]:
    """What a set of nodes reads from outside; constants are not inputs."""
    inside = {v for n in nodes for v in n.outputs}
    ordered = sorted(nodes, key=graph.order.__getitem__)
    read = dict.fromkeys(v for n in ordered for v in graph.reads(n))
    return [v for v in read if v not in inside and v not in graph.constant]


def _outputs(graph: Graph, nodes: Collection[Node]) -> list[Value]:
    """What of a set of nodes is read outside or is a model output; constants are not."""
    ordered = sorted(nodes, key=graph.order.__getitem__)
    return [
        v
        for n in ordered
        for v in n.outputs
        if (v not in graph.constant or v.is_graph_output())
        and (v.is_graph_output() or any(r not in nodes for r in graph.readers(v)))
    ]


def _operators(
    graph: Graph, sizes: Sizes, axes: Axes, parts: Sequence[_Part], tokens: int
) -> list[Operator]:
    made = [_operator(graph, sizes, axes, part, tokens) for part in parts]
    numbers = layer_numbers(made)
    counts: dict[str, int] = {}
    out = []
    for operator, layer in zip(made, numbers, strict=True):
        stem = f"L{layer}.{operator.name}" if layer >= 0 else operator.name
        counts[stem] = counts.get(stem, 0) + 1
        name = stem if counts[stem] == 1 else f"{stem}.{counts[stem]}"
        out.append(replace(operator, name=name, layer=layer))
    return out


def _operator(graph: Graph, sizes: Sizes, axes: Axes, part: _Part, tokens: int) -> Operator:
    """One operator, not yet in a layer; its name is its kind."""
    nodes = sorted(part.nodes, key=graph.order.__getitem__)
    outputs = _outputs(graph, part.nodes)
    found = part.found
    if isinstance(found, FoundLayer):  # the weighted sum comes first
        outputs = [found.exit, *(v for v in outputs if v is not found.exit)]
    names = tuple(n.name or "" for n in nodes)
    read = _inputs(graph, part.nodes)
    if isinstance(found, FoundLayer):  # the token vectors come first
        read = [found.entry, *(v for v in read if v is not found.entry)]
    inputs = tuple(name_of(v) for v in read)
    outs = tuple(name_of(v) for v in outputs)
    width = (sizes.per_token(outputs[0]) or 0) if outputs else 0
    if isinstance(found, FoundLayer):
        layer = found.as_operator()
        return replace(layer, inputs=inputs, outputs=outs, nodes=names, width=width)
    if isinstance(found, FoundAttention):
        return Attention(
            "attention", -1, inputs, outs, names, width, found.heads, found.kv_heads,
            found.head_dim, found.causal,
        )  # fmt: skip
    if isinstance(found, Product):
        weight = weight_of(found.matrix, found.bias)
        if weight is None:
            raise InputError(graph.name, f"node {found.node.name!r}: no matrix")
        return Dense("dense", -1, inputs, outs, names, width, weight)
    scope = scope_of(axes, found.nodes)
    elements = elements_of(sizes, found.nodes, scope, tokens)
    if not width and scope == "sequence":  # its shape depends on the data: all it makes, per token,
        width = max(elements, 1)  # and where nothing is known of it, one value
    return Digital(found.kind, -1, inputs, outs, names, width, found.kind, scope, elements)
