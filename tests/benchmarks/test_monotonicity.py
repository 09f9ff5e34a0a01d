"""A slower unit does not make a program faster: a few triples of the benchmark."""

import pytest

from benchmarks.monotonicity import SLOWER, jobs_on, measure, slowed, table
from compiler.timeline.search import best_schedule
from ir.chip import Chip
from ir.compiled import Compiled
from tests.make import compile_small, small_chip


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_small(tokens=12)


def test_the_time_falls_by_at_most_one_per_cent(compiled: Compiled) -> None:
    falls = measure([("small", compiled)], 12, seed=3)
    assert len(falls.names) == 12
    assert max(falls.best) <= 0.01
    assert "12 triples of seed 3" in table(falls, 3)


def test_a_number_made_worse_is_larger_or_a_rate_smaller() -> None:
    chip: Chip = small_chip(mvm={"read_ps": 1000})
    slower = slowed(chip, "mvm", "read_ps", 0.25)
    assert slower is not None
    assert slower.mvm.read_ps == 1250
    rate = slowed(chip, "digital", "macs_per_ns", 0.5)
    assert rate is not None
    assert rate.digital.macs_per_ns == int(chip.digital.macs_per_ns / 1.5)
    assert ("digital", "smooth_ps") in SLOWER


def test_the_best_is_no_longer_than_the_program_s_own_time(compiled: Compiled) -> None:
    jobs, _ = jobs_on(compiled, compiled.chip)
    best = best_schedule(jobs).end_ps
    assert best == int(compiled.program.end_ps.max())
