"""Experts that stay digital, listed or from a file."""

import json
from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.files.digital_file import read_digital


def test_listed_or_as_accuracy_prints_them(tmp_path: Path) -> None:
    assert read_digital("1:0,3:12") == ((1, 0), (3, 12))
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"digital": [{"layer": 3, "expert": 12, "rms": 0.1}]}))
    assert read_digital(str(file)) == ((3, 12),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1, column 2: .*, expected JSON"),
        ('{"digital": []}', "digital: expected a list of experts"),
        ("[]", "digital: expected a list of experts"),
        ('{"digital": [{"layer": 1}]}', "expected a layer and an expert"),
    ],
)
def test_other_files_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_digital(str(file))


def test_neither(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected LAYER:EXPERT, several with commas, or a file"):
        read_digital("4")


@pytest.mark.parametrize("given", ["1:" + "9" * 5000, "1:0, " * 100, "a\0b"])
def test_what_is_neither_and_can_be_no_file(given: str) -> None:
    """A number that Python does not read, and names that no system takes."""
    with pytest.raises(InputError, match="expected LAYER:EXPERT, several with commas, or a file"):
        read_digital(given)
