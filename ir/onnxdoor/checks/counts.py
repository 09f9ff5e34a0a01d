"""How many nodes a model has once its functions are inlined: counted without inlining them.

A kilobyte of functions that call one another twice is billions of nodes. Calls in the branches of
an If count, and functions of one name that differ in their overload are different ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from ir.errors import InputError
from ir.limits import Limits

Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Count:
    """Nodes, and calls of functions, of a body with all that it calls; levels of both in it."""

    nodes: int = 0
    calls: int = 0
    levels: int = 0


def check_counts(proto: onnx.ModelProto, path: Path, limits: Limits) -> None:
    """Refuse a model of too many nodes, calls or levels, or whose functions call themselves."""
    counted = _Counting(proto, str(path), limits)
    bodies = [t.algorithm.node for t in proto.training_info]
    bodies += [t.initialization.node for t in proto.training_info]
    for nodes in (proto.graph.node, *bodies):
        counted.body(nodes, 0)
    for key, function in counted.functions.items():  # those that nothing calls too
        counted.function(key, function, 1)


class _Counting:
    """Counts bodies; each function once."""

    def __init__(self, proto: onnx.ModelProto, where: str, limits: Limits) -> None:
        self.functions = {(f.domain, f.name, f.overload): f for f in proto.functions}
        self._where, self._limits = where, limits
        self._known: dict[Key, _Count] = {}
        self._open: dict[Key, None] = {}

    def body(self, nodes: Sequence[onnx.NodeProto], level: int) -> _Count:
        """The count of a graph's nodes, which stand so many levels deep."""
        total, calls, levels = 0, 0, 0
        self._limits.check("depth", level, self._where, "subgraphs and functions in one another")
        for node in nodes:
            key = (node.domain, node.op_type, node.overload)
            inner = [self.body(g.node, level + 1) for g in subgraphs(node)]
            if key in self.functions:
                inner.append(self.function(key, self.functions[key], level + 1))
                calls += 1
            total += 1 + sum(c.nodes for c in inner)
            calls += sum(c.calls for c in inner)
            levels = max(levels, *(1 + c.levels for c in inner), 0)
        self._limits.check("nodes", total, self._where, "nodes with functions inlined")
        self._limits.check("calls", calls, self._where, "calls of functions")
        return _Count(total, calls, levels)

    def function(self, key: Key, function: onnx.FunctionProto, level: int) -> _Count:
        """The count of a function's body."""
        if key in self._open:
            raise InputError(
                self._where, f"function {key[1][:80]!r}: calls itself", "write it without recursion"
            )
        if key not in self._known:
            self._open[key] = None
            self._known[key] = self.body(function.node, level)
            del self._open[key]
        found = self._known[key]
        deep = level + found.levels
        self._limits.check("depth", deep, self._where, f"function {key[1][:80]!r}: functions in it")
        return found


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs that a node holds."""
    found: list[onnx.GraphProto] = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.append(attribute.g)
        found += attribute.graphs
    return found
