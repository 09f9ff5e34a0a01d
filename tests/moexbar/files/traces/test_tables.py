"""Tables as traces or counts: CSV, Parquet and JSONL of the same columns, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ir.errors import InputError
from ir.load import Load
from ir.routing import Routing
from moexbar.files.traces.axes import Axes
from moexbar.files.traces.read import read_trace
from moexbar.files.traces.reading import Reading, RoutingLimits

CHOICES = np.array([[[0, 1], [2, -1], [3, 0]], [[1, 0], [0, 2], [3, 1]]], dtype=np.int16)
GATES = np.array(
    [[[0.6, 0.4], [1.0, 0.0], [0.7, 0.3]], [[0.9, 0.1], [0.8, 0.2], [0.5, 0.25]]], dtype=np.float32
)


def rows() -> list[dict[str, Any]]:
    """One row a pair of CHOICES, shuffled."""
    every = [
        {
            "layer": layer + 5,
            "token": t + 10,
            "expert": int(e),
            "rank": k,
            "gate": float(GATES[layer, t, k]),
        }
        for (layer, t, k), e in np.ndenumerate(CHOICES)
        if e >= 0
    ]
    return [every[i] for i in np.random.default_rng(0).permutation(len(every))]


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    """The rows in the form that the ending says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    else:
        sign = "\t" if path.suffix == ".tsv" else ","
        lines = [sign.join(table[0])] + [sign.join(map(str, row.values())) for row in table]
        path.write_text("\n".join(lines) + "\n")
    return path


def trace(path: Path, **asked: Any) -> Routing:
    found = read_trace(path, Reading(**asked))
    assert isinstance(found, Routing)
    return found


