"""Chips that cannot be: refused by table and key, or by line."""

import re
from pathlib import Path

import pytest

from benchmarks.artifact_seeds import CHIP
from moexbar.__main__ import main
from tests.hostile.damage import Bad, content, replaced


def value(of: str) -> bytes:
    """The chip with another number of its crossbars behind a group."""
    return CHIP.replace('mux = { value = 4, source = "somewhere" }', f"mux = {of}").encode()


CHIPS: dict[str, Bad] = {
    "not UTF-8": Bad("byte 2 is not UTF-8", content(b'a="\xff"'[:2] + b"\xff")),
    "64 KiB": Bad("expected at most 65536", content(b"#" * 65_537)),
    "a line of 2,000": Bad("line 1: 2001 characters", content(b"#" * 2001)),
    "20,000 dots": Bad("line 1: ", content(b"a." * 400 + b"b = 1")),
    "nested": Bad("line 1: brackets nested deeper", content(b"a = " + b"[" * 300)),
    "no TOML": Bad("not valid TOML", content(b"mux = = 4")),
    "a table twice": Bad("not valid TOML", content(b"[pg]\nmux = 2\n[pg]\nmux = 4\n")),
    "an unknown table": Bad("gpu: unknown table", content(b"[gpu]\ncores = 4\n")),
    "an unknown key": Bad(r"pg.muxx: unknown key", content(b"[pg]\nmuxx = 4\n")),
    "a unit of another": Bad("mvm.read_pj", content(b"[mvm]\nread_pj = 4\n")),
    "no unit": Bad("mvm.read: no unit", content(b"[mvm]\nread = 4\n")),
    "a value for a table": Bad("pg: found a value, expected a table", content(b"pg = 4\n")),
    "a text": Bad('pg.mux: found "four", expected a number', content(value('"four"'))),
    "a list": Bad("pg.mux: found a list, expected a number", content(value("[4]"))),
    "a date": Bad("pg.mux: found a date or time", content(value("1979-05-27"))),
    "true": Bad("pg.mux: found true, expected a number", content(value("true"))),
    "nan": Bad("pg.mux: found nan, expected a finite", content(value("nan"))),
    "inf": Bad("pg.mux: found inf.*, expected a finite", content(value("inf"))),
    "1e999999999": Bad("pg.mux: found ", content(value("1e999999999"))),
    "below none": Bad("pg.mux: found -1, expected at least 0", content(value("-1"))),
    "10^20": Bad("pg.mux: found 1000.*, expected at most", content(value("1" + "0" * 20))),
    "half": Bad("pg.mux: found 0.5, expected a whole number", content(value("0.5"))),
    "a part of none": Bad("pg.mux.odd: unknown key", content(value("{ value = 4, odd = 1 }"))),
    "no value": Bad("pg.mux: no value", content(value('{ source = "x" }'))),
    "an escape in a source": Bad(
        "pg.mux.source: expected printable", content(value('{ value = 4, source = "\\u001b[2J" }'))
    ),
    "a source of 1,000": Bad(
        "pg.mux.source: expected printable text, at most 400",
        content(value(f'{{ value = 4, source = "{"s" * 900}" }}')),
    ),
    "assumed without a why": Bad(
        "pg.mux: assumed, but no why", content(value("{ value = 4, assumed = true }"))
    ),
    "outside its band": Bad(
        "mvm.read_ns: the value .* lies outside", replaced(b"low = 100", b"low = 140")
    ),
    "extends itself": Bad("extends: goes round in a circle", content(b'extends = "chip.toml"\n')),
    "extends what is not there": Bad("extends: no preset", content(b'extends = "none"\n')),
    "extends another folder": Bad("extends: found ", content(b'extends = "../x.toml"\n')),
    "extends a number": Bad("extends: expected printable text", content(b"extends = 4\n")),
    "nothing": Bad("crossbar: missing", content(b"")),
    "dies of text": Bad(r"die.links: found x, expected pairs", replaced(b"[[0, 1]]", b'"x"')),
    "a die of -1": Bad(r"die.links: found \[0, -1\]", replaced(b"[[0, 1]]", b"[[0, -1]]")),
    "a die beyond": Bad("die.links names die 7|die", replaced(b"[[0, 1]]", b"[[0, 7]]")),
    "no dies": Bad("die.count: found 0, expected at least 1", replaced(b"count = 2", b"count = 0")),
    "one side": Bad("die.width_mm alone", replaced(b"height_mm = 10\n", b"")),
    "a link of none": Bad('link.kind: found "rope"', replaced(b'"board"', b'"rope"')),
}


@pytest.mark.parametrize("bad", CHIPS.values(), ids=CHIPS)
def test_refused(bad: Bad, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chip.toml"
    path.write_bytes(bad.damage(CHIP.encode()))
    assert main(["chips", str(path)]) == 2
    said = capsys.readouterr()
    (only,) = said.err.splitlines()
    assert said.out == ""
    assert only.startswith(f"error: {path}: ")
    assert re.search(bad.says, only), only
    assert only.isprintable()
    assert list(tmp_path.iterdir()) == [path]


def test_the_chip_itself_is_read(tmp_path: Path) -> None:
    path = tmp_path / "chip.toml"
    path.write_text(CHIP)
    assert main(["chips", str(path)]) == 0
