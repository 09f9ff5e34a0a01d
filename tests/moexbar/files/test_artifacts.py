"""Files of a compilation: written whole, read back exactly, refused when not ours."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ir.errors import InputError
from ir.program import Lists, Opcode, Program
from moexbar.files.mapping_file import mapping_json
from moexbar.files.program_file import KEY, read_program, write_program
from tests.make import compile_small


def test_a_program_comes_back_as_it_was(tmp_path: Path) -> None:
    program = compile_small().program
    write_program(program, tmp_path / "program.parquet")
    again = read_program(tmp_path / "program.parquet")
    for column in fields(program):
        one, other = getattr(program, column.name), getattr(again, column.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype, column.name
            assert np.array_equal(one, other), column.name
        elif isinstance(one, Lists):
            assert np.array_equal(one.offsets, other.offsets), column.name
            assert np.array_equal(one.values, other.values), column.name
        else:
            assert one == other, column.name


def rewritten(path: Path, change: "dict[str, pa.Array[Any]]", **metadata: bytes) -> Path:
    write_program(compile_small().program, path)
    table = pq.read_table(path)
    for name, column in change.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    kept = table.schema.metadata | {k.encode(): v for k, v in metadata.items()}
    pq.write_table(table.replace_schema_metadata(kept), path)
    return path


def test_a_unit_that_is_not_there_is_refused(tmp_path: Path) -> None:
    rows = len(compile_small().program)
    wrong = pa.array(np.full(rows, 10_000), pa.int32())
    path = rewritten(tmp_path / "p.parquet", {"unit": wrong})
    with pytest.raises(InputError, match=r"column unit: 10000 .*expected 0 to"):
        read_program(path)


def test_an_id_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    ids = np.arange(len(compile_small().program))
    ids[7] = 6
    path = rewritten(tmp_path / "p.parquet", {"id": pa.array(ids, pa.int32())})
    with pytest.raises(InputError, match="column id: 6 in row 7, expected its number"):
        read_program(path)


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("units", "kind", "oven"),
        ("units", "name", "\x1b[31mred"),
        ("units", "layer", "first"),
        ("units", "input_bytes", 10**30),
        ("buffers", "bytes", 1.5),
        ("inventory", "cores", None),
    ],
)
def test_tables_with_something_else_in_them_are_refused(
    tmp_path: Path, table: str, field: str, value: object
) -> None:
    write_program(compile_small().program, tmp_path / "p.parquet")
    found = json.loads(pq.read_schema(tmp_path / "p.parquet").metadata[KEY])
    entry = found[table] if table == "inventory" else found[table][0]
    entry[field] = value
    path = rewritten(tmp_path / "p.parquet", {}, **{KEY.decode(): json.dumps(found).encode()})
    with pytest.raises(InputError, match=rf"p\.parquet: metadata: {table}.*{field}: found "):
        read_program(path)


def opcodes(names: list[str], known: list[str]) -> "pa.Array[Any]":
    """A column of opcode names with a dictionary of those known."""
    codes = pa.array([known.index(name) for name in names], pa.int8())
    return pa.DictionaryArray.from_arrays(codes, pa.array(known))


def names_of(program: Program) -> list[str]:
    return [Opcode(code).name for code in program.opcode.tolist()]


def test_opcodes_are_read_by_name_and_one_that_no_row_has_does_no_harm(tmp_path: Path) -> None:
    # Files of before name every opcode of their time, with numbers of their own; WRITE was one.
    names = names_of(compile_small().program)
    column = opcodes(names, ["WRITE", *dict.fromkeys(names)])
    again = read_program(rewritten(tmp_path / "p.parquet", {"opcode": column}))
    assert names_of(again) == names


def test_an_opcode_that_no_one_knows_is_refused(tmp_path: Path) -> None:
    names = names_of(compile_small().program)
    names[7] = "WRITE"
    column = opcodes(names, list(dict.fromkeys(names)))
    with pytest.raises(InputError, match="column opcode: 'WRITE', expected one of"):
        read_program(rewritten(tmp_path / "p.parquet", {"opcode": column}))


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    rows = len(compile_small().program)
    path = rewritten(tmp_path / "p.parquet", {"token": pa.array(["x"] * rows)})
    with pytest.raises(InputError, match="column token: string, expected int32"):
        read_program(path)


@pytest.mark.parametrize("metadata", [b"{", b"{}", b'{"version": 99}', b"[]"])
def test_foreign_metadata_is_refused(tmp_path: Path, metadata: bytes) -> None:
    path = rewritten(tmp_path / "p.parquet", {}, **{KEY.decode(): metadata})
    with pytest.raises(InputError, match=r"metadata|version"):
        read_program(path)


@pytest.mark.parametrize("content", [b"", b"hello world", b"PAR1 but not really PAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_program(tmp_path / "p.parquet")


def test_other_tools_read_the_columns(tmp_path: Path) -> None:
    write_program(compile_small().program, tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet", columns=["opcode", "start_ps", "reads"])
    assert "MVM" in table["opcode"].to_pylist()


def test_mapping_json_places_every_tile_on_its_own_crossbar() -> None:
    done = compile_small()
    found = mapping_json(done.mapping, done.workload)
    seen = set()
    for block in found["blocks"]:
        for j in range(block["columns"]):
            for i in range(block["rows"]):
                last = (i == block["rows"] - 1, j == block["columns"] - 1)
                kinds = {(0, 0): "inner", (0, 1): "right", (1, 0): "bottom", (1, 1): "corner"}
                position, row, column = block["spots"][kinds[last]]
                assert (row, column) == (0, 0)
                seen.add((block["pg_start"] + j * block["rows"] + i, position))
    assert len(seen) == sum(b["rows"] * b["columns"] for b in found["blocks"])
