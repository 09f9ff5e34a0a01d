"""What attentions wait for, in nanoseconds by hand; and no bound is above the best of all orders.

In the small programs loads take the bus, products a group, additions one of two digital units.
"""

from itertools import permutations

import numpy as np
import pytest

from backends.bounds import lower_bounds, pools
from ir.program import Opcode, Program, Unit
from tests.backends.simulate.by_hand import BUS, DPU, GROUP, OTHER, UNITS, Job, program

MHA = len(UNITS)


def attention(*reads: int, length: int = 10) -> Job:
    return Job(Opcode.ATTN, MHA, 0, length, reads=reads)


def load(length: int = 10) -> Job:
    return Job(Opcode.LOAD, BUS, 0, length)


def product(*reads: int, group: int = GROUP) -> Job:
    return Job(Opcode.MVM, group, 0, 10, reads=reads)


def add(*reads: int, length: int = 10, busy: int = -1) -> Job:
    return Job(Opcode.ADD, DPU, 0, length, reads=reads, busy=busy)


def made(*jobs: Job) -> Program:
    return program(*jobs, units=(*UNITS, Unit("mha", "mha0")))


def segments(*jobs: Job) -> float:
    return lower_bounds(made(*jobs)).segments_ps / 1000


def test_work_between_jobs_of_two_layers_adds_up() -> None:
    # 10 + three products on one group, 30, + 10 + three on another, 30, + 10
    jobs = [attention(), *(product(0) for _ in range(3)), attention(1, 2, 3)]
    jobs += [*(product(4, group=OTHER) for _ in range(3)), attention(5, 6, 7)]
    found = lower_bounds(made(*jobs))
    assert found.segments_ps == 90_000
    # each of two groups alone: 30; a chain: 10 + 10 + 10 + 10 + 10
    assert (found.busiest_ps, found.critical_path_ps) == (30_000, 50_000)
    assert {part.name: part.ps for part in found.parts} == {
        "group.0.0.0": 30_000,
        "group.0.0.1": 30_000,
        "mha": 30_000,
    }


def test_a_later_job_of_a_stream_waits_for_the_work_of_all_before() -> None:
    # four loads, 40: three for the first job, one for the second; that one, 1, and its products, 30
    jobs = [load(), load(), load(), load(), attention(0, 1, 2, length=1), attention(3, 4, length=1)]
    jobs += [product(5), product(5), product(5)]
    assert segments(*jobs) == 40 + 1 + 30


def test_a_later_job_of_a_stream_may_have_its_own_work_done_first() -> None:
    # its load and an addition of 20 end at 30, as do the loads of the first job: 30, not 30 + 20
    # (that the first job, 1, comes between is not seen: the best order takes 62)
    jobs = [load(), load(), load(), add(2, length=20)]
    jobs += [attention(0, 1, length=1), attention(3, 4, length=1)]
    jobs += [product(5), product(5), product(5)]
    assert segments(*jobs) == 30 + 1 + 30


def test_jobs_that_do_not_read_each_other_wait_for_their_own_work() -> None:
    # of two sequences, 20 of loads each: the longer job goes first, 20 to 50, the other at 50
    jobs = [load(), load(), load(), load()]
    jobs += [attention(0, 1, length=1), attention(2, 3, length=30)]
    assert segments(*jobs) == 20 + 31


def test_the_work_that_comes_late_counts_from_when_it_can_start() -> None:
    # a product at 0, two after an addition of 50, each with an addition of 7 behind it:
    # 50 + 20 + 7, although three products take 30; then the attention and three of its products
    jobs = [product(), add(length=50), product(1), product(1), add(2, length=7), add(3, length=7)]
    jobs += [attention(0, 4, 5), *(product(6, group=OTHER) for _ in range(3))]
    assert segments(*jobs) == 50 + 20 + 7 + 10 + 30


def test_what_follows_the_work_counts_to_the_join() -> None:
    # two loads, 20, each with an addition of 7 that does not use the bus
    jobs = [load(), load(), add(0, length=7), add(1, length=7), attention(2, 3)]
    assert segments(*jobs) == 20 + 7 + 10


def test_equal_units_share_the_work() -> None:
    # 5 x 10 on two units: 25, rounded up to no whole job; then the attention
    jobs = [*(add() for _ in range(5)), attention(*range(5))]
    assert segments(*jobs) == 25 + 10


def test_a_unit_that_is_free_before_its_result_is_there() -> None:
    # busy 4 of 10: the fifth of two units starts at 8 and is there at 18; 5 x 4 / 2 + 6 = 16
    jobs = [*(add(busy=4) for _ in range(5)), attention(*range(5))]
    assert segments(*jobs) == 16 + 10


def test_the_end_of_the_program_waits_for_all_work_of_a_unit() -> None:
    # loads for the attention, 20, and two more for nobody, 20: the bus is the last to end
    jobs = [load(), load(), attention(0, 1, length=1), load(), load()]
    assert segments(*jobs) == 40


def drawn(rng: np.random.Generator) -> Program:
    """Six instructions on some units, each of which reads some of those before."""
    kinds = (load, product, lambda *r: product(*r, group=OTHER), add, attention, attention)
    jobs: list[Job] = []
    for row in range(6):
        made_by = kinds[rng.integers(len(kinds))]
        reads = tuple(np.flatnonzero(rng.random(row) < 0.4).tolist())
        length = int(rng.integers(1, 6))
        busy = int(rng.integers(length + 1)) if rng.random() < 0.3 else -1
        job = made_by() if made_by is load else made_by(*reads)
        jobs.append(Job(job.opcode, job.unit, 0, length, reads=job.reads, busy=busy))
    return made(*jobs)


def shortest(given: Program) -> int:
    """The shortest time of all orders, each unit taking the earliest place it has in the order."""
    pool = pools(given)
    best = int(given.duration_ps.sum())
    for order in permutations(range(len(given))):
        free = [[0] * size for size in pool.size.tolist()]
        end: dict[int, int] = {}
        for row in order:
            if not all(read in end for read in given.reads[row].tolist()):
                break
            units = free[int(pool.of_unit[given.unit[row]])]
            start = max([min(units), *(end[read] for read in given.reads[row].tolist())])
            units[units.index(min(units))] = start + int(given.busy_ps[row])
            end[row] = start + int(given.duration_ps[row])
        else:
            best = min(best, max(end.values()))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_no_bound_is_above_the_shortest_of_all_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    met = 0
    for _ in range(15):
        given = drawn(rng)
        found, best = lower_bounds(given), shortest(given)
        assert max(found.critical_path_ps, found.busiest_ps) <= found.segments_ps <= best
        assert sum(part.ps for part in found.parts) == found.bound_ps
        met += found.bound_ps == best
    assert met >= 12  # of 15: bounds this small are seldom below
