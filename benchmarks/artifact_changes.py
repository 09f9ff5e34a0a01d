"""Changes of files by what is in them: fields of JSON, columns, arrays, keys of TOML, rows.

Each gives the file's bytes with something else in it, and in a word or two what that is.
"""

import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fuzzing import TEXTS, WHOLE, Random, by_bytes

Change = Callable[[bytes, Random], tuple[str, bytes]]
DEEP = "[" * 2000 + "]" * 2000
ODD: tuple[Any, ...] = (
    *WHOLE,
    10**30,
    -0.5,
    1e300,
    float("nan"),
    float("inf"),
    *TEXTS,
    "\ud800",
    None,
    True,
    False,
    [],
    {},
    [[]],
    [0] * 40,
    {"x": 1},
    "@deep",
)
KINDS: tuple[Any, ...] = (pa.int16(), pa.int64(), pa.float32(), pa.string(), pa.bool_())
EXTREMES = (-(2**63), -1, 0, 1, 2**31, 2**52, 2**53, 2**62, 2**63 - 1)
SCALARS = ("-1", "0", "1e400", "nan", '"x"', "true", "[]", "{}", "1979-05-27", "9" * 25, '"auto"')
WORDS = ("-1", "9" * 30, "nan", "", "x", "0.5", "1e300", '"', "\x00", "0", "1", "2", ",,", "#")


def bytewise(data: bytes, draw: Random) -> tuple[str, bytes]:
    """Bytes of the file itself."""
    return "bytes", by_bytes(data, draw)


def json_fields(data: bytes, draw: Random) -> tuple[str, bytes]:
    """A field of a document another value, gone, twice, or swapped with another."""
    found = json.loads(data)
    told = [_change_json(found, draw) for _ in range(draw.choice([1, 1, 1, 2]))]
    text = json.dumps(found).replace('"@deep"', DEEP)
    return " and ".join(told), text.encode()


def _change_json(found: Any, draw: Random) -> str:
    """Change one value somewhere below, each level as likely; returns where it is."""
    path, inner = "", found
    for _ in range(draw.randrange(1, 10)):
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            break
        key = draw.choice(keys)
        below = inner[key]
        if isinstance(below, dict | list) and below and draw.random() < 0.85:
            path, inner = f"{path}.{key}" if isinstance(key, str) else f"{path}[]", below
            continue
        _set(inner, key, draw)
        return f"{path}.{key}" if isinstance(key, str) else f"{path}[]"
    return path


def _set(inner: Any, key: Any, draw: Random) -> None:
    value = inner[key]
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    match draw.randrange(8):
        case 0 | 1 if numeric:
            inner[key] = value + draw.choice([-1, 1])
        case 2 if numeric:
            inner[key] = value * draw.choice([2, -1, 1000])
        case 3:
            del inner[key]
        case 4 if isinstance(inner, list):
            inner.append(draw.choice(inner))
        case 5:
            other = draw.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            inner[key], inner[other] = inner[other], inner[key]
        case 6 if isinstance(inner, list):
            draw.shuffle(inner)
        case _:
            inner[key] = draw.choice(ODD)


def columns(data: bytes, draw: Random) -> tuple[str, bytes]:
    """A column of a table: a cell, its type, its order, gone or twice; or a field of its tables."""
    table = pq.read_table(io.BytesIO(data))
    meta = dict(table.schema.metadata or {})
    if b"moexbar" in meta and draw.random() < 0.35:
        told, meta[b"moexbar"] = json_fields(meta[b"moexbar"], draw)
        table, told = table.replace_schema_metadata(meta), f"metadata {told}"
    else:
        name = draw.choice(table.column_names)
        table, told = _change_column(table, name, draw), f"column {name}"
    out = io.BytesIO()
    size = draw.choice([None, None, 7, 100])
    kind: Any = draw.choice(["zstd", "snappy", "none", "gzip"])
    pq.write_table(table, out, compression=kind, row_group_size=size)
    return told, out.getvalue()


def _change_column(table: Any, name: str, draw: Random) -> Any:
    place = table.schema.get_field_index(name)
    column = table.column(place).combine_chunks()
    cells = column.to_pylist()
    match draw.randrange(12):
        case 0:
            return table.drop_columns([name])
        case 1:
            return table.append_column(name, column)
        case 2:
            kind: Any = draw.choice(KINDS)
            return table.set_column(place, name, pa.nulls(len(column), kind))
        case 3:
            cells[draw.randrange(len(cells))] = None
        case 4 | 5:
            a, b = draw.randrange(len(cells)), draw.randrange(len(cells))
            cells[a], cells[b] = cells[b], cells[a]
        case 6 if draw.random() < 0.3:
            some = draw.sample(range(len(cells)), draw.randrange(len(cells) + 1))
            return table.take(pa.array(some, pa.int64()))
        case _:
            at = draw.randrange(len(cells))
            cells[at] = _other(cells[at], cells, draw)
    try:
        made = pa.array(cells, column.type)
    except (pa.ArrowException, OverflowError, TypeError):
        return table  # its type holds no such value
    return table.set_column(place, name, made)


def _other(cell: Any, cells: list[Any], draw: Random) -> Any:
    if isinstance(cell, list):
        return [*cell, draw.choice([-1, 0, 1, 2**31 - 1])] if draw.random() < 0.6 else cell[1:]
    if isinstance(cell, str):
        return draw.choice([*TEXTS, *(one for one in cells[:50] if one is not None)])
    if isinstance(cell, bool) or cell is None:
        return draw.choice([True, False, None, 1])
    near = [cell + 1, cell - 1, cell * 2, draw.choice(cells)]
    return draw.choice([*near, *near, draw.choice(EXTREMES), float("nan")])


