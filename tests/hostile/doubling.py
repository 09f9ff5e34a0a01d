"""Functions and branches that call one another: counted before anything is inlined."""

from collections.abc import Callable
from functools import partial

import onnx
from onnx import TensorProto, helper

from tests.hostile.build import FLOAT, Bad, Made, N, model


def function(
    name: str, nodes: list[onnx.NodeProto], overload: str = "", inputs: tuple[str, ...] = ("a",)
) -> onnx.FunctionProto:
    """A function of domain f, from a to c."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    return helper.make_function("f", name, list(inputs), ["c"], nodes, opsets, overload=overload)


def call(name: str, given: str, made: str, overload: str = "") -> onnx.NodeProto:
    return N(name, [given], [made], domain="f", overload=overload)


def branch(nodes: list[onnx.NodeProto], result: str) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(result, FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [value])


def always(then: list[onnx.NodeProto], result: str, made: str) -> list[onnx.NodeProto]:
    """An If, whose branches are both `then`."""
    true = helper.make_tensor("t", TensorProto.BOOL, [], [True])
    return [
        N("Constant", [], [f"{made}_if"], value=true),
        N(
            "If",
            [f"{made}_if"],
            [made],
            then_branch=branch(then, result),
            else_branch=branch([N("Neg", ["a"], [f"{result}_else"])], f"{result}_else"),
        ),
    ]


def twice(depth: int, inside: Callable[[str, int], list[onnx.NodeProto]]) -> Made:
    """`depth` functions, each calling the next one twice."""
    made = [function(f"f{i}", inside(f"f{i + 1}", i)) for i in range(depth - 1)]
    made.append(function(f"f{depth - 1}", [N("Relu", ["a"], ["c"])]))
    return model([call("f0", "x", "y")], functions=made)


def plainly(name: str, level: int) -> list[onnx.NodeProto]:
    return [call(name, "a", "b"), call(name, "b", "c")]


def in_branches(name: str, level: int) -> list[onnx.NodeProto]:
    """Both calls stand in a branch of an If."""
    return always([call(name, "a", "b"), call(name, "b", "d")], "d", "c")


def by_overloads(depth: int) -> Made:
    """All functions have one name: overload i calls i + 1 twice, and the one without is small."""
    made = [
        function("f", [call("f", "a", "b", str(i + 1)), call("f", "b", "c", str(i + 1))], str(i))
        for i in range(depth - 1)
    ]
    made.append(function("f", [N("Relu", ["a"], ["c"])], str(depth - 1)))
    made.append(function("f", [N("Relu", ["a"], ["c"])]))
    return model([call("f", "x", "y", "0")], functions=made)


def recursion(kind: str) -> Made:
    functions = {
        "direct": [function("f", [call("f", "a", "c")])],
        "mutual": [function("f", [call("g", "a", "c")]), function("g", [call("f", "a", "c")])],
        "in an If": [function("f", always([call("f", "a", "d")], "d", "c"))],
        "by an overload": [
            function("f", [call("f", "a", "c", "1")]),
            function("f", [call("f", "a", "c")], "1"),
        ],
    }
    return model([call("f", "x", "y")], functions=functions[kind])


def chain(length: int) -> Made:
    """Functions that call the next one once."""
    made = [function(f"f{i}", [call(f"f{i + 1}", "a", "c")]) for i in range(length - 1)]
    made.append(function(f"f{length - 1}", [N("Relu", ["a"], ["c"])]))
    return model([call("f0", "x", "y")], functions=made)


DEEP, MANY = "limit depth", "limit (calls|nodes)"
DOUBLING: dict[str, Bad] = {
    "functions, 2^24 nodes": Bad(MANY, lambda: twice(25, plainly)),
    "functions, 2^30 nodes": Bad(MANY, lambda: twice(31, plainly)),
    "functions, 2^40 nodes": Bad(DEEP, lambda: twice(41, plainly)),
    "functions in If, 2^16 nodes": Bad(MANY, lambda: twice(16, in_branches)),
    "overloads, 2^24 nodes": Bad(MANY, lambda: by_overloads(25)),
    **{
        f"recursion: {kind}": Bad("function '(f|g)'.*calls itself", partial(recursion, kind))
        for kind in ("direct", "mutual", "in an If", "by an overload")
    },
    "functions 1000 deep": Bad(DEEP, lambda: chain(1000)),
}
