"""Read arrays from an .npz archive that may be hostile: every size is checked before inflating.

Nothing is unpickled or evaluated: an array is a header of one fixed form and as many bytes as its
shape says. Only the arrays asked for are read.
"""

import math
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ir.arrays import Array
from ir.errors import InputError

_END = b"PK\x05\x06"
_END_SIZE = 22
_END_64_LOCATOR = b"PK\x06\x07"
_COMMENT = 65535
_HEADER_LIMIT = 4096
_HEADER = re.compile(
    rb"\{'descr': '([^']{1,16})', 'fortran_order': (True|False), 'shape': \(([-\d, L]*)\),? ?\}\s*"
)
_WORDS = {"iu": "integers", "f": "floating-point numbers", "b": "booleans", "iub": "integers"}


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold: inflated bytes of all arrays read, members, directory bytes."""

    bytes: int = 64 * 2**20
    members: int = 64
    directory_bytes: int = 64 * 2**10


def read_arrays(
    path: Path | str, wanted: Mapping[str, str], limits: ArchiveLimits | None = None
) -> dict[str, Array]:
    """Read the arrays named in `wanted` that are there; other members are left alone.

    `wanted` maps a name to the numpy kinds it may have, e.g. "iu" for integers. Raises InputError
    naming the file and the array for anything that is not a plain archive of plain arrays.
    """
    where = str(path)
    limits = limits or ArchiveLimits()
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise InputError(where, "not a regular file, expected an .npz archive")
        with Path(path).open("rb") as file:
            _check_directory_size(where, file, limits)
            with zipfile.ZipFile(file) as archive:
                members = _checked_members(where, archive.infolist(), wanted, limits)
                return {
                    name: _read_array(where, name, archive, member, wanted[name])
                    for name, member in members.items()
                }
    except OSError as error:
        raise InputError(where, f"cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(where, f"a broken archive: {error}") from error


def _check_directory_size(where: str, file: BinaryIO, limits: ArchiveLimits) -> None:
    """Refuse a member list that zipfile would take long to read; it reads it whole on opening."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_SIZE - _COMMENT - 20))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + _END_SIZE:
        raise InputError(where, "not a zip archive, expected one written by numpy.savez")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if _END_64_LOCATOR in tail[max(0, end - 20) : end]:
        raise InputError(where, "a zip64 archive of 4 GiB or more, expected a smaller one")
    if directory > limits.directory_bytes:
        raise InputError(
            where, f"a member list of {directory} bytes, limit {limits.directory_bytes}"
        )
    file.seek(0)


def _checked_members(
    where: str,
    found: list[zipfile.ZipInfo],
    wanted: Mapping[str, str],
    limits: ArchiveLimits,
) -> dict[str, zipfile.ZipInfo]:
    """Check names, number and declared sizes; return the wanted members by array name."""
    if len(found) > limits.members:
        raise InputError(where, f"{len(found)} members, limit {limits.members}")
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
    chosen = {name: seen[name] for name in wanted if name in seen}
    total = sum(member.file_size for member in chosen.values())
    if total > limits.bytes:
        largest = max(chosen, key=lambda name: chosen[name].file_size)
        raise InputError(
            where,
            f"{largest}: {total} bytes when inflated with the others, limit {limits.bytes}",
            "cut the file, or raise the limit",
        )
    return chosen


def _read_array(
    where: str, name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, kinds: str
) -> Array:
    """Read one member; zipfile itself stops at the size declared in the directory."""
    with archive.open(member) as file:
        magic = file.read(8)
        if magic[:6] != b"\x93NUMPY" or magic[6:] not in (b"\x01\x00", b"\x02\x00"):
            raise InputError(where, f"{name}: not a numpy array of format version 1.0 or 2.0")
        length_bytes = 2 if magic[6] == 1 else 4
        length = int.from_bytes(file.read(length_bytes), "little")
        if length > _HEADER_LIMIT:
            raise InputError(where, f"{name}: header of {length} bytes, limit {_HEADER_LIMIT}")
        dtype, fortran, shape = _parse_header(where, name, file.read(length), kinds)
        stored = member.file_size - 8 - length_bytes - length
        needed = math.prod(shape) * dtype.itemsize
        if needed != stored:
            raise InputError(
                where,
                f"{name}: shape {_brief(shape)} of {dtype} needs {needed} bytes, found {stored}",
            )
        data = np.frombuffer(file.read(), dtype=dtype)
    if data.nbytes != needed:
        raise InputError(where, f"{name}: {data.nbytes} bytes, expected {needed}")
    return data.reshape(shape, order="F" if fortran else "C")


def _parse_header(
    where: str, name: str, header: bytes, kinds: str
) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    """Parse dtype, Fortran order and shape; refuse every other form, such as records."""
    found = _HEADER.fullmatch(header)
    if found is None:
        raise InputError(where, f"{name}: unreadable header, expected that of a plain array")
    expected = _WORDS.get(kinds, f"kind {kinds}")
    code = found[1].decode("latin-1")
    if re.fullmatch(r"[<>|=]?[biuf][1248]", code) is None or code.lstrip("<>|=")[0] not in kinds:
        raise InputError(where, f"{name}: element type {code!r}, expected {expected}")
    numbers = [part.strip(" L") for part in found[3].decode("ascii").split(",")]
    texts = [part for part in numbers if part]
    if any(re.fullmatch(r"\d{1,18}", text) is None for text in texts) or len(texts) > 8:
        raise InputError(
            where,
            f"{name}: shape ({', '.join(texts)[:80]}), expected up to 8 sizes of at least 0",
        )
    try:
        dtype = np.dtype(code)
    except TypeError as error:
        raise InputError(where, f"{name}: element type {code!r}, expected {expected}") from error
    return dtype, found[2] == b"True", tuple(int(text) for text in texts)


def _brief(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape) or "scalar"
