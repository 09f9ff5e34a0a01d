"""`moexbar reproduce`: the table and the machine's form."""

import json

import pytest
from jsonschema import Draft202012Validator

from moexbar.__main__ import main
from moexbar.report.schema import document_schema
from moexbar.reproduce import suite
from moexbar.reproduce.suite import Reproduction, plan, reproduce


@pytest.fixture(scope="module")
def found() -> Reproduction:
    """The runs of 8 tokens, made once."""
    begun: list[str] = []
    made = reproduce(0, 8, begun.append)
    assert len(begun) == plan(8)
    return made


@pytest.fixture(autouse=True)
def made_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command shows those runs instead of making them again."""
    if "found" in request.fixturenames:
        made = request.getfixturevalue("found")
        monkeypatch.setattr(suite, "reproduce", lambda *_: made)


@pytest.mark.usefixtures("found")
def test_json_has_rows_with_their_reference_and_every_cache_mode(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reproduce", "--longest", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    Draft202012Validator(document_schema("reproduce")).validate(found)
    keys = {"time_ns", "energy_nj", "adds_ns", "mvm_energy_nj", "mvm_count", "dram_kv_ns"}
    assert len(found["rows"]) == len(found["in_pg"]) == 3
    for row in found["rows"]:
        assert keys | {"name", "reference", "seconds", "instructions"} == set(row)
        assert set(row["reference"]) == keys
    # two places of accumulation x four modes of 8 tokens
    modes = [(c["accumulate"], c["generated"], c["kv"], c["go"]) for c in found["caches"]]
    assert modes == [
        (where, 8, kv, go)
        for where in ("dpu", "pg")
        for kv, go in ((False, False), (True, False), (False, True), (True, True))
    ]
    assert [c["time_gain"] for c in found["caches"] if not (c["kv"] or c["go"])] == [1.0, 1.0]
    # two unshared methods, then the paper's and ours at mux 1, 2, 4, 8
    assert [row["mux"] for row in found["area_efficiency"]] == [1, 1, 1, 1, 2, 2, 4, 4, 8, 8]
    assert found["area_efficiency"][0]["times_unshared_serial"] == [1.0, 1.0, 1.0]
    assert {row["published"] for row in found["area_efficiency"]} == {2.2}


@pytest.mark.usefixtures("found")
def test_tables_fit_100_columns_and_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--longest", "8"]) == 0
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 100
    for word in ("reference", "ours", "one digital job per output column", "published", "in PGs"):
        assert word in text


def test_runs_are_counted_before_they_begin() -> None:
    """On both chips 3 rows and 4 modes of 8 to 128 tokens, or of 8 and 32; and the areas."""
    assert plan() == 2 * (3 + 16) + 1
    assert plan(63) == 2 * (3 + 8) + 1


def test_fewer_than_8_tokens_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--longest", "7"]) == 2
    assert "--longest" in capsys.readouterr().err
