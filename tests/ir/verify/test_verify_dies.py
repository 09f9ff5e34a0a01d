"""Correct programs on random dies pass every check and replay, in all shapes of one die."""

import numpy as np
import pytest

from backends.simulate import replay
from ir.program import Opcode
from ir.verify import check_mapping, check_program
from tests.dies import JOINED, at_random, die_chip
from tests.ir.verify.test_verify_accepts import SHAPES
from tests.make import compile_small, small_workload


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=SHAPES)
def test_a_program_on_random_dies_passes_every_check(number: int) -> None:
    workload, changes, window = list(SHAPES.values())[number]
    dies = list(JOINED.values())[number % len(JOINED)]
    chip = die_chip(dies, **changes)
    done = compile_small(small_workload(**workload), chip, sites=at_random(dies, number), **window)
    found = check_mapping(done.mapping, done.workload, done.chip) + check_program(done)
    assert [result for result in found if result[1] != "ok"] == []
    assert np.any(done.program.opcode == Opcode.CROSS)
    replay(done.program, done.chip)
