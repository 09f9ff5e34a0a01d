"""A Parquet file that may be hostile: what it asks for is counted before anything is inflated."""

# pyright: basic
# pyarrow and its stubs leave types open; mypy checks this file

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ir.errors import InputError
from ir.infile import Infile, in_a_line
from ir.limits import MIB, Limits
from moexbar.files.footer import spans
from moexbar.files.page_headers import check_pages

MOST_GROUPS = 65_536  # of rows
MOST_COLUMNS = 4096
_FLOOR = 64 * MIB
_WIDTH = 8  # bytes of the widest value

Kinds = Callable[[pa.Schema], Mapping[str, Any]]  # of a file's schema: the columns to be read


def read_parquet(file: Infile, what: str, columns: Kinds) -> pa.Table:
    """The columns of a file that are asked for, with its metadata.

    columns: {name: type} of those that are read, given the file's schema. Raises InputError naming
    file and column for anything missing, of another type, null where it may not be, or too large.
    """
    limits, where = Limits.in_force(), str(file)
    data = file.read(what, limits.table_bytes)
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as opened:
            _check_counts(opened.metadata, where, limits)
            wanted = columns(opened.schema_arrow)
            for name, kind in wanted.items():
                _check_kind(opened.schema_arrow, name, kind, where)
            _check_sizes(wanted, data, where, limits)
            table = opened.read(columns=list(wanted))
            _check_names(table, set(wanted), where)
            return table
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise InputError(where, f"not a readable Parquet file: {in_a_line(error)}") from error


def _check_counts(meta: Any, where: str, limits: Limits) -> None:
    limits.check("rows", max(0, meta.num_rows), where, "footer")
    counts = {"row groups": (meta.num_row_groups, MOST_GROUPS)}
    counts["columns"] = meta.num_columns, MOST_COLUMNS
    for named, (found, most) in counts.items():
        if found > most:
            raise InputError(where, f"footer: {found} {named}, expected at most {most}")
    rows = sum(meta.row_group(i).num_rows for i in range(meta.num_row_groups))
    if meta.num_rows < 0 or rows != meta.num_rows:
        raise InputError(where, f"footer: {meta.num_rows} rows, its row groups have {rows}")


def _check_kind(schema: pa.Schema, name: str, kind: Any, where: str) -> None:
    places = schema.get_all_field_indices(name)
    found = [str(schema.field(place).type) for place in places]
    if len(places) != 1 or schema.field(places[0]).type != kind:
        problem = "missing" if not places else in_a_line(" and ".join(found), 80)
        raise InputError(where, f"column {in_a_line(name, 60)}: {problem}, expected {kind}")


def _check_names(table: pa.Table, names: set[str], where: str) -> None:
    """A file names its columns twice, and what is asked for by one name may not be there."""
    if missing := names - set(table.column_names):
        found = in_a_line(min(missing), 60)
        raise InputError(where, f"column {found}: missing, its names contradict one another")


def _check_sizes(names: Collection[str], data: bytes, where: str, limits: Limits) -> None:
    """The bytes of all columns together against the limits."""
    needed = inflated_bytes(names, data, where)
    limits.check("table_bytes", needed, where, "columns")
    if needed > max(_FLOOR, limits.table_ratio * len(data)):
        limits.check("table_ratio", needed // len(data), where, f"columns of {needed:,} bytes")


def inflated_bytes(names: Collection[str], data: bytes, where: str) -> int:
    """What some columns of a file take in memory; InputError where its pages say other.

    data: the file, which pyarrow has opened.
    """
    needed = 0
    for span in spans(data, names, where):
        check_pages(data, span, where)
        needed += max(span.inflated, _WIDTH * span.values)
    return needed
