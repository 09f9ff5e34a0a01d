"""The results of a sweep as tables: the same bytes whatever happened on the way to them."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ir.errors import InputError
from ir.infile import check_file
from moexbar.exploration.figures import FIGURES, GAINS
from moexbar.exploration.folder import RESULTS, TABLE, TIMINGS
from moexbar.exploration.journal import Journal
from moexbar.exploration.sweep import Sweep
from moexbar.files.atomic import write_atomically

KEY = b"moexbar"
MAX_BYTES = 1 << 30
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
    told = {"settings": settings, "figures": figures}
    arrays = {name: _array(cells, name in figures) for name, cells in columns.items()}
    table = pa.table(arrays).replace_schema_metadata({KEY: json.dumps(told).encode()})
    with write_atomically(folder / RESULTS) as file:
        pq.write_table(table, file)
    _write_csv(folder / TABLE, tuple(columns), zip(*columns.values(), strict=True))
    _write_csv(folder / TIMINGS, ("point", "seconds", "cpu_s", "attempts"), times)


def read_results(folder: Path) -> Results:
    """The results in a folder of `moexbar explore`; InputError for anything else."""
    path = folder / RESULTS
    check_file(path, "written by `moexbar explore`", MAX_BYTES)
    try:
        table = pq.read_table(path)
        told = json.loads((table.schema.metadata or {})[KEY])
        named = tuple(map(str, told["settings"])), tuple(map(str, told["figures"]))
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise InputError(str(path), "not written by `moexbar explore`") from error
    missing = {*named[0], *named[1], *OWN} - set(table.column_names)
    if missing:
        raise InputError(str(path), f"without column {min(missing)}")
    return Results(table, *named)


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
