"""Experts in subgraphs: behind an If, in the body of a Loop, in that of a Scan."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from tests.compiler.frontend.models import Ffn, Graph, gated, softmax_topk

KINDS = {"float": TensorProto.FLOAT, "int": TensorProto.INT64, "bool": TensorProto.BOOL}


def subgraph(
    g: Graph, name: str, inputs: Sequence[tuple[str, str]], write: Callable[[Graph], Sequence[str]]
) -> Any:
    """A graph that `write` fills; its values are renamed, those of `g` may be read."""
    inner = Graph(seed=int(g.random.integers(1 << 30)), d=g.d, hidden=g.hidden)
    made = write(inner)
    prefix = f"b{len(g.nodes)}{name}_"
    own = {n for node in inner.nodes for n in node.output} | {t.name for t in inner.tensors}
    for node in inner.nodes:
        for names in (node.input, node.output):
            names[:] = [prefix + n if n in own else n for n in names]
    for tensor in inner.tensors:
        tensor.name = prefix + tensor.name
    declared = [
        helper.make_tensor_value_info(n, KINDS[k], None if k == "float" else []) for n, k in inputs
    ]
    outs = [prefix + n if n in own else n for n in made]
    kinds = [dict(inputs).get(n, "float") for n in made]
    ends = [
        helper.make_tensor_value_info(n, KINDS[k], None) for n, k in zip(outs, kinds, strict=True)
    ]
    return helper.make_graph(inner.nodes, name, declared, ends, inner.tensors)


def combine_weights(g: Graph, tokens: str) -> str:
    """Weights [tokens, experts], 0 where not selected."""
    ids, gates = softmax_topk(g, tokens)
    shape = g("Concat", g("Shape", tokens, end=1), g.constant([g.experts]), axis=0)
    zeros = g("Expand", g.constant(0.0, np.float32), shape)
    return g("ScatterElements", zeros, ids, gates, axis=1)


def column(g: Graph, combine: str, expert: int) -> str:
    at = g.constant([expert]), g.constant([expert + 1]), g.constant([1])
    return g("Slice", combine, *at)


def behind_ifs(turned: bool = False, least: float = 0.0, expert: Ffn = gated) -> Ffn:
    """If any weight of an expert is above `least`, its weighted output; else nothing.

    turned: on the opposite condition, with the branches exchanged.
    """

    def block(g: Graph, x: str) -> str:
        tokens = g("Reshape", x, g.constant([-1, g.d]))
        combine, total = combine_weights(g, tokens), ""
        for e in range(g.experts):
            own = column(g, combine, e)
            some = g("Greater", g("ReduceMax", own, keepdims=0), g.constant(least, np.float32))

            def one(i: Graph, weight: str = own) -> list[str]:
                return [i("Mul", expert(i, tokens), weight)]

            yes = subgraph(g, "yes", [], one)
            no = subgraph(g, "no", [], lambda i: [i("Mul", tokens, i.constant(0.0, np.float32))])
            if turned:
                some, yes, no = g("Not", some), no, yes
            part = g("If", some, then_branch=yes, else_branch=no)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    return block


def _one(i: Graph, tokens: str, matrices: Sequence[str], weight: str) -> str:
    """silu(x @ gate) * (x @ up) @ down * weight; matrices: up, gate and down."""
    up, gate, down = matrices
    acted = i("MatMul", tokens, gate)
    hidden = i("Mul", i("Mul", acted, i("Sigmoid", acted)), i("MatMul", tokens, up))
    return i("Mul", i("MatMul", hidden, down), weight)


def looped(g: Graph, x: str) -> str:
    """A Loop over the experts, which takes matrices and weights by its number."""
    tokens = g("Reshape", x, g.constant([-1, g.d]))
    combine = combine_weights(g, tokens)
    stacks = [g.weight(g.experts, *s) for s in ((g.d, g.hidden), (g.d, g.hidden), (g.hidden, g.d))]

    def body(i: Graph) -> list[str]:
        matrices = [i("Gather", stack, "round") for stack in stacks]
        own = i("Unsqueeze", i("Gather", combine, "round", axis=1), i.constant([1]))
        return ["on", i("Add", "sum", _one(i, tokens, matrices, own))]

    inputs = [("round", "int"), ("on", "bool"), ("sum", "float")]
    zeros = g("Mul", tokens, g.constant(0.0, np.float32))
    rounds, on = g.constant(g.experts), g.constant(True, np.bool_)
    made = g("Loop", rounds, on, zeros, body=subgraph(g, "body", inputs, body))
    return g("Reshape", made, g("Shape", x))


def scanned(g: Graph, x: str) -> str:
    """A Scan over stacks of matrices and over the weights; the outputs are stacked, then summed."""
    tokens = g("Reshape", x, g.constant([-1, g.d]))
    weights = g("Transpose", combine_weights(g, tokens), perm=[1, 0])
    stacks = [g.weight(g.experts, *s) for s in ((g.d, g.hidden), (g.d, g.hidden), (g.hidden, g.d))]

    def body(i: Graph) -> list[str]:
        own = i("Unsqueeze", "own", i.constant([1]))
        return [_one(i, tokens, ("up", "gate", "down"), own)]

    inputs = [(name, "float") for name in ("up", "gate", "down", "own")]
    made = g("Scan", *stacks, weights, body=subgraph(g, "body", inputs, body), num_scan_inputs=4)
    return g("Reshape", g("ReduceSum", made, g.constant([0]), keepdims=0), g("Shape", x))


BRANCHES: dict[str, Ffn] = {
    "behind If": behind_ifs(),
    "behind If, turned": behind_ifs(turned=True),
    "in a Loop": looped,
    "in a Scan": scanned,
}
