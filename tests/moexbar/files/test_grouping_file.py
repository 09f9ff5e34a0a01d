"""Groups of experts read back: of one layer or several, and what is no grouping of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ir.errors import InputError
from moexbar.files.grouping_file import read_grouping

TWO = {"layers": [{"layer": 1, "groups": [[0, 3], [1, 2]]}, {"layer": 5, "groups": [[0, 1], [1]]}]}


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "groups.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_layers_asked_for_in_their_order(tmp_path: Path) -> None:
    found = read_grouping(written(tmp_path, TWO), {5: 2, 1: 4})
    assert [(g.layer, g.groups) for g in found.layers] == [
        (5, ((0, 1), (1,))),  # expert 1 has a replica
        (1, ((0, 3), (1, 2))),
    ]
    assert found.of(5).replicas == 1
    assert {g.solver for g in found.layers} == {"file"}
    assert found.of(1).certificate.objective == "as given"


def layer(**entry: Any) -> dict[str, Any]:
    return {"layers": [{"layer": 1, **entry}]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "line 1, column 2: Expecting property name enclosed in double quotes, expected"),
        ("[" * 100_000, "JSON: 100,000 levels, limit document_depth = 64"),
        ([], "layers: missing, expected a list"),
        ({"layers": {}}, "layers: missing, expected a list"),
        ({"layers": []}, "no layer 1, it has none"),
        ({"layers": [{"layer": 2}, {"layer": 3}, 4]}, "no layer 1, it has layers 2, 3"),
        ({"layers": [{"layer": 1}, {"layer": 1}]}, "layer 1: 2 entries, expected one"),
        (layer(), "layer 1: groups: expected a list of lists of expert ids"),
        (layer(groups=[0, 1]), "layer 1: groups: expected a list of lists of expert ids"),
        (layer(groups=[[0, 1], [2, 3.0]]), "layer 1: groups: expected a list of lists"),
        (layer(groups=[[0, 1], [2, True]]), "layer 1: groups: expected a list of lists"),
        (layer(groups=[[0, 1], [2]]), "layer 1: 3 experts in groups, but the trace has 4"),
        (layer(groups=[[0, 1], [2, 7]]), "layer 1: expert 7, expected each of 0 to 3"),
        (layer(groups=[[0, 1], [2, -1]]), "layer 1: expert -1, expected each of 0 to 3"),
        (layer(groups=[[0, 1, 1], [2, 3]]), "layer 1: group 0 holds an expert twice"),
    ],
    ids=str,
)
def test_what_is_no_grouping_names_file_and_layer(
    tmp_path: Path, content: Any, problem: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as raised:
        read_grouping(path, {1: 4})
    assert str(raised.value).startswith(f"{path}: {problem}")


def test_no_file_and_no_regular_one(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="expected groups as `moexbar group --json` prints"):
            read_grouping(path, {1: 4})
