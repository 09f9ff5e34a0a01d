"""Thrift's compact protocol, in which a Parquet file's footer and page headers are written.

pyarrow ends the process at some footers that contradict themselves, so that sizes are read here.
"""

from typing import Any

_BYTE, _DOUBLE, _BINARY, _STRUCT = 3, 7, 8, 12
_TRUE_FALSE, _NUMBERS, _LISTS = (1, 2), (4, 5, 6), (9, 10)
_MOST_DEPTH = 16
_MOST_FIELD = 2**15 - 1
MOST = 3 * 2**20  # values of one struct, with those in it: 100 bytes each in memory, some 5 s

Struct = dict[int, Any]  # int, bytes, Struct, or a list of these, by the field's number


class TooManyError(ValueError):
    """A struct of more values than MOST."""


def read_struct(data: bytes, at: int) -> tuple[Struct, int]:
    """(a struct by its fields' numbers, the byte after it); flags and fractions are left out.

    Raises TooManyError, and ValueError or IndexError for what is none, or has a field twice.
    """
    reader = _Reader(data, at)
    return reader.struct(0), reader.at


class _Reader:
    """What stands from a byte on."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at, self._left = data, at, MOST

    def struct(self, depth: int) -> Struct:
        found: Struct = {}
        number = 0
        while kind := self._byte():
            step, kind = kind >> 4, kind & 15
            number = number + step if step else self._whole()
            if number in found or not 0 < number <= _MOST_FIELD:
                raise ValueError(number)
            found[number] = None if kind in _TRUE_FALSE else self._value(kind, depth)
        return {number: value for number, value in found.items() if value is not None}

    def _value(self, kind: int, depth: int) -> Any:
        """A value; None for a fraction."""
        self._left -= 1
        if self._left < 0:
            raise TooManyError
        if depth > _MOST_DEPTH:
            raise ValueError(depth)
        if kind in _NUMBERS:
            return self._whole()
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in _LISTS:
            return self._list(depth)
        if kind == _BYTE:
            return self._byte()
        start = self.at
        if kind == _DOUBLE:
            self.at += 8
            return None
        if kind == _BINARY:
            length = self._varint()
            start, self.at = self.at, self.at + length
            return self._data[start : self.at]
        raise ValueError(kind)  # maps are in none

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size, kind = head >> 4, head & 15
        size = self._varint() if size == 15 else size
        kind = _BYTE if kind in _TRUE_FALSE else kind  # a flag of a list is a byte
        return [self._value(kind, depth + 1) for _ in range(size)]

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _whole(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)

    def _varint(self) -> int:
        found = shift = 0
        while shift < 64:
            byte = self._byte()
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found
        raise ValueError(shift)
