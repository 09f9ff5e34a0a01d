"""The chip as it is stored beside a program, read back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ir.chip import Chip
from ir.errors import InputError
from moexbar.chips import load_chip
from moexbar.chips.sheet import chip_sheet
from moexbar.files.chip_file import read_folder_chip
from moexbar.report.plain import as_json

WORDS = {"die.width_mm": "26", "die.height_mm": "33", "die.count": "3", "link.kind": "board"}
TABLE = {"die.topology": "table", "die.links": "0-2,2-1"}


def stored(chip: Chip) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(as_json(chip_sheet(chip))))
    return data


def read(folder: Path, data: dict[str, Any]) -> Chip:
    (folder / "report.json").write_text(json.dumps({"chip": data}))
    return read_folder_chip(folder / "report.json")


@pytest.mark.parametrize("words", [{}, WORDS, WORDS | TABLE], ids=["one", "mesh", "table"])
def test_all_numbers_come_back(tmp_path: Path, words: dict[str, str]) -> None:
    chip = load_chip("hermes-mux2", words)
    back = read(tmp_path, stored(chip))
    assert back == replace(chip, description="", facts=(), open=())
    assert back.changes == chip.changes
    assert (back.dies is None) == (not words)


def test_a_chip_of_one_die_is_stored_without_them() -> None:
    assert not [
        path for path in stored(load_chip("hermes"))["fields"] if path[:4] in ("die.", "link")
    ]


def test_a_part_of_dies_is_missing(tmp_path: Path) -> None:
    data = stored(load_chip("hermes-mux2", WORDS))
    del data["fields"]["die.count"]
    with pytest.raises(InputError, match=r"chip die\.count: missing; compile again"):
        read(tmp_path, data)


@pytest.mark.parametrize("value", [3, None, "0-1,2", [[0, 1, 2]], "x"])
def test_links_that_are_none(tmp_path: Path, value: object) -> None:
    data = stored(load_chip("hermes-mux2", WORDS | TABLE))
    data["fields"]["die.links"]["value"] = value
    with pytest.raises(InputError, match=r"chip die\.links: found .*, expected pairs of dies"):
        read(tmp_path, data)


@pytest.mark.parametrize("chip", [None, [], {}, {"name": "x"}])
def test_a_report_without_a_chip(tmp_path: Path, chip: object) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"chip": chip}))
    with pytest.raises(InputError, match="chip: missing, or without name and fields"):
        read_folder_chip(tmp_path / "report.json")
