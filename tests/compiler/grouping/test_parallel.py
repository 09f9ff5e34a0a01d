"""Layers grouped at once in processes, and what Ctrl-C leaves of them."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import grouping, stages
from compiler.grouping import Calibration, Job, LayerAnswer, group_layer, parallel
from compiler.grouping.objective import Found
from compiler.grouping.parallel import Answers, solve_jobs
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.routing import windows


def fit(layer: int, experts: int = 8) -> Calibration:
    random = np.random.default_rng(layer)
    return Calibration(random.random((24, experts)) < 0.3, windows(24, 8, 8))


def job(layer: int, experts: int = 8, solver: GroupingSolver = "local-search") -> Job:
    limits = SolverOptions(time_s=0.05, wall_s=600)  # a busy machine gives the same answer
    return Job(layer, fit(layer, experts), 3, GroupingOptions(solver), limits)


@pytest.mark.slow
def test_answers_do_not_depend_on_the_processes() -> None:
    """Three searches on two processes; each layer is told as it ends."""
    jobs, told = [job(n) for n in range(3)], list[str]()
    alone, beside = solve_jobs(jobs), solve_jobs(jobs, 2, told.append)
    assert sorted(told) == ["layer 0", "layer 1", "layer 2"]
    assert not beside.interrupted
    for one, other in zip(alone.answers, beside.answers, strict=True):
        assert one is not None and other is not None
        assert one.grouping.groups == other.grouping.groups
        known = (replace(a.grouping.certificate, seconds=0.0) for a in (one, other))
        assert next(known) == next(known)


def test_a_process_takes_no_job_after_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a job it is busy, so that a signal ends the job and not the process."""
    seen = list[bool]()

    def solved(asked: Job) -> LayerAnswer:
        seen.append(parallel._WORKER.busy)
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "_WORKER", parallel._Worker())
    monkeypatch.setattr(parallel, "solve_layer", solved)
    assert parallel._solve(job(0)) is None
    assert (seen, parallel._WORKER.busy) == ([True], False)
    monkeypatch.setattr(parallel._WORKER, "number", 2)
    assert parallel._solve(job(0)) is None
    assert seen == [True]


def test_ctrl_c_is_raised_where_one_answer_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = job(0)
    answer = grouping.solve_layer(asked, begin=True)
    assert answer.found.interrupted
    monkeypatch.setattr(grouping, "solve_layer", lambda _: answer)
    with pytest.raises(KeyboardInterrupt):
        group_layer(fit(0), 0, 3, asked.options)
    monkeypatch.setattr(stages, "solve_jobs", lambda *_: Answers((answer,), interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        stages.group_layers([asked], 1)


def test_ctrl_c_while_an_answer_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(problem: object, watch: Watch) -> Found | None:
        watch.interrupted = True
        return None

    monkeypatch.setattr(grouping, "proven_at_once", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grouping.solve_at_once(job(0, 6, "cp-sat"))
