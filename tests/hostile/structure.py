"""Files that are no models, and graphs, names and tensors that are none."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hostile.build import FLOAT, Bad, Made, N, changed, model, product, serialised, tensor
from tests.hostile.sizes import looped


def cut(share: float) -> Callable[[], bytes]:
    def made() -> bytes:
        whole = serialised(product())
        return whole[: int(len(whole) * share)]

    return made


def sparse_file(folder: Path) -> None:
    with (folder / "model.onnx").open("wb") as file:
        file.truncate(3 * 2**30)


FILES: dict[str, Bad] = {
    "empty": Bad("an empty file", lambda: b""),
    "hello world": Bad("not an ONNX file|no graph", lambda: b"hello world"),
    "zeros": Bad("not an ONNX file|no graph", lambda: bytes(100)),
    "a zip archive": Bad("not an ONNX file", lambda: b"PK\x03\x04" + bytes(60)),
    "JSON": Bad("not an ONNX file", lambda: b'{"model": 1}'),
    **{
        f"cut at {share}": Bad("not an ONNX file|no graph|reads|opset_import", cut(share))
        for share in (0.1, 0.5, 0.9)
    },
    "3 GiB of nothing": Bad("at most 2147483647", files=sparse_file),
    "a folder": Bad(
        "no .onnx|a folder|no ONNX|no model", files=lambda f: (f / "model.onnx").mkdir()
    ),
    "a FIFO": Bad("not a regular file", files=lambda f: os.mkfifo(f / "model.onnx")),
    "a device": Bad(
        "not a regular file", files=lambda f: (f / "model.onnx").symlink_to("/dev/zero")
    ),
    "a link to nothing": Bad(
        "No such file", files=lambda f: (f / "model.onnx").symlink_to(f / "none.onnx")
    ),
    "a link to itself": Bad(
        "symbolic links", files=lambda f: (f / "model.onnx").symlink_to(f / "model.onnx")
    ),
    "ten million empty nodes": Bad("limit messages", lambda: empty_messages(10_000_000, 1)),
    "ten million empty tensors": Bad("limit messages", lambda: empty_messages(10_000_000, 5)),
}


def empty_messages(count: int, number: int) -> bytes:
    """A graph with so many empty messages in its field of that number: two bytes each."""

    def bytes_field(field: int, payload: bytes) -> bytes:
        size, out = len(payload), bytes([field << 3 | 2])
        while size > 127:
            out += bytes([size & 127 | 128])
            size >>= 7
        return out + bytes([size]) + payload

    return bytes_field(7, bytes([number << 3 | 2, 0]) * count)


def no_graph(proto: onnx.ModelProto) -> None:
    proto.ClearField("graph")


def opset(*versions: int) -> Callable[[], Made]:
    def change(proto: onnx.ModelProto) -> None:
        del proto.opset_import[:]
        proto.opset_import.extend(helper.make_opsetid("", v) for v in versions)

    return changed(change)


def twice(what: str) -> Callable[[], Made]:
    """The last of a repeated field of the graph, once more."""

    def change(proto: onnx.ModelProto) -> None:
        found = getattr(proto.graph, what)
        found.append(found[-1])

    return changed(change)


def loop() -> Made:
    return model(
        [N("Add", ["x", "b"], ["a"]), N("Neg", ["a"], ["b"]), N("Relu", ["b"], ["y"])],
    )


def product_of_itself(to: str = "y") -> list[onnx.NodeProto]:
    """Its first operand, of which is asked whether it is stored, is made of its result."""
    return [N("MatMul", ["b", "x"], ["a"]), N("Neg", ["a"], ["b"]), N("Relu", ["b"], [to])]


def product_of_itself_in_a_branch() -> Made:
    sides = [product_of_itself("r"), [N("Relu", ["x"], ["o"])]]
    branches = [
        helper.make_graph(nodes, out, [], [helper.make_tensor_value_info(out, FLOAT, ["t", 4])])
        for nodes, out in zip(sides, "ro", strict=True)
    ]
    node = N("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    return model([node], {"c": np.array(True)})


GRAPHS: dict[str, Bad] = {
    "no graph": Bad("no graph", changed(no_graph)),
    "no nodes": Bad("no graph with nodes", changed(lambda p: p.graph.ClearField("node"))),
    "no operator set": Bad("opset_import", opset()),
    "another's operator set alone": Bad(
        "opset_import: not of ONNX's own .*MatMul",
        changed(lambda p: setattr(p.opset_import[0], "domain", "Relu")),
    ),
    "opset -5": Bad("opset_import.*-5", opset(-5)),
    "opset 0": Bad("opset_import.*0", opset(0)),
    "opset 10^6": Bad("ONNX Runtime: .*opset|ONNX Runtime", opset(10**6)),
    "two opsets": Bad("opset_import.*18 and 20", opset(18, 20)),
    "IR 0": Bad("ir_version: 0", changed(lambda p: setattr(p, "ir_version", 0))),
    "IR -1": Bad("ir_version: -1", changed(lambda p: setattr(p, "ir_version", -1))),
    "IR 10^6": Bad("ONNX Runtime", changed(lambda p: setattr(p, "ir_version", 10**6))),
    "a node twice": Bad("value 'y': there twice", twice("node")),
    "an input twice": Bad("input 'x': there twice", twice("input")),
    "an initialiser twice": Bad("initialiser 'w': there twice", twice("initializer")),
    "a value and an initialiser": Bad(
        "value 'w': there twice",
        lambda: model([N("Relu", ["x"], ["w"]), N("MatMul", ["x", "w"], ["y"])], {"w": np.eye(4)}),
    ),
    "a value and an input": Bad(
        "value 'x': there twice", lambda: model([N("Relu", ["x"], ["x"]), N("Neg", ["x"], ["y"])])
    ),
    "a cycle": Bad("valid ONNX graph", loop),
    "a product in a cycle": Bad("valid ONNX graph", lambda: model(product_of_itself())),
    "a product in a cycle in a branch": Bad("valid ONNX graph", product_of_itself_in_a_branch),
    "a value from nowhere": Bad(
        "node 's' .*reads 'ghost'", lambda: model([N("Add", ["x", "ghost"], ["y"], name="s")])
    ),
    "an output from nowhere": Bad("output 'y'", lambda: model([N("Relu", ["x"], ["z"])])),
    "an attribute that Relu has not": Bad(
        "node 'r' .Relu.: Unrecognized attribute",
        lambda: model([N("Relu", ["x"], ["y"], name="r", axis=3)]),
    ),
    "an attribute of another type": Bad(
        "node 'c'", lambda: model([N("Concat", ["x", "x"], ["y"], name="c", axis="one")])
    ),
    "an attribute twice": Bad("node 's': attribute 'axis': there twice", lambda: attribute_twice()),
    "an attribute without a type": Bad(
        "node 's' .Softmax.: attribute 'axis': no type", lambda: without_type()
    ),
    "two bodies of a loop": Bad("attribute 'body': there twice", lambda: two_bodies()),
    "a Split of other outputs": Bad(
        "node 's' .Split.: num_outputs = 1, it has 2",
        lambda: model([N("Split", ["x"], ["y", "z"], name="s", num_outputs=1)]),
    ),
    "opset 2^40": Bad("opset_import.*1099511627776", opset(2**40)),
    "an attribute that is missing": Bad(
        "node 'c'", lambda: model([N("Concat", ["x", "x"], ["y"], name="c")])
    ),
    "no inputs of an Add": Bad("node 'a'", lambda: model([N("Add", [], ["y"], name="a")])),
    "nine inputs of an Add": Bad("node 'a'", lambda: model([N("Add", ["x"] * 9, ["y"], name="a")])),
    "an If without branches": Bad(
        "'i'|If|branch", lambda: model([N("If", ["x"], ["y"], name="i")])
    ),
    "an unknown element type of an input": Bad(
        "input 'x'",
        changed(lambda p: setattr(p.graph.input[0].type.tensor_type, "elem_type", 99)),
    ),
    "an input of no type": Bad("input 'x'", changed(lambda p: p.graph.input[0].ClearField("type"))),
    "an input of -7": Bad("input 'x'.*-7", changed(lambda p: _dim(p, -7))),
    "an input of 2^62": Bad("limit value_bytes", changed(lambda p: _dim(p, 2**62))),
    "a function without a body": Bad("function|'y'|'f'", lambda: hollow()),
}


def _dim(proto: onnx.ModelProto, size: int) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size


def attribute_twice() -> Made:
    node = N("Softmax", ["x"], ["y"], name="s", axis=0)
    node.attribute.append(helper.make_attribute("axis", 1))
    return model([node])


def without_type() -> Made:
    """As in files of the first IR version, which onnx's checks let pass."""
    made = model([N("Softmax", ["x"], ["y"], name="s", axis=0)])
    made.ir_version = 1
    made.graph.node[0].attribute[0].ClearField("type")
    return made


