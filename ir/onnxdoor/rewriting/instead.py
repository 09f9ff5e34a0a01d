"""Nodes put in the place of one, when a model is opened: what each rewriting of a graph needs."""

from typing import Any

import numpy as np
import onnx_ir
from onnx_ir import DataType, Node, Value

from ir.arrays import Array

STANDARD = ("", "ai.onnx")
_SAME_SHAPE = ("Cast", "DequantizeLinear", "Identity")


class Instead:
    """The nodes that take the place of a node; they and their values are named after it."""

    def __init__(self, graph: onnx_ir.Graph, node: Node) -> None:
        """Nothing is made yet, and the graph is as it was."""
        self._graph, self._node = graph, node
        self._made: list[Node] = []
        self._stored = 0

    def __call__(
        self,
        kind: str,
        *inputs: Value | None,
        dtype: DataType | None = None,
        name: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> Value:
        """A node of one output, of type dtype; name: that of the node, where it is to have one."""
        made = self.many(kind, *inputs, dtypes=[dtype], name=name, domain=domain, **attributes)
        return made[0]

    def many(
        self,
        kind: str,
        *inputs: Value | None,
        dtypes: list[DataType | None],
        name: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> list[Value]:
        """A node with an output for each of the types."""
        own = onnx_ir.convenience.convert_attributes(attributes)
        label = f"{self._node.name or self._node.op_type}/{kind}{len(self._made)}"
        made = Node(domain, kind, inputs, own, num_outputs=len(dtypes), name=name or label)
        for value, dtype in zip(made.outputs, dtypes, strict=True):
            value.name = f"{self._node.outputs[0].name}/{len(self._made)}.{value.index()}"
            if dtype is not None:
                value.dtype = dtype
        self._made.append(made)
        return list(made.outputs)

    def cast(self, value: Value, dtype: DataType = DataType.FLOAT) -> Value:
        """A value of another type."""
        return self("Cast", value, dtype=dtype, to=int(dtype))

    def numbers(self, numbers: list[int]) -> Value:
        """A list of whole numbers, such as a shape."""
        return self.constant(np.array(numbers, dtype=np.int64))

    def constant(self, array: Array) -> Value:
        """An array that the file does not store."""
        name = f"{self._node.outputs[0].name}/constant{self._stored}"
        self._stored += 1
        tensor = onnx_ir.Tensor(array, name=name)
        value = Value(name=name, const_value=tensor, type=onnx_ir.TensorType(tensor.dtype))
        value.shape = onnx_ir.Shape(array.shape)
        self._graph.register_initializer(value)
        return value

    def give(self, *outputs: Value) -> None:
        """Put the nodes into the graph; `outputs` are what the node's outputs were, by name."""
        before = list(self._node.outputs)
        for old, new in zip(before, outputs, strict=True):
            name = old.name
            old.name = None
            if old.dtype is not None:
                new.dtype = old.dtype
            new.shape = old.shape or new.shape
            if old.is_graph_output():
                self._output(old, new)
            onnx_ir.convenience.replace_all_uses_with(old, new)
            new.name = name
        self._graph.insert_after(self._node, self._made)
        self._graph.remove(self._node, safe=True)

    def _output(self, old: Value, new: Value) -> None:
        place = list(self._graph.outputs).index(old)
        self._graph.outputs[place] = new


class Constants:
    """Which values of a graph are stored, or made of stored ones alone."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[Value, bool] = {}

    def __contains__(self, value: Value | None) -> bool:
        """Whether a value does not depend on the model's inputs."""
        if value is None:
            return False
        todo = [value]
        while todo:
            top = todo[-1]
            node = top.producer()
            if top in self._known:
                todo.pop()
            elif node is None:
                self._known[top] = top.is_initializer()
            else:
                reads = [v for v in node.inputs if v is not None]
                ahead = [v for v in reads if v not in self._known]
                if ahead:
                    todo.extend(ahead)
                    continue
                plain = bool(reads) and not node.op_type.startswith("Random")
                self._known[top] = plain and all(self._known[v] for v in reads)
        return self._known[value]


def stored(value: Value | None) -> Any:
    """The numbers of a small stored tensor as an array; None where it is not stored or large."""
    tensor = value.const_value if value is not None and value.is_initializer() else None
    return tensor.numpy() if tensor is not None and tensor.size <= 4096 else None


def shape_of(value: Value | None, *, whole: bool = True) -> list[int] | None:
    """The sizes of a value's axes as the file tells them; those of a constant through a Cast.

    whole: None where one is free, else -1 for it.
    """
    while value is not None:
        if value.shape is not None:
            dims = [d if isinstance(d, int) else -1 for d in value.shape]
            return None if whole and -1 in dims else dims
        node = value.producer()
        same = node is not None and node.domain in STANDARD and node.op_type in _SAME_SHAPE
        value = node.inputs[0] if node is not None and same else None
    return None
