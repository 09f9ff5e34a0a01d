"""A MoE layer in the gather-batched form: stacked expert weights, gathered by the router's ids.

This is what transformers 5 exports (`batched_mm`): few nodes whatever the number of experts.
"""

from moexbar.examples.blocks import feed_forward, linear, silu
from moexbar.examples.catalogue import Sigmoid, Sizes
from moexbar.examples.model_writer import ModelWriter


def moe(graph: ModelWriter, sizes: Sizes, x: str) -> str:
    """Router, chosen experts, gate-weighted sum, shared expert: [batch, tokens, width]."""
    scope = graph.scope
    tokens = graph.node("Reshape", x, graph.constant([-1, sizes.width]))
    graph.scope = f"{scope}gate."
    gates, ids = _route(graph, sizes, tokens)
    graph.scope = f"{scope}experts."
    y = _experts(graph, sizes, tokens, gates, ids)
    y = graph.node("Reshape", y, graph.node("Shape", x))
    if sizes.shared:
        graph.scope = f"{scope}shared_experts."
        hidden = sizes.shared * sizes.expert_width
        y = graph.node("Add", y, feed_forward(graph, x, sizes.width, hidden))
    graph.scope = scope
    return y


def _route(graph: ModelWriter, sizes: Sizes, x: str) -> tuple[str, str]:
    """Gate weights and ids [tokens, k], from x: [tokens, width]."""
    if isinstance(sizes.router, Sigmoid):
        return _sigmoid(
            graph, sizes, sizes.router, linear(graph, "proj", x, sizes.width, sizes.experts)
        )
    logits = linear(graph, "0", x, sizes.width, sizes.experts)
    if sizes.router == "tanh-topk-softmax":
        logits = linear(graph, "2", graph.node("Tanh", logits), sizes.experts, sizes.experts)
    k = graph.constant([sizes.top_k])
    if sizes.router == "softmax-topk":
        best, ids = graph.nodes("TopK", graph.node("Softmax", logits, axis=-1), k, outputs=2)
        return _normalised(graph, best), ids
    best, ids = graph.nodes("TopK", logits, k, outputs=2)
    return graph.node("Softmax", best, axis=-1), ids


def _normalised(graph: ModelWriter, gates: str) -> str:
    """Weights that sum to one per token."""
    return graph.node("Div", gates, graph.node("ReduceSum", gates, graph.constant([-1])))


def _sigmoid(graph: ModelWriter, sizes: Sizes, router: Sigmoid, logits: str) -> tuple[str, str]:
    """Bias and group limit decide who is chosen; the plain sigmoid is the weight."""
    score = graph.node("Sigmoid", logits)
    bias = graph.weight("e_score_correction_bias", sizes.experts)
    choice = graph.node("Add", score, bias)
    if router.groups > 1:
        choice = _best_groups(graph, sizes, router, choice)
    _, ids = graph.nodes("TopK", choice, graph.constant([sizes.top_k]), outputs=2)
    gates = _normalised(graph, graph.node("GatherElements", score, ids, axis=1))
    return graph.node("Mul", gates, graph.number(router.scale)), ids


def _best_groups(graph: ModelWriter, sizes: Sizes, router: Sigmoid, choice: str) -> str:
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
    both = _chosen(graph, graph.weight("gate_up_proj", sizes.experts, 2 * hidden, d), index, rows)
    gate, up = graph.nodes("Split", both, outputs=2, axis=1, num_outputs=2)
    inner = graph.node("Mul", silu(graph, gate), up)
    out = _chosen(graph, graph.weight("down_proj", sizes.experts, d, hidden), index, inner)
    weight = graph.node("Unsqueeze", graph.node("Reshape", gates, last), last)
    pairs = graph.node("Reshape", graph.node("Mul", out, weight), graph.constant([-1, k, d]))
    return graph.node("ReduceSum", pairs, graph.constant([1]), keepdims=0)


def _chosen(graph: ModelWriter, weight: str, index: str, rows: str) -> str:
    """Each row times the matrix of its expert, from a stack [experts, outputs, inputs]."""
    matrices = graph.node("GatherND", weight, index)
    column = graph.node("Unsqueeze", rows, graph.constant([-1]))
    return graph.node("Squeeze", graph.node("MatMul", matrices, column), graph.constant([-1]))
