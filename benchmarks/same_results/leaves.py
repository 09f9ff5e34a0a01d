"""A file as {path of a value in it: the value}, whatever its form."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Leaf = Any  # an array, or what JSON holds; of its lists and objects the empty ones alone
Leaves = dict[str, Leaf]


def is_text(path: str) -> bool:
    """Whether a file is read line by line."""
    return Path(path).suffix not in (".parquet", ".npz", ".json")


def read_lines(path: Path) -> list[str]:
    """The lines of a text; none where there is no file."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def read_leaves(path: Path) -> Leaves:
    """Every value of a Parquet, NPZ or JSON file; none where there is no file or it is empty.

    A program: `columns.NAME` and `moexbar.units[0].name`; JSON: `layers[0].grouping.value`.
    """
    if not path.is_file() or not path.stat().st_size:
        return {}
    if path.suffix == ".parquet":
        return dict(_parquet(path))
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    return dict(_flat("", json.loads(path.read_bytes())))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Leaf]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _flat(f"{path}[{number}]", inner)
    else:
        yield path, value


def _parquet(path: Path) -> Iterator[tuple[str, Leaf]]:
    """Every column as an array, of lists their lengths and values; then the tables beside them."""
    table = pq.read_table(path)
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_list(column.type):
            yield f"columns.{name}.length", pc.list_value_length(column).to_numpy()
            yield f"columns.{name}.values", pc.list_flatten(column).to_numpy()
        elif pa.types.is_dictionary(column.type):
            yield f"columns.{name}", np.array(column.to_pylist(), dtype=object)
        else:
            yield f"columns.{name}", column.to_numpy(zero_copy_only=False)
    for key, text in (table.schema.metadata or {}).items():
        yield from _flat(key.decode(), json.loads(text))
