"""Read arrays from an .npz archive or .npy file that may be hostile: sizes are checked first.

Nothing is unpickled or evaluated: an array is a header of one fixed form and as many bytes as its
shape says. Only the arrays asked for are read.
"""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ir.arrays import Array
from ir.errors import InputError
from ir.infile import Infile, check_file, in_a_line

_END = b"PK\x05\x06"
_END_SIZE = 22
_END_64_LOCATOR = b"PK\x06\x07"
_COMMENT = 65535
_HEADER_LIMIT = 4096
_FLOOR, _RATIO, _CEILING = 64 * 2**20, 200, 4 * 2**30
_HEADER = re.compile(
    rb"\{'descr': '([^']{1,16})', 'fortran_order': (True|False), 'shape': \(([-\d, L]*)\),? ?\}\s*"
)
_BROKEN = (  # what zipfile raises for one
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)
_WORDS = {
    "iu": "integers",
    "f": "floating-point numbers",
    "b": "booleans",
    "iub": "integers",
    "iuf": "numbers",
}


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold: inflated bytes of all arrays read, members, directory bytes.

    bytes: None stands for 64 MiB, or 200 times the file's own size where that is more, up to 4 GiB:
    traces deflate a hundredfold, bombs a thousandfold. option: the command line's way to raise a
    limit, which messages name; empty where there is none.
    """

    bytes: int | None = None
    members: int = 64
    directory_bytes: int = 64 * 2**10
    option: str = ""

    def bytes_of(self, size: int) -> int:
        """Most bytes that a file of `size` bytes may inflate to."""
        return max(_FLOOR, min(_CEILING, _RATIO * size)) if self.bytes is None else self.bytes

    def hint(self, name: str, needed: int, instead: str) -> str:
        """What to do about the limit `name` where `needed` is more than it."""
        return f"{instead}, or raise it: {self.option} {name}={needed}" if self.option else instead


@dataclass(frozen=True)
class ArrayHeader:
    """What stands before an array's numbers: its element type as numpy codes it, and its shape."""

    code: str
    shape: tuple[int, ...]


def read_arrays(
    path: Path | str | Infile, wanted: Mapping[str, str], limits: ArchiveLimits | None = None
) -> dict[str, Array]:
    """Read the arrays named in `wanted` that are there; other members are left alone.

    `wanted` maps a name to the numpy kinds it may have, e.g. "iu" for integers. Raises InputError
    naming the file and the array for anything that is not a plain archive of plain arrays.
    """
    where = str(path)
    limits = limits or ArchiveLimits()
    with _opened(where, path, limits) as archive:
        members = _wanted(where, archive, _members(where, archive, limits), wanted, limits)
        return {
            name: _read_member(where, name, archive, member, wanted[name])
            for name, member in members.items()
        }


def read_names(path: Path | str, limits: ArchiveLimits | None = None) -> tuple[str, ...]:
    """Names of the arrays of an archive; raises InputError as `read_arrays` does."""
    limits = limits or ArchiveLimits()
    with _opened(str(path), path, limits) as archive:
        return tuple(_members(str(path), archive, limits))


def inflated_bytes(path: Path | str, limits: ArchiveLimits | None = None) -> int:
    """What all members of an archive say that they inflate to; more is never read of one.

    Raises InputError as `read_arrays` does.
    """
    limits = limits or ArchiveLimits()
    with _opened(str(path), path, limits) as archive:
        return sum(m.file_size for m in _members(str(path), archive, limits).values())


def read_headers(
    path: Path | str, limits: ArchiveLimits | None = None
) -> dict[str, ArrayHeader | None]:
    """Type and shape of every array of an archive; None for what is no plain array.

    Raises InputError as `read_arrays` does.
    """
    where = str(path)
    limits = limits or ArchiveLimits()
    with _opened(where, path, limits) as archive:
        found: dict[str, ArrayHeader | None] = {}
        for name, member in _members(where, archive, limits).items():
            with archive.open(member) as file:
                try:
                    found[name] = _parsed(where, name, _header_of(where, name, file)[0])[0]
                except InputError:
                    found[name] = None
        return found


def read_array(path: Path | str, kinds: str, limits: ArchiveLimits | None = None) -> Array:
    """Read the one array of an .npy file, of the numpy kinds in `kinds`; raises InputError."""
    where = str(path)
    limits = limits or ArchiveLimits()
    size = check_file(Path(path), "an .npy file")
    try:
        most = limits.bytes_of(_CEILING)  # it is as long as it says
        if size > most:
            hint = limits.hint("bytes", size, "cut the file")
            raise InputError(where, f"{size} bytes, limit {most}", hint)
        with Path(path).open("rb") as file:
            return _read_from(where, "array", file, size, kinds)
    except OSError as error:
        raise InputError(where, f"cannot be read: {error.strerror or error}") from error


@contextmanager
def _opened(
    where: str, path: Path | str | Infile, limits: ArchiveLimits
) -> Generator[zipfile.ZipFile]:
    """The archive; InputError for what cannot be read, here or while it is used."""
    try:
        with _file(path) as file:
            _check_directory_size(where, file, limits)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except OSError as error:
        raise InputError(where, f"cannot be read: {error.strerror or error}") from error
    except _BROKEN as error:
        raise InputError(where, f"a broken archive: {in_a_line(error)}") from error


def _file(path: Path | str | Infile) -> IO[bytes]:
    """The file opened; one whose content is to be compared is read whole."""
    if isinstance(path, Infile):
        return io.BytesIO(path.read("an .npz archive", _CEILING))
    check_file(Path(path), "an .npz archive")
    return Path(path).open("rb")


