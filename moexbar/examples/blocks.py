"""Parts that attention and experts share."""

from typing import Literal, assert_never

from moexbar.examples.model_writer import ModelWriter
from moexbar.examples.sizes import Biased, Sizes

Activation = Literal["silu", "gelu", "swiglu-oai"]
CLIP, ALPHA = 7.0, 1.702  # of swiglu-oai


def linear(
    graph: ModelWriter, name: str, x: str, rows: int, columns: int, *, bias: bool = False
) -> str:
    """The product x @ W, W: [rows, columns], plus a bias [columns] where it has one."""
    y = graph.node("MatMul", x, graph.matrix(f"{name}.weight", rows, columns))
    return graph.node("Add", y, graph.weight(f"{name}.bias", columns)) if bias else y


def plain_linear(
    graph: ModelWriter, name: str, x: str, rows: int, columns: int, *, bias: bool = False
) -> str:
    """The same with a matrix that is never quantised: a router's or the head's."""
    y = graph.node("MatMul", x, graph.weight(f"{name}.weight", rows, columns))
    return graph.node("Add", y, graph.weight(f"{name}.bias", columns)) if bias else y


def norm(graph: ModelWriter, sizes: Sizes, name: str, x: str) -> str:
    """The norm of a token's vector, of the model's kind."""
    if sizes.norm == "rms":
        return rms_norm(graph, name, x, sizes.width, sizes.epsilon)
    parts = [graph.weight(f"{name}.weight", sizes.width)]
    if sizes.norm == "layer-bias":
        parts.append(graph.weight(f"{name}.bias", sizes.width))
    return graph.node("LayerNormalization", x, *parts, axis=-1, epsilon=sizes.epsilon)


def rms_norm(graph: ModelWriter, name: str, x: str, width: int, epsilon: float) -> str:
    """RMSNorm: x / sqrt(mean(x^2) + epsilon) * weight, as torch.onnx writes it."""
    mean = graph.node("ReduceMean", graph.node("Pow", x, graph.number(2.0)), graph.constant([-1]))
    root = graph.node("Sqrt", graph.node("Add", mean, graph.number(epsilon)))
    scaled = graph.node("Mul", x, graph.node("Reciprocal", root))
    return graph.node("Mul", graph.weight(f"{name}.weight", width), scaled)


def silu(graph: ModelWriter, x: str) -> str:
    """SiLU: x * sigmoid(x)."""
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def activated(graph: ModelWriter, kind: Activation, gate: str) -> str:
    """What multiplies the other half of a gated feed-forward."""
    match kind:
        case "silu":
            return silu(graph, gate)
        case "gelu":
            return graph.node("Gelu", gate)
        case "swiglu-oai":
            gate = graph.node("Clip", gate, "", graph.number(CLIP))
            turned = graph.node("Sigmoid", graph.node("Mul", gate, graph.number(ALPHA)))
            return graph.node("Mul", gate, turned)
        case _:
            assert_never(kind)


def lifted(graph: ModelWriter, kind: Activation, up: str) -> str:
    """The other half, as the activation takes it."""
    if kind != "swiglu-oai":
        return up
    cut = graph.node("Clip", up, graph.number(-CLIP), graph.number(CLIP))
    return graph.node("Add", cut, graph.number(1.0))


def feed_forward(
    graph: ModelWriter, sizes: Sizes, x: str, hidden: int, biased: Biased = "dense"
) -> str:
    """A gated feed-forward: down(activation(gate(x)) * up(x))."""
    bias, width, kind = biased in sizes.biases, sizes.width, sizes.activation
    gate = activated(graph, kind, linear(graph, "gate_proj", x, width, hidden, bias=bias))
    up = lifted(graph, kind, linear(graph, "up_proj", x, width, hidden, bias=bias))
    return linear(graph, "down_proj", graph.node("Mul", gate, up), hidden, width, bias=bias)
