"""The pace of decode steps: by hand from the program's SAMPLEs, and above its bounds."""

import numpy as np

from backends.pace import pace
from ir.program import Opcode
from tests.make import compile_small, small_workload


def test_no_steps_no_pace() -> None:
    assert pace(compile_small(tokens=4).program) is None


def test_a_step_is_the_time_from_sample_to_sample() -> None:
    """One sequence: three steps from the end of the prefill's SAMPLE to the end of the program."""
    program = compile_small(tokens=6, decode=3).program
    found = pace(program)
    assert found is not None
    ends = program.end_ps[program.opcode == Opcode.SAMPLE]
    assert (found.batch, found.sampled) == (1, 3)
    assert found.window_ps == program.makespan_ps - int(ends.min())
    assert found.step_ps == found.window_ps / 3
    assert np.isclose(found.tokens_per_s * found.window_ps, 3e12)
    assert 0 < found.bound_ps <= found.step_ps
    assert found.binds == "chain"  # one sequence alone


def test_sequences_count_together() -> None:
    """Two sequences of two steps: at most four tokens, and a unit works for both of them."""
    sequence = np.array([0, 0, 0, 1, 1, 1])
    both = pace(compile_small(small_workload(), sequence=sequence, decode=2).program)
    assert both is not None
    assert both.batch == 2
    assert 2 <= both.sampled <= 4
    assert both.step_ps == 2 * both.window_ps / both.sampled
    one = pace(compile_small(small_workload(), tokens=3, decode=2).program)
    assert one is not None
    assert both.busiest_ps > one.busiest_ps
