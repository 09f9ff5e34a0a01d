"""Lower bounds: by hand on a few instructions, and below every program's makespan."""

from typing import Any

import numpy as np
import pytest

from backends.bounds import lower_bounds
from ir.program import Opcode
from ir.schedule import Caches
from tests.compiler.emit.test_streams import in_tiles, streaming
from tests.make import compile_small, small_chip, small_workload

TWO = np.array([0, 0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"tokens": 1},
        {"tokens": 24},
        {"sequence": TWO},
        {"lockstep": True},
        {"decode": 3},
        {"sequence": TWO, "decode": 2, "caches": Caches(kv=False)},
    ],
    ids=str,
)
@pytest.mark.parametrize("expert_choice", [False, True])
def test_no_bound_is_above_the_makespan(shape: dict[str, Any], expert_choice: bool) -> None:
    done = compile_small(small_workload(expert_choice=expert_choice, shared=1), **shape)
    bounds = lower_bounds(done.program)
    assert 0 < bounds.critical_path_ps <= done.program.makespan_ps
    assert 0 < bounds.busiest_ps <= done.program.makespan_ps
    assert 0 < bounds.segments_ps <= done.program.makespan_ps
    assert bounds.bound_ps == max(bounds.critical_path_ps, bounds.busiest_ps, bounds.segments_ps)


@pytest.mark.parametrize(
    "shape",
    [
        {"tokens": 24},
        {"tokens": 24, "lockstep": True},
        {"tokens": 17, "copies": 2},
        {"sequence": TWO},
        {"sequence": TWO, "decode": 2},
        {"sequence": TWO, "decode": 2, "caches": Caches(kv=False)},
    ],
    ids=str,
)
@pytest.mark.parametrize("tile", [1, 3, 8])
def test_no_bound_of_a_stream_is_above_the_makespan(
    monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any], tile: int
) -> None:
    in_tiles(monkeypatch, tile)
    done = compile_small(streaming(small_workload(layers=3, shared=1)), **shape)
    bounds = lower_bounds(done.program)
    assert np.count_nonzero(done.program.opcode == Opcode.ATTN) > 3
    assert max(bounds.critical_path_ps, bounds.busiest_ps) <= bounds.segments_ps
    assert bounds.segments_ps <= done.program.makespan_ps
    assert sum(part.ps for part in bounds.parts) == bounds.bound_ps


def test_segments_of_one_token_are_its_critical_path() -> None:
    # one token, one expert per group at a time: nothing runs beside the chain but what it waits for
    done = compile_small(small_workload(k=1), tokens=1)
    bounds = lower_bounds(done.program)
    assert bounds.segments_ps == bounds.critical_path_ps


def test_work_between_two_attentions_cannot_move_past_them() -> None:
    # 40 tokens, one digital unit: between its two attentions (and before and after them) the unit
    # has all of a layer's work, which adds up to more than its critical path
    chip = small_chip(digital={"dpus": 1})
    done = compile_small(small_workload(), chip, tokens=40)
    program, bounds = done.program, lower_bounds(done.program)
    attention = program.opcode == Opcode.ATTN
    assert attention.sum() == 2
    on_dpu = np.array([program.units[u].kind == "dpu" for u in program.unit])
    busy = int(program.busy_ps[on_dpu].sum())
    assert bounds.segments_ps >= busy + int(program.duration_ps[attention].sum())
