"""Where the columns of a Parquet file are, as its footer says."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ir.errors import InputError
from moexbar.files.thrift import MOST, TooManyError, read_struct

_TAIL = 8  # bytes after the footer: its length, and a mark
_GROUPS, _COLUMNS, _META = 4, 1, 3  # fields of the footer, of a group of rows, of a column in one
_PATH, _VALUES, _INFLATED, _STORED, _DATA_PAGES, _DICTIONARY = 3, 5, 6, 7, 9, 11  # of its _META


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


def spans(data: bytes, names: Collection[str], where: str) -> list[Span]:
    """The columns of those names, in each group of rows; data: the file, which has a footer.

    Raises InputError where that does not say where they are.
    """
    try:
        footer, _ = read_struct(data, len(data) - _TAIL - int.from_bytes(data[-8:-4], "little"))
        columns = [column[_META] for group in footer[_GROUPS] for column in group[_COLUMNS]]
        found = [_span(column) for column in columns]
    except TooManyError as error:
        problem = f"footer: over {MOST:,} values, some 40 for each column of each group of rows"
        raise InputError(where, problem, "write it with larger groups of rows") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        problem = "footer: does not say where the columns are"
        raise InputError(where, problem, "the file is damaged") from error
    return [span for span in found if span.name in names]


def _span(column: dict[int, Any]) -> Span:
    name = column[_PATH][0].decode()  # what follows are the lists in it
    numbers = [column[field] for field in (_DATA_PAGES, _STORED, _INFLATED, _VALUES)]
    before = column.get(_DICTIONARY, 0)
    if not all(isinstance(number, int) for number in (before, *numbers)):
        raise TypeError(numbers)
    start, stored, inflated, values = numbers
    start = before if 0 < before < start else start
    return Span(name, start, start + stored, inflated, values)
