"""Every curve as a node, and as the small nodes that exporters write it with.

A case is written into a graph, {name: (nodes, text of the activation that is read)}.
"""

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend import models as m

MS = "com.microsoft"
Case = tuple[m.Act, str]


def num(g: m.Graph, value: float) -> str:
    """A constant."""
    return g.constant(value, np.float32)


def node(op: str, *rest: float, **attributes: Any) -> m.Act:
    """One node, whose further inputs are constants."""
    return lambda g, x: g(op, x, *(num(g, r) for r in rest), **attributes)


NODES: dict[str, Case] = {
    "Relu": (node("Relu"), "relu"),
    "LeakyRelu": (node("LeakyRelu"), "leaky-relu"),
    "LeakyRelu 0.2": (node("LeakyRelu", alpha=0.2), "leaky-relu(0.2)"),
    "PRelu of one slope": (node("PRelu", 0.125), "leaky-relu(0.125)"),
    "PRelu of equal slopes": (
        lambda g, x: g("PRelu", x, g.constant([0.25] * g.hidden, np.float32)),
        "leaky-relu(0.25)",
    ),
    "Elu": (node("Elu"), "elu"),
    "Elu 0.5": (node("Elu", alpha=0.5), "elu(0.5)"),
    "Celu 2": (node("Celu", alpha=2.0), "celu(2.0)"),
    "Selu": (node("Selu"), "selu"),
    "Selu of other numbers": (node("Selu", alpha=1.5, gamma=1.25), "selu(1.5, 1.25)"),
    "ThresholdedRelu": (node("ThresholdedRelu"), "thresholded-relu"),
    "ThresholdedRelu 2.5": (node("ThresholdedRelu", alpha=2.5), "thresholded-relu(2.5)"),
    "HardSigmoid": (node("HardSigmoid"), "hard-sigmoid"),
    "HardSigmoid 0.25": (node("HardSigmoid", alpha=0.25, beta=0.375), "hard-sigmoid(0.25, 0.375)"),
    "HardSwish": (node("HardSwish"), "hard-swish"),
    "Sigmoid": (node("Sigmoid"), "sigmoid"),
    "Tanh": (node("Tanh"), "tanh"),
    "Softplus": (node("Softplus"), "softplus"),
    "Softsign": (node("Softsign"), "softsign"),
    "Mish": (node("Mish"), "mish"),
    "Erf": (node("Erf"), "erf"),
    "Sin": (node("Sin"), "sin"),
    "Cos": (node("Cos"), "cos"),
    "Exp": (node("Exp"), "exp"),
    "Abs": (node("Abs"), "abs"),
    "Shrink": (node("Shrink"), "shrink"),
    "Shrink of other numbers": (node("Shrink", lambd=2.0, bias=1.5), "shrink(2.0, 1.5)"),
    "Clip to 6": (node("Clip", 0, 6), "relu6"),
    "Clip to 20": (node("Clip", 0, 20), "hard-tanh(0.0, 20.0)"),
    "Clip to 1 either way": (node("Clip", -1, 1), "hard-tanh"),
    "Clip below": (node("Clip", 0), "relu"),
    "Gelu": (node("Gelu"), "gelu"),
    "Gelu by tanh": (node("Gelu", approximate="tanh"), "gelu-tanh"),
    "Swish": (node("Swish"), "silu"),
    "Swish 1.5": (node("Swish", alpha=1.5), "quick-gelu(1.5)"),
    "Gelu of ONNX Runtime": (node("Gelu", domain=MS), "gelu"),
    "FastGelu": (node("FastGelu", domain=MS), "gelu-tanh"),
    "QuickGelu": (node("QuickGelu", domain=MS), "quick-gelu"),
    "QuickGelu 1": (node("QuickGelu", domain=MS, alpha=1.0), "silu"),
}


def biased(op: str) -> m.Act:
    """A node with a bias of its own as second input."""
    return lambda g, x: g(op, x, g.weight(g.hidden, scale=0.5), domain=MS)


def squared_relu(g: m.Graph, x: str) -> str:
    return g("Pow", g("Relu", x), num(g, 2))


def hard_swish(g: m.Graph, x: str) -> str:
    clipped = g("Clip", g("Add", x, num(g, 3)), num(g, 0), num(g, 6))
    return g("Div", g("Mul", x, clipped), num(g, 6))


def softplus(g: m.Graph, x: str) -> str:
    return g("Log", g("Add", num(g, 1), g("Exp", x)))


def stable_softplus(g: m.Graph, x: str) -> str:
    far = g("Log", g("Add", g("Exp", g("Neg", g("Abs", x))), num(g, 1)))
    return g("Add", g("Max", x, num(g, 0)), far)


