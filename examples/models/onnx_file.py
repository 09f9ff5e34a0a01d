"""What is done to an exported graph before it is shipped.

The shipped file differs from the plain export in four ways: names are readable, everything that
describes the exporting machine is gone, the shapes of Reshapes are stored, and the large matrices
are stored in another form, each followed by what makes float32 of it: float16 and a Cast, or -1, 0
and 1 as int8, a Cast and a Mul by one scale (router and norm weights stay float32).  ONNX Runtime
has no kernel of its own for these two, as it has for DequantizeLinear and MatMul, which rounds.
"""

from __future__ import annotations

import ast
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

INPUT = "input_ids"
ROOTS = (str(Path.home()), tempfile.gettempdir(), str(Path(*Path(__file__).resolve().parts[:2])))
PRIVATE = (*ROOTS, "site-packages", ".py")  # signs of a path of this machine


def store_shapes(proto: ModelProto) -> None:
    """Give every Reshape a stored shape, in which 0 says: as long as this axis of what is reshaped.

    Torch computes them, from the batch and the length of the input; every Reshape of these models
    keeps both as they are, in front.
    """
    graph = proto.graph
    ends = {n.output[0]: n for n in graph.node if n.op_type == "Shape" and n.input[0] == INPUT}
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Concat" and n.input[0] in ends]:
        whole = np.concatenate([np.zeros(2, np.int64), *(stored[name] for name in node.input[2:])])
        assert node.input[1] in ends and len(whole) == len(node.input)
        graph.initializer.append(numpy_helper.from_array(whole, node.output[0]))
        for reader in [n for n in graph.node if node.output[0] in n.input]:
            assert reader.op_type == "Reshape"
            del reader.attribute[:]  # allowzero: a 0 was a length of 0
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    for node in [n for name, n in ends.items() if name not in read]:
        graph.node.remove(node)
    for tensor in [t for t in graph.initializer if t.name not in read]:
        graph.initializer.remove(tensor)
    named = {name for node in graph.node for name in node.output}
    for value in [v for v in graph.value_info if v.name not in named]:
        graph.value_info.remove(value)


def module_of(node: NodeProto) -> str:
    """The path of the module a node was exported from, such as layers.1.moe.experts.3.gate."""
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            modules = [m for m in ast.literal_eval(prop.value)[:-1] if not m.startswith("_")]
            return modules[-1] if modules and modules[-1] else "model"
    return "model"


def make_readable(proto: ModelProto) -> None:
    """Name nodes and values after the module they come from, and drop all metadata."""
    graph = proto.graph
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {}
    for tensor in graph.initializer:
        if tensor.name.startswith("val_"):
            names[tensor.name] = f"constant.{len(names)}"
        tensor.name = names.get(tensor.name, tensor.name)
    seen: Counter[str] = Counter()
    for node in graph.node:
        stem = f"{module_of(node)}/{node.op_type}"
        node.name = f"{stem}_{seen[stem]}" if seen[stem] else stem
        seen[stem] += 1
        for i, output in enumerate(node.output):
            suffix = f"_out{i}" if len(node.output) > 1 else "_out"
            names[output] = output if output in fixed else node.name + suffix
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)
    for item in (proto, graph, *graph.node, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    for value in (*graph.value_info, *graph.input, *graph.output):
        value.doc_string = ""
        del value.metadata_props[:]


def is_large(name: str, shape: Sequence[int]) -> bool:
    return len(shape) == 2 and name.endswith(".weight") and ".router." not in name


Stored = tuple[list[TensorProto], list[NodeProto]]
Form = Callable[[TensorProto], Stored | None]


def as_half(tensor: TensorProto) -> Stored | None:
    """A large float32 matrix as float16, and the Cast of it; None for any other tensor."""
    if tensor.data_type != TensorProto.FLOAT or not is_large(tensor.name, tuple(tensor.dims)):
        return None
    half = numpy_helper.to_array(tensor).astype(np.float16)
    return [numpy_helper.from_array(half, tensor.name)], [cast(tensor.name)]


def as_ternary(tensor: TensorProto) -> Stored | None:
    """A routed expert's matrix as int8 and a scale, the Cast and the Mul; None for any other."""
    if ".moe.experts." not in tensor.name:
        return None
    values, scale = numpy_helper.to_array(tensor), f"{tensor.name}.scale"
    size = np.asarray(np.abs(values).max())
    signs = (values / size).astype(np.int8)
    assert np.array_equal(signs * size, values), tensor.name
    wide = cast(tensor.name)
    inputs, name = [wide.output[0], scale], f"{tensor.name}/Mul"
    scaled = helper.make_node("Mul", inputs, [f"{tensor.name}.scaled"], name=name)
    tensors = [numpy_helper.from_array(signs, tensor.name), numpy_helper.from_array(size, scale)]
    return tensors, [wide, scaled]


def cast(name: str) -> NodeProto:
    """The node that makes float32 of a stored tensor."""
    made = f"{name}.float32"
    return helper.make_node("Cast", [name], [made], name=f"{name}/Cast", to=TensorProto.FLOAT)


def store_matrices(proto: ModelProto, form: Form) -> None:
    """Store the tensors that have the form in it, with its nodes before the first use."""
    graph = proto.graph
    waiting: dict[str, list[NodeProto]] = {}
    tensors: list[TensorProto] = []
    for tensor in graph.initializer:
        found = form(tensor)
        kept = [TensorProto.FromString(tensor.SerializeToString())]
        tensors += kept if found is None else found[0]
        if found is not None:
            waiting[tensor.name] = found[1]
    for value in [v for v in graph.value_info if v.name in waiting]:
        graph.value_info.remove(value)
    made = {name: of[-1].output[0] for name, of in waiting.items()}
    nodes: list[NodeProto] = []
    for node in graph.node:
        for name in node.input:
            nodes += waiting.pop(name, [])
        node.input[:] = [made.get(name, name) for name in node.input]
        nodes.append(NodeProto.FromString(node.SerializeToString()))
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)


def names_a_path(proto: ModelProto) -> bool:
    """Whether any text of the file, weights aside, holds a path."""
    bare = ModelProto.FromString(proto.SerializeToString())
    for tensor in bare.graph.initializer:
        tensor.ClearField("raw_data")
    text = bare.SerializeToString()
    return any(word.encode() in text for word in PRIVATE)


def ship(path: Path, proto: ModelProto) -> bytes:
    """Write the shipped file of an export with readable names; its bytes."""
    store_matrices(proto, as_half)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString(deterministic=True)
    assert not names_a_path(proto)
    path.write_bytes(data)
    return data
