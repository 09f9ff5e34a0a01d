"""The child process that runs onnx's own C++ on nodes, under a limit of memory in bytes.

A request is a model: its nodes, and for `infer` the types of what the one node reads and what is
known of the contents.
"""

import sys

import onnx
from onnx import helper, shape_inference

from ir.onnxdoor.processes.serving import Answers, Message, serve


def check(model: onnx.ModelProto) -> Message:
    """Hold every node against its operator's definition: the first that fails, and why."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {o.domain: o.version for o in model.opset_import}
    for number, node in enumerate(model.graph.node):
        try:
            onnx.checker.check_node(node, context)
        except onnx.checker.ValidationError as error:
            return Message({"node": number, "reason": str(error).strip().splitlines()[0][:200]})
    return Message({"node": None})


def infer(model: onnx.ModelProto) -> Message:
    """Types of the outputs of the one node; none of what cannot be inferred."""
    (node,), (opset,) = model.graph.node, model.opset_import
    try:
        found = shape_inference.infer_node_outputs(
            onnx.defs.get_schema(node.op_type, opset.version, opset.domain),
            node,
            {value.name: value.type for value in model.graph.input},
            {tensor.name: tensor for tensor in model.graph.initializer},
            opset_imports=[opset],
        )
    except (
        ValueError,
        TypeError,
        RuntimeError,
        onnx.defs.SchemaError,
        shape_inference.InferenceError,
        onnx.checker.ValidationError,
    ):
        found = {}
    told = [helper.make_value_info(name, kind) for name, kind in found.items()]
    return Message(blob=onnx.GraphProto(output=told).SerializeToString())


DONE = {"check": check, "infer": infer}


def _prepared() -> Answers:
    def answer(request: Message) -> Message:
        model = onnx.ModelProto.FromString(request.blob)
        return DONE[request.header["do"]](model)

    return answer


if __name__ == "__main__":
    serve(_prepared, int(sys.argv[1]))