def mish(g: m.Graph, x: str) -> str:
    return g("Mul", x, g("Tanh", softplus(g, x)))


def elu(g: m.Graph, x: str) -> str:
    low = g("Mul", g("Sub", g("Exp", x), num(g, 1)), num(g, 0.5))
    return g("Where", g("Greater", x, num(g, 0)), x, low)


def elu_by_parts(g: m.Graph, x: str) -> str:
    low = g("Sub", g("Exp", g("Min", x, num(g, 0))), num(g, 1))
    return g("Add", g("Relu", x), low)


def leaky(g: m.Graph, x: str) -> str:
    return g("Where", g("GreaterOrEqual", x, num(g, 0)), x, g("Mul", x, num(g, 0.125)))


def leaky_by_max(g: m.Graph, x: str) -> str:
    return g("Max", x, g("Mul", x, num(g, 0.25)))


def prelu(g: m.Graph, x: str) -> str:
    """ONNX Runtime's and PyTorch's decomposition: relu(x) - a relu(-x)."""
    below = g("Mul", g("Relu", g("Neg", x)), num(g, 0.25))
    return g("Sub", g("Relu", x), below)


def silu_by_exp(g: m.Graph, x: str) -> str:
    return g("Div", x, g("Add", num(g, 1), g("Exp", g("Neg", x))))


def softsign(g: m.Graph, x: str) -> str:
    return g("Div", x, g("Add", num(g, 1), g("Abs", x)))


def mask(g: m.Graph, x: str) -> str:
    """Relu by a comparison made a number."""
    return g("Mul", x, g("Cast", g("Greater", x, num(g, 0)), to=TensorProto.FLOAT))


def gelu_of_one_number(g: m.Graph, x: str) -> str:
    """X / 2 * (1 + tanh(0.79788 x + 0.035677 x^3)), the product of its two numbers folded."""
    root = (2 / np.pi) ** 0.5
    cube = g("Mul", g("Pow", x, num(g, 3)), num(g, root * 0.044715))
    inner = g("Tanh", g("Add", g("Mul", x, num(g, root)), cube))
    return g("Mul", g("Mul", num(g, 0.5), x), g("Add", num(g, 1), inner))


def selu(g: m.Graph, x: str) -> str:
    gamma, alpha = 1.05070102, 1.67326319
    low = g("Mul", num(g, gamma * alpha), g("Sub", g("Exp", x), num(g, 1)))
    return g("Where", g("Less", x, num(g, 0)), low, g("Mul", num(g, gamma), x))


COMPOSITIONS: dict[str, Case] = {
    "BiasGelu": (biased("BiasGelu"), "gelu"),
    "FastGelu with a bias": (biased("FastGelu"), "gelu-tanh"),
    "relu as Max": (lambda g, x: g("Max", x, num(g, 0)), "relu"),
    "relu as a mask": (mask, "relu"),
    "relu6 as Min and Max": (lambda g, x: g("Min", num(g, 6), g("Relu", x)), "relu6"),
    "squared relu": (squared_relu, "relu2"),
    "square": (lambda g, x: g("Mul", x, x), "square"),
    "hard swish": (hard_swish, "hard-swish"),
    "hard swish by HardSigmoid": (
        lambda g, x: g("Mul", x, g("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
        "hard-swish",
    ),
    "silu": (m.silu, "silu"),
    "silu by Exp": (silu_by_exp, "silu"),
    "softplus": (softplus, "softplus"),
    "softplus by Abs": (stable_softplus, "softplus"),
    "mish": (m.ACTS["mish"], "mish"),
    "mish by Log": (mish, "mish"),
    "gelu by Erf": (m.erf_gelu, "gelu"),
    "gelu by Tanh": (m.tanh_gelu, "gelu-tanh"),
    "gelu by Tanh, folded": (gelu_of_one_number, "gelu-tanh"),
    "quick gelu": (m.ACTS["quick-gelu"], "quick-gelu"),
    "elu by Where": (elu, "elu(0.5)"),
    "elu by Min": (elu_by_parts, "elu"),
    "leaky relu by Where": (leaky, "leaky-relu(0.125)"),
    "leaky relu by Max": (leaky_by_max, "leaky-relu(0.25)"),
    "PRelu as two relus": (prelu, "leaky-relu(0.25)"),
    "selu by Where": (selu, "selu"),
    "softsign by Abs": (softsign, "softsign"),
    "snake": (
        lambda g, x: g("Add", x, g("Pow", g("Sin", x), num(g, 2))),
        "composed(sin, Pow, Add)",
    ),
    "laplace": (
        lambda g, x: g("Mul", g("Tanh", x), g("Sin", g("Mul", num(g, 2), x))),
        "composed(tanh, Mul, sin, Mul)",
    ),
}
CASES = {**NODES, **COMPOSITIONS}