def text(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n" if lines else "")
    return path


def refused(path: Path, message: str, **asked: Any) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_trace(path, Reading(**asked))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_a_row_for_each_pair(tmp_path: Path, suffix: str) -> None:
    found = trace(write(tmp_path / f"r{suffix}", rows()))
    assert found.choices is not None and found.weights is not None
    assert found.layer.tolist() == [5, 6]
    assert found.num_experts.tolist() == [4, 4]
    assert np.array_equal(found.choices, CHOICES)
    assert np.array_equal(found.weights[CHOICES >= 0], GATES[CHOICES >= 0])


def test_without_ranks_the_gates_order_and_else_the_rows(tmp_path: Path) -> None:
    some = [{k: v for k, v in row.items() if k != "rank"} for row in rows()]
    found = trace(write(tmp_path / "r.csv", some))
    assert found.choices is not None
    assert np.array_equal(found.choices, CHOICES)  # its gates fall along k
    plain = text(tmp_path / "p.csv", "layer,token,expert", "0,0,3", "0,1,2", "0,0,1")
    assert trace(plain).choices.tolist() == [[[3, 1], [2, -1]]]  # type: ignore[union-attr]


def test_a_table_of_ours_is_read_back(tmp_path: Path) -> None:
    """`Routing.to_arrow` with its sequences; its gates are null where it has none."""
    given = Routing(np.array([1, 4]), np.array([4, 4]), np.array([0, 0, 7]), CHOICES)
    pq.write_table(given.to_arrow(), tmp_path / "r.parquet")
    found = trace(tmp_path / "r.parquet")
    assert found.weights is None
    assert found.sequence.tolist() == [0, 0, 7]
    for row in range(2):
        assert np.array_equal(found.matrix(row), given.matrix(row))


def test_tokens_may_be_numbered_within_their_sequence(tmp_path: Path) -> None:
    path = text(
        tmp_path / "r.csv",
        "sequence,layer,token,expert",
        "7,0,1,2",
        "3,0,0,1",
        "7,0,0,0",
        "3,0,1,3",
    )
    found = trace(path)
    assert found.sequence.tolist() == [3, 3, 7, 7]
    assert found.choices is not None and found.choices[0, :, 0].tolist() == [1, 3, 0, 2]


def test_other_names_signs_and_floats(tmp_path: Path) -> None:
    path = text(
        tmp_path / "r.csv", "\ufeffLayer_ID;Token_Idx;note;Expert_ID", "0;0;x;1.0", "0;1;;3"
    )
    assert trace(path).choices.tolist() == [[[1], [3]]]  # type: ignore[union-attr]


def test_no_expert_is_empty_or_minus_1_and_keeps_its_token(tmp_path: Path) -> None:
    path = text(tmp_path / "r.csv", "layer,token,expert", "0,0,1", "0,1,", "0,2,-1", "1,0,3")
    found = trace(path)
    assert found.choices is not None
    assert found.choices[:, :, 0].tolist() == [[1, -1, -1], [3, -1, -1]]
    refused(path, "column expert, row 4: 3, expected -1 or 0 to 2", num_experts=3)
    assert trace(path, num_experts=9).num_experts.tolist() == [9, 9]


def test_counts(tmp_path: Path) -> None:
    path = text(tmp_path / "r.csv", "layer_id,expert_id,count", "3,0,34", "3,2,5", "1,1,7")
    found = read_trace(path)
    assert isinstance(found, Load)
    assert found.layer.tolist() == [1, 3]
    assert found.counts.tolist() == [[[0, 7, 0], [34, 0, 5]]]
    path = text(tmp_path / "r.csv", "step,layer,expert,load", "8,0,0,1", "9,0,0,2", "9,0,1,3")
    found = read_trace(path)
    assert isinstance(found, Load)
    assert found.counts.tolist() == [[[1, 0]], [[2, 3]]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "not a readable table: Empty CSV file"),
        (["layer,token,expert"], "no rows, expected at least one"),
        (["0,0,1", "0,1,2"], "columns '0', '0', '1', expected layer, token, expert"),
        (["layer,expert", "0,1"], "columns layer, expert: neither token nor count, expected layer"),
        (["layer,token,expert,count", "0,0,1,2"], "both token and count"),
        (
            ["layer,layer_id,expert,count", "0,0,1,2"],
            "columns 'layer' and 'layer_id', expected one",
        ),
        (["layer,token,expert", "0,0,1", "0,1,2.5"], "column expert, row 2: 2.5, expected a whole"),
        (["layer,token,expert", "0,0,1", "0,,2"], "column token, row 2: empty, expected a whole"),
        (["layer,token,expert", "0,0,1", "-1,1,2"], "column layer, row 2: -1, expected at least 0"),
        (["layer,token,expert", "0,0,1", "0,1,-2"], "column expert, row 2: -2, expected -1 or 0"),
        (["layer,token,expert", "0,0,1", "0,1,abc"], "not a readable table: .*Row #3: .*'abc'"),
        (["layer,token,expert", "0,0,1", "0,1"], "not a readable table: .*Row #3.*columns, got 2"),
        (["layer,token,expert", "0,0,1", "0,1,2", "0,0,1"], "rows 1 and 3: the same layer, token"),
        (["layer,token,expert", "0,0,99999999999"], "100000000000 to 100000000000, expected 1 to"),
        (["layer,token,expert,gate", "0,0,1,0.5", "0,1,2,inf"], "column gate, row 2: inf"),
        (["layer,token,expert,gate", "0,0,1,0.5", "0,1,2,"], "column gate, row 2: nan"),
        (["layer,expert,count", "0,0,5", "0,1,-3"], "column count, row 2: -3, expected at least 0"),
        (
            ["layer,expert,count", "0,0,5", "0,1,nan"],
            "column count, row 2: empty, expected a whole",
        ),
        (["layer,expert,count", "0,0,5", "0,1,2.5"], "column count, row 2: 2.5, expected a whole"),
        (
            ["layer,expert,count", "0,0,5", "0,-1,2"],
            "column expert, row 2: -1, expected at least 0",
        ),
        (["layer,expert,count", "0,0,5", "0,0,2"], "rows 1 and 2: the same layer and expert twice"),
    ],
)
def test_csv_refusals(tmp_path: Path, lines: list[str], message: str) -> None:
    refused(text(tmp_path / "r.csv", *lines), message)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1 is no JSON object"),
        (["[1, 2]"], "line 1 is no JSON object, expected one object a line; keys: layer, token"),
        (['{"a": 1}'], "columns 'a', expected layer, token, expert"),
        (['{"layer":0,"token":0,"expert":1}', '{"layer":0,"expert":1}'], "column token, row 2: em"),
        (['{"layer":0,"token":0,"expert":1}', '{"layer":0,"token":1,"expert":[1]}'], "to array"),
        (['{"layer":0,"token":0,"expert":1}', '{"layer":0,"token":1,"expert":"a"}'], "to string"),
        (['{"layer":0,"token":0,"expert":1}', '{"layer":0,"tok'], "not a readable table: JSON"),
    ],
)
def test_jsonl_refusals(tmp_path: Path, lines: list[str], message: str) -> None:
    refused(text(tmp_path / "r.jsonl", *lines), message)


