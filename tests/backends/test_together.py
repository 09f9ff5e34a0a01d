"""The time of the MoE part: layers that are at work at once count once."""

from dataclasses import replace

import numpy as np
import pytest

from backends.cost import cost, together_ps
from tests.compiler.emit.test_streams import streaming
from tests.make import compile_small, small_chip, small_workload


def spans(*pairs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return pairs


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (spans(), 0),
        (spans((5, 5)), 0),
        (spans((3, 10)), 7),
        (spans((0, 4), (6, 9)), 7),  # a gap between
        (spans((0, 4), (4, 9)), 9),  # one after the other
        (spans((0, 6), (4, 9)), 9),  # 4 to 6 once
        (spans((0, 10), (2, 3), (4, 5)), 10),  # one within the other
        (spans((0, 10), (2, 3), (9, 12)), 12),  # the first lasts beyond the second
        (spans((0, 4), (0, 4)), 4),
        (spans((6, 9), (0, 4)), 7),  # in any order
        (spans((0, 0), (0, 4), (2, 2), (8, 8)), 4),  # what takes no time
        (spans((3, 5), (3, 9), (1, 4)), 8),
    ],
)
def test_together(given: tuple[tuple[int, int], ...], wanted: int) -> None:
    assert together_ps(given) == wanted


def test_against_every_moment() -> None:
    """Random spans, counted moment by moment."""
    random = np.random.default_rng(0)
    for count in range(1, 40):
        begin = random.integers(0, 60, count)
        given = np.stack([begin, begin + random.integers(0, 12, count)], axis=1)
        busy = np.zeros(100, dtype=np.bool_)
        pairs = [(one, other) for one, other in given.tolist()]
        for one, other in pairs:
            busy[one:other] = True
        assert together_ps(pairs) == busy.sum()


def test_layers_of_a_stream_overlap() -> None:
    """Where tokens stream the parts are at work at once; behind a barrier one after the other."""
    workload, chip = small_workload(), small_chip()
    for proven in (True, False):
        done = compile_small(streaming(workload, proven=proven), chip, tokens=12)
        report = cost(done.program, chip)
        each = [part.time_ps for part in report.moe]
        overlap = sum(each) - report.moe_time_ps
        assert len(each) == 2
        assert report.moe_time_ps >= max(each)
        assert (overlap > 0) is proven


def test_a_program_without_experts() -> None:
    done = compile_small(small_workload(layers=1))
    report = replace(cost(done.program, small_chip()), moe=())
    assert report.moe_time_ps == 0
    assert report.moe_gops_per_mm2 is None