def two_bodies() -> Made:
    made = onnx.ModelProto()
    made.ParseFromString(serialised(looped(4, True)))
    made.graph.node[0].attribute.append(made.graph.node[0].attribute[0])
    return made


def hollow() -> Made:
    opsets = [helper.make_opsetid("", 18)]
    body = helper.make_function("f", "g", ["a"], ["c"], [], opsets)
    return model([N("g", ["x"], ["y"], domain="f")], functions=[body])


def named(name: str) -> Callable[[], Made]:
    return lambda: model([N("Relu", ["x"], ["y"], name=name)])


def no_text() -> bytes:
    return serialised(named("QQQQ")()).replace(b"QQQQ", b"\xff\xfeQQ")


NAMES: dict[str, Bad] = {
    "no UTF-8": Bad("not UTF-8|not an ONNX file", no_text),
    "ten megabytes": Bad("10,000,000 characters, limit name_length", named("n" * 10_000_000)),
    "a line break": Bad("do not print", named("a\nb")),
    "an escape of a terminal": Bad("do not print", named("\x1b[31mred\x1b[0m")),
    "a NUL": Bad("do not print", named("a\0b")),
    "an escape in an output": Bad(
        "do not print", lambda: model([N("Relu", ["x"], ["\x1b[2J"]), N("Neg", ["x"], ["y"])])
    ),
    "an escape in an operator": Bad("do not print", lambda: model([N("\x1b[2J", ["x"], ["y"])])),
    "an escape in an initialiser": Bad(
        "do not print",
        lambda: model([N("MatMul", ["x", "w\x07"], ["y"])], {"w\x07": np.eye(4)}),
    ),
    "an escape in a domain": Bad(
        "do not print", lambda: model([N("Relu", ["x"], ["y"], domain="a\x1bb")])
    ),
    "an escape in an input": Bad(
        "do not print", changed(lambda p: setattr(p.graph.input[0], "name", "x\x1b"))
    ),
    "a direction override": Bad("do not print", named("a\u202eb")),
}


