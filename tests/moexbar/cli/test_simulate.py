"""`moexbar simulate` on the shipped models: replay, run on other speeds, refusals."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from moexbar.__main__ import main
from tests.paths import MODELS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["token_choice", "expert_choice"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped model compiled for 16 tokens."""
    folder = tmp_path_factory.mktemp("simulate") / "out"
    words = [
        "compile",
        MODELS / f"{request.param}.onnx",
        "--inputs",
        MODELS / "heldout.npz",
        "--prefill",
        16,
        "--grouping",
        "sorted",
        "--no-baselines",
        "-o",
        folder,
    ]
    assert main([str(word) for word in words]) == 0
    return folder


def run_json(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_replay_agrees_with_the_scheduler(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_json(capsys, "simulate", compiled, "--waits", "--json")
    assert found["mode"] == "replay"
    assert found["makespan_ns"] == found["given_makespan_ns"]
    assert not [row for row in found["waits"] if row["cause"] == "late"]
    assert {row["kind"] for row in found["kinds"]} >= {"group", "bus", "dpu", "mha", "return"}
    again = run_json(capsys, "simulate", compiled, "--mode", "run", "--json")
    assert again["makespan_ns"] == found["makespan_ns"]


def test_a_slower_mvm(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = run_json(capsys, "simulate", compiled, "--set", "mvm.read_ns=260", "--json")
    assert slow["mode"] == "run"
    assert slow["makespan_ns"] > slow["given_makespan_ns"]
    stretched = run_json(capsys, "simulate", compiled, "--scale", "mvm=2", "--json")
    # the bus of --set mvm.read_ns is B vectors per MVM time, so it is slower too
    assert stretched["given_makespan_ns"] < stretched["makespan_ns"] <= slow["makespan_ns"]
    assert (slow["energies_as_compiled"], stretched["energies_as_compiled"]) == (True, False)
    assert main(["simulate", str(compiled), "--set", "mvm.read_ns=260"]) == 0
    assert "energies are those compiled for" in " ".join(capsys.readouterr().out.split())


def test_tables_fit_and_say_who_waited_for_whom(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["simulate", str(compiled), "--waits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any("held by expert" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "pg.mux=4"], "pg.mux: 4, the program was made for 2; compile for that chip"),
        (["--chip", "hermse"], "did you mean hermes"),
        (["--scale", "JUMP=2"], "no opcode 'JUMP', expected one of EMBED"),
        (["--scale", "MVM=fast"], "expected OPCODE=FACTOR like MVM=1.5"),
        (["--scale", "MVM=-1"], "expected a factor from 0 to 1000"),
        (["--mode", "replay", "--scale", "MVM=2"], "changes durations, which replay takes"),
    ],
)
def test_a_wrong_request_is_one_line(
    compiled: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    capsys.readouterr()
    assert main(["simulate", str(compiled), *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_an_illegal_program_is_refused_by_name(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pq.read_table(compiled / "program.parquet")
    starts = [int(ps) for ps in table["start_ps"].to_numpy()]
    row = table["opcode"].to_pylist().index("MVM")
    starts[row] -= 1
    index = table.schema.get_field_index("start_ps")
    pq.write_table(
        table.set_column(index, "start_ps", pa.array(starts)), tmp_path / "program.parquet"
    )
    (tmp_path / "report.json").write_bytes((compiled / "report.json").read_bytes())
    capsys.readouterr()
    assert main(["simulate", str(tmp_path), "--unchecked"]) == 4
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: check data: #{row} MVM layer 0 token ")
    assert f"found {starts[row]} ps, expected a start at {starts[row] + 1} ps or later" in line


def test_inspect_says_what_each_waited_for(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["inspect", compiled, "--opcode", "MVM", "--group-by", "expert", "--waits"]
    found = run_json(capsys, *words, "--json")["instructions"]
    experts = [row["expert"] for row in found if row["layer"] == found[-1]["layer"]]
    assert experts == sorted(experts)
    for row in found:
        assert set(row["waits_ps"]) == set(row["waited_for"])
        assert all(ps > 0 for ps in row["waits_ps"].values())
    held = [row for row in found if "unit" in row["waits_ps"] and row["expert"] >= 0]
    assert held  # some expert waited for PGs that another held
    assert main([str(word) for word in words]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = held[0]
    (line,) = [x for x in lines if f" {row['id']}  " in x]
    assert f"unit {row['waits_ps']['unit'] / 1000:.3f} #{row['waited_for']['unit']} MVM e" in line
    assert sum(line.startswith("-- layer ") for line in lines) > 2


def test_trace_of_one_layer_and_a_time_window(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.json"
    words = ["trace", compiled, "--layer", 1, "--from", 1000, "--to", 20000, "-o", file]
    assert main([str(word) for word in words]) == 0
    slices = [e for e in json.loads(file.read_text())["traceEvents"] if e["ph"] == "X"]
    assert slices
    assert {e["args"]["layer"] for e in slices} == {1}
    assert all(e["ts"] < 20 for e in slices)
    assert f"{len(slices)} instructions in" in capsys.readouterr().out
    packed = [str(word) for word in words[:-1]] + [f"{file}.gz"]
    assert main(packed) == 0
    assert gzip.decompress(Path(f"{file}.gz").read_bytes()) == file.read_bytes()
    capsys.readouterr()
    assert main([*(str(word) for word in words), "--limit", "5"]) == 0
    assert f"the first 5 of {len(slices)} instructions" in capsys.readouterr().err
    assert main(["trace", str(compiled), "--layer", "77", "-o", str(file)]) == 2
    assert "no instruction of that layer and time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("chip", "message"),
    [
        ("", "chip: missing, or without name and fields"),
        ('"chip": {"name": "x", "fields": {}}', "chip crossbar.rows: missing"),
        (
            '"chip": {"name": "x", "fields": {"crossbar.rows": {"value": "many"}}}',
            "chip crossbar.rows: found 'many', expected a count",
        ),
        ('"chip": {"name": "x", "fields": {"crossbar.rows": {"value": true}}}', "found True"),
        ('"chip": {"name": "x", "fields": []}', "chip crossbar.rows: missing"),
    ],
)
def test_a_report_that_is_none_of_ours(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], chip: str, message: str
) -> None:
    (tmp_path / "program.parquet").write_bytes((compiled / "program.parquet").read_bytes())
    (tmp_path / "report.json").write_text("{" + chip + "}")
    capsys.readouterr()
    assert main(["simulate", str(tmp_path), "--unchecked"]) == 2
    assert message in capsys.readouterr().err


def test_simulate_says_what_binds_and_what_to_change(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_json(capsys, "simulate", compiled, "--json")
    first, share = found["bound_by"][0], sum(b["share"] for b in found["bound_by"])
    assert 0.5 < share <= 1  # of the makespan, which no order can be shorter than by more
    assert first["ns"] == max(b["ns"] for b in found["bound_by"])
    assert main(["simulate", str(compiled)]) == 0
    text = capsys.readouterr().out
    assert f"{100 * first['share']:.1f} % of the time" in text
    assert first["change"] in text


def test_inspect_sums_the_waits_of_a_group(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["inspect", compiled, "--opcode", "MVM", "--group-by", "expert", "--waits"]
    found = run_json(capsys, *words, "--limit", 0, "--json")
    for group in found["groups"]:
        layer, _, expert = group["group"].removeprefix("layer ").partition(" expert ")
        rows = [
            row
            for row in found["instructions"]
            if row["expert"] == int(expert or -1) and str(row["layer"]) == layer.split()[0]
        ]
        assert group["instructions"] == len(rows)
        for cause, ps in group["waits_ps"].items():
            assert ps == sum(row["waits_ps"].get(cause, 0) for row in rows)
    capsys.readouterr()
    assert main([*(str(word) for word in words), "--limit", "3"]) == 0
    listed, table = capsys.readouterr().out.split("\n\n")
    assert len(listed.splitlines()) == 1 + 1 + 3 + 1  # heads, instructions, what is left
    assert table.startswith("expert ")
    assert max(map(len, table.splitlines())) <= 100
    assert len(table.splitlines()) == 1 + len(found["groups"])


def test_inspect_of_nothing_says_why(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(compiled), "--layer", "1", "--token", "99"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("0 of ")
    assert line.endswith("with --layer 1 matches --token 99; they have tokens 0 to 15")
    assert main(["inspect", str(compiled), "--layer", "77", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"schema": 2, "instructions": []}
    assert "none matches --layer 77" in captured.err
