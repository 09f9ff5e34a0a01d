"""The journal of a sweep: what was asked and what is done, kept at once against any end.

A database of SQLite with a write-ahead log, written through to the disk with every result, so that
what was acknowledged is there after a kill or a power cut. One process writes it.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ir.errors import InputError
from ir.infile import in_a_line
from ir.mapping import LayerGrouping
from moexbar.chips.fields import shown
from moexbar.exploration.journal_check import TABLES, check_base, check_journal
from moexbar.exploration.sweep import Settings
from moexbar.exploration.work import Outcome
from moexbar.files.form import check_form
from moexbar.files.json_file import parsed
from moexbar.report.plain import as_json
from moexbar.report.reading import is_plain, typed

NAME = "journal.sqlite"
FORM = 1
AGAIN = "begin the sweep again in another folder"
HINT = "it is damaged, or not one of moexbar's: choose another -o"


def _place(table: str, row: object, column: str) -> str:
    return f"{table} {shown(str(row))}: {column}"


class Journal:
    """The journal in a folder, open for writing."""

    def __init__(self, path: Path, base: sqlite3.Connection) -> None:
        """Of an open database."""
        self._path, self._base = path, base

    def asked(self) -> dict[str, str]:
        """What was asked, as it was written by `begin`; nothing in a new journal."""
        ((form,),) = self._rows("PRAGMA user_version")
        if not form:
            return {}
        check_form(str(self._path), "user_version", form, FORM, AGAIN)
        return {
            self._text("asked", name, "name", name): self._text("asked", name, "value", value)
            for name, value in self._rows("SELECT name, value FROM asked")
        }

    def check(self) -> None:
        """Read all that is kept; InputError naming table, row and field that is not as written."""
        check_base(self._base, self._path)
        if self.asked():
            for _ in self.outcomes():
                pass
            self.groups()
            self.attempts()

    def begin(self, asked: Mapping[str, str]) -> None:
        """Make ready to write, and write what is asked; nothing is written before."""
        try:
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.executescript(TABLES)
            self._write("INSERT OR REPLACE INTO asked VALUES (?, ?)", *asked.items())
            self._base.execute(f"PRAGMA user_version={FORM}")  # last: now it is one
        except sqlite3.Error as error:
            raise InputError(str(self._path), f"cannot be written: {error}") from error

    def groups(self) -> dict[str, LayerGrouping]:
        """The groups that are known, by their keys."""
        rows = self._rows("SELECT key, value FROM groups")
        return {
            self._text("groups", key, "key", key): typed(
                LayerGrouping, self._json("groups", key, "value", value), str(self._path), "groups"
            )
            for key, value in rows
        }

    def add_groups(self, found: Mapping[str, LayerGrouping]) -> None:
        """Keep groups."""
        rows = ((key, json.dumps(as_json(layer))) for key, layer in found.items())
        self._write("INSERT OR REPLACE INTO groups VALUES (?, ?)", *rows)

    def outcomes(self) -> Iterator[tuple[int, Settings, str, Outcome]]:
        """(number, what varies, command, outcome) of every point that is done, by number."""
        query = "SELECT number, settings, command, outcome FROM points ORDER BY number"
        for number, settings, command, outcome in self._rows(query):
            told = self._json("points", number, "outcome", outcome)
            point = self._json("points", number, "settings", settings)
            if not isinstance(point, dict) or not all(map(is_plain, point.values())):
                raise self._wrong("points", number, "settings", "expected plain values by name")
            made = typed(Outcome, told, str(self._path), f"points {number}: outcome")
            yield number, point, self._text("points", number, "command", command), made

    def attempts(self) -> dict[int, int]:
        """How often each point was begun that is done."""
        rows = dict(self._rows("SELECT number, attempts FROM points"))
        for number, many in rows.items():
            if type(many) is not int or many < 0 or number < 1:
                problem = f"{shown(str(many))}, expected a whole number, of a point from 1 on"
                raise self._wrong("points", number, "attempts", problem)
        return rows

    def add(
        self, number: int, settings: Settings, command: str, outcome: Outcome, attempts: int
    ) -> None:
        """Keep what became of a point."""
        row = number, json.dumps(dict(settings)), command, json.dumps(as_json(outcome)), attempts
        self._write("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)", row)

    def _json(self, table: str, row: object, column: str, found: object) -> Any:
        text = self._text(table, row, column, found)
        read = parsed(text.encode(), f"{self._path}: {_place(table, row, column)}", HINT)
        try:
            json.dumps(read, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:  # half of a pair of surrogates, which JSON can hold
            raise self._wrong(table, row, column, "expected texts that can be written") from error
        return read

    def _text(self, table: str, row: object, column: str, found: object) -> str:
        if not isinstance(found, str):
            raise self._wrong(table, row, column, "expected a text")
        return found

    def _wrong(self, table: str, row: object, column: str, problem: str) -> InputError:
        return InputError(str(self._path), f"{_place(table, row, column)}: {problem}", HINT)

    def _rows(self, query: str) -> list[Any]:
        try:
            return self._base.execute(query).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise InputError(str(self._path), f"not readable: {in_a_line(error)}", HINT) from error

    def _write(self, statement: str, *rows: tuple[object, ...]) -> None:
        try:
            with self._base:
                self._base.executemany(statement, rows)
        except sqlite3.Error as error:
            raise InputError(str(self._path), f"cannot be written: {error}") from error


@contextmanager
def journal(folder: Path) -> Iterator[Journal]:
    """The journal in a folder, made where there is none; one file when the block ends well.

    One that is there is read whole, and refused with InputError before anything is written.
    """
    path = folder / NAME
    if path.exists():
        check_journal(path)
    try:
        base = sqlite3.connect(path, isolation_level="IMMEDIATE")
    except sqlite3.Error as error:
        raise InputError(str(path), f"cannot be opened: {error}") from error
    try:
        kept = Journal(path, base)
        kept.check()
        yield kept
        try:
            base.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise InputError(str(path), f"cannot be written: {error}") from error
    finally:
        base.close()
