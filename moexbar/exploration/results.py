"""The results of a sweep as tables: the same bytes whatever happened on the way to them."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ir.errors import InputError
from moexbar.chips.fields import shown
from moexbar.exploration.figures import FIGURES, GAINS
from moexbar.exploration.folder import RESULTS, TABLE, TIMINGS
from moexbar.exploration.journal import Journal
from moexbar.exploration.sweep import Sweep
from moexbar.files.atomic import write_atomically
from moexbar.files.form import check_form
from moexbar.files.json_file import parsed
from moexbar.files.output import Output
from moexbar.files.parquet import read_parquet
from moexbar.report.reading import LARGEST, typed

KEY, FORM = b"moexbar", 1
AGAIN = "write it again: moexbar explore --resume"
KINDS = (pa.int64(), pa.float64(), pa.bool_(), pa.string())
OWN = ("point", "status", "reason", "command")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # which a spreadsheet would run


@dataclass(frozen=True, eq=False)
class Results:
    """A table of results, and which of its columns are settings and which figures."""

    table: pa.Table
    settings: tuple[str, ...]
    figures: tuple[str, ...]


def columns_of(sweep: Sweep) -> tuple[str, ...]:
    """The figures' columns of a sweep, in order."""
    gains = tuple(f"gain_{name}" for name in GAINS) if sweep.gains else ()
    return (*(figure.name for figure in FIGURES), *gains, *sweep.figures)


def write_results(folder: Path, sweep: Sweep, kept: Journal) -> None:
    """Write results.parquet, results.csv and timings.csv of all points that are done."""
    settings, figures = sweep.varied, columns_of(sweep)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("point", *settings, "status", "reason", *figures, "command")
    }
    times = list[tuple[Any, ...]]()
    attempts = kept.attempts()
    for number, point, command, outcome in kept.outcomes():
        row: dict[str, Any] = {"point": number, "status": outcome.status, "reason": outcome.reason}
        row |= {name: sweep.of(point).get(name) for name in settings}
        row |= {name: outcome.figures.get(name) for name in figures} | {"command": command}
        for name, cells in columns.items():
            cells.append(row[name])
        times.append((number, f"{outcome.seconds:.3f}", f"{outcome.cpu_s:.3f}", attempts[number]))
    told = {"form": FORM, "settings": settings, "figures": figures}
    arrays = {name: _array(cells, name in figures) for name, cells in columns.items()}
    table = pa.table(arrays).replace_schema_metadata({KEY: json.dumps(told).encode()})
    with write_atomically(folder / RESULTS) as file:
        pq.write_table(table, file)
    _write_csv(folder / TABLE, tuple(columns), zip(*columns.values(), strict=True))
    _write_csv(folder / TIMINGS, ("point", "seconds", "cpu_s", "attempts"), times)


def read_results(output: Output) -> Results:
    """The results in a folder of `moexbar explore`; InputError naming what is not as written."""
    file = output.file(RESULTS)
    table = read_parquet(file, "written by `moexbar explore`", partial(_kinds, str(file)))
    where = str(file)
    found = _told(table.schema, where)  # a file has it twice, and these may differ
    if absent := {*found.settings, *found.figures} - set(table.column_names):
        raise InputError(where, f"column {shown(min(absent))}: missing", AGAIN)
    for name in table.column_names:
        _check_cells(where, name, table.column(name), may_be_null=name not in OWN)
    odd = [one for one in table.column("status").to_pylist() if one not in ("done", "failed")]
    if odd:
        problem = f"column status: {shown(str(odd[0]))}, expected done or failed"
        raise InputError(where, problem, AGAIN)
    return Results(table, found.settings, found.figures)


@dataclass(frozen=True)
class _Told:
    """What stands in the metadata: which columns are settings and which figures."""

    settings: tuple[str, ...]
    figures: tuple[str, ...]


def _told(schema: pa.Schema, where: str) -> _Told:
    at = f"{where}: metadata"
    raw = (schema.metadata or {}).get(KEY)
    if raw is None:
        raise InputError(where, "no 'moexbar' metadata, expected results of `moexbar explore`")
    found = parsed(raw, at, AGAIN)
    if not isinstance(found, dict):
        raise InputError(at, "no object, expected settings and figures", AGAIN)
    check_form(at, "form", found.get("form"), FORM, AGAIN)
    return typed(_Told, found, at)


def _kinds(where: str, schema: pa.Schema) -> dict[str, Any]:
    """The columns of results and their types: numbers, true and false, or text."""
    told = _told(schema, where)
    kinds: dict[str, Any] = dict.fromkeys(OWN, pa.string()) | {"point": pa.int64()}
    for name in (*told.settings, *told.figures):
        found = [schema.field(place).type for place in schema.get_all_field_indices(name)]
        kinds[name] = found[0] if found and found[0] in KINDS else pa.float64()
    return kinds


def _check_cells(where: str, name: str, column: Any, *, may_be_null: bool) -> None:
    """Numbers are finite, and what every point has is there."""
    if column.null_count and not may_be_null:
        raise InputError(where, f"column {name}: {column.null_count} nulls, expected none", AGAIN)
    if column.type == pa.float64():
        values = column.drop_null().to_numpy()
        odd = values[~(np.abs(values) <= LARGEST)]
        if len(odd):
            raise InputError(where, f"column {name}: {odd[0]}, expected numbers to 1e100", AGAIN)


def _array(cells: Sequence[Any], is_figure: bool) -> Any:
    """A column: whole numbers, numbers, true and false, or text of all of these."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds <= {int} and (kinds or not is_figure):
        return pa.array(cells, pa.int64() if kinds else pa.string())
    if kinds <= {int, float}:
        return pa.array([None if c is None else float(c) for c in cells], pa.float64())
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    return pa.array([None if c is None else _text(c) for c in cells], pa.string())


def _text(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table as text; a text that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    with write_atomically(path) as file:
        file.write(text.getvalue().encode())


def _harmless(cell: Any) -> Any:
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
