"""What every stored tensor is used for, followed forward to the operators that compute with it.

A tensor is followed through what only rearranges, selects or scales it (the larger side of an
element-wise operator carries the tensor on, the smaller one is folded into it or meets tokens), in
subgraphs too, as far as a matrix product, a lookup, or anything else.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import onnx_ir
from onnx_ir import Node, Value

from compiler.frontend.facts.graph import SHAPE_OPS, Graph
from compiler.frontend.facts.operands import (
    FOLDED,
    JOINING,
    MATRICES,
    REARRANGING,
    SELECTING,
    TABLES,
    is_unknown,
)
from compiler.frontend.facts.shape_rules import ELEMENTWISE
from compiler.frontend.facts.sizes import Sizes
from ir.onnxdoor.subgraphs import subgraphs

Role = Literal["matrix", "table", "other", "folded"]
_SELECTIONS = ("TopK", "ArgMax", "ArgMin", "NonZero", "Unique", "Multinomial")


@dataclass(frozen=True, eq=False)
class Use:
    """A stored tensor at an operand of a node.

    node: in whatever graph; outer: the node of the main graph that it is or is in; operand: the
    value at `place`, the tensor or a part of it. picked: the node that takes entries of the tensor
    by indices known at run time, on the way; None where there is none.
    """

    stored: Value
    node: Node
    outer: Node
    place: int
    operand: Value
    role: Role
    picked: Node | None = None


@dataclass(frozen=True, eq=False)
class _Step:
    """A value that holds the stored tensor or a part of it."""

    value: Value
    picked: Node | None = None


class Uses:
    """The uses of all initialisers of a model, those of its subgraphs included."""

    def __init__(self, graph: Graph, sizes: Sizes) -> None:
        """Follow every one of them."""
        self._graph, self._sizes = graph, sizes
        self.stored = tuple(_stored_values(graph))
        self.of = {value: tuple(self._uses(value)) for value in self.stored}

    @cached_property
    def matrices(self) -> dict[Node, tuple[Use, ...]]:
        """Uses as a matrix, by the node of the main graph that they are in."""
        found: dict[Node, list[Use]] = {}
        for uses in self.of.values():
            for use in uses:
                if use.role == "matrix":
                    found.setdefault(use.outer, []).append(use)
        return {node: tuple(uses) for node, uses in found.items()}

    @cached_property
    def picked(self) -> dict[Node, tuple[Use, ...]]:
        """Matrices of the main graph taken at run time, by the first node that multiplies them."""
        found: dict[Node, list[Use]] = {}
        taken: set[tuple[Node, Value]] = set()
        for node in sorted(self.matrices, key=self._graph.order.__getitem__):
            for use in self.matrices[node]:
                if use.picked is None or use.outer is not use.node:
                    continue
                if (use.picked, use.stored) not in taken:
                    taken.add((use.picked, use.stored))
                    found.setdefault(node, []).append(use)
        return {node: tuple(uses) for node, uses in found.items()}

    def outer(self, node: Node) -> Node:
        """The node of the main graph that `node` is, or is in a subgraph of."""
        while node.graph in self._owner:
            node = self._owner[node.graph]
        return node

    @cached_property
    def _owner(self) -> dict[object, Node]:
        """The node that each subgraph belongs to."""
        every = self._graph.source.every_node
        return {graph: node for node in every for graph in subgraphs(node)}

    def _uses(self, stored: Value) -> Iterator[Use]:
        todo, seen = [_Step(stored)], {stored}
        while todo:
            step = todo.pop()
            for node, place in step.value.uses():
                if self.outer(node) not in self._graph.order:
                    continue  # in the body of a node that nothing used
                role = self._role(stored, step.value, node, place)
                if role is not None:
                    outer = self.outer(node)
                    yield Use(stored, node, outer, place, step.value, role, step.picked)
                    continue
                for value in _after(node, place):
                    if value not in seen:
                        seen.add(value)
                        todo.append(self._step(step, node, value))
            for value in self._leaving(step.value):
                if value not in seen:
                    seen.add(value)
                    todo.append(replace(step, value=value))

    def _step(self, step: _Step, node: Node, value: Value) -> _Step:
        chosen = node.op_type in SELECTING and node.inputs[1] not in self._graph.constant
        return _Step(value, step.picked or (node if chosen else None))

    def _leaving(self, value: Value) -> list[Value]:
        """What a value is outside of the branch of an If that it is a result of."""
        owner = self._owner.get(value.graph) if value.is_graph_output() else None
        if owner is None or owner.op_type != "If" or value.graph is None:
            return []
        return [owner.outputs[list(value.graph.outputs).index(value)]]

    def _role(self, stored: Value, value: Value, node: Node, place: int) -> Role | None:
        """What a value is to a node; None where the node hands it on."""
        kind = node.op_type
        if kind in SHAPE_OPS or place in FOLDED.get(kind, ()) or stored_size(stored) == 1:
            return "folded"
        if place in TABLES.get(kind, ()):
            return "table"
        if place in MATRICES.get(kind, ()) or (is_unknown(node) and _is_numeric(value)):
            return self._multiplied(stored, value, node)
        if kind in SELECTING and place == 0 and self._is_lookup(stored, value, node):
            return "table"
        if kind in REARRANGING:
            return None if place == 0 else "folded"
        if kind in JOINING or kind in ("Loop", "Scan"):
            return None
        if kind in ELEMENTWISE:
            return self._element_wise(stored, value, node, place)
        return "folded" if _is_index(value) else "other"

    def _multiplied(self, stored: Value, value: Value, node: Node) -> Role:
        """A matrix where tokens meet it and it has rows and columns, else something smaller."""
        shape = self._sizes.fixed(value) or _declared(value) or _declared(stored)
        wide = shape is None or sum(d != 1 for d in shape) > 1 or node.op_type == "MatMulBnb4"
        return "matrix" if wide and self._meets_tokens(node) else "other"

    def _meets_tokens(self, node: Node) -> bool:
        outer = self.outer(node)
        return self._graph.is_data(outer) or all(v in self._graph.constant for v in outer.outputs)

    def _element_wise(self, stored: Value, value: Value, node: Node, place: int) -> Role | None:
        """Handed on by the larger side; the smaller is folded into a constant, or meets tokens."""
        others = [(i, v) for i, v in enumerate(node.inputs) if v is not None and i != place]
        own = self._elements(value)
        sizes = [self._elements(v) for _, v in others]
        if own is not None and all(n is not None and n < own for n in sizes):
            return None
        if all(v in self._graph.constant for _, v in others):
            first = all(i > place or n != own for (i, _), n in zip(others, sizes, strict=True))
            largest = own is None or all(n is None or n <= own for n in sizes)
            return None if first and largest else "folded"
        summed = [n.op_type for v in node.outputs for n, _ in v.uses()] == ["ReduceSum"]
        if node.op_type == "Mul" and summed and not _is_index(value):
            return self._multiplied(stored, value, node)
        return "folded" if _is_index(value) else "other"

    def _elements(self, value: Value) -> int | None:
        """Elements of a value where they do not depend on the tokens."""
        shape = self._sizes.fixed(value) or _declared(value)
        if shape is None or any(d is None for d in shape):
            return None
        return math.prod(d for d in shape if d is not None)

    def _is_lookup(self, stored: Value, value: Value, node: Node) -> bool:
        """Whether rows of a table are taken by token ids or positions alone."""
        shape = self._sizes.fixed(value) or _declared(value) or _declared(stored) or ()
        index = node.inputs[1]
        flat = sum(d != 1 for d in shape) <= 2
        return flat and index not in self._graph.constant and self._is_given(index)

    def _is_given(self, index: Value | None) -> bool:
        """Whether indices follow from integer inputs and shapes, through integers alone."""
        todo, seen = [index], {index}
        while todo:
            value = todo.pop()
            if value is None or value.is_initializer():
                continue
            node, kind = value.producer(), self._sizes.kind(value)
            if kind is not None and kind.is_floating_point():
                return False
            if node is None or node.op_type in SHAPE_OPS:
                continue
            if node.op_type in _SELECTIONS:
                return False
            fresh = [v for v in node.inputs if v not in seen]
            seen.update(fresh)
            todo.extend(fresh)
        return True


def stored_size(value: Value) -> int:
    """Items of an initialiser."""
    return 0 if value.const_value is None else int(value.const_value.size)


def _stored_values(graph: Graph) -> Iterator[Value]:
    main = graph.source.graph
    for part in (main, *main.subgraphs()):
        yield from (v for v in part.initializers.values() if v.const_value is not None)


def _after(node: Node, place: int) -> list[Value]:
    """The values that hold what a node hands on of its input `place`."""
    if node.op_type not in ("Loop", "Scan"):
        return list(node.outputs)
    (body,) = subgraphs(node)[:1] or (None,)
    return [] if body is None or place >= len(body.inputs) else [body.inputs[place]]


def _declared(value: Value) -> tuple[int | None, ...] | None:
    if value.shape is None:
        return None
    return tuple(d if isinstance(d, int) else None for d in value.shape)


def _is_index(value: Value) -> bool:
    """Whether a value holds wide whole numbers, of which no weights are made."""
    return value.dtype in (onnx_ir.DataType.INT64, onnx_ir.DataType.INT32)


def _is_numeric(value: Value) -> bool:
    other = (onnx_ir.DataType.BOOL, onnx_ir.DataType.STRING)
    return not _is_index(value) and value.dtype not in other
