"""Gemm with factors, Conv of positions or patches, and a constant first operand as MatMul.

Only products by a stored matrix are rewritten. A Transpose that comes to stand next to its opposite
is gone with it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir
from onnx_ir import DataType, Node, Value

from ir.onnxdoor.rewriting.einsum import as_matmul
from ir.onnxdoor.rewriting.instead import STANDARD, Constants, Instead, shape_of


def as_matmuls(graph: onnx_ir.Graph) -> bool:
    """Rewrite what can be; whether anything was."""
    constants, made = Constants(), set[str]()
    for node in list(graph):
        rule = _RULES.get(node.op_type) if node.domain in (*STANDARD, "com.microsoft") else None
        if rule is not None and rule(Instead(graph, node), node, constants):
            made.add(node.name or node.op_type)
    if made:
        _cancel(graph, made)
    return bool(made)


def _gemm(new: Instead, node: Node, constants: Constants) -> bool:
    """Gemm, FusedMatMul: factors into the stored operands, a turned first one turned back."""
    a, b, c = (*node.inputs, None)[:3]
    alpha = node.attributes.get_float("alpha", 1.0)
    beta = node.attributes.get_float("beta", 1.0) if c is not None else 1.0
    turned = bool(node.attributes.get_int("transA", 0)) and node.op_type == "Gemm"
    plain = alpha == 1 and beta == 1 and not turned and (c is None or c in constants)
    if a is None or b is None or plain or b not in constants or a in constants:
        return False
    a = new("Transpose", a, dtype=a.dtype, perm=[1, 0]) if turned else a
    b = _times(new, b, alpha)
    rest: Value | None = None
    dropped = ("alpha", "beta", "transA" if turned else "")
    kept = {n: own.value for n, own in node.attributes.items() if n not in dropped}
    if c is not None:
        c = _times(new, c, beta)
        c, rest = (c, None) if c in Constants() else (None, c)
    inputs = (a, b) if c is None else (a, b, c)
    out = new(node.op_type, *inputs, domain=node.domain, name=node.name, **kept)
    new.give(out if rest is None else new("Add", out, rest))
    return True


def _times(new: Instead, value: Value, factor: float | None) -> Value:
    if factor is None or factor == 1:
        return value
    kind = value.dtype or DataType.FLOAT
    number = new.constant(np.array(factor, dtype=kind.numpy()))
    return new("Mul", value, number, dtype=kind)


def _conv(new: Instead, node: Node, constants: Constants) -> bool:
    """Conv of 1 x 1, or of patches side by side where the sizes of the picture are known."""
    x, kernel, bias = (*node.inputs, None)[:3]
    dims = shape_of(kernel) if kernel in constants else None
    if x is None or kernel is None or dims is None or x in constants or len(dims) < 3:
        return False
    size, rank = dims[2:], len(dims) - 2
    strides = list(node.attributes.get_ints("strides", ()) or [1] * rank)
    padded = any(node.attributes.get_ints("pads", ()) or ())
    spread = any(d != 1 for d in node.attributes.get_ints("dilations", ()) or ())
    auto = (node.attributes.get_string("auto_pad", "") or "NOTSET") not in ("NOTSET", "VALID")
    if padded or spread or auto or strides != size or node.attributes.get_int("group", 1) != 1:
        return False
    last = [0, *range(2, 2 + rank), 1]
    if rank == 1 and size != [1]:  # of a sound, whose input shows by it that it has no tokens
        return False
    if all(n == 1 for n in size):
        rows = new("Transpose", x, dtype=x.dtype, perm=last)
    else:
        found = _patches(new, x, dims)
        if found is None:
            return False
        rows = found
    flat = new("Reshape", kernel, new.numbers([dims[0], -1]), dtype=kernel.dtype)
    matrix = new("Transpose", flat, dtype=kernel.dtype, perm=[1, 0])
    out = new("MatMul", rows, matrix, dtype=x.dtype, name=node.name)
    out = out if bias is None else new("Add", out, bias, dtype=x.dtype)
    new.give(new("Transpose", out, dtype=x.dtype, perm=[0, rank + 1, *range(1, rank + 1)]))
    return True


def _patches(new: Instead, x: Value, dims: Sequence[int]) -> Value | None:
    """What is under the kernel at each of its places, in its order: [n, .., channels * size]."""
    shape, size = shape_of(x, whole=False), dims[2:]
    if (
        shape is None
        or len(shape) != len(dims)
        or any(n < 0 or n % k for n, k in zip(shape[2:], size, strict=True))
    ):
        return None
    counts = [n // k for n, k in zip(shape[2:], size, strict=True)]
    split = [0, dims[1]] + [n for pair in zip(counts, size, strict=True) for n in pair]
    apart = new("Reshape", x, new.numbers(split), dtype=x.dtype)
    rank = len(size)
    order = [0, *range(2, 2 + 2 * rank, 2), 1, *range(3, 3 + 2 * rank, 2)]
    turned = new("Transpose", apart, dtype=x.dtype, perm=order)
    return new("Reshape", turned, new.numbers([0, *counts, -1]), dtype=x.dtype)


def _flipped(new: Instead, node: Node, constants: Constants) -> bool:
    """W @ x^T: (x @ W^T)^T, where the Transpose that makes x^T is there to be left out."""
    matrix, data = node.inputs[0], node.inputs[1]
    maker = data.producer() if data is not None else None
    if matrix not in constants or data in constants or maker is None or matrix is None:
        return False
    perm = list(maker.attributes.get_ints("perm", ()) or ()) if maker.op_type == "Transpose" else []
    shape, back = shape_of(matrix), [*range(len(perm) - 2), len(perm) - 1, len(perm) - 2]
    if len(perm) < 2 or perm[-2:] != back[-2:] or shape is None or len(shape) != 2:
        return False
    rows = new("Transpose", data, perm=back)
    turned = new("Transpose", matrix, perm=[1, 0])
    new.give(new("Transpose", new("MatMul", rows, turned, name=node.name), perm=back))
    return True


def _cancel(graph: onnx_ir.Graph, made: set[str]) -> None:
    """Leave out pairs of a Transpose and its opposite of which one was made here."""
    for node in list(graph):
        before = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
        if node.op_type != "Transpose" or before is None or before.op_type != "Transpose":
            continue
        ours = any((n.name or "").rpartition("/")[0] in made for n in (node, before))
        first, second = (list(n.attributes.get_ints("perm", ()) or ()) for n in (before, node))
        same = len(first) == len(second) and [first[i] for i in second] == sorted(second)
        source = before.inputs[0]
        if not ours or not same or source is None or node.outputs[0].is_graph_output():
            continue
        node.outputs[0].replace_all_uses_with(source)
        for gone in (node, before):
            if not gone.outputs[0].uses() and not gone.outputs[0].is_graph_output():
                graph.remove(gone, safe=True)


_RULES: dict[str, Callable[[Instead, Node, Constants], bool]] = {
    "Gemm": _gemm,
    "FusedMatMul": _gemm,
    "Conv": _conv,
    "MatMul": _flipped,
    "Einsum": as_matmul,
}
