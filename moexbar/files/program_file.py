"""program.parquet: one row per instruction, the tables its columns point into as metadata.

Any Parquet reader (DuckDB, pandas, polars) reads the columns; opcode is a dictionary of names.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ir.errors import InputError
from ir.infile import check_file
from ir.program import Buffer, Inventory, Lists, Opcode, Program, Unit, UnitKind

KEY = b"moexbar"
VERSION = 2  # since 2 a bus says what it is sized for
MAX_ROWS = 50_000_000
MAX_BYTES = 8 << 30
MAX_NAME = 200
MAX_NUMBER = 1 << 48
_NAMES = [Opcode(i).name for i in range(len(Opcode))]
_LISTS = ("dst", "reads")
_TYPES: dict[str, Any] = {
    name: pa.int64()
    for name in ("bytes", "start_ps", "duration_ps", "busy_ps", "energy_fj", "macs", "offset")
} | {
    name: pa.int32()
    for name in (
        "step",
        "seq",
        "token",
        "layer",
        "stage",
        "expert",
        "replica",
        "slot",
        "unit",
        "src",
        "writes",
        "buffer",
        "node",
    )
}


def write_program(program: Program, path: Path) -> None:
    """Write the program (into a folder that is published as a whole)."""
    columns: dict[str, Any] = {"id": pa.array(np.arange(len(program)), pa.int32())}
    for column in fields(program):
        value = getattr(program, column.name)
        if column.name == "opcode":
            codes = pa.array(value.astype(np.int8))
            columns["opcode"] = pa.DictionaryArray.from_arrays(codes, pa.array(_NAMES))
        elif isinstance(value, Lists):
            columns[column.name] = pa.ListArray.from_arrays(
                pa.array(value.offsets, pa.int32()), pa.array(value.values, pa.int32())
            )
        elif isinstance(value, np.ndarray):
            columns[column.name] = pa.array(value)
    tables = {
        "version": VERSION,
        "units": [vars(unit) for unit in program.units],
        "buffers": [vars(buffer) for buffer in program.buffers],
        "nodes": program.nodes,
        "inventory": vars(program.inventory),
        "lockstep": program.lockstep,
    }
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(tables).encode()})
    pq.write_table(table, path, compression="zstd")


def read_program(path: Path | str) -> Program:
    """Read a program back; InputError naming file and column for anything not as written."""
    path, where = Path(path), str(path)
    check_file(path, "a program written by `moexbar compile`", MAX_BYTES)
    try:
        with pq.ParquetFile(path) as file:
            _check_size(file, where)
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(where, f"not a readable program: {error}".splitlines()[0]) from error
    tables = _tables(table, where)
    arrays: dict[str, Any] = {"opcode": _opcodes(table, where)}
    for name, kind in _TYPES.items():
        arrays[name] = _column(table, name, kind, where).to_numpy()
    for name in _LISTS:
        arrays[name] = _lists(table, name, where)
    ids = _column(table, "id", pa.int32(), where).to_numpy()
    wrong = np.flatnonzero(ids != np.arange(len(ids)))
    if len(wrong):
        raise InputError(
            where, f"column id: {ids[wrong[0]]} in row {wrong[0]}, expected its number"
        )
    program = Program(**arrays, **tables)
    _check_ranges(program, where)
    return program


def _check_size(file: pq.ParquetFile, where: str) -> None:
    meta = file.metadata
    size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if meta.num_rows > MAX_ROWS or size > MAX_BYTES:
        raise InputError(
            where, f"{meta.num_rows} rows and {size} bytes, limit {MAX_ROWS} and {MAX_BYTES}"
        )


def _tables(table: pa.Table, where: str) -> dict[str, Any]:
    raw = (table.schema.metadata or {}).get(KEY)
    if raw is None:
        raise InputError(where, "no 'moexbar' metadata, expected a program written by moexbar")
    try:
        found: Mapping[str, Any] = json.loads(raw)
        if found["version"] != VERSION:
            problem = f"format version {found['version']}, expected {VERSION}"
            raise InputError(where, problem, "compile it again")
        return {
            "units": tuple(Unit(**_record(unit)) for unit in found["units"]),
            "buffers": tuple(Buffer(**_record(buffer)) for buffer in found["buffers"]),
            "nodes": tuple(tuple(str(n) for n in names) for names in found["nodes"]),
            "inventory": Inventory(**_record(found["inventory"])),
            "lockstep": tuple(int(layer) for layer in found.get("lockstep", ())),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(where, f"metadata is not as written by moexbar: {error!r}") from error


def _record(found: dict[str, Any]) -> dict[str, Any]:
    """One entry of a table: whole numbers of a sane size, printable names, known kinds of unit."""
    for key, value in found.items():
        if key == "kind":
            right = value in get_args(UnitKind)
        elif key == "name":
            right = isinstance(value, str) and value.isprintable() and len(value) <= MAX_NAME
        else:
            right = type(value) is int and abs(value) <= MAX_NUMBER
        if not right:
            raise ValueError(f"{key}: {value!r}"[:100])
    return found


def _column(table: pa.Table, name: str, kind: Any, where: str) -> Any:
    index = table.schema.get_field_index(name)
    if index < 0 or table.schema.field(index).type != kind:
        found = "missing" if index < 0 else str(table.schema.field(index).type)
        raise InputError(where, f"column {name}: {found}, expected {kind}")
    column = table.column(index)
    if column.null_count:
        raise InputError(where, f"column {name}: {column.null_count} nulls, expected none")
    return column.combine_chunks()


def _opcodes(table: pa.Table, where: str) -> npt.NDArray[np.uint8]:
    kind = pa.dictionary(pa.int8(), pa.string())
    column = _column(table, "opcode", kind, where)
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.unify_dictionaries().chunks)
    names, places = column.dictionary.to_pylist(), column.indices.to_numpy()
    number = {name: code for code, name in enumerate(_NAMES)}
    codes = np.array([number.get(name, -1) for name in names], dtype=np.int64)[places]
    unknown = np.flatnonzero(codes < 0)  # what the dictionary names and no row is does no harm
    if len(unknown):
        found = names[places[unknown[0]]]
        raise InputError(where, f"column opcode: {found!r}, expected one of {_NAMES}")
    rows: npt.NDArray[np.uint8] = codes.astype(np.uint8)
    return rows


def _lists(table: pa.Table, name: str, where: str) -> Lists:
    column = _column(table, name, pa.list_(pa.int32()), where)
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    offsets = column.offsets.to_numpy().astype(np.int64)
    values = column.values.to_numpy()[offsets[0] : offsets[-1]] if len(offsets) else np.zeros(0)
    return Lists(offsets - offsets[:1], values.astype(np.int32))


def _check_ranges(program: Program, where: str) -> None:
    """Indices into tables must hold before anything uses them."""
    limits = {
        "unit": (program.unit, 0, len(program.units)),
        "node": (program.node, -1, len(program.nodes)),
        "buffer": (program.buffer, -1, len(program.buffers)),
        "writes": (program.writes, -1, len(program)),
        "reads": (program.reads.values, 0, len(program)),
        "dst": (program.dst.values, 0, len(program.units)),
    }
    for name, (values, low, high) in limits.items():
        bad = np.flatnonzero((values < low) | (values >= high))
        if len(bad):
            raise InputError(
                where,
                f"column {name}: {values[bad[0]]} (entry {bad[0]}), expected {low} to {high - 1}",
            )
