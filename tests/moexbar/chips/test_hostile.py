"""Chip files made to hurt: an error, no traceback, little memory and work."""

import os
import tracemalloc
from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.chips import load_chip
from tests.work import lines_at_most

MIB = 2**20
MOST_LINES = 2_000_000  # of Python; half a second, where the largest file takes 1.5 million


def refused(path: Path, words: str) -> None:
    """Check that loading fails with these words, with little work and 32 MiB above the start."""
    tracemalloc.start()
    try:
        with lines_at_most(MOST_LINES), pytest.raises(InputError, match=words) as caught:
            load_chip(str(path))
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < len(str(path)) + 500


CONTENT = {
    "long dotted key": (".".join("a" * 20_000) + " = 1", "line 1: 40003 characters, expected"),
    "dotted key in short lines": (("a." * 400 + "b = 1\n") * 80, "line 1: 400 dots outside"),
    "dotted header": ("[" + "a." * 40 + "b]", "line 1: 40 dots outside quotes, expected at most"),
    "quoted key parts": (".".join(['"a"'] * 40) + " = 1", "39 dots outside quotes"),
    "deep list": ("x = " + "[" * 500 + "]" * 500, "line 1: 1004 characters, expected at most 1000"),
    "deep list over lines": ("x = [\n" + "[\n" * 20_000, "nested deeper than 16"),
    "deep inline table": ("x = " + "{a = " * 100, "nested deeper than 16"),
    "too big": ("#" + "x" * 66_000, "66001 bytes, expected at most 65536"),
    "escape codes in a key": ('"\\u001b[31mred" = 1', r"\\x1b\[31mred: unknown table"),
    "newline in a key": ('[pg]\n"mux\\nfake" = 1', r"pg\.mux\\nfake: unknown key"),
    "escape codes in a value": ('[accumulate]\nwhere = "\\u001b[2J"', r'found "\\x1b\[2J"'),
    "escape codes in a source": (
        '[pg]\nmux = { value = 2, source = "\\u001b[2J" }',
        "pg.mux.source: expected printable text",
    ),
    "exponent beyond Decimal": (
        "[mvm]\nread_ns = 1e99999999999999999999",
        "found nan, expected a finite number",
    ),
    "number of 900 digits": ("[mvm]\nread_ns = " + "9" * 900, "mvm.read_ns: found 99999"),
    "band beyond a float": (
        "[mvm]\nread_ns = { value = 1, high = 1e999 }",
        r"mvm.read_ns.high: found 1E\+999, expected at most",
    ),
    "control bytes": ("a\x00b = 1", "not valid TOML"),
    "long key": ("[pg]\n" + "k" * 900 + " = 1", r"pg\.k{57}\.\.\.: unknown key"),
    "hello world": ("hello world", "not valid TOML"),
    "empty": ("", "crossbar: missing rows"),
}


@pytest.mark.parametrize("case", CONTENT)
def test_content(tmp_path: Path, case: str) -> None:
    text, words = CONTENT[case]
    path = tmp_path / "evil.toml"
    path.write_text(text, encoding="utf-8")
    refused(path, words)


def test_the_largest_file_that_reaches_the_parser(tmp_path: Path) -> None:
    """64 KiB of different keys with 32 dots each, the most the checks let through."""
    lines: list[str] = []
    while sum(len(line) for line in lines) < 64_000:
        lines.append(f"a{len(lines)}." + "b." * 31 + "c = 1\n")
    path = tmp_path / "evil.toml"
    path.write_text("".join(lines))
    refused(path, "a0: unknown table")


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "evil.toml"
    path.write_bytes(b"a = '\xff'")
    refused(path, "byte 5 is not UTF-8, expected UTF-8 text")


def test_not_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    refused(folder, "not a regular file, expected a chip description")
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    refused(pipe, "not a regular file")  # and does not wait for a writer
    refused(tmp_path / "none.toml", "cannot be read: No such file or directory")
    device = tmp_path / "zero.toml"
    device.symlink_to("/dev/zero")
    refused(device, "not a regular file")


def test_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    refused(path, "3221225472 bytes, expected at most 65536")


def test_hostile_names_on_the_command_line() -> None:
    with pytest.raises(InputError) as caught:
        load_chip("\x1b[31m" + "x" * 500)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    with pytest.raises(InputError, match="cannot be read: embedded null byte"):
        load_chip("a\0b.toml")
