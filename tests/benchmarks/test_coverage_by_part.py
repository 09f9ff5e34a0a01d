"""Coverage by part, from a report made up: two files of the verifier, one of the rest of ir/."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.coverage_by_part import by_part, main


def file(statements: int, executed: int, branches: int, *left: tuple[int, int]) -> dict[str, Any]:
    summary = {
        "num_statements": statements,
        "covered_lines": executed,
        "num_branches": branches,
        "covered_branches": branches - len(left),
    }
    return {"summary": summary, "missing_branches": [list(pair) for pair in left]}


REPORT = {
    "files": {
        "ir/verify/a.py": file(10, 9, 4, (3, 5)),
        "ir/verify/b.py": file(5, 5, 2),
        "ir/npz.py": file(3, 3, 0),
        "ir/chip/a.py": file(20, 20, 20, (7, -6)),
        "tests/x.py": file(9, 0, 9),
    }
}


def test_parts_are_sums_of_their_files() -> None:
    parts = by_part(REPORT)
    assert (parts["verifier"].executed, parts["verifier"].statements) == (14, 15)
    assert parts["verifier"].share == 5 / 6
    assert parts["verifier"].left == (("ir/verify/a.py", 3, 5),)
    assert parts["loaders"].share == 1.0  # no branch
    assert parts["ir"].share == 0.95  # npz is of the loaders
    assert parts["compiler"].branches == 0


@pytest.mark.parametrize("full", [True, False])
def test_a_part_below_what_is_asked_is_told(
    full: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "coverage.json"
    given = {**REPORT["files"], "ir/verify/a.py": file(10, 10, 4)} if full else REPORT["files"]
    report.write_text(json.dumps({"files": given}), encoding="utf-8")
    assert main([str(report), "--left"]) == (0 if full else 1)
    told = capsys.readouterr().out
    assert ("ir/verify/a.py:3 -> 5" in told) != full
    assert "ir/chip/a.py" not in told  # 95 % will do there
