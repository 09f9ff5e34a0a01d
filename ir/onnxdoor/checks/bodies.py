"""The graphs and functions of a model file, and the tensors in them: parsed, nothing looked at."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import onnx

from ir.onnxdoor.checks.counts import subgraphs


@dataclass(frozen=True)
class Body:
    """What a graph or a function holds that can carry data."""

    nodes: Sequence[onnx.NodeProto]
    initializers: Sequence[onnx.TensorProto] = ()
    sparse: Sequence[onnx.SparseTensorProto] = ()

    @cached_property
    def tensors(self) -> tuple[onnx.TensorProto, ...]:
        """All its tensors: initialisers, sparse ones, those of attributes."""
        attributes = [a for node in self.nodes for a in node.attribute]
        sparse = [
            *self.sparse,
            *(a.sparse_tensor for a in attributes if a.HasField("sparse_tensor")),
        ]
        found = [*self.initializers, *(part for t in sparse for part in (t.values, t.indices))]
        for attribute in attributes:
            if attribute.HasField("t"):
                found.append(attribute.t)
            found += attribute.tensors
        return tuple(found)


def tensors(found: Iterable[Body]) -> list[onnx.TensorProto]:
    """Every tensor of some bodies."""
    return [tensor for body in found for tensor in body.tensors]


def bodies(proto: onnx.ModelProto) -> list[Body]:
    """Every graph of the model and every function's body, training and nested ones included."""
    graphs = [proto.graph]
    for training in proto.training_info:
        graphs += training.algorithm, training.initialization
    outer = [_body(graph) for graph in graphs] + [Body(f.node) for f in proto.functions]
    return [body for one in outer for body in _nested(one)]


def _body(graph: onnx.GraphProto) -> Body:
    return Body(graph.node, graph.initializer, graph.sparse_initializer)


def _nested(body: Body) -> Iterator[Body]:
    yield body
    for node in body.nodes:
        for graph in subgraphs(node):
            yield from _nested(_body(graph))
