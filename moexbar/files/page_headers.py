"""What the pages of a Parquet column say that they inflate to, before any is inflated.

A file's footer says sizes and counts, and so does each page for itself; readers believe the page.
Page headers are Thrift structs in the compact protocol, of which this reads the numbers.
"""

from dataclasses import dataclass

from ir.errors import InputError

_STOP, _BYTE, _DOUBLE, _BINARY, _STRUCT = 0, 3, 7, 8, 12
_TRUE_FALSE, _NUMBERS, _LISTS = (1, 2), (4, 5, 6), (9, 10)
_MOST_DEPTH, _MOST_PAGES = 8, 1 << 20
_UNCOMPRESSED, _COMPRESSED, _DATA, _DATA_2 = 2, 3, 5, 8  # fields of a page's header
_VALUES = 1  # field of the header within, of a page of data

Struct = dict[int, "int | Struct"]


@dataclass(frozen=True)
class Span:
    """Where a column's pages are in the file, and how the footer counts them.

    name: of the column; start, stop: bytes; inflated: bytes; values: with those that are null.
    """

    name: str
    start: int
    stop: int
    inflated: int
    values: int


def check_pages(data: bytes, span: Span, where: str) -> None:
    """InputError where pages inflate to more than is said of them, or hold other values."""
    at, inflated, values, pages = span.start, 0, 0, 0
    if not 0 <= at <= span.stop <= len(data):
        raise _broken(span, where, f"pages at bytes {at} to {span.stop} of {len(data)}")
    while at < span.stop and pages < _MOST_PAGES:
        try:
            head, after = _struct(data, at, 0)
        except (IndexError, ValueError) as error:
            raise _broken(span, where, f"page at byte {at}: no header of a page") from error
        stored, full = head.get(_COMPRESSED), head.get(_UNCOMPRESSED)
        if not (isinstance(stored, int) and isinstance(full, int) and min(stored, full) >= 0):
            raise _broken(span, where, f"page at byte {at}: without sizes")
        values += _values(head, span)
        inflated += after - at + full
        at, pages = after + stored, pages + 1
    if inflated > span.inflated or values != span.values or at > span.stop:
        told = f"pages of {inflated} bytes and {values} values"
        raise _broken(span, where, f"{told}, its footer says {span.inflated} and {span.values}")


def _values(head: Struct, span: Span) -> int:
    """How many values a page says it holds; more than there are where it says nonsense."""
    found = 0
    for field in (_DATA, _DATA_2):
        inner = head.get(field)
        if isinstance(inner, dict):
            held = inner.get(_VALUES)
            found += held if isinstance(held, int) and held >= 0 else span.values + 1
    return found


def _broken(span: Span, where: str, problem: str) -> InputError:
    return InputError(where, f"column {span.name}: {problem}", "the file is damaged")


def _struct(data: bytes, at: int, depth: int) -> tuple[Struct, int]:
    """(numbers and structs by field, the byte after); ValueError, IndexError for what is none."""
    found: Struct = {}
    number = 0
    while kind := data[at] & 15:
        step, at = data[at] >> 4, at + 1
        if step:
            number += step
        else:
            number, at = _whole(data, at)
        value, at = _value(data, at, kind, depth)
        if value is not None:
            found[number] = value
    return found, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple["int | Struct | None", int]:
    """(a number or struct, None for all else, the byte after)."""
    if kind in _TRUE_FALSE:
        return None, at
    if kind == _BYTE:
        return None, at + 1
    if kind in _NUMBERS:
        return _whole(data, at)
    if kind == _DOUBLE:
        return None, at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        return None, at + length
    if kind == _STRUCT and depth < _MOST_DEPTH:
        return _struct(data, at, depth + 1)
    raise ValueError(kind)  # lists and maps are in no header


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        found |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return found, at
        if shift > 63:
            raise ValueError(shift)


def _whole(data: bytes, at: int) -> tuple[int, int]:
    found, at = _varint(data, at)
    return (found >> 1) ^ -(found & 1), at
