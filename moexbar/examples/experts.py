"""A MoE layer in the gather-batched form: stacked expert weights, gathered by the router's ids.

This is what transformers 5 exports (`batched_mm`): few nodes whatever the number of experts.
"""

from moexbar.examples.blocks import activated, feed_forward, lifted, plain_linear
from moexbar.examples.model_writer import ModelWriter
from moexbar.examples.sizes import Sigmoid, Sizes, Softmax


def moe(graph: ModelWriter, sizes: Sizes, x: str) -> str:
    """Router, chosen experts, gate-weighted sum, shared expert: [batch, tokens, width]."""
    scope = graph.scope
    tokens = graph.node("Reshape", x, graph.constant([-1, sizes.width]))
    graph.scope = f"{scope}gate."
    gates, ids = _route(graph, sizes, tokens)
    graph.scope = f"{scope}experts."
    y = _experts(graph, sizes, tokens, gates, ids)
    y = graph.node("Reshape", y, graph.node("Shape", x))
    if sizes.shared_hidden:
        graph.scope = f"{scope}shared_experts."
        y = graph.node("Add", y, _shared(graph, sizes, x))
    graph.scope = scope
    return y


def _shared(graph: ModelWriter, sizes: Sizes, x: str) -> str:
    """What every token gets: one feed-forward as wide as all shared experts."""
    y = feed_forward(graph, sizes, x, sizes.shared_hidden)
    if not sizes.shared_gate:
        return y
    gate = graph.node("Sigmoid", plain_linear(graph, "gate", x, sizes.width, 1))
    return graph.node("Mul", gate, y)


def _route(graph: ModelWriter, sizes: Sizes, x: str) -> tuple[str, str]:
    """Gate weights and ids [tokens, k], from x: [tokens, width]."""
    bias = "router" in sizes.biases
    if isinstance(sizes.router, Sigmoid | Softmax):
        logits = plain_linear(graph, "proj", x, sizes.width, sizes.experts, bias=bias)
        return _scored(graph, sizes, sizes.router, logits)
    logits = plain_linear(graph, "0", x, sizes.width, sizes.experts, bias=bias)
    if sizes.router == "tanh-topk-softmax":
        logits = plain_linear(graph, "2", graph.node("Tanh", logits), sizes.experts, sizes.experts)
    k = graph.constant([sizes.top_k])
    if sizes.router == "softmax-topk":
        best, ids = graph.nodes("TopK", graph.node("Softmax", logits, axis=-1), k, outputs=2)
        return _normalised(graph, best), ids
    best, ids = graph.nodes("TopK", logits, k, outputs=2)
    return graph.node("Softmax", best, axis=-1), ids


def _normalised(graph: ModelWriter, gates: str) -> str:
    """Weights that sum to one per token."""
    return graph.node("Div", gates, graph.node("ReduceSum", gates, graph.constant([-1])))


def _scored(
    graph: ModelWriter, sizes: Sizes, router: Sigmoid | Softmax, logits: str
) -> tuple[str, str]:
    """Bias and group limit decide who is chosen; the plain score is the weight."""
    if isinstance(router, Sigmoid):
        score = graph.node("Sigmoid", logits)
    else:
        score = graph.node("Softmax", logits, axis=-1)
    choice = score
    if router.bias:
        choice = graph.node("Add", score, graph.weight("e_score_correction_bias", sizes.experts))
    if router.groups > 1:
        choice = _best_groups(graph, sizes, router, choice)
    gates, ids = graph.nodes("TopK", choice, graph.constant([sizes.top_k]), outputs=2)
    if choice != score:
        gates = graph.node("GatherElements", score, ids, axis=1)
    if router.normalised:
        gates = _normalised(graph, gates)
    if isinstance(router, Softmax) and router.scale == 1:
        return gates, ids
    return graph.node("Mul", gates, graph.number(router.scale)), ids


def _best_groups(graph: ModelWriter, sizes: Sizes, router: Sigmoid | Softmax, choice: str) -> str:
    """Scores with -inf outside the groups whose two best experts score highest together."""
    size = sizes.experts // router.groups
    grouped = graph.node("Reshape", choice, graph.constant([-1, router.groups, size]))
    pair, _ = graph.nodes("TopK", grouped, graph.constant([2]), outputs=2)
    total = graph.node("ReduceSum", pair, graph.constant([-1]), keepdims=0)
    _, chosen = graph.nodes("TopK", total, graph.constant([router.top_groups]), outputs=2)
    zeros = graph.node("Expand", graph.number(0.0), graph.node("Shape", total))
    ones = graph.node("Expand", graph.number(1.0), graph.node("Shape", chosen))
    mask = graph.node("ScatterElements", zeros, chosen, ones, axis=1)
    wide = graph.node("Unsqueeze", mask, graph.constant([-1]))
    wide = graph.node("Expand", wide, graph.constant([1, router.groups, size]))
    flat = graph.node("Reshape", wide, graph.constant([-1, sizes.experts]))
    outside = graph.node("Not", graph.node("Cast", flat, to=9))
    return graph.node("Where", outside, graph.number(float("-inf")), choice)


def _experts(graph: ModelWriter, sizes: Sizes, x: str, gates: str, ids: str) -> str:
    """Weighted sum over the k chosen experts: [tokens, width]; one row per token-expert pair."""
    d, hidden, k = sizes.width, sizes.expert_width, sizes.top_k
    last = graph.constant([-1])
    each = graph.node(
        "Expand", graph.node("Unsqueeze", x, graph.constant([1])), graph.constant([1, k, 1])
    )
    rows = graph.node("Reshape", each, graph.constant([-1, d]))
    index = graph.node("Unsqueeze", graph.node("Reshape", ids, last), last)
    both = _chosen(graph, sizes, "gate_up_proj", (2 * hidden, d), index, rows)
    gate, up = graph.nodes("Split", both, outputs=2, axis=1, num_outputs=2)
    gate, up = activated(graph, sizes.activation, gate), lifted(graph, sizes.activation, up)
    inner = graph.node("Mul", gate, up)
    out = _chosen(graph, sizes, "down_proj", (d, hidden), index, inner)
    weight = graph.node("Unsqueeze", graph.node("Reshape", gates, last), last)
    pairs = graph.node("Reshape", graph.node("Mul", out, weight), graph.constant([-1, k, d]))
    return graph.node("ReduceSum", pairs, graph.constant([1]), keepdims=0)


def _chosen(
    graph: ModelWriter, sizes: Sizes, name: str, shape: tuple[int, int], index: str, rows: str
) -> str:
    """Each row times the matrix of its expert, from a stack [experts, outputs, inputs]."""
    stack = graph.matrix(name, sizes.experts, *shape, bits=sizes.bits)
    matrices = graph.node("GatherND", stack, index)
    column = graph.node("Unsqueeze", rows, graph.constant([-1]))
    y = graph.node("Squeeze", graph.node("MatMul", matrices, column), graph.constant([-1]))
    if "experts" not in sizes.biases:
        return y
    bias = graph.weight(f"{name}_bias", sizes.experts, shape[0])
    return graph.node("Add", y, graph.node("GatherND", bias, index))
