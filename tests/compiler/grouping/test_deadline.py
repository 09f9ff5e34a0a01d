"""The time asked for is kept: what the deadline cuts short is an answer that does not repeat."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from compiler.grouping import REPLICATING, Calibration, group_layer
from compiler.grouping.accept import RankedModel
from compiler.grouping.aims import WORK_PER_SECOND
from compiler.grouping.local_search import improve
from compiler.grouping.objective import grouping_problem
from compiler.grouping.start import first_start, improved_start
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.arrays import Bools
from ir.routing import windows

SPANS = windows(96, 24, 12)


def trace(experts: int) -> Bools:
    """Bursts that no baseline groups as well as they can be: bool [96 tokens, experts]."""
    random = np.random.default_rng(5)
    heat = np.repeat(random.random((4, experts)) ** 3, 24, axis=0)
    return random.random((96, experts)) < heat


def test_the_deadline_is_for_a_machine_ten_times_as_slow() -> None:
    assert Watch.over(SolverOptions(time_s=4)).limit_s == 10 * 4 + 15
    assert Watch.over(SolverOptions(time_s=4, workers=2)).limit_s == 2 * (10 * 4 + 15)
    assert Watch.over(SolverOptions(time_s=4, cpu_s=3)).limit_s == 3
    assert Watch.over(SolverOptions(time_s=4, wall_s=2)).wall_s == 2
    assert not Watch().ended and Watch().left_s == math.inf


def test_the_deadline_waits_while_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that works for a tenth of the time has worked 5.5 s in 55."""
    real = time.process_time()
    monkeypatch.setattr(time, "process_time", lambda: real)
    watch = Watch.over(SolverOptions(time_s=4))
    monkeypatch.setattr(time, "process_time", lambda: real + 5.5)
    assert not watch.ended and watch.left_s == pytest.approx(49.5)
    assert watch.rest(SolverOptions(time_s=4), 9.5).most_s == pytest.approx(40)
    monkeypatch.setattr(time, "process_time", lambda: real + 55.5)
    assert watch.ended and watch.cut


@pytest.mark.parametrize("replicas", [0, 2])
@pytest.mark.parametrize("solver", REPLICATING)
def test_past_the_deadline_the_start_is_the_answer(solver: GroupingSolver, replicas: int) -> None:
    """1 ns is over before the first step; 10 s is not, and with the same work it repeats."""
    chosen, late = trace(10), SolverOptions(time_s=10, wall_s=1e-9)
    problem = grouping_problem(chosen, SPANS, 4, 3, replicas=replicas)
    fit, asked = Calibration(chosen, SPANS), GroupingOptions(solver, 3, replicas=replicas)
    found = group_layer(fit, 0, 4, asked, limits=late)
    known = found.certificate
    assert not known.deterministic
    assert known.bound <= known.value <= first_start(problem).value
    assert sorted({e for group in found.groups for e in group}) == list(range(10))
    in_time = group_layer(fit, 0, 4, replace(asked, solver="local-search")).certificate
    assert in_time.deterministic
    assert in_time.value <= known.value


def test_a_search_that_is_cut_keeps_what_it_has() -> None:
    problem = grouping_problem(trace(24), SPANS, 4)
    start, late = first_start(problem), Watch(limit_s=0.0)
    improve(problem, start.assignment, watch=late)
    assert late.cut and not late.interrupted
    in_time = Watch()
    improved_start(problem, start, SolverOptions(), in_time)
    assert not in_time.cut


def test_aims_take_work_for_the_time_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def note(_: object, assignment: object, *__: object, work: int) -> object:
        given.append(work)
        return assignment

    monkeypatch.setattr("compiler.grouping.start.improve_to_aims", note)
    problem = grouping_problem(trace(64), windows(96, 24), 8)
    start = first_start(problem)
    for seconds in (1.0, 2.0):
        improved_start(problem, start, SolverOptions(time_s=seconds), Watch())
    assert given == [WORK_PER_SECOND, 2 * WORK_PER_SECOND]


@pytest.mark.parametrize(("experts", "size", "ranks"), [(64, 8, 64), (256, 8, 111)])
def test_what_orders_groups_does_not_outgrow_the_program(
    experts: int, size: int, ranks: int
) -> None:
    """Rank r takes r terms for each group: 256 ranks and 32 groups a million, 111 ranks 197,136."""
    problem = grouping_problem(trace(experts), SPANS, size)
    assert RankedModel(problem).ordered_ranks == ranks
