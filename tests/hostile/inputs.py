"""Inputs (--inputs) that are none, or many more than they seem."""

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ir.arrays import Array


@dataclass(frozen=True)
class BadInputs:
    """A case: writes the file of inputs; what is said of it (a pattern)."""

    says: str
    write: Callable[[Path], object]


def header(text: str) -> bytes:
    """An array's file up to its numbers, its header as it is given."""
    line = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


def npy(array: Array) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def archive(*members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", how) as file:
            for name, data in members:
                file.writestr(name, data)

    return write


def of(text: str, data: bytes = b"") -> Callable[[Path], None]:
    return archive(("input_ids.npy", header(text) + data))


def bomb(size: int) -> Callable[[Path], None]:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1, {size}), }}"

    def write(path: Path) -> None:
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
            file.open("input_ids.npy", "w") as member,
        ):
            member.write(header(text))
            for _ in range(size >> 20):
                member.write(bytes(2**20))

    return write


def wrong_size(path: Path) -> None:
    """The directory says that a member is larger than what is there."""
    archive(("input_ids.npy", npy(np.zeros((1, 8), np.int64))))(path)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)


def encrypted(path: Path) -> None:
    archive(("input_ids.npy", npy(np.zeros((1, 8), np.int64))))(path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def ids(array: Array) -> Callable[[Path], object]:
    return lambda path: np.savez(path, input_ids=array)


def saved(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def cut(share: float) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        ids(np.zeros((4, 8), np.int64))(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return write


GOOD = npy(np.zeros((1, 8), np.int64))
WORDS = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"
INPUTS: dict[str, BadInputs] = {
    "empty": BadInputs("not a zip archive", saved(b"")),
    "hello world": BadInputs("not a zip archive", saved(b"hello world")),
    "an .npy file": BadInputs("not a zip archive", saved(GOOD)),
    "a FIFO": BadInputs("not a regular file", lambda p: os.mkfifo(p)),
    "a device": BadInputs("not a regular file", lambda p: p.symlink_to("/dev/zero")),
    "a folder": BadInputs("a folder", lambda p: p.mkdir()),
    "missing": BadInputs("No such file", lambda p: None),
    "a link to itself": BadInputs("symbolic links", lambda p: p.symlink_to(p)),
    **{f"cut at {s}": BadInputs("zip archive|broken", cut(s)) for s in (0.2, 0.5, 0.9)},
    "no arrays": BadInputs("no arrays", archive()),
    "a bomb of 300 MiB": BadInputs("limit input_ratio = 200", bomb(300 << 20)),
    "a larger size than there is": BadInputs("limit input_ratio|expected|broken", wrong_size),
    "many members": BadInputs(
        "members, limit 4096|directory|limit",
        archive(*((f"a{i}.npy", b"") for i in range(5000)), how=zipfile.ZIP_STORED),
    ),
    "a name twice": BadInputs("found twice", archive(("a.npy", GOOD), ("a.npy", GOOD))),
    "a name above": BadInputs("expected a name like", archive(("../a.npy", GOOD))),
    "an absolute name": BadInputs("expected a name like", archive(("/etc/a.npy", GOOD))),
    "a name with an escape": BadInputs("expected a name like", archive(("\x1b[2J.npy", GOOD))),
    "another kind of member": BadInputs("expected a name like", archive(("a.txt", b"hello"))),
    "encrypted": BadInputs("encrypted", encrypted),
    "another compression": BadInputs("compression", archive(("a.npy", GOOD), how=zipfile.ZIP_LZMA)),
    "no numpy array": BadInputs("not a numpy array", archive(("a.npy", b"hello world, hello"))),
    "a pickle": BadInputs("element type", archive(("a.npy", npy(np.array([{}], dtype=object))))),
    "strings": BadInputs("element type", ids(np.array(["a", "b"]))),
    "records": BadInputs("header", ids(np.zeros(3, dtype=[("a", "i4")]))),
    "complex numbers": BadInputs("element type", ids(np.zeros((1, 4), complex))),
    "times": BadInputs("element type", ids(np.zeros((1, 4), "M8[s]"))),
    "a negative size": BadInputs("shape", of(WORDS % ("<i8", "(-1, 4)"))),
    "a size of 2^62": BadInputs("shape|needs", of(WORDS % ("<i8", "(4611686018427387904,)"))),
    "sizes of 2^80": BadInputs("needs", of(WORDS % ("<i8", "(1099511627776, 1099511627776)"))),
    "65 axes": BadInputs("shape", of(WORDS % ("<i8", "(" + "1, " * 65 + ")"), bytes(8))),
    "code in the header": BadInputs("header", of("__import__('os').system('id')")),
    "a header of 60,000 bytes": BadInputs("header of", of("{" + " " * 60_000)),
    "too few numbers": BadInputs("needs 64 bytes, found 8", of(WORDS % ("<i8", "(8,)"), bytes(8))),
    "another name": BadInputs(
        "no array 'input_ids', found other", lambda p: np.savez(p, other=np.zeros((1, 8), np.int64))
    ),
    "no sequences": BadInputs("empty", ids(np.zeros((0, 8), np.int64))),
    "no tokens": BadInputs("empty", ids(np.zeros((2, 0), np.int64))),
    "one number": BadInputs("input_ids|empty|sequences", ids(np.array(3))),
    "five axes": BadInputs("'input_ids': shape", ids(np.zeros((1, 1, 1, 1, 8), np.int64))),
    "an id of no token": BadInputs("ONNX Runtime", ids(np.full((1, 8), 999))),
    "a negative id": BadInputs("ONNX Runtime", ids(np.full((1, 8), -999))),
    "a sequence of 200,000 tokens": BadInputs(
        "200,000 tokens, limit tokens", ids(np.arange(200_000).reshape(1, -1) * 7919 % 32)
    ),
    "a sequence of 30,000 tokens": BadInputs(
        "limit value_bytes", ids(np.arange(30_000).reshape(1, -1) * 7919 % 32)
    ),
}
