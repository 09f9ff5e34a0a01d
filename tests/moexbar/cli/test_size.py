"""`moexbar size` on the command line: its JSON, its tables, its refusals."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from moexbar.__main__ import main
from moexbar.report.schema import document_schema

WORDS = ("size", "--area", "1500", "--rate", "1e5", "--tokens", "5e9", "--experts", "1,8")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(words))
    shown = capsys.readouterr()
    return code, shown.out, " ".join(shown.err.split())


def test_json_is_as_its_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    more = (
        "--area",
        "2500",
        "--experts",
        "8",
        "--mux",
        "4",
        "--batch",
        "32",
        "--frontier",
        "2",
        "--json",
    )
    code, shown, _ = run(capsys, *WORDS, *more)
    assert code == 0
    found: Any = json.loads(shown)
    assert not list(Draft202012Validator(document_schema("size")).iter_errors(found))
    assert (found["tokens_per_s"], found["batch"], found["best"]["mux"]) == (1e5, 32, 4)
    assert found["best"]["most_tokens_per_s"] >= 1e5
    assert len(found["frontier"]) == 2


def test_the_answer_stands_beside_the_best_without_experts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, shown, _ = run(capsys, *WORDS, "--frontier", "3")
    assert code == 0
    lines = [line.split() for line in shown.splitlines()]
    assert lines[0] == "model experts mux layers width active total loss mm2".split()
    best, dense = lines[1][1:], lines[2][2:]
    assert lines[2][:2] == ["no", "experts"]
    assert float(best[-2]) < float(dense[-2])
    assert "area binds: " in shown
    assert "not counted: buffers" in shown
    assert "OUTSIDE" not in shown


def test_outside_its_range_it_is_refused_without_the_flag(
    capsys: pytest.CaptureFixture[str],
) -> None:
    far = [word if word != "5e9" else "1e12" for word in WORDS]
    code, shown, said = run(capsys, *far)
    assert (code, shown) == (2, "")
    assert "size: tokens: 1T, but the scaling law was fitted to 500M to 80B tokens" in said
    assert "--beyond" in said
    small = [word if word != "1500" else "200" for word in WORDS]
    code, _, said = run(capsys, *small)
    assert code == 2
    assert "within the law's range" in said
    assert "--beyond" in said


def test_numbers_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = run(capsys, *WORDS, "--mux", "2,x")
    assert code == 2
    assert "--mux: '2,x', expected whole numbers such as 1,2,4" in said