def arrays(data: bytes, draw: Random) -> tuple[str, bytes]:
    """An array of an archive: a number, its type or shape, gone, or one more beside it."""
    with np.load(io.BytesIO(data)) as archive:
        held: dict[str, Any] = {name: archive[name].copy() for name in archive.files}
    name = draw.choice(list(held))
    array = held[name]
    match draw.randrange(9):
        case 0:
            del held[name]
        case 1:
            kinds = [np.int8, np.uint64, np.float16, np.float64, np.complex64, bool, "S3", object]
            with np.errstate(all="ignore"):
                held[name] = array.astype(draw.choice(kinds))
        case 2:
            held[name] = array.reshape(draw.choice([(-1,), (1, -1), (*array.shape, 1)]))
        case 3:
            held[draw.choice(["more", "layer", "domain", "weights", "passed"])] = array
        case 4 if array.ndim:
            held[name] = array[: draw.randrange(len(array) + 1)]
        case 5 if array.ndim:
            held[name] = np.concatenate([array, array])
        case _:
            flat = array.reshape(-1)
            value = draw.choice([*EXTREMES, float("nan"), flat[draw.randrange(flat.size)] + 1])
            with np.errstate(all="ignore"):
                held[name] = _with(array, draw.randrange(flat.size), value)
    out = io.BytesIO()
    np.savez_compressed(out, **held)
    return f"array {name}", out.getvalue()


def _with(array: Any, place: int, value: float) -> Any:
    """The array with one number changed, as wide as that needs."""
    flat = array.reshape(-1).astype(np.float64 if value != value else array.dtype)
    try:
        flat[place] = value
    except (OverflowError, ValueError):
        flat = flat.astype(np.int64 if abs(value) < 2**63 else np.float64)
        flat[place] = value
    return flat.reshape(array.shape)


def toml_keys(data: bytes, draw: Random) -> tuple[str, bytes]:
    """A line of a TOML file: its value another, its key misspelt, gone, twice or elsewhere."""
    lines = data.decode().split("\n")
    at = draw.choice([i for i, line in enumerate(lines) if line.strip()])
    line = lines[at]
    match draw.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(draw.randrange(len(lines)), line)
        case 2:
            lines[at] = line.replace(draw.choice(line), draw.choice("xq_.\"'[]{}=#\x01é"), 1)
        case 3:
            numbers = re.sub(
                r"\d+", lambda _: draw.choice(["0", "-1", "7", "1000000", "9" * 20]), line
            )
            lines[at] = numbers
        case _:
            key = line.partition("=")[0]
            lines[at] = f"{key}= {draw.choice(SCALARS)}"
    return line.partition("=")[0].strip(), "\n".join(lines).encode()


def words(data: bytes, draw: Random) -> tuple[str, bytes]:
    """A word of a text another one, gone or twice; or a line."""
    text = data.decode()
    if draw.random() < 0.3:
        lines = text.split("\n")
        at = draw.randrange(len(lines))
        lines[at : at + 1] = draw.choice([[], [lines[at]] * 2, lines[at : at + 1] * 3, ["x"]])
        return "line", "\n".join(lines).encode()
    found = list(re.finditer(r"[^\s,:;{}\"]+", text))
    one = draw.choice(found)
    return "word", (text[: one.start()] + draw.choice(WORDS) + text[one.end() :]).encode()


STATEMENTS = (
    "DROP TABLE points",
    "DROP TABLE asked",
    "DELETE FROM asked",
    "PRAGMA user_version=0",
    "PRAGMA user_version=7",
    "CREATE TABLE more (x)",
    "CREATE VIEW seen AS SELECT * FROM points",
    "ALTER TABLE points ADD COLUMN more",
    "PRAGMA journal_mode=WAL",
    "VACUUM",
    "CREATE TRIGGER t AFTER INSERT ON points BEGIN DELETE FROM asked; END",
    "CREATE INDEX i ON points (command)",
    "UPDATE points SET number = number - 5",
)


def rows(data: bytes, draw: Random) -> tuple[str, bytes]:
    """A cell of a database another value, or a field of the JSON in it; or a table."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.deserialize(data)
        told = draw.choice(STATEMENTS)
        if draw.random() < 0.25:
            base.execute(told)
        else:
            told = _change_row(base, draw)
        base.commit()
        return told, base.serialize()


def _change_row(base: sqlite3.Connection, draw: Random) -> str:
    table = draw.choice(["asked", "groups", "points", "points"])
    columns = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
    found = base.execute(f"SELECT rowid, * FROM {table}").fetchall()  # noqa: S608
    row, column = draw.choice(found), draw.randrange(len(columns))
    value: Any = draw.choice([*TEXTS, *WHOLE, b"\x00\xff", 0.5, "[]", "{}", DEEP, "null"])
    held = row[column + 1]
    if isinstance(held, str) and held[:1] in "[{" and draw.random() < 0.7:
        value = json_fields(held.encode(), draw)[1].decode()
    try:
        statement = f"UPDATE {table} SET {columns[column]} = ? WHERE rowid = ?"  # noqa: S608
        base.execute(statement, (value, row[0]))
    except (sqlite3.Error, OverflowError, UnicodeError):
        return "nothing"
    return f"{table}.{columns[column]}"
