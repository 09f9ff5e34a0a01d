"""onnx's own C++ in a child process: nodes held against their definitions, shapes inferred.

It was not written for files from strangers (a Split that said a wrong number of outputs ended the
process). One child serves all models of a process: what it is asked depends on nothing before.
"""

import threading
from collections.abc import Mapping, Sequence
from functools import cache

import onnx

from ir.errors import InputError
from ir.limits import Limits
from ir.onnxdoor.processes.child import Child, DiedError
from ir.onnxdoor.processes.serving import Message

NODES, BYTES = 500, 1 << 24  # of nodes that are asked together
_ONE = threading.Lock()


class OnnxProcess(Child):
    """The child process; limits: of its memory and of one request, which takes milliseconds."""

    def __init__(self, limits: Limits) -> None:
        words = ("onnx", "ir.onnxdoor.processes.onnx_worker")
        super().__init__(*words, limits.child_bytes, limits.child_seconds)

    def check(self, asked: onnx.ModelProto, where: str) -> tuple[onnx.NodeProto, str] | None:
        """The first node of a request that does not fit its operator's definition, and why.

        Raises InputError for one on which onnx ends its process.
        """
        nodes = list(asked.graph.node)
        try:
            said = self.ask(_request("check", asked), where).header
        except DiedError as error:
            if len(nodes) == 1:
                raise _fatal(nodes[0], where) from error
            alone = (self.check(_model(asked, [node]), where) for node in nodes)
            return next((found for found in alone if found is not None), None)
        number: int | None = said["node"]
        return None if number is None else (nodes[number], str(said["reason"]))

    def infer(self, asked: onnx.ModelProto, where: str) -> dict[str, onnx.TypeProto]:
        """Types of the outputs of the one node of a request, by name; of some perhaps none.

        Raises InputError for a node on which onnx ends its process.
        """
        try:
            found = self.ask(_request("infer", asked), where).blob
        except DiedError as error:
            raise _fatal(asked.graph.node[0], where) from error
        return {value.name: value.type for value in onnx.GraphProto.FromString(found).output}


def check_nodes(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], where: str) -> None:
    """Refuse a node that does not have the attributes and inputs of its operator's definition.

    model: says the versions. Raises InputError with the first such node and onnx's reason.
    """
    together: list[onnx.NodeProto] = []
    size = 0
    for node in (*nodes, None):
        if together and (node is None or len(together) == NODES or size > BYTES):
            with _ONE:
                found = _process(Limits.in_force()).check(_model(model, together), where)
            if found is not None:
                bad, reason = found
                raise InputError(where, f"node {bad.name!r} ({bad.op_type}): {reason}")
            together, size = [], 0
        if node is not None:
            together.append(node)
            size += node.ByteSize()


def infer_outputs(
    node: onnx.NodeProto,
    opset: onnx.OperatorSetIdProto,
    types: Mapping[str, onnx.TypeProto],
    contents: Sequence[onnx.TensorProto],
    where: str,
) -> dict[str, onnx.TypeProto]:
    """Types of a node's outputs by those of its inputs, as far as its definition tells.

    contents: of inputs, where they are known. Raises InputError as `OnnxProcess.infer`.
    """
    values = [onnx.ValueInfoProto(name=name, type=kind) for name, kind in types.items()]
    graph = onnx.GraphProto(node=[node], input=values, initializer=contents)
    with _ONE:
        asked = onnx.ModelProto(graph=graph, opset_import=[opset])
        return _process(Limits.in_force()).infer(asked, where)


@cache
def _process(limits: Limits) -> OnnxProcess:
    """The one of this process for the limits in force, which ends with it."""
    return OnnxProcess(limits)


def _model(versions: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> onnx.ModelProto:
    graph = onnx.GraphProto(node=nodes)
    sets, form = versions.opset_import, versions.ir_version
    return onnx.ModelProto(graph=graph, opset_import=sets, ir_version=form)


def _request(what: str, asked: onnx.ModelProto) -> Message:
    return Message({"do": what}, blob=asked.SerializeToString())


def _fatal(node: onnx.NodeProto, where: str) -> InputError:
    told = "onnx's own code ends its process on it, twice"
    return InputError(where, f"node {node.name!r} ({node.op_type}): {told}")
