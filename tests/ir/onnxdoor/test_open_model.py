"""Opening a model: what is refused, and that weights stay where they are."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ir.errors import InputError
from ir.onnxdoor.load import first_line, open_model


def small(nodes: list[onnx.NodeProto] | None = None, **extra: object) -> onnx.ModelProto:
    """Y = Relu(x) (or `nodes`), with one initialiser w [2, 2]."""
    graph = helper.make_graph(
        nodes or [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])],
        [numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], **extra)


def external(location: str, **entries: str) -> onnx.ModelProto:
    """The same with w outside, at `location`."""
    proto = small([helper.make_node("MatMul", ["x", "w"], ["y"])])
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return proto


def refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as found:
        open_model(path)
    assert found.value.exit_code == 2
    assert "\n" not in str(found.value)


def save(path: Path, proto: onnx.ModelProto) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path


def test_opens(tmp_path: Path) -> None:
    source = open_model(save(tmp_path / "m.onnx", small()))
    assert [node.op_type for node in source.graph] == ["Relu"]
    assert len(source.sha256) == 64


def test_missing_directory_fifo(tmp_path: Path) -> None:
    refused(tmp_path / "none.onnx", "cannot be read: No such file")
    refused(tmp_path, "a folder, expected an ONNX file")
    os.mkfifo(tmp_path / "pipe.onnx")
    refused(tmp_path / "pipe.onnx", "not a regular file")
    refused(Path("a\0b.onnx"), "cannot be read")


@pytest.mark.parametrize("data", [b"hello world", b"\x00" * 100, b"\x08\x09", b"PK\x03\x04"])
def test_not_a_model(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(data)
    refused(tmp_path / "m.onnx", "not an ONNX file|no graph with nodes")


def test_empty_truncated_and_huge(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    refused(tmp_path / "empty.onnx", "an empty file")
    whole = small().SerializeToString()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.onnx", "not an ONNX file")
    with (tmp_path / "sparse.onnx").open("wb") as file:
        file.truncate(3 * 2**30)
    refused(tmp_path / "sparse.onnx", "3221225472 bytes, an ONNX file has at most 2147483647")


@pytest.mark.parametrize(
    "location", ["../w.bin", "/etc/passwd", "a\\b", "", "c:w.bin", "a/../../w.bin", "none.bin"]
)
def test_external_data_outside(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(16))
    refused(save(folder / "m.onnx", external(location)), "tensor 'w'.*external data")


def test_external_data_through_links(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(16))
    (folder / "soft.bin").symlink_to(tmp_path / "w.bin")
    refused(save(folder / "m.onnx", external("soft.bin")), "symbolic link")
    (folder / "hard.bin").hardlink_to(tmp_path / "w.bin")
    refused(save(folder / "m.onnx", external("hard.bin")), "not a plain file of one name")
    (folder / "sub").mkdir()
    refused(save(folder / "m.onnx", external("sub")), "not a plain file")


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"offset": "-4"}, "bytes -4 to"),
        ({"length": "17"}, "bytes 0 to 17 of 'w.bin', which has 16"),
        ({"offset": "8", "length": "16"}, "bytes 8 to 24"),
        ({"length": "4"}, "4 bytes, its shape needs 16"),
        ({"offset": "8"}, "8 bytes, its shape needs 16"),
        ({"offset": "zero"}, "is not a number"),
    ],
)
def test_external_data_range(tmp_path: Path, entries: dict[str, str], match: str) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))
    refused(save(tmp_path / "m.onnx", external("w.bin", **entries)), match)


def test_external_data_is_not_read(tmp_path: Path) -> None:
    """A hole of 64 GiB next to the model: opening must not touch it."""
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(64 * 2**30)
    proto = external("w.bin", length=str(64 * 2**30))
    proto.graph.initializer[0].dims[:] = [2**17, 2**17]  # 2^34 float32 = 64 GiB
    source = open_model(save(tmp_path / "m.onnx", proto))
    assert source.graph.initializers["w"].shape == (2**17, 2**17)


def test_external_data_in_a_subgraph(tmp_path: Path) -> None:
    """Carriers other than the main graph's initialisers count too."""
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["z"], value=tensor)],
        "inner",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])],
    )
    nodes = [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)]
    refused(save(tmp_path / "m.onnx", small(nodes)), "external data at '../secret'")


