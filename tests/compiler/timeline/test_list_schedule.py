"""The list schedule, on drafts small enough to follow by hand."""

import numpy as np
import pytest

from compiler.emit.stream import Draft, Stream, Tag
from compiler.timeline.jobs import prepare
from compiler.timeline.list_schedule import Times, list_schedule
from compiler.timeline.rules import RULES, with_turns
from compiler.timeline.search import best_schedule
from ir.errors import CheckError
from ir.program import Opcode
from ir.timing import Cost


def job(stream: Stream, unit: int, ps: int, *reads: int, priority: int = 0, busy: int = -1) -> int:
    cost = Cost(ps, ps if busy < 0 else busy, 0)
    ids = stream.append(
        Opcode.DIGITAL,
        unit,
        cost,
        Tag(0, 0, priority),
        rows=1,
        reads=[np.array([r]) for r in reads],
    )
    return int(ids[0])


def by_draft(draft: Draft, servers: dict[int, int], entries: int) -> Times:
    jobs = prepare(draft, servers, entries)
    return list_schedule(jobs, jobs.priority)


def starts(draft: Draft, servers: dict[int, int] | None = None, entries: int = 2) -> list[int]:
    return [int(ps) for ps in by_draft(draft, servers or {}, entries).start_ps]


def test_data_before_use_and_one_job_at_a_time() -> None:
    stream = Stream()
    first = job(stream, 0, 10)
    job(stream, 1, 5, first)  # waits for the data
    job(stream, 0, 7)  # waits for the unit
    assert starts(stream.finish()) == [0, 10, 10]


def test_lower_priority_number_goes_first_then_lower_id() -> None:
    stream = Stream()
    job(stream, 0, 10, priority=0)
    job(stream, 0, 1, priority=9)
    job(stream, 0, 1, priority=5)
    job(stream, 0, 1, priority=5)
    assert starts(stream.finish()) == [0, 12, 10, 11]


def test_a_pipelined_unit_takes_the_next_job_while_the_last_is_under_way() -> None:
    stream = Stream()
    first = job(stream, 0, 100, busy=30)
    job(stream, 0, 100, busy=30)
    job(stream, 1, 1, first)
    assert starts(stream.finish()) == [0, 30, 100]


def test_a_pool_serves_as_many_as_it_has() -> None:
    stream = Stream()
    for _ in range(3):
        job(stream, 0, 10)
    times = by_draft(stream.finish(), {0: 2}, 2)
    assert times.start_ps.tolist() == [0, 0, 10]
    assert sorted(times.unit[:2].tolist()) == [0, 1]


def test_an_input_buffer_holds_so_many_vectors_and_no_more() -> None:
    # bus = unit 0 (5 ps a load), group = unit 1 (10 ps an MVM), three tokens
    stream = Stream()
    for _ in range(3):
        load = job(stream, 0, 5)
        stream.link("dst", np.array([load]), np.array([1]))
        stream.mark_last_readers(np.array([job(stream, 1, 10, load)]))
    draft = stream.finish()
    # one entry: each load waits for the MVM before; two: loads run under the MVMs
    assert starts(draft, entries=1)[::2] == [0, 15, 30]
    assert starts(draft, entries=2)[::2] == [0, 5, 15]


def test_a_load_that_must_wait_does_not_hold_up_the_bus() -> None:
    # two groups, one entry each: the second load of group 1 waits, the one of group 2 goes
    stream = Stream()
    for group in (1, 1, 2):
        load = job(stream, 0, 5)
        stream.link("dst", np.array([load]), np.array([group]))
        stream.mark_last_readers(np.array([job(stream, group, 50, load)]))
    assert starts(stream.finish(), entries=1)[::2] == [0, 55, 5]


def test_chained_jobs_start_in_order() -> None:
    stream = Stream()
    slow = job(stream, 1, 40)
    first = job(stream, 0, 5, slow)
    second = job(stream, 0, 5)
    stream.link("chained", np.array([second]), np.array([first]))
    assert starts(stream.finish()) == [0, 40, 45]


def test_a_circle_is_a_fault_and_named() -> None:
    stream = Stream()
    first = job(stream, 0, 5)
    second = job(stream, 0, 5, first)
    stream.link("after", np.array([first]), np.array([second]))
    with pytest.raises(CheckError, match="never start"):
        starts(stream.finish())


def test_an_entry_left_by_one_that_must_wait_serves_another() -> None:
    # LOAD a fills groups 1 and 2; group 2 is taken for long, so b may use group 1 meanwhile
    stream = Stream()
    hold = job(stream, 3, 1)
    stream.link("dst", np.array([hold]), np.array([2]))
    stream.mark_last_readers(np.array([job(stream, 2, 100, hold)]))
    for groups in ((1, 2), (1,)):
        load = job(stream, 0, 5)
        stream.link("dst", np.full(len(groups), load), np.array(groups))
        for group in groups:
            stream.mark_last_readers(np.array([job(stream, group, 10, load)]))
    assert starts(stream.finish(), entries=1) == [0, 1, 101, 106, 106, 0, 5]


def test_many_waiting_loads_stay_fast() -> None:
    # each freed entry wakes one load, not all: linear in the tokens
    stream = Stream()
    for _ in range(3000):
        load = job(stream, 0, 1)
        stream.link("dst", np.array([load]), np.array([1]))
        stream.mark_last_readers(np.array([job(stream, 1, 10, load)]))
    assert starts(stream.finish(), entries=2)[-1] == 1 + 2999 * 10


def test_the_best_schedule_is_never_longer_than_the_draft_s_own() -> None:
    # unit 0 takes 10 ps of each of three tokens, unit 1 then 30 of the last. Tokens in turn:
    # 10 + 10 + 10 + 30; the longest chain first: 10 + max(30, 10 + 10).
    stream = Stream()
    job(stream, 0, 10, priority=0)
    job(stream, 0, 10, priority=1)
    job(stream, 1, 30, job(stream, 0, 10, priority=2))
    jobs = prepare(stream.finish(), {}, 2)
    assert list_schedule(jobs, jobs.priority).end_ps == 60
    assert best_schedule(jobs).end_ps == 40


def test_a_schedule_whose_values_have_room_goes_before_a_shorter_one() -> None:
    stream = Stream()
    job(stream, 0, 10, priority=0)
    job(stream, 0, 10, priority=1)
    job(stream, 1, 30, job(stream, 0, 10, priority=2))
    jobs = prepare(stream.finish(), {}, 2)
    assert best_schedule(jobs, lambda times: times.end_ps > 40).end_ps == 60
    assert best_schedule(jobs, lambda times: False).end_ps == 40  # none has room: the shortest


def test_mvms_keep_their_turns_under_every_rule() -> None:
    # two MVMs on one group that experts share: the second has the longer chain behind it
    stream = Stream()
    cost = Cost(10, 10, 0)
    for slot in (0, 1):
        stream.append(Opcode.MVM, 0, cost, Tag(0, 0, slot), rows=1)
    job(stream, 1, 90, 1, priority=2)
    jobs = prepare(stream.finish(), {}, 2)
    for rule in RULES:
        assert with_turns(jobs, rule(jobs))[:2].tolist() == [0, 1]
    assert best_schedule(jobs).start_ps.tolist() == [0, 10, 20]
