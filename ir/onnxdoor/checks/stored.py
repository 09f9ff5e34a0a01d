"""What a stored tensor must not be: of other sizes than its bytes, or outside of its folder.

Nothing here reads a weight, but for a checksum that the file itself gives.
"""

import hashlib
import math
import stat
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import onnx

from ir.errors import InputError
from ir.limits import GIB, Limits
from ir.onnxdoor.checks.links import check_link

CHECKED_BYTES = GIB  # of a file with a checksum: a longer one is not read through
BITS: dict[int, int] = {  # of an element in raw_data
    onnx.TensorProto.FLOAT: 32,
    onnx.TensorProto.UINT8: 8,
    onnx.TensorProto.INT8: 8,
    onnx.TensorProto.UINT16: 16,
    onnx.TensorProto.INT16: 16,
    onnx.TensorProto.INT32: 32,
    onnx.TensorProto.INT64: 64,
    onnx.TensorProto.BOOL: 8,
    onnx.TensorProto.FLOAT16: 16,
    onnx.TensorProto.DOUBLE: 64,
    onnx.TensorProto.UINT32: 32,
    onnx.TensorProto.UINT64: 64,
    onnx.TensorProto.BFLOAT16: 16,
    onnx.TensorProto.COMPLEX64: 64,
    onnx.TensorProto.COMPLEX128: 128,
    onnx.TensorProto.FLOAT8E4M3FN: 8,
    onnx.TensorProto.FLOAT8E4M3FNUZ: 8,
    onnx.TensorProto.FLOAT8E5M2: 8,
    onnx.TensorProto.FLOAT8E5M2FNUZ: 8,
    onnx.TensorProto.UINT4: 4,
    onnx.TensorProto.INT4: 4,
    onnx.TensorProto.FLOAT4E2M1: 4,
}
_TYPED = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_PAIRS = (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128)


@dataclass(frozen=True)
class _Range:
    """Bytes of a file of external data, and whose they are."""

    start: int
    stop: int
    where: str


def check_tensors(tensors: Iterable[onnx.TensorProto], path: Path, limits: Limits) -> None:
    """Refuse tensors that are not what they say; InputError names file and tensor."""
    ranges: dict[str, list[_Range]] = defaultdict(list)
    hashed: dict[Path, str] = {}
    for tensor in tensors:
        expected = _check_shape(tensor, path, limits)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location, own = _check_external(tensor, expected, path, hashed)
            ranges[location].append(own)
        else:
            _check_inline(tensor, expected, path)
    for location, held in ranges.items():
        _check_overlaps(location, held)


def _where(tensor: onnx.TensorProto, path: Path) -> str:
    return f"{path}: tensor {tensor.name[:80]!r}"


def _check_shape(tensor: onnx.TensorProto, path: Path, limits: Limits) -> int:
    """The bytes that a tensor's shape and type need."""
    where, dims = _where(tensor, path), list(tensor.dims)
    limits.check("axes", len(dims), where, "dims")
    if any(d < 0 for d in dims):
        raise InputError(where, f"dims {dims}, expected none negative")
    limits.check("tensor_elements", math.prod(dims), where, f"dims {_brief(dims)}")
    bits = BITS.get(tensor.data_type)
    if bits is None:
        names = {n: name for name, n in onnx.TensorProto.DataType.items()}
        kind = names.get(tensor.data_type, str(tensor.data_type))
        raise InputError(where, f"data_type {kind}, expected numbers or booleans")
    if tensor.HasField("segment"):
        raise InputError(where, "a segment of a tensor, expected all of it")
    size: int = -(-math.prod(dims) * bits // 8)
    return size


def _brief(dims: list[int]) -> str:
    return str(dims) if len(dims) <= 8 else f"{str(dims[:8])[:-1]}, ...]"


def _check_inline(tensor: onnx.TensorProto, expected: int, path: Path) -> None:
    """The numbers must be there once, as many as the shape says."""
    where = _where(tensor, path)
    fields = [(name, len(getattr(tensor, name))) for name in _TYPED]
    given = [(name, count) for name, count in fields if count]
    if tensor.HasField("raw_data"):
        if given:
            raise InputError(where, f"raw_data and {given[0][0]}, expected one of them")
        if len(tensor.raw_data) != expected:
            raise InputError(
                where, f"raw_data: {len(tensor.raw_data)} bytes, its shape needs {expected}"
            )
        return
    count = math.prod(tensor.dims) * (2 if tensor.data_type in _PAIRS else 1)
    if BITS[tensor.data_type] == 4:
        count = expected
    if len(given) > 1 or sum(n for _, n in given) != count:
        told = ", ".join(f"{name}: {n} numbers" for name, n in given) or "no data"
        raise InputError(where, f"{told}, its shape needs {count}")


def _check_external(
    tensor: onnx.TensorProto, expected: int, path: Path, hashed: dict[Path, str]
) -> tuple[str, _Range]:
    """External data must be a plain file inside the model's folder, long enough for the tensor.

    Or a link to one that a hub cache keeps so (see `links`). Returns where the data are.
    """
    where = _where(tensor, path)
    entries = {e.key: e.value for e in tensor.external_data}
    if len(entries) != len(tensor.external_data):
        keys = [e.key for e in tensor.external_data]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(where, f"external data: {twice[:40]!r} is given twice")
    location = entries.get("location", "")
    file = _file(path.parent, location, where)
    size = file.stat().st_size
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(size - offset)))
    except ValueError as error:
        raise InputError(where, "external data: offset or length is not a number") from error
    if offset < 0 or length < 0 or offset + length > size:
        raise InputError(
            where,
            f"external data: bytes {offset} to {offset + length} of {location!r}, which has {size}",
        )
    if length != expected:
        raise InputError(where, f"external data: {length} bytes, its shape needs {expected}")
    if "checksum" in entries and size <= CHECKED_BYTES:
        if file not in hashed:
            hashed[file] = hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
        if entries["checksum"].lower() != hashed[file]:
            told = f"external data: checksum {entries['checksum'][:40]!r}, that of {location!r} is "
            raise InputError(where, f"{told}{hashed[file]}", "fetch the file again")
    return location, _Range(offset, offset + length, where)


def _file(folder: Path, location: str, where: str) -> Path:
    """The plain file that a location in the model's folder is."""
    pure = PurePosixPath(location)
    bad = not location or pure.is_absolute() or ".." in pure.parts
    if bad or any(c in location for c in "\\\0:"):
        raise InputError(where, f"external data at {location!r}, expected a file in its folder")
    step = folder
    try:
        for part in pure.parts:
            step = step / part
            if step.is_symlink():
                check_link(step, folder, where, location)
        info = step.stat()
    except OSError as error:
        raise InputError(where, f"external data at {location!r}: {error.strerror}") from error
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
        raise InputError(where, f"external data at {location!r}: not a plain file of one name")
    return step


def _check_overlaps(location: str, held: list[_Range]) -> None:
    """Tensors may have the same bytes of a file, but not some of another's."""
    ordered = sorted(held, key=lambda r: (r.start, r.stop))
    for before, after in pairwise(ordered):
        same = (before.start, before.stop) == (after.start, after.stop)
        if after.start < before.stop and not same:
            raise InputError(
                after.where,
                f"external data: bytes {after.start} to {after.stop} of {location!r}, of which "
                f"{before.start} to {before.stop} are another tensor's",
            )
