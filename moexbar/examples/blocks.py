"""Parts that attention and experts share."""

from moexbar.examples.model_writer import ModelWriter


def linear(graph: ModelWriter, name: str, x: str, rows: int, columns: int) -> str:
    """The product x @ W, W: [rows, columns]."""
    return graph.node("MatMul", x, graph.weight(f"{name}.weight", rows, columns))


def rms_norm(graph: ModelWriter, name: str, x: str, width: int, epsilon: float) -> str:
    """RMSNorm: x / sqrt(mean(x^2) + epsilon) * weight, as torch.onnx writes it."""
    mean = graph.node("ReduceMean", graph.node("Pow", x, graph.number(2.0)), graph.constant([-1]))
    root = graph.node("Sqrt", graph.node("Add", mean, graph.number(epsilon)))
    scaled = graph.node("Mul", x, graph.node("Reciprocal", root))
    return graph.node("Mul", graph.weight(f"{name}.weight", width), scaled)


def silu(graph: ModelWriter, x: str) -> str:
    """SiLU: x * sigmoid(x)."""
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def feed_forward(graph: ModelWriter, x: str, width: int, hidden: int) -> str:
    """A gated feed-forward: down(silu(gate(x)) * up(x))."""
    gate = silu(graph, linear(graph, "gate_proj", x, width, hidden))
    up = linear(graph, "up_proj", x, width, hidden)
    return linear(graph, "down_proj", graph.node("Mul", gate, up), hidden, width)
