"""Columns of numbers out of CSV, Parquet and JSONL files: a few known names, all else ignored."""

# pyright: basic
# pyarrow and its stubs leave types open; mypy checks this file

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ir.arrays import Floats, Ints
from ir.errors import InputError
from ir.infile import check_file, in_a_line
from moexbar.chips.fields import shown
from moexbar.files.traces.reading import RoutingLimits, raise_it
from moexbar.files.traces.whole import not_whole

ALIASES: Mapping[str, tuple[str, ...]] = {
    "layer": ("layer", "layer_id", "layer_idx", "layer_index"),
    "token": ("token", "token_idx", "token_index"),
    "expert": ("expert", "expert_id", "expert_idx", "expert_index"),
    "rank": ("rank", "k", "place"),
    "gate": ("gate", "weight", "gate_weight", "routing_weight"),
    "count": ("count", "counts", "load", "tokens", "num_tokens"),
    "sequence": ("sequence", "sequence_id", "seq", "seq_id"),
    "step": ("step", "step_id"),
}
EXPECTED = "layer, token, expert (and rank, gate, sequence), or layer, expert, count (and step)"
_HEAD = 1 << 20  # bytes of a first line at most


def read_columns(path: Path, limits: RoutingLimits) -> dict[str, Floats]:
    """The known columns of a file by our name for them, as floats; empty places are nan.

    Raises InputError for a file that is no table, or holds no or doubled names.
    """
    import pyarrow as pa

    where = str(path)
    most = limits.archive.bytes_of(1 << 60)
    size = check_file(path, "a table of a routing trace")
    if size > most:
        hint = raise_it("bytes", size, "cut the file")
        raise InputError(where, f"{size} bytes, limit {most}", hint)
    kinds = {".parquet": _parquet, ".pq": _parquet, ".jsonl": _json, ".ndjson": _json}
    parts: dict[str, list[Floats]] = {}
    try:
        for batch in kinds.get(path.suffix.lower(), _csv)(path, limits):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                parts.setdefault(name, []).append(_floats(where, name, column))
    except (OSError, pa.ArrowException, UnicodeError) as error:
        raise InputError(where, f"not a readable table: {in_a_line(error)}") from error
    columns = {name: np.concatenate(found) for name, found in parts.items()}
    if not columns or not len(next(iter(columns.values()))):
        raise InputError(where, "no rows, expected at least one", f"columns: {EXPECTED}")
    return {ours: columns[theirs] for ours, theirs in known(where, list(columns)).items()}


def integers(where: str, name: str, column: Floats, *, missing: int | None = None) -> Ints:
    """A column as whole numbers; InputError naming the first row that holds none, or is empty."""
    bad = not_whole(column, missing_ok=missing is not None)
    if np.any(bad):
        row = int(np.argmax(bad))
        found = "empty" if np.isnan(column[row]) else f"{column[row]:g}"
        raise InputError(where, f"{at(name, row)}: {found}, expected a whole number")
    whole: Ints = np.where(np.isnan(column), missing or 0, column).astype(np.int64)
    return whole


def at(name: str, row: int) -> str:
    """How messages name a place: rows are counted from 1, without the line of names."""
    return f"column {name}, row {row + 1}"


def known(where: str, names: list[str]) -> dict[str, str]:
    """{our name: theirs} of the columns that are read; InputError where one is there twice."""
    found: dict[str, str] = {}
    for theirs in names:
        for ours, every in ALIASES.items():
            if theirs.strip().lower() in every:
                if ours in found:
                    raise InputError(
                        where,
                        f"columns {found[ours]!r} and {theirs!r}, expected one {ours}",
                        "rename or drop one",
                    )
                found[ours] = theirs
    if "layer" not in found or "expert" not in found:
        shown = ", ".join(repr(name) for name in names)[:200] or "none"
        raise InputError(where, f"columns {shown}, expected {EXPECTED}")
    return found


def _floats(where: str, name: str, column: Any) -> Floats:
    """A column of numbers, its empty places nan."""
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise InputError(where, f"column {shown(name)}: {in_a_line(kind, 60)}, expected numbers")
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _csv(path: Path, limits: RoutingLimits) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as file:
        head = file.readline(_HEAD).decode("utf-8", errors="replace")
    parse = csv.ParseOptions(delimiter=max(",;\t", key=head.count))
    once = csv.ReadOptions(use_threads=False)  # then messages know the row
    with csv.open_csv(path, read_options=once, parse_options=parse) as reader:
        wanted = list(known(str(path), reader.schema.names).values())
    convert = csv.ConvertOptions(
        include_columns=wanted, column_types={name: pa.float64() for name in wanted}
    )
    with csv.open_csv(
        path, read_options=once, parse_options=parse, convert_options=convert
    ) as reader:
        yield from reader


def _parquet(path: Path, limits: RoutingLimits) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from moexbar.files.parquet import inflated_bytes

    where, data = str(path), path.read_bytes()
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        wanted = list(known(where, file.schema_arrow.names).values())
        rows = max(0, file.metadata.num_rows)
        needed = rows * len(wanted) * np.dtype(np.float64).itemsize
        needed = max(needed, inflated_bytes(wanted, data, where))
        most = limits.archive.bytes_of(len(data))
        if needed > most:
            raise InputError(
                where,
                f"{rows} rows need {needed} bytes, limit {most}",
                raise_it("bytes", needed, "use fewer rows"),
            )
        yield from file.iter_batches(columns=wanted)


def _json(path: Path, limits: RoutingLimits) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import json as lines

    where = str(path)
    with path.open("rb") as file:
        head = file.readline(_HEAD)
    try:
        first = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise InputError(
            where, "line 1 is no JSON object, expected one object a line", f"keys: {EXPECTED}"
        ) from error
    if not isinstance(first, dict):
        raise InputError(
            where, "line 1 is no JSON object, expected one object a line", f"keys: {EXPECTED}"
        )
    wanted = list(known(where, list(first)).values())
    parse = lines.ParseOptions(
        explicit_schema=pa.schema([(name, pa.float64()) for name in wanted]),
        unexpected_field_behavior="ignore",
    )
    with lines.open_json(path, parse_options=parse) as reader:
        yield from reader