def _length(archive: zipfile.ZipFile) -> int:
    """Bytes of the archive's file."""
    file = archive.fp
    return 0 if file is None else file.seek(0, io.SEEK_END)


def _check_directory_size(where: str, file: IO[bytes], limits: ArchiveLimits) -> None:
    """Refuse a member list that zipfile would take long to read; it reads it whole on opening."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_SIZE - _COMMENT - 20))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + _END_SIZE:
        raise InputError(where, "not a zip archive, expected one written by numpy.savez")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if _END_64_LOCATOR in tail[max(0, end - 20) : end]:
        raise InputError(
            where,
            "a zip64 archive of 4 GiB or more, expected a smaller one",
            "save it with numpy.savez_compressed, or its array alone with numpy.save",
        )
    if directory > limits.directory_bytes:
        raise InputError(
            where,
            f"a member list of {directory} bytes, limit {limits.directory_bytes}",
            limits.hint("directory_bytes", directory, "save fewer arrays"),
        )
    file.seek(0)


def _members(
    where: str, archive: zipfile.ZipFile, limits: ArchiveLimits
) -> dict[str, zipfile.ZipInfo]:
    """The members by array name, their names and number checked."""
    found = archive.infolist()
    if len(found) > limits.members:
        hint = limits.hint("members", len(found), "save fewer arrays")
        raise InputError(where, f"{len(found)} members, limit {limits.members}", hint)
    seen: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        # orig_filename: zipfile cuts `filename` at a NUL and would hide the rest
        shown = f"member {member.orig_filename[:80]!r}"
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}\.npy", member.orig_filename):
            raise InputError(where, f"{shown}: expected a name like 'choices.npy'")
        name = member.orig_filename.removesuffix(".npy")
        if name in seen:
            raise InputError(where, f"{shown}: found twice, expected once")
        if member.flag_bits & 1:
            raise InputError(where, f"{shown}: encrypted, expected plain")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(where, f"{shown}: unknown compression, expected stored or deflated")
        seen[name] = member
    return seen


def _wanted(
    where: str,
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    wanted: Mapping[str, str],
    limits: ArchiveLimits,
) -> dict[str, zipfile.ZipInfo]:
    """The members asked for; InputError where they inflate to more than the limit."""
    chosen = {name: members[name] for name in wanted if name in members}
    total = sum(member.file_size for member in chosen.values())
    most = limits.bytes_of(_length(archive))
    if total > most:
        largest = max(chosen, key=lambda name: chosen[name].file_size)
        raise InputError(
            where,
            f"{largest}: {total} bytes when inflated with the others, limit {most}",
            limits.hint("bytes", total, "cut the file"),
        )
    return chosen


def _read_member(
    where: str, name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, kinds: str
) -> Array:
    """Read one member; zipfile itself stops at the size declared in the directory."""
    with archive.open(member) as file:
        return _read_from(where, name, file, member.file_size, kinds)


def _read_from(where: str, name: str, file: IO[bytes], size: int, kinds: str) -> Array:
    """Read an array of `size` bytes with its header."""
    text, read = _header_of(where, name, file)
    header, fortran = _parsed(where, name, text)
    dtype = _dtype(where, name, header.code, kinds)
    needed, stored = math.prod(header.shape) * dtype.itemsize, size - read
    if needed != stored:
        raise InputError(
            where,
            f"{name}: shape {_brief(header.shape)} of {dtype} needs {needed} bytes, found {stored}",
        )
    data = np.frombuffer(file.read(), dtype=dtype)
    if data.nbytes != needed:
        raise InputError(where, f"{name}: {data.nbytes} bytes, expected {needed}")
    return data.reshape(header.shape, order="F" if fortran else "C")


def _header_of(where: str, name: str, file: IO[bytes]) -> tuple[bytes, int]:
    """(the header's text, bytes up to the array's numbers)."""
    magic = file.read(8)
    if magic[:6] != b"\x93NUMPY" or magic[6:] not in (b"\x01\x00", b"\x02\x00"):
        raise InputError(where, f"{name}: not a numpy array of format version 1.0 or 2.0")
    length_bytes = 2 if magic[6] == 1 else 4
    length = int.from_bytes(file.read(length_bytes), "little")
    if length > _HEADER_LIMIT:
        raise InputError(where, f"{name}: header of {length} bytes, limit {_HEADER_LIMIT}")
    return file.read(length), 8 + length_bytes + length


def _parsed(where: str, name: str, text: bytes) -> tuple[ArrayHeader, bool]:
    """Type, shape and Fortran order; every other form is refused, such as records."""
    found = _HEADER.fullmatch(text)
    if found is None:
        raise InputError(where, f"{name}: unreadable header, expected that of a plain array")
    numbers = [part.strip(" L") for part in found[3].decode("ascii").split(",")]
    sizes = [part for part in numbers if part]
    if any(re.fullmatch(r"\d{1,18}", size) is None for size in sizes) or len(sizes) > 8:
        raise InputError(
            where,
            f"{name}: shape ({', '.join(sizes)[:80]}), expected up to 8 sizes of at least 0",
        )
    shape = tuple(int(size) for size in sizes)
    return ArrayHeader(found[1].decode("latin-1"), shape), found[2] == b"True"


def _dtype(where: str, name: str, code: str, kinds: str) -> np.dtype[Any]:
    """The element type, if it is one of `kinds`."""
    problem = f"{name}: element type {code!r}, expected {_WORDS.get(kinds, f'kind {kinds}')}"
    if re.fullmatch(r"[<>|=]?[biuf][1248]", code) is None or code.lstrip("<>|=")[0] not in kinds:
        raise InputError(where, problem)
    try:
        return np.dtype(code)
    except TypeError as error:
        raise InputError(where, problem) from error


def _brief(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape) or "scalar"
