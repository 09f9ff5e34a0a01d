"""Artifacts damaged by hand: what is in a file changed, in bytes that are a file again."""

import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Damage = Callable[[bytes], bytes]
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Bad:
    """A damage to a file, and what is said of it, as a pattern; code: of the exit."""

    says: str
    damage: Damage
    code: int = 2


def content(data: bytes) -> Damage:
    """Something else altogether."""
    return lambda _: data


def cut(to: float) -> Damage:
    """The first part of the file alone."""
    return lambda data: data[: int(len(data) * to)]


def without(found: Any, path: Path) -> None:
    """Take a value out of plain data."""
    for key in path[:-1]:
        found = found[key]
    del found[path[-1]]


def put(found: Any, path: Path, value: object) -> None:
    """Put a value into plain data."""
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = value


GONE = object()


def document(*changes: tuple[Path, object]) -> Damage:
    """Values of a JSON file changed, or left out where GONE."""

    def damage(data: bytes) -> bytes:
        found = json.loads(data)
        for path, value in changes:
            without(found, path) if value is GONE else put(found, path, value)
        return json.dumps(found).encode()

    return damage


def at(path: str, value: object) -> Damage:
    """One value of a JSON file by its path, such as `blocks.0.rows`."""
    keys = tuple(int(k) if k.lstrip("-").isdigit() else k for k in path.split("."))
    return document((keys, value))


def saved(table: Any, **words: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **words)
    return out.getvalue()


def loaded(data: bytes) -> Any:
    return pq.read_table(io.BytesIO(data))


def column(name: str, value: Any, row: int = 3) -> Damage:
    """One cell of a table."""

    def damage(data: bytes) -> bytes:
        table = loaded(data)
        place = table.schema.get_field_index(name)
        cells = table.column(place).to_pylist()
        cells[row] = value
        return saved(table.set_column(place, name, pa.array(cells, table.schema.field(place).type)))

    return damage


def retyped(name: str, kind: Any) -> Damage:
    """A column of nothing, of another type."""

    def damage(data: bytes) -> bytes:
        table = loaded(data)
        place = table.schema.get_field_index(name)
        return saved(table.set_column(place, name, pa.nulls(len(table), kind)))

    return damage


def rearranged(change: Callable[[Any], Any]) -> Damage:
    """The whole table changed."""
    return lambda data: saved(change(loaded(data)))


def metadata(change: Damage) -> Damage:
    """What stands in a table's metadata, changed as a JSON file."""

    def damage(data: bytes) -> bytes:
        table = loaded(data)
        told = dict(table.schema.metadata)
        told[b"moexbar"] = change(told[b"moexbar"])
        return saved(table.replace_schema_metadata(told))

    return damage


def table_field(path: str, value: object) -> Damage:
    """One value of a program's tables."""
    return metadata(at(path, value))


def arrays(**changes: Any) -> Damage:
    """Arrays of an archive others; None: left out."""

    def damage(data: bytes) -> bytes:
        with np.load(io.BytesIO(data)) as archive:
            held = {name: archive[name] for name in archive.files} | changes
        out = io.BytesIO()
        np.savez_compressed(out, **{name: a for name, a in held.items() if a is not None})
        return out.getvalue()

    return damage


def statement(*words: str) -> Damage:
    """A database after some statements."""

    def damage(data: bytes) -> bytes:
        with closing(sqlite3.connect(":memory:")) as base:
            base.deserialize(data)
            for word in words:
                base.execute(word)
            base.commit()
            return base.serialize()

    return damage


def replaced(old: bytes, new: bytes) -> Damage:
    """Bytes changed wherever they stand."""

    def damage(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new)

    return damage
