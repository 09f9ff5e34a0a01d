"""The graphs and functions of a model file, and the tensors in them: parsed, nothing looked at."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx

from ir.onnxdoor.checks.counts import subgraphs


@dataclass(frozen=True)
class Body:
    """What a graph or a function holds that can carry data."""

    nodes: Sequence[onnx.NodeProto]
    initializers: Sequence[onnx.TensorProto] = ()
    sparse: Sequence[onnx.SparseTensorProto] = ()


def tensors(found: Iterable[Body]) -> Iterator[onnx.TensorProto]:
    """Every tensor of some bodies: initialisers, sparse ones, those of attributes."""
    for body in found:
        yield from body.initializers
        attributes = [a for node in body.nodes for a in node.attribute]
        sparse = [
            *body.sparse,
            *(a.sparse_tensor for a in attributes if a.HasField("sparse_tensor")),
        ]
        for tensor in sparse:
            yield tensor.values
            yield tensor.indices
        for attribute in attributes:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


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