def test_impossible_shapes(tmp_path: Path) -> None:
    proto = small()
    proto.graph.initializer[0].dims[:] = [2**40, 2**40]
    refused(save(tmp_path / "m.onnx", proto), "limit tensor_elements")
    proto.graph.initializer[0].dims[:] = [-1, 2]
    refused(save(tmp_path / "m.onnx", proto), "expected none negative")
    proto.graph.initializer[0].dims[:] = [3, 3]
    refused(save(tmp_path / "m.onnx", proto), "16 bytes, its shape needs 36")


def test_names(tmp_path: Path) -> None:
    refused(
        save(tmp_path / "m.onnx", small([helper.make_node("Relu", ["x"], ["y"], name="a\nb")])),
        "do not print",
    )
    long = helper.make_node("Relu", ["x"], ["y"], name="n" * 10_000)
    refused(save(tmp_path / "m.onnx", small([long])), "10,000 characters, limit name_length")


def test_function_bomb(tmp_path: Path) -> None:
    """40 functions, each calling the next twice: 2^40 nodes in under 4 KB."""
    functions = []
    for i in range(40):
        kind = {"op_type": f"f{i + 1}", "domain": "f"} if i < 39 else {"op_type": "Relu"}
        calls = [
            helper.make_node(inputs=["a"], outputs=["b"], **kind),
            helper.make_node(inputs=["b"], outputs=["c"], **kind),
        ]
        functions.append(
            helper.make_function(
                "f",
                f"f{i}",
                ["a"],
                ["c"],
                calls,
                [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)],
            )
        )
    proto = small([helper.make_node("f0", ["x"], ["y"], domain="f")], functions=functions)
    refused(save(tmp_path / "m.onnx", proto), "limit (depth|nodes)")


def test_functions_are_inlined(tmp_path: Path) -> None:
    body = helper.make_function(
        "f",
        "twice",
        ["a"],
        ["c"],
        [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])],
        [helper.make_opsetid("", 18)],
    )
    proto = small([helper.make_node("twice", ["x"], ["y"], domain="f")], functions=[body])
    proto.opset_import.append(helper.make_opsetid("f", 1))
    source = open_model(save(tmp_path / "m.onnx", proto))
    assert [node.op_type for node in source.graph] == ["Relu", "Neg"]


def test_every_node_gets_its_own_name(tmp_path: Path) -> None:
    """Unnamed and repeated names are replaced, the same way every time; unique ones stay."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"], name="same"),
        helper.make_node("Relu", ["b"], ["c"], name="same"),
        helper.make_node("Relu", ["c"], ["y"], name="mine"),
    ]
    path = save(tmp_path / "m.onnx", small(nodes))
    names = [node.name for node in open_model(path).graph]
    assert names == ["Relu#0", "same#1", "same#2", "mine"]
    assert names == [node.name for node in open_model(path).graph]


def test_a_name_that_another_node_has_already(tmp_path: Path) -> None:
    """The first node would be Relu#0, and Relu#0#1, which are taken."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"], name="Relu#0"),
        helper.make_node("Relu", ["b"], ["y"], name="Relu#0#1"),
    ]
    source = open_model(save(tmp_path / "m.onnx", small(nodes)))
    assert [node.name for node in source.graph] == ["Relu#0#2", "Relu#0", "Relu#0#1"]


