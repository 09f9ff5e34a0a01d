"""Schedules made again with other times of the opcodes: pairs, ranges, and what is called equal."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import moexbar as mx
from compiler.emit.stream import Stream, Tag
from compiler.timeline.jobs import prepare
from compiler.timeline.search import best_schedule
from ir.arrays import Floats
from ir.errors import Amount, InfeasibleError, InputError
from ir.program import Opcode, Program
from ir.timing import Cost
from moexbar.bands import jitter as module
from moexbar.bands.again import Emitted
from moexbar.bands.jitter import SIZE, factors, jitter_row, quotient
from moexbar.progress import Quiet
from moexbar.report.jittered import JitterRow, QuotientRow
from moexbar.report.methods import MethodRow
from moexbar.report.plain import as_json
from tests.paths import TINY

RUNS = 3


def compiled(jitter: int) -> mx.Compilation:
    return mx.compile(
        TINY / "model.onnx",
        inputs=TINY / "inputs.npz",
        prefill=8,
        grouping=mx.GroupingOptions("lpt"),
        jitter=jitter,
        execute=False,
    )


@pytest.fixture(scope="module")
def plain() -> mx.Compilation:
    return compiled(1)


def again(done: mx.Compilation, runs: int = RUNS, seed: int = 0) -> JitterRow:
    found = jitter_row((*done.baselines, done.ours), runs, seed, Quiet())
    assert found is not None
    return found


def one_by_each(**by: float) -> Floats:
    """Factors of 1 but for some opcodes."""
    return np.array([by.get(opcode.name, 1.0) for opcode in Opcode])


def test_a_tie_moves_and_a_shorter_job_makes_a_longer_schedule() -> None:
    """ACT and NORM end at 10, so two MULs of 5 are ready on one unit; the first has 20 behind it.

    The tie goes to the first: 10 + 5 + 20 = 35. With NORM a fiftieth shorter the other is ready at
    9.8 and taken, as no unit waits: the first starts at 14.8, and 14.8 + 5 + 20 = 39.8.
    """
    stream = Stream()

    def job(opcode: Opcode, unit: int, ps: int, *reads: int) -> int:
        rows = [np.array([r]) for r in reads]
        made = stream.append(opcode, unit, Cost(ps, ps, 7), Tag(0, 0, 0), rows=1, reads=rows)
        return int(made[0])

    first, second = job(Opcode.ACT, 0, 10_000), job(Opcode.NORM, 1, 10_000)
    behind = job(Opcode.MUL, 2, 5_000, first)
    job(Opcode.MUL, 2, 5_000, second)
    job(Opcode.ADD, 3, 20_000, behind)
    draft = stream.finish()

    def end_ps(by: Floats) -> int:
        return best_schedule(prepare(draft.scaled(by), {}, 2)).end_ps

    assert end_ps(one_by_each()) == 35_000
    assert end_ps(one_by_each(NORM=0.98)) == 39_800
    assert end_ps(one_by_each(NORM=1.02)) == 35_000
    assert draft.scaled(one_by_each(NORM=0.98)).columns["energy_fj"].tolist() == [7] * 5


def test_factors_are_the_seeds_and_more_runs_begin_with_fewer() -> None:
    few, many = factors(3, 5), factors(9, 5)
    assert (len(few), len(many)) == (2, 8)
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=False))
    assert not np.array_equal(few[0], few[1]) and not np.array_equal(few[0], factors(3, 6)[0])
    drawn = np.array(many)
    assert drawn.shape == (8, len(Opcode))
    assert 1 - SIZE <= drawn.min() < 1 - SIZE / 2 and 1 + SIZE / 2 < drawn.max() <= 1 + SIZE


@pytest.mark.parametrize(
    ("values", "equal"),
    [
        ([1.0], True),
        ([1.0, 1.2], True),
        ([0.9, 1.1], True),
        ([0.8, 1.0], True),
        ([1.0004, 1.2], True),  # printed as 1.000
        ([1.0006, 1.2], False),
        ([0.8, 0.999], False),
    ],
)
def test_equal_is_a_range_with_1_in_it(values: list[float], equal: bool) -> None:
    found = quotient(values)
    assert found == QuotientRow(found.mean, min(values), max(values), equal)
    assert found.mean == pytest.approx(sum(values) / len(values))


def test_one_run_is_what_there_was(plain: mx.Compilation) -> None:
    assert plain.report.jitter is None
    assert "jitter" not in as_json(plain.report)
    assert "runs" not in repr(plain)


def test_more_runs_add_to_the_report_and_change_nothing_else(plain: mx.Compilation) -> None:
    found = compiled(RUNS)
    jitter = found.report.jitter
    assert jitter is not None and jitter == again(plain)
    assert (jitter.runs, jitter.size, jitter.seed, jitter.unfit) == (RUNS, SIZE, 0, 0)
    told, before = as_json(found.report), as_json(plain.report)
    assert told.keys() - before.keys() == {"jitter"}
    for report in (told, before):
        for method in report["methods"]:
            method.pop("compile_seconds")
    assert (told["methods"], told["gains"]) == (before["methods"], before["gains"])
    time = jitter.methods[-1].time_ns
    assert repr(found).endswith(
        f"us ({time.low / 1000:.2f}-{time.high / 1000:.2f} over {RUNS} runs)>"
    )


def test_the_first_run_is_the_reports(plain: mx.Compilation) -> None:
    found, gains = again(plain), as_json(plain.report.gains)
    assert [row.method for row in found.methods] == [row.method for row in plain.report.methods]
    for row, method in zip(found.methods, plain.report.methods, strict=True):
        assert isinstance(method, MethodRow)
        assert row.time_ns.low <= method.time_ns <= row.time_ns.high
        assert row.time_ns.low < row.time_ns.mean < row.time_ns.high
        assert (row.of_ours is None) == (row.method == "moexbar")
    assert list(found.gains) == ["sharing", "ordering", "over_paper", "over_paper_baseline"]
    for name, gain in found.gains.items():
        assert gain.low <= gains[name] <= gain.high


def test_with_factors_of_1_nothing_has_a_range(
    plain: mx.Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIZE", 0.0)
    found = again(plain)
    assert all(row.time_ns.low == row.time_ns.high for row in found.methods)
    assert all(gain.low == gain.high for gain in found.gains.values())


def test_the_same_seed_gives_the_same(plain: mx.Compilation) -> None:
    assert again(plain, seed=1) == again(plain, seed=1) != again(plain, seed=2)


def test_a_run_is_the_same_chip_for_every_method_or_left_out(
    plain: mx.Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third method does not fit in its second run of five: that run is left out of all nine."""
    given: list[Floats] = []
    timed = Emitted.timed

    def recorded(draft: Emitted, by: Floats | None = None) -> Program:
        assert by is not None
        given.append(by)
        if len(given) == 2 * 4 + 1:
            raise InfeasibleError("buffer", Amount(9, "9"), Amount(8, "8"), "bytes", "take more")
        return timed(draft, by)

    whole = again(plain, 5)
    monkeypatch.setattr(Emitted, "timed", recorded)
    found = again(plain, 5)
    assert len(given) == 9 * 4
    assert all(np.array_equal(by, given[n % 4]) for n, by in enumerate(given))
    assert (whole.unfit, found.unfit) == (0, 1)
    assert all(a.time_ns != b.time_ns for a, b in zip(whole.methods, found.methods, strict=True))


def test_no_number_of_runs() -> None:
    with pytest.raises(InputError, match="jitter: 0, expected at least 1"):
        compiled(0)


def test_a_report_with_it_is_read_back(plain: mx.Compilation, tmp_path: Path) -> None:
    report = replace(plain.report, jitter=again(plain))
    path = tmp_path / "report.json"
    path.write_text(json.dumps(as_json(report)))
    assert mx.read_report(path).jitter == report.jitter
