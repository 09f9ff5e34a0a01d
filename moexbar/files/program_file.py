"""program.parquet: one row per instruction, the tables its columns point into as metadata.

Any Parquet reader (DuckDB, pandas, polars) reads the columns; opcode is a dictionary of names.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ir.errors import InputError
from ir.infile import Infile, infile
from ir.program import Buffer, Inventory, Lists, Opcode, Program, Unit
from moexbar.files.form import check_form
from moexbar.files.json_file import parsed
from moexbar.files.parquet import read_parquet
from moexbar.files.program_ranges import check_columns, check_tables
from moexbar.report.reading import typed

KEY = b"moexbar"
VERSION = 2  # since 2 a bus says what it is sized for
AGAIN = "compile it again"
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
_TYPES["id"] = pa.int32()
_TYPES["opcode"] = pa.dictionary(pa.int8(), pa.string())
_TYPES |= {name: pa.list_(pa.int32()) for name in _LISTS}


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


def read_program(path: Path | str | Infile) -> Program:
    """Read a program back; InputError naming file and column for anything not as written."""
    file = infile(path)
    table = read_parquet(file, "a program written by `moexbar compile`", lambda schema: _TYPES)
    where = str(file)
    tables = _tables(table, where)
    arrays: dict[str, Any] = {"opcode": _opcodes(table, where)}
    for column in fields(Program):
        if column.name in _LISTS:
            arrays[column.name] = _lists(table, column.name, where)
        elif column.name in _TYPES and column.name != "opcode":
            arrays[column.name] = _column(table, column.name, where).to_numpy()
    ids = _column(table, "id", where).to_numpy()
    wrong = np.flatnonzero(ids != np.arange(len(ids)))
    if len(wrong):
        raise InputError(
            where, f"column id: {ids[wrong[0]]} in row {wrong[0]}, expected its number"
        )
    program = Program(**arrays, **vars(tables))
    check_columns(program, where)
    return program


@dataclass(frozen=True)
class _Tables:
    """What stands in the metadata: the fields of Program that are no columns."""

    units: tuple[Unit, ...]
    buffers: tuple[Buffer, ...]
    nodes: tuple[tuple[str, ...], ...]
    inventory: Inventory
    lockstep: tuple[int, ...] = ()


def _tables(table: pa.Table, where: str) -> _Tables:
    raw = (table.schema.metadata or {}).get(KEY)
    if raw is None:
        raise InputError(where, "no 'moexbar' metadata, expected a program written by moexbar")
    found, at = parsed(raw, f"{where}: metadata", AGAIN), f"{where}: metadata"
    if not isinstance(found, dict):
        raise InputError(at, "no object, expected the tables of a program", AGAIN)
    check_form(at, "version", found.get("version"), VERSION, AGAIN, oldest=VERSION)
    tables = typed(_Tables, found, at)
    check_tables(tables.units, tables.buffers, tables.inventory, tables.lockstep, at)
    return tables


def _column(table: pa.Table, name: str, where: str) -> Any:
    column = table.column(name)
    if column.null_count:
        raise InputError(where, f"column {name}: {column.null_count} nulls, expected none")
    return column.combine_chunks()


def _opcodes(table: pa.Table, where: str) -> npt.NDArray[np.uint8]:
    column = _column(table, "opcode", where)
    names, places = column.dictionary.to_pylist(), column.indices.to_numpy()
    number = {name: code for code, name in enumerate(_NAMES)}
    codes = np.array([number.get(name, -1) for name in names], dtype=np.int64)[places]
    unknown = np.flatnonzero(codes < 0)  # what the dictionary names and no row is does no harm
    if len(unknown):
        found = ascii(names[places[unknown[0]]])[:60]
        raise InputError(where, f"column opcode: {found}, expected one of {_NAMES}")
    rows: npt.NDArray[np.uint8] = codes.astype(np.uint8)
    return rows


def _lists(table: pa.Table, name: str, where: str) -> Lists:
    column = _column(table, name, where)
    offsets = column.offsets.to_numpy().astype(np.int64)
    inner = column.values
    if inner.null_count:
        raise InputError(where, f"column {name}: {inner.null_count} nulls, expected none")
    values = inner.to_numpy()[offsets[0] : offsets[-1]]
    return Lists(offsets - offsets[:1], values.astype(np.int32))
