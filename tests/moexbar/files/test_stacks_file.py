"""Stacks written and read back, and what is no such file."""

import json
from pathlib import Path
from typing import Any

import pytest

from ir.certificate import Certificate
from ir.errors import InputError
from ir.stacks import Member, Stacking
from moexbar.files.stacks_file import FORMAT, read_stacks, stacks_json

ONE, TWO = Member(0, 0, 3), Member(16, 1, 3)


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "stacks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_written_and_read_back(tmp_path: Path) -> None:
    stacking = Stacking(((ONE, TWO), (Member(1, 0, 0), Member(1, 1, 0))), "cp-sat")
    form = stacks_json(stacking)
    assert form == {
        "format": "moexbar-stacks 1",
        "solver": "cp-sat",
        "certificate": None,
        "stacks": [
            [{"layer": 0, "stage": 0, "group": 3}, {"layer": 16, "stage": 1, "group": 3}],
            [{"layer": 1, "stage": 0, "group": 0}, {"layer": 1, "stage": 1, "group": 0}],
        ],
    }
    assert read_stacks(written(tmp_path, form)) == Stacking(stacking.stacks, "file")
    proven = Stacking((), "none", Certificate("ps", 0, 0, "optimal (bound)"))
    assert stacks_json(proven)["certificate"]["status"] == "optimal (bound)"
    assert read_stacks(written(tmp_path, stacks_json(proven))).stacks == ()


def stacks(*entries: Any) -> dict[str, Any]:
    return {"format": FORMAT, "stacks": [list(entries)]}


M = {"layer": 0, "stage": 0, "group": 3}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "line 1, column 2: Expecting property name enclosed in double quotes, expected JSON"),
        ([], "format: missing, expected 'moexbar-stacks 1'"),
        ({"format": "moexbar stacks 2"}, "format: 'moexbar stacks 2', expected 'moexbar-stacks 1'"),
        ({"format": FORMAT}, "stacks: missing, expected a list of stacks"),
        ({"format": FORMAT, "stacks": {}}, "stacks: {}, expected a list of stacks"),
        ({"format": FORMAT, "stacks": [3]}, "stacks[0]: 3, expected a list of fire groups"),
        (stacks(M, 4), "stacks[0][1]: 4, expected an object of layer, stage and group"),
        (stacks({"layer": 0, "stage": 0}), "stacks[0][0]: {'layer': 0, 'stage': 0}, expected"),
        (stacks(M | {"pg": 1}), "stacks[0][0]: {'layer': 0, 'stage': 0, 'group': 3, 'pg': 1}, ex"),
        (stacks(M | {"group": -1}), "stacks[0][0].group: -1, expected a whole number"),
        (stacks(M | {"group": True}), "stacks[0][0].group: True, expected a whole number"),
        (stacks(M | {"layer": "0"}), "stacks[0][0].layer: '0', expected a whole number"),
        (stacks(M, M), "stack 0: holds layer 0 stage 0 group 3, which another place of the"),
    ],
    ids=str,
)
def test_anything_else_names_file_and_field(tmp_path: Path, content: Any, problem: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as raised:
        read_stacks(path)
    assert str(raised.value).startswith(f"{path}: {problem}")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected stacks of the form 'moexbar-stacks 1'"):
        read_stacks(tmp_path / "none.json")
