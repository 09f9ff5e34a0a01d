"""Sizes in disguise: a few bytes that ask for a lot of memory or time."""

from functools import partial

import numpy as np
import onnx
from onnx import helper

from tests.hostile.build import FLOAT, INT, Bad, Made, N, model, tensor

HUGE = {"2^29": 2**29, "2^40": 2**40, "2^62": 2**62}


def constant(kind: str, size: int) -> Made:
    """`size` numbers made of constants, of which the model adds one to x."""
    half = 1 << (size.bit_length() // 2)
    rest = size // half
    nodes = {
        "Range": N("Range", ["zero", "size", "one"], ["big"]),
        "Range of floats": N("Range", ["f0", "fsize", "f1"], ["big"]),
        "ConstantOfShape": N("ConstantOfShape", ["sizes"], ["big"]),
        "Expand": N("Expand", ["f1", "sizes"], ["big"]),
        "Tile": N("Tile", ["ones", "sizes"], ["big"]),
        "OneHot": N("OneHot", ["index", "size", "pair"], ["big"]),
        "Pad": N("Pad", ["ones", "pads"], ["big"]),
        "RandomUniform": N("RandomUniform", [], ["big"], shape=[half, rest]),
        "EyeLike": N("EyeLike", ["wide"], ["big"], dtype=FLOAT),
        "Resize": N("Resize", ["image", "", "", "image_sizes"], ["big"]),
    }
    kind_of = "Range" if kind == "Range" else "float"
    first = [N("Cast", ["big"], ["cast"], to=FLOAT)] if kind_of == "Range" else []
    big = "cast" if first else "big"
    before = [N("Expand", ["f1", "sizes"], ["wide"])] if kind == "EyeLike" else []
    return model(
        [
            *before,
            nodes[kind],
            *first,
            N("ReduceSum", [big], ["sum"], keepdims=0),
            N("Add", ["x", "sum"], ["y"]),
        ],
        {
            "zero": 0,
            "size": size,
            "one": 1,
            "f0": 0.0,
            "fsize": float(size),
            "f1": 1.0,
            "sizes": [half, rest],
            "ones": np.ones((1, 1)),
            "index": [0],
            "pair": [0.0, 1.0],
            "pads": [0, 0, half, rest],
            "image": np.ones((1, 1, 1, 1)),
            "image_sizes": [1, 1, half, rest],
        },
    )


KINDS = (
    "Range",
    "Range of floats",
    "ConstantOfShape",
    "Expand",
    "Tile",
    "OneHot",
    "Pad",
    "RandomUniform",
    "EyeLike",
    "Resize",
)


def of_tokens(kind: str) -> Made:
    """The same, made of x: data, not constants."""
    size = [2**20, 2**20]
    nodes = {
        "Expand": [N("Expand", ["part", "sizes"], ["big"])],
        "Tile": [N("Tile", ["part", "sizes"], ["big"])],
        "Mul": [
            N("Expand", ["part", "tall"], ["a"]),
            N("Expand", ["part", "broad"], ["b"]),
            N("Mul", ["a", "b"], ["big"]),
        ],
        "MatMul": [
            N("Expand", ["part", "tall"], ["a"]),
            N("Expand", ["part", "broad"], ["b"]),
            N("MatMul", ["a", "b"], ["big"]),
        ],
        "Einsum": [
            N("Expand", ["part", "tall"], ["a"]),
            N("Expand", ["part", "broad"], ["b"]),
            N("Einsum", ["a", "b"], ["big"], equation="ij,jk->ik"),
        ],
        "Pad": [N("Pad", ["part", "pads"], ["big"])],
        "Conv": [
            N("Expand", ["part", "tall"], ["a"]),
            N("Reshape", ["a", "line"], ["b"]),
            N("ConvTranspose", ["b", "kernel"], ["big"], strides=[2**20]),
        ],
    }
    return model(
        [
            N("Slice", ["x", "from", "to", "axes"], ["part"]),
            *nodes[kind],
            N("ReduceSum", ["big"], ["sum"], keepdims=0),
            N("Add", ["x", "sum"], ["y"]),
        ],
        {
            "from": [0, 0],
            "to": [1, 1],
            "axes": [0, 1],
            "sizes": size,
            "tall": [2**20, 1],
            "broad": [1, 2**20],
            "pads": [0, 0, 2**20, 2**20],
            "line": [1, 1, -1],
            "kernel": np.ones((1, 1, 4)),
        },
    )


def doubled(times: int) -> Made:
    """C = Concat(c, c), so many times: each node is plain."""
    nodes = [N("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(times)]
    return model(
        [*nodes, N("ReduceSum", [f"c{times}"], ["sum"], keepdims=0), N("Add", ["x", "sum"], ["y"])],
        {"c0": np.ones(16)},
    )


def body(inner: list[onnx.NodeProto], result: str = "inner", rounds: str = "i") -> onnx.GraphProto:
    """The body of a Loop that carries one value on."""
    return helper.make_graph(
        [N("Identity", ["go"], ["on"]), *inner],
        "body",
        [
            helper.make_tensor_value_info(rounds, INT, []),
            helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info(result, FLOAT, None),
        ],
    )


def looped(rounds: int, product: bool = False) -> Made:
    inner = N("MatMul" if product else "Mul", ["carried", "w"], ["inner"])
    return model(
        [N("Loop", ["rounds", "", "x"], ["y"], body=body([inner]), name="loop")],
        {"rounds": rounds, "w": np.eye(4) if product else np.ones(4)},
    )


def nested_loops(rounds: int, depth: int) -> Made:
    """Loops in loops, with a product in the innermost: rounds^depth of them."""
    inner = [N("MatMul", ["carried", "w"], ["inner"])]
    for level in range(depth - 1):
        inside = helper.make_graph(
            [N("Identity", [f"go{level}"], [f"on{level}"]), *inner],
            f"body{level}",
            [
                helper.make_tensor_value_info(f"i{level}", INT, []),
                helper.make_tensor_value_info(f"go{level}", onnx.TensorProto.BOOL, []),
                helper.make_tensor_value_info("carried", FLOAT, None),
            ],
            [
                helper.make_tensor_value_info(f"on{level}", onnx.TensorProto.BOOL, []),
                helper.make_tensor_value_info("inner", FLOAT, None),
            ],
        )
        inner = [N("Loop", ["rounds", "", f"carried{level}"], ["inner"], body=inside)]
        inner = [N("Identity", ["carried"], [f"carried{level}"]), *_renamed(inner, level)]
    return model(
        [N("Loop", ["rounds", "", "x"], ["y"], body=body(inner), name="loop")],
        {"rounds": rounds, "w": np.eye(4)},
    )


def _renamed(nodes: list[onnx.NodeProto], level: int) -> list[onnx.NodeProto]:
    for node in nodes:
        for attribute in node.attribute:
            for inside in attribute.g.node:
                inside.output[:] = [f"l{level}_{n}" if n == "inner" else n for n in inside.output]
            attribute.g.input[2].name = f"c_{level}"
            for inside in attribute.g.node:
                inside.input[:] = [f"c_{level}" if n == "carried" else n for n in inside.input]
            attribute.g.output[1].name = f"l{level}_inner"
    return nodes


def attention_of(tokens: int) -> Made:
    """A few hundred bytes: x x^T of a static export of so many tokens."""
    return model(
        [
            N("Transpose", ["x"], ["t"], perm=[1, 0]),
            N("MatMul", ["x", "t"], ["scores"], name="scores"),
            N("Softmax", ["scores"], ["s"]),
            N("MatMul", ["s", "x"], ["a"]),
            N("MatMul", ["a", "w"], ["y"]),
        ],
        {"w": np.eye(4)},
        dims=(tokens, 4),
    )


def rank(axes: int) -> Made:
    return model(
        [
            N("Reshape", ["x", "dims"], ["r"]),
            N("ReduceSum", ["r"], ["s"], keepdims=0),
            N("Add", ["x", "s"], ["y"]),
        ],
        {"dims": [1] * axes + [-1]},
    )


def stored_rank(axes: int) -> Made:
    made = tensor(1.0, "w")
    made.dims[:] = [1] * axes
    return model(
        [N("ReduceSum", ["w"], ["s"], keepdims=0), N("Add", ["x", "s"], ["y"])], tensors=[made]
    )


LARGE = "limit value_bytes"
SIZES: dict[str, Bad] = {
    **{
        f"{kind} of {name}": Bad(LARGE, partial(constant, kind, size))
        for kind in KINDS
        for name, size in HUGE.items()
        if not (kind == "Range of floats" and name == "2^62")
    },
    **{
        f"{kind} of x to 2^40": Bad(LARGE, partial(of_tokens, kind))
        for kind in ("Expand", "Tile", "Mul", "MatMul", "Einsum", "Pad", "Conv")
    },
    "Concat doubled 40 times": Bad(LARGE, partial(doubled, 40)),
    "loop of 2^62 rounds": Bad("limit rounds", lambda: looped(2**62)),
    "loop of 2^30 rounds, a product in each": Bad("limit rounds", lambda: looped(2**30, True)),
    "loops in loops": Bad("limit (nodes|rounds)", lambda: nested_loops(1000, 4)),
    "static export of 30,000 tokens": Bad(LARGE, lambda: attention_of(30_000)),
    "rank 65": Bad("axes", lambda: rank(64)),
    "rank 65 of a stored tensor": Bad("axes", lambda: stored_rank(65)),
}
