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
from ir.mapping import LayerGrouping
from moexbar.exploration.sweep import Settings
from moexbar.exploration.work import Outcome
from moexbar.report.plain import as_json
from moexbar.report.reading import typed

NAME = "journal.sqlite"
FORM = 1
TABLES = """
CREATE TABLE IF NOT EXISTS asked (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS groups (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS points (number INTEGER PRIMARY KEY, settings TEXT NOT NULL,
    command TEXT NOT NULL, outcome TEXT NOT NULL, attempts INTEGER NOT NULL);
"""
HINT = "it is damaged, or not one of moexbar's: choose another -o"


class Journal:
    """The journal in a folder, open for writing."""

    def __init__(self, path: Path, base: sqlite3.Connection) -> None:
        """Of an open database."""
        self._path, self._base = path, base

    def asked(self) -> dict[str, str]:
        """What was asked, as it was written by `begin`; nothing in a new journal."""
        ((form,),) = self._rows("PRAGMA user_version")
        if form == FORM:
            return dict(self._rows("SELECT name, value FROM asked"))
        if form:
            raise InputError(str(self._path), f"of form {form}, expected {FORM}", HINT)
        return {}

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
        where = str(self._path)
        return {key: typed(LayerGrouping, json.loads(value), where, key) for key, value in rows}

    def add_groups(self, found: Mapping[str, LayerGrouping]) -> None:
        """Keep groups."""
        rows = ((key, json.dumps(as_json(layer))) for key, layer in found.items())
        self._write("INSERT OR REPLACE INTO groups VALUES (?, ?)", *rows)

    def outcomes(self) -> Iterator[tuple[int, Settings, str, Outcome]]:
        """(number, what varies, command, outcome) of every point that is done, by number."""
        query = "SELECT number, settings, command, outcome FROM points ORDER BY number"
        for number, settings, command, outcome in self._rows(query):
            found = json.loads(outcome)
            yield number, json.loads(settings), command, Outcome(**found)

    def attempts(self) -> dict[int, int]:
        """How often each point was begun that is done."""
        return dict(self._rows("SELECT number, attempts FROM points"))

    def add(
        self, number: int, settings: Settings, command: str, outcome: Outcome, attempts: int
    ) -> None:
        """Keep what became of a point."""
        row = number, json.dumps(dict(settings)), command, json.dumps(as_json(outcome)), attempts
        self._write("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)", row)

    def _rows(self, query: str) -> list[Any]:
        try:
            return self._base.execute(query).fetchall()
        except sqlite3.Error as error:
            raise InputError(str(self._path), f"not readable: {error}", HINT) from error

    def _write(self, statement: str, *rows: tuple[object, ...]) -> None:
        try:
            with self._base:
                self._base.executemany(statement, rows)
        except sqlite3.Error as error:
            raise InputError(str(self._path), f"cannot be written: {error}") from error


@contextmanager
def journal(folder: Path) -> Iterator[Journal]:
    """The journal in a folder, made where there is none; one file when the block ends well."""
    path = folder / NAME
    try:
        base = sqlite3.connect(path, isolation_level="IMMEDIATE")
    except sqlite3.Error as error:
        raise InputError(str(path), f"cannot be opened: {error}") from error
    try:
        yield Journal(path, base)
        base.execute("PRAGMA journal_mode=DELETE")
    finally:
        base.close()
