"""A journal that is found is looked at before it is opened for writing: it may be anybody's file.

It must be a whole database of our three tables and nothing else: a trigger or a view of its own
would be run by what we ask of it. That is found on a copy, so that the file stays as it is: in
memory, or with its write-ahead log, which a run that was ended leaves, in a folder of its own. A
disk that ran full while the log was taken over leaves a file that is none without the log.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ir.errors import InputError
from ir.infile import Infile, in_a_line
from ir.limits import Limits

TABLES = """
CREATE TABLE IF NOT EXISTS asked (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS groups (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS points (number INTEGER PRIMARY KEY, settings TEXT NOT NULL,
    command TEXT NOT NULL, outcome TEXT NOT NULL, attempts INTEGER NOT NULL);
"""
WHAT = "a journal of `moexbar explore`"
HINT = "it is damaged, or not one of moexbar's: choose another -o"
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"


def check_journal(path: Path) -> None:
    """InputError for a file that is no whole journal of ours, or too large."""
    most, log = Limits.in_force().journal_bytes, path.with_name(path.name + "-wal")
    data = Infile(path).read(WHAT, most)
    left = Infile(log).read(WHAT, most - len(data)) if os.path.lexists(log) else b""
    if not data and not left:  # of a run that was ended before it wrote anything
        return
    with _copy(data, left, path) as base:
        check_base(base, path)


@contextmanager
def _copy(data: bytes, log: bytes, path: Path) -> Iterator[sqlite3.Connection]:
    """A database with what is in its log, opened where it can do no harm."""
    if not log:
        with closing(sqlite3.connect(":memory:")) as base:
            try:
                base.deserialize(_without_log(data))
            except sqlite3.Error as error:
                raise InputError(str(path), f"not readable: {in_a_line(error)}", HINT) from error
            yield base
        return
    with TemporaryDirectory(prefix="moexbar-") as folder:
        place = Path(folder, path.name)
        place.write_bytes(data)
        place.with_name(f"{path.name}-wal").write_bytes(log)
        with closing(sqlite3.connect(place)) as base:
            yield base


def check_base(base: sqlite3.Connection, path: Path) -> None:
    """The same of an open database, which then runs nothing that it holds itself."""
    try:
        base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, Limits.in_force().journal_bytes)
        base.execute("PRAGMA trusted_schema=OFF")
        base.execute("PRAGMA cell_size_check=ON")
        found = base.execute(_SCHEMA).fetchall()
        said = base.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise InputError(str(path), f"not readable: {in_a_line(error)}", HINT) from error
    for kind, name, *_ in (row for row in found if row not in _ours()):
        problem = f"{kind!a} {ascii(name)[:60]}: expected the tables of a journal alone"
        raise InputError(str(path), problem, HINT)
    if said != ("ok",):
        problem = " ".join(str(said[0] if said else "nothing").split())[:100]
        raise InputError(str(path), f"quick_check: {problem}, expected ok", HINT)


def _without_log(data: bytes) -> bytes:
    """A file that is written through a log, as one that is not: memory has no log."""
    return data[:18] + b"\1\1" + data[20:] if data[18:20] == b"\2\2" else data


def _ours() -> list[tuple[str, str, str, str | None]]:
    """What SQLite says of our tables."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.executescript(TABLES)
        return base.execute(_SCHEMA).fetchall()