def test_the_first_line_of_what_an_error_is_from() -> None:
    error = RuntimeError("a step\nand its trace")
    error.__cause__ = ValueError("what was wrong\nin many words")
    assert first_line(error) == "what was wrong"
    assert first_line(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    ("numbers", "stored"),
    [({"value_ints": [2, 2]}, [2, 2]), ({"value_int": 4}, 4), ({"value_floats": [0.5]}, [0.5])],
)
def test_constants_of_plain_numbers_are_stored_tensors(
    numbers: dict[str, Any], stored: object, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], **numbers),
        helper.make_node("Cast", ["c"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    source = open_model(save(tmp_path / "m.onnx", small(nodes)))
    found = {tensor.name: tensor.numpy().tolist() for tensor in source.tensors}
    assert found == {"w": [[1, 0], [0, 1]], "c": stored}


def test_numbers_of_four_bits(tmp_path: Path) -> None:
    """Three of them are two bytes, one in each entry of int32_data."""
    proto = small([helper.make_node("DequantizeLinear", ["q", "s"], ["y"])])
    proto.graph.initializer.append(helper.make_tensor("q", TensorProto.INT4, [3], [1, 2, 3]))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "s"))
    proto.opset_import[0].version, proto.ir_version = 21, 10
    source = open_model(save(tmp_path / "m.onnx", proto))
    assert {t.name: t.nbytes for t in source.tensors}["q"] == 2
    proto.graph.initializer[1].int32_data.append(0)
    refused(save(tmp_path / "m.onnx", proto), "int32_data: 3 numbers, its shape needs 2")


def test_two_tensors_of_a_file_with_a_checksum(tmp_path: Path) -> None:
    """It is read through once, and either tensor may be the one that says it wrongly."""
    data = bytes(32)
    (tmp_path / "w.bin").write_bytes(data)
    right = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    proto = external("w.bin", offset="0", length="16", checksum=right)
    proto.graph.initializer.append(proto.graph.initializer[0])
    other = proto.graph.initializer[1]
    other.name = "v"
    open_model(save(tmp_path / "m.onnx", proto))
    next(e for e in other.external_data if e.key == "checksum").value = "0" * 40
    refused(save(tmp_path / "m.onnx", proto), "tensor 'v': external data: checksum '0000")


def test_names_of_other_letters_than_ascii(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["größe"]), helper.make_node("Neg", ["größe"], ["y"])]
    source = open_model(save(tmp_path / "m.onnx", small(nodes)))
    assert "größe" in source.values


def test_unused_nodes_and_cycles(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["unused"])]
    source = open_model(save(tmp_path / "m.onnx", small(nodes)))
    assert [node.op_type for node in source.graph] == ["Relu"]
    loop = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    refused(save(tmp_path / "loop.onnx", small(loop)), "not a valid ONNX graph")


def test_undefined_values_and_bad_attributes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "ghost"], ["y"], name="sum")]
    refused(save(tmp_path / "a.onnx", small(nodes)), "node 'sum' .*reads 'ghost', which nothing")
    nodes = [helper.make_node("Relu", ["x"], ["z"], name="r")]
    refused(save(tmp_path / "b.onnx", small(nodes)), "output 'y': nothing makes it")
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="r", axis=3)]
    refused(save(tmp_path / "c.onnx", small(nodes)), "node 'r' .Relu.: Unrecognized attribute")


@pytest.mark.parametrize(
    ("op", "given", "found"),
    [
        ("FusedMatMul", ["x"], "1 inputs, expected 2"),
        ("FusedMatMul", ["x", ""], "1 inputs, expected 2"),
        ("MatMulNBits", ["x", "w"], "2 inputs, expected 3"),
        ("MoE", ["x"], "1 inputs, expected 3"),
        ("QMoE", [], "0 inputs, expected 3"),
    ],
)
def test_an_operator_of_the_runtimes_without_its_inputs(
    op: str, given: list[str], found: str, tmp_path: Path
) -> None:
    """No definition of onnx's says what they need."""
    proto = small([helper.make_node(op, given, ["y"], name="n", domain="com.microsoft")])
    refused(save(tmp_path / "m.onnx", proto), rf"node 'n' \({op}\): {found} at least")


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    data = small([helper.make_node("Relu", ["x"], ["y"], name="QQQQ")]).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data.replace(b"QQQQ", b"\xff\xfeQQ"))
    refused(tmp_path / "m.onnx", "not UTF-8|not an ONNX file")
