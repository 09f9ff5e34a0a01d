"""times.json: what a clock said is apart, and still nobody else's file is ever replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from ir.certificate import Certificate
from ir.errors import InputError
from ir.stacks import Stacking
from moexbar.exploration.folder import finish, prepare
from moexbar.files.folder import publish
from moexbar.files.manifest import MARK, TIMES
from moexbar.files.stacks_file import stacks_json
from moexbar.report.times import without_times


def write(out: Path, seconds: float) -> None:
    with publish(out, "compile") as draft:
        (draft.folder / "report.json").write_text('{"seconds": null}')
        draft.times["seconds"] = seconds


def test_a_report_without_its_times() -> None:
    told: dict[str, Any] = {
        "methods": [{"compile_seconds": 1.5, "does_not_fit": None}],
        "layers": [{"grouping": {"seconds": 2, "deterministic": True}}],
        "placement": {"seconds": None, "seconds_like": 3},
    }
    plain, times = without_times(told)
    assert times == {"methods.0.compile_seconds": 1.5, "layers.0.grouping.seconds": 2}
    assert plain == {
        "methods": [{"compile_seconds": None, "does_not_fit": None}],
        "layers": [{"grouping": {"seconds": None, "deterministic": True}}],
        "placement": {"seconds": None, "seconds_like": 3},
    }
    assert told["methods"][0]["compile_seconds"] == 1.5  # as it was


def test_the_manifest_of_equal_runs_is_equal(tmp_path: Path) -> None:
    write(tmp_path / "one", 1.0)
    write(tmp_path / "two", 2.0)
    assert (tmp_path / "one" / MARK).read_bytes() == (tmp_path / "two" / MARK).read_bytes()
    listed = json.loads((tmp_path / "one" / MARK).read_text())["files"]
    assert listed[TIMES] is None
    assert listed["report.json"] is not None
    assert json.loads((tmp_path / "two" / TIMES).read_text())["seconds"] == {"seconds": 2.0}


def test_a_file_of_stacks_has_no_times() -> None:
    known = [Certificate("bins", 3, 2, "feasible", seconds=took) for took in (1.0, 2.0)]
    one, two = (stacks_json(Stacking((), "cp-sat", certificate)) for certificate in known)
    assert one == two
    assert one["certificate"]["seconds"] is None


def test_replaced_as_all_else(tmp_path: Path) -> None:
    write(tmp_path / "out", 1.0)
    write(tmp_path / "out", 2.0)
    assert json.loads((tmp_path / "out" / TIMES).read_text())["seconds"] == {"seconds": 2.0}


def test_changed_by_somebody_it_stays(tmp_path: Path) -> None:
    write(tmp_path / "out", 1.0)
    found = json.loads((tmp_path / "out" / TIMES).read_text())
    (tmp_path / "out" / TIMES).write_text(json.dumps(found | {"remark": "slow"}))
    with pytest.raises(InputError, match=r"'times\.json' \(changed since\)"):
        write(tmp_path / "out", 2.0)


def swept(out: Path, timing: str) -> None:
    """The folder of a sweep that is done."""
    prepare(out)
    (out / "results.csv").write_text("point\n1\n")
    (out / "timings.csv").write_text(timing)
    (out / "journal.sqlite").write_text(f"journal {timing}")
    finish(out)


def test_a_sweeps_times_too(tmp_path: Path) -> None:
    swept(tmp_path / "one", "1.0")
    swept(tmp_path / "two", "2.0")
    assert (tmp_path / "one" / MARK).read_bytes() == (tmp_path / "two" / MARK).read_bytes()
