"""External data that are elsewhere, or not what the tensor says."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hostile.build import FLOAT, Bad, Made, N, model, product, tensor

DATA = np.arange(16, dtype=np.float32).tobytes()
RIGHT = hashlib.sha1(DATA, usedforsecurity=False).hexdigest()


def outside(one: TensorProto, location: str, **entries: str) -> TensorProto:
    """The tensor with its data at a location."""
    one.ClearField("raw_data")
    one.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        one.external_data.add(key=key, value=value)
    return one


def at(location: str, **entries: str) -> Callable[[], Made]:
    """The product with its matrix at a location."""

    def made() -> Made:
        proto = product()
        outside(proto.graph.initializer[0], location, **entries)
        return proto

    return made


def twice(*keys: str) -> Callable[[], Made]:
    """The same with entries that are there again."""

    def made() -> Made:
        proto = product()
        one = outside(proto.graph.initializer[0], "w.bin", offset="0", length="64")
        for key in keys:
            one.external_data.add(key=key, value="w.bin" if key == "location" else "0")
        return proto

    return made


def two(first: dict[str, str], second: dict[str, str]) -> Callable[[], Made]:
    """Two matrices in one file."""

    def made() -> Made:
        stored = [
            outside(tensor(np.zeros((2, 4)), name), "w.bin", **entries)
            for name, entries in (("a", first), ("b", second))
        ]
        nodes = [N("Concat", ["a", "b"], ["w"], axis=0), N("MatMul", ["x", "w"], ["y"])]
        return model(nodes, tensors=stored)

    return made


CARRIERS = (
    "an initialiser",
    "a Constant",
    "a sparse Constant",
    "a branch",
    "a function",
    "a sparse tensor",
    "training",
)


def carried(carrier: str, location: str = "../secret") -> Callable[[], Made]:
    """The product with a tensor outside of the folder, held in one of CARRIERS."""

    def made() -> Made:
        secret = outside(tensor(np.zeros((4, 4)), "w"), location)
        held = N("Constant", [], ["w"], value=secret)
        product_of = N("MatMul", ["x", "w"], ["y"])
        match carrier:
            case "an initialiser":
                return model([product_of], tensors=[secret])
            case "a Constant":
                return model([held, product_of])
            case "a sparse Constant":
                return model([N("Constant", [], ["w"], sparse_value=sparse(secret)), product_of])
            case "a branch":
                return model(branch(held))
            case "a function":
                opsets = [helper.make_opsetid("", 18)]
                nodes = [held, N("MatMul", ["a", "w"], ["c"])]
                body = helper.make_function("f", "g", ["a"], ["c"], nodes, opsets)
                return model([N("g", ["x"], ["y"], domain="f")], functions=[body])
        proto = product()
        if carrier == "a sparse tensor":
            proto.graph.sparse_initializer.append(sparse(secret))
        else:
            proto.training_info.add().algorithm.CopyFrom(part([held, product_of], "y"))
        return proto

    return made


def sparse(values: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=values, indices=tensor([3], "i", np.int64), dims=[4, 4])


def part(nodes: Sequence[onnx.NodeProto], output: str) -> onnx.GraphProto:
    """A graph in another."""
    return helper.make_graph(
        nodes, "inner", [], [helper.make_tensor_value_info(output, FLOAT, None)]
    )


def branch(held: onnx.NodeProto) -> list[onnx.NodeProto]:
    """An If, one of whose branches multiplies by what `held` holds."""
    true = helper.make_tensor("t", TensorProto.BOOL, [], [True])
    node = N(
        "If",
        ["t"],
        ["y"],
        then_branch=part([held, N("MatMul", ["x", "w"], ["z"])], "z"),
        else_branch=part([N("Neg", ["x"], ["n"])], "n"),
    )
    return [N("Constant", [], ["t"], value=true), node]


def data(folder: Path) -> None:
    (folder / "w.bin").write_bytes(DATA)


def soft(folder: Path) -> None:
    target = folder.parent / f"{folder.name}.bin"
    target.write_bytes(DATA)
    (folder / "w.bin").symlink_to(target)


def hard(folder: Path) -> None:
    target = folder.parent / f"{folder.name}.bin"
    target.write_bytes(DATA)
    (folder / "w.bin").hardlink_to(target)


def folder_link(folder: Path) -> None:
    (folder / "sub").symlink_to(folder.parent)
    (folder.parent / "w.bin").write_bytes(DATA)


OUT = "tensor 'w': external data at .*, expected a file in its folder"
EXTERNAL: dict[str, Bad] = {
    "above": Bad(OUT, at("../w.bin"), data),
    "above, by a folder": Bad(OUT, at("sub/../../w.bin"), data),
    "absolute": Bad(OUT, at("/etc/passwd")),
    "no location": Bad(OUT, at("")),
    "a backslash": Bad(OUT, at("a\\b")),
    "a drive": Bad(OUT, at("c:w.bin")),
    "a NUL": Bad(OUT, at("w.bin\0.txt"), data),
    "a symbolic link": Bad("tensor 'w': .*symbolic link", at("w.bin"), soft),
    "a linked folder": Bad("tensor 'w': .*symbolic link", at("sub/w.bin"), folder_link),
    "a hard link": Bad("tensor 'w': .*not a plain file", at("w.bin"), hard),
    "a folder": Bad("tensor 'w': .*not a plain file", at("w"), lambda f: (f / "w").mkdir()),
    "a FIFO": Bad("tensor 'w': .*not a plain file", at("w"), lambda f: os.mkfifo(f / "w")),
    "a device": Bad(
        "tensor 'w': .*symbolic link", at("w"), lambda f: (f / "w").symlink_to("/dev/zero")
    ),
    "missing": Bad("tensor 'w': .*No such file", at("none.bin")),
    "a name of 300 characters": Bad("tensor 'w': .*too long", at("n" * 300)),
    "the model itself": Bad("tensor 'w': external data: ", at("model.onnx")),
    **{
        f"in {name}": Bad("external data at '../secret'|sparse", carried(name)) for name in CARRIERS
    },
    "offset -4": Bad("bytes -4 to", at("w.bin", offset="-4"), data),
    "offset of 30 digits": Bad("bytes", at("w.bin", offset="9" * 30), data),
    "offset of 5000 digits": Bad("not a number|bytes", at("w.bin", offset="9" * 5000), data),
    "offset in words": Bad("not a number", at("w.bin", offset="zero"), data),
    "length -1": Bad("bytes 0 to -1", at("w.bin", length="-1"), data),
    "length of more than there is": Bad("bytes 0 to 65", at("w.bin", length="65"), data),
    "length of less than the shape": Bad("4 bytes, .*needs 64", at("w.bin", length="4"), data),
    "a file of four bytes": Bad(
        "4 bytes, .*needs 64", at("w.bin"), lambda f: (f / "w.bin").write_bytes(bytes(4))
    ),
    "another checksum": Bad("checksum 'beef'.*is " + RIGHT, at("w.bin", checksum="beef"), data),
    "two locations": Bad("'location' is given twice", twice("location"), data),
    "two offsets": Bad("'offset' is given twice", twice("offset"), data),
    "overlapping": Bad(
        "tensor 'b': external data: bytes 16 to 48 of 'w.bin', of which 0 to 32",
        two({"offset": "0", "length": "32"}, {"offset": "16", "length": "32"}),
        data,
    ),
}
GOOD: dict[str, Bad] = {
    "the right checksum": Bad("", at("w.bin", checksum=RIGHT.upper()), data),
    "one after the other": Bad(
        "", two({"offset": "0", "length": "32"}, {"offset": "32", "length": "32"}), data
    ),
    "tied": Bad("", two({"offset": "0", "length": "32"}, {"offset": "0", "length": "32"}), data),
}