def stored(change: Callable[[TensorProto], object]) -> Callable[[], Made]:
    """The product with something else about its matrix."""
    return changed(lambda p: change(p.graph.initializer[0]))


def typed(name: str, values: list[float], kind: int = FLOAT) -> Callable[[TensorProto], object]:
    def change(one: TensorProto) -> None:
        one.ClearField("raw_data")
        one.data_type = kind
        getattr(one, name).extend(values)

    return change


def dims(*sizes: int) -> Callable[[], Made]:
    return stored(lambda t: t.dims.__setitem__(slice(None), sizes))


def strings() -> Made:
    words = TensorProto(name="w", data_type=TensorProto.STRING, dims=[2], string_data=[b"a", b"b"])
    return model([N("Identity", ["w"], ["z"]), N("Relu", ["x"], ["y"])], tensors=[words])


def sparse(index: int) -> Made:
    values = tensor([1.0], "w")
    indices = tensor([index], "w_indices", np.int64)
    made = model([N("MatMul", ["x", "w"], ["y"])])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 4]))
    return made


TENSORS: dict[str, Bad] = {
    "2^80 elements": Bad("tensor 'w'.*limit tensor_elements", dims(2**40, 2**40)),
    "2^41 elements": Bad("tensor 'w'.*limit tensor_elements", dims(2**41)),
    "negative": Bad("tensor 'w'.*expected none negative", dims(-1, 4)),
    "too few bytes": Bad("tensor 'w': raw_data: 64 bytes.*needs 100", dims(5, 5)),
    "too many bytes": Bad("tensor 'w': raw_data: 64 bytes.*needs 36", dims(3, 3)),
    "no data": Bad("tensor 'w': no data", stored(lambda t: t.ClearField("raw_data"))),
    "too few floats": Bad("tensor 'w': float_data: 3", stored(typed("float_data", [1.0] * 3))),
    "floats in another field": Bad("tensor 'w': ", stored(typed("int64_data", [1] * 3))),
    "twice": Bad("raw_data and float_data", stored(lambda t: t.float_data.extend([1.0] * 16))),
    "type 0": Bad("tensor 'w': data_type UNDEFINED", stored(lambda t: setattr(t, "data_type", 0))),
    "type 999": Bad("tensor 'w': data_type 999", stored(lambda t: setattr(t, "data_type", 999))),
    "strings": Bad("tensor 'w': data_type STRING", strings),
    "a segment": Bad("segment", stored(lambda t: setattr(t.segment, "end", 8))),
    "rank 100": Bad("limit axes", dims(*[1] * 98, 4, 4)),
    "complex": Bad(
        "'p'|MatMul|complex|type", stored(typed("float_data", [1.0] * 32, TensorProto.COMPLEX64))
    ),
    "of no columns": Bad(
        "w: a weight of 4 x 0",
        lambda: model(
            [N("MatMul", ["x", "w"], ["none"]), N("MatMul", ["none", "v"], ["y"])],
            {"w": np.zeros((4, 0)), "v": np.zeros((0, 4))},
        ),
    ),
    "sparse, out of range": Bad("sparse", lambda: sparse(999)),
    "sparse": Bad("sparse", lambda: sparse(3)),
}
