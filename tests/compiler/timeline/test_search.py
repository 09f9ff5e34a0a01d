"""The search over list schedules, on a job shop small enough to follow by hand."""

from typing import Any

import numpy as np
import pytest

from compiler.emit.stream import Stream
from compiler.timeline import justify, search
from compiler.timeline.jobs import Jobs, prepare
from compiler.timeline.justify import latest_starts
from compiler.timeline.list_schedule import list_schedule
from compiler.timeline.rules import RULES, with_turns
from compiler.timeline.search import FEWEST, best_schedule
from tests.compiler.timeline.test_list_schedule import job


def shop(*chains: list[tuple[int, int]]) -> Jobs:
    """Chains of (unit, ps), the first with the lowest priority number."""
    stream = Stream()
    for turn, chain in enumerate(chains):
        before: tuple[int, ...] = ()
        for unit, ps in chain:
            before = (job(stream, unit, ps, *before, priority=turn),)
    return prepare(stream.finish(), {}, 2)


# All that unit 1 does, 2 + 3 + 3 + 5 + 1, is 14 ps.
SHOP = ([(1, 2), (2, 3), (2, 3)], [(0, 3), (1, 3), (1, 3)], [(1, 5), (1, 1), (2, 4)])


def test_latest_starts_count_what_a_chain_waits_for_behind_it() -> None:
    # In turn a, b, c of 10 ps on unit 0; then 5 on unit 1 after a, 30 on unit 2 after b and c: 80.
    # Backwards unit 2 takes c's 30 and then b's, so b must end 60 before the end and c 30, a 5.
    jobs = shop([(0, 10), (1, 5)], [(0, 10), (2, 30)], [(0, 10), (2, 30)])
    times = list_schedule(jobs, jobs.priority)
    assert times.end_ps == 80
    latest = latest_starts(jobs, times)
    assert latest.tolist() == [-15, -5, -70, -60, -40, -30]
    assert list_schedule(jobs, latest).end_ps == 70


def test_what_no_rule_finds() -> None:
    jobs = shop(*SHOP)
    by_rule = [list_schedule(jobs, with_turns(jobs, rule(jobs))).end_ps for rule in RULES]
    assert min(by_rule) == 15
    assert best_schedule(jobs).end_ps == 14


def test_it_ends_where_none_can_be_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted(monkeypatch)
    assert best_schedule(shop([(0, 10), (1, 5)])).end_ps == 15  # one chain
    assert len(made) == len(RULES)
    made.clear()
    assert best_schedule(shop([(0, 10)], [(0, 10)])).end_ps == 20  # one unit
    assert len(made) == len(RULES)


@pytest.mark.parametrize("schedules", [FEWEST, 9, 25, 30])
def test_work_is_counted(monkeypatch: pytest.MonkeyPatch, schedules: int) -> None:
    made = counted(monkeypatch)
    rng = np.random.default_rng(3)
    chains = [[(int(u), 1 + int(ps)) for u, ps in rng.integers(0, 9, (6, 2))] for _ in range(30)]
    best_schedule(shop(*chains), work=180 * schedules)
    assert schedules - 2 <= len(made) <= schedules


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Jobs]:
    """The jobs of every list schedule that is made from here on."""
    made: list[Jobs] = []

    def counting(jobs: Jobs, priority: Any) -> Any:
        made.append(jobs)
        return list_schedule(jobs, priority)

    monkeypatch.setattr(search, "list_schedule", counting)
    monkeypatch.setattr(justify, "list_schedule", counting)
    return made
