"""`mx.pareto`: of a sweep's points those that no other beats, or the best of one figure."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ir.errors import InputError
from moexbar.arguments import check_path, whole
from moexbar.chips.fields import nearest, shown
from moexbar.exploration.figures import FIGURES
from moexbar.exploration.folder import COMMAND
from moexbar.exploration.results import Results, read_results
from moexbar.files.output import read_output
from moexbar.fronts import Condition, Floats, front, knee
from moexbar.report.fronts import FrontRow, ParetoReport, SoughtRow

USUAL = ("time_us", "area_mm2")
_SENSES = {figure.name: figure.sense for figure in FIGURES}
_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|==|!=|=|<|>)\s*(.+?)\s*")


def pareto(
    folder: Path | str,
    of: Sequence[str] | None = None,
    *,
    where: Sequence[str] = (),
    best: str | None = None,
    top: int | None = None,
    unchecked: bool = False,
) -> ParetoReport:
    """The points of a sweep's front, or its best points: from the results in its folder.

    of: figures (columns of the results) that are to be less, or more where that is better of them;
    `-NAME` asks for more, `+NAME` for less. None: time and area, or all points where `best` says
    what the best is. where: conditions that hold of all points, such as "area_mm2<=120". top: so
    many points at most. unchecked: the results may have been changed since they were written.
    Raises InputError for a folder, column or condition that is none.
    """
    check_path("folder", folder, "an output of `moexbar explore`")
    results = read_results(read_output(Path(folder), (COMMAND,), unchecked=unchecked))
    columns = _Columns(results)
    if of is None:
        of = () if best is not None else USUAL
    sought = [columns.sought(name) for name in of]
    conditions = [columns.condition(text) for text in where]
    first = columns.sought(best) if best is not None else sought[0]
    kept = columns.done()
    done = int(kept.sum())
    for condition in conditions:
        kept &= condition.holds(columns.cells(condition.column))
    values = np.stack([columns.values(one) for one in sought or [first]], axis=1)
    kept &= ~np.isnan(values).any(axis=1) & ~np.isnan(columns.values(first))
    places = np.flatnonzero(kept)
    if sought:
        places = places[front(values[places])]
    at = knee(values[places]) if len(sought) > 1 else None
    marked = None if at is None else int(places[at])
    order = np.lexsort((places, *values[places].T[::-1], columns.values(first)[places]))
    chosen = places[order][: None if top is None else whole("top", top, 1)]
    named = [one.figure for one in (*sought, first)] + [one.column for one in conditions]
    shown_figures = [n for n in dict.fromkeys(named) if n not in results.settings]
    rows = tuple(columns.row(n, shown_figures, marked == n) for n in chosen.tolist())
    counts = done, int(kept.sum()), len(places)
    return ParetoReport(tuple(sought), tuple(where), first, *counts, rows)


class _Columns:
    """The columns of a table of results, by their names."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._cells: dict[str, list[Any]] = {}

    def cells(self, name: str) -> list[Any]:
        """The cells of a column; InputError for a name of none."""
        known = (*self._results.figures, *self._results.settings)
        if name not in (*known, "point", "status"):
            raise InputError(name, "no column of the results", nearest(name, known))
        if name not in self._cells:
            self._cells[name] = self._results.table.column(name).to_pylist()
        return self._cells[name]

    def done(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which points have figures."""
        return np.array([cell == "done" for cell in self.cells("status")], dtype=bool)

    def sought(self, name: str) -> SoughtRow:
        """A figure and which way is better; InputError for a column that has no numbers."""
        bare = name.strip().lstrip("+-")
        sense = {"-": "more", "+": "less"}.get(name.strip()[:1], _SENSES.get(bare, "less"))
        if any(isinstance(cell, str) for cell in self.cells(bare)):
            raise InputError(bare, "texts, expected a column of numbers")
        return SoughtRow(bare, sense)

    def values(self, one: SoughtRow) -> Floats:
        """A figure's numbers, the less the better; NaN where there is none."""
        numbers = [np.nan if cell is None else float(cell) for cell in self.cells(one.figure)]
        found: Floats = np.array(numbers, dtype=np.float64)
        return -found if one.sense == "more" else found

    def condition(self, text: str) -> Condition:
        """A comparison of a column with a number, or for equality with a text."""
        parts = _CONDITION.fullmatch(text)
        if parts is None:
            expected = "expected COLUMN and one of <= < >= > == != and a value"
            raise InputError("where", f"{shown(text)}, {expected} such as area_mm2<=120")
        column, sign, word = parts[1], parts[2], parts[3]
        self.cells(column)
        sign = "==" if sign == "=" else sign
        try:
            return Condition(column, sign, float(word))
        except ValueError:
            if sign in ("==", "!="):
                return Condition(column, sign, word.strip("\"'"))
            problem = f"{shown(text)}: {shown(word)}, expected a number after {sign}"
            raise InputError("where", problem) from None

    def row(self, place: int, figures: Sequence[str], is_knee: bool) -> FrontRow:
        """A point as it is told."""
        settings = {name: self.cells(name)[place] for name in self._results.settings}
        command = self._results.table.column("command")[place].as_py()
        number = int(self.cells("point")[place])
        found = {name: self.cells(name)[place] for name in figures}
        return FrontRow(number, settings, found, is_knee, command)
