"""A journal is looked at with its log: without it, it may be none."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.exploration.journal import journal
from moexbar.exploration.journal_check import TABLES, check_journal
from moexbar.exploration.work import failed

MANY = 60  # points, some pages of them


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@pytest.fixture
def cut_short(tmp_path: Path) -> Path:
    """What a disk leaves that ran full while the log was taken over: pages new, old, and a log."""
    with journal(tmp_path) as kept:
        kept.begin({"model": "m"})
        for number in range(1, MANY + 1):
            kept.add(number, {"seed": number}, "moexbar compile " * 20, failed("no"), 1)
        path = tmp_path / "journal.sqlite"
        log = log_of(path).read_bytes()
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        whole = path.read_bytes()
    path.write_bytes(whole[:-4096] + bytes(4096))
    log_of(path).write_bytes(log)
    return path


def test_with_its_log_it_is_whole(cut_short: Path) -> None:
    before = cut_short.read_bytes(), log_of(cut_short).read_bytes()
    check_journal(cut_short)
    assert before == (cut_short.read_bytes(), log_of(cut_short).read_bytes())
    with journal(cut_short.parent) as kept:
        assert len(kept.attempts()) == MANY


def test_without_it_it_is_not(cut_short: Path) -> None:
    log_of(cut_short).unlink()
    with pytest.raises(InputError, match=r"journal\.sqlite"):
        check_journal(cut_short)


def test_what_only_a_log_holds_is_looked_at_too(tmp_path: Path) -> None:
    """A trigger, which what we ask would run."""
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.executescript(TABLES)
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        check_journal(path)
        base.execute("CREATE TRIGGER t AFTER INSERT ON points BEGIN SELECT 1; END")
        base.commit()
        with pytest.raises(InputError, match="'trigger' 't': expected the tables of a journal"):
            check_journal(path)