def test_parquet_refusals(tmp_path: Path) -> None:
    path = write(tmp_path / "r.parquet", rows())
    whole = path.read_bytes()
    for end in (0, 4, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        path.write_bytes(whole[:end])
        refused(path, "not a readable table")
    pq.write_table(pa.table({"layer": [0], "token": [1], "expert": [[2, 3]]}), path)
    refused(path, "column expert: list<element: int64>, expected numbers")
    pq.write_table(pa.table({"layer": ["a"], "token": [1], "expert": [2]}), path)
    refused(path, "column layer: string, expected numbers")


def test_a_small_file_of_many_rows_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """3 equal columns of 4 million rows: 96 MB in a file of less than 64 kB; limit 64 MiB."""
    path, same = tmp_path / "r.parquet", pa.array(np.zeros(4_000_000, dtype=np.int64))
    pq.write_table(pa.table({"layer": same, "token": same, "expert": same}), path)
    assert path.stat().st_size < 64_000
    refused(path, "4000000 rows need 96000000 bytes, limit 67108864; .*--limit bytes=96000000")


def test_a_few_rows_do_not_make_a_huge_array(tmp_path: Path) -> None:
    """Token n in layer n alone: 9000 rows, but 9000 x 9000 places of 2 bytes."""
    path = text(tmp_path / "r.csv", "layer,token,expert", *(f"{n},{n},0" for n in range(9000)))
    refused(path, "an array of 9000 x 9000 x 1 needs 162000000 bytes, limit 67108864; .*bytes=162")
    limits = RoutingLimits.of(["bytes=162000000"])
    assert trace(path, limits=limits).tokens == 9000


def test_what_is_no_file_of_numbers(tmp_path: Path) -> None:
    refused(tmp_path / "missing.csv", "No such file")
    (tmp_path / "folder.csv").mkdir()
    refused(tmp_path / "folder.csv", "a folder, expected a table of a routing trace")
    axes = Axes(("tokens", "k"))
    with pytest.raises(InputError, match=r"--axes: tokens,k, but .* is a table; leave it out"):
        read_trace(write(tmp_path / "r.csv", rows()), Reading(axes))


def test_broken_tables_never_escape_as_anything_else(tmp_path: Path) -> None:
    refusals = 0
    for suffix in (".csv", ".parquet", ".jsonl"):
        whole = write(tmp_path / f"r{suffix}", rows()).read_bytes()
        path = tmp_path / f"broken{suffix}"
        step = max(1, len(whole) // 150)
        for i in range(0, len(whole), step):
            for broken in (whole[:i], whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :]):
                path.write_bytes(broken)
                try:
                    read_trace(path)
                except InputError:
                    refusals += 1
    assert refusals > 150


def test_a_table_longer_than_the_limit(tmp_path: Path) -> None:
    """The line of names is 19 bytes, the row 6."""
    path = text(tmp_path / "r.csv", "layer,token,expert", "0,1,2")
    assert trace(path, limits=RoutingLimits.of(["bytes=25"])).tokens == 1
    with pytest.raises(InputError, match=r"r\.csv: 25 bytes, limit 24; .*--limit bytes=25"):
        trace(path, limits=RoutingLimits.of(["bytes=24"]))
