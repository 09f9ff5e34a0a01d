"""Each invariant, broken in turn, is caught by the check meant for it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ir.errors import CheckError, InputError
from ir.verify import CHECKS, check_program, verify_mapping, verify_program
from ir.verify.mapping import check_groups
from ir.verify.tiles import MappingCase
from tests.ir.verify.results import results
from tests.ir.verify.wrong.blocks import expert_twice_in_a_group
from tests.ir.verify.wrong.caches import outputs_kept_a_token_short
from tests.ir.verify.wrong.columns import unit_that_does_not_exist
from tests.ir.verify.wrong.edits import Corrupt, Make, changed, with_column, with_stacks
from tests.ir.verify.wrong.every import TABLES
from tests.ir.verify.wrong.programs import base, stepping_without_keys
from tests.ir.verify.wrong.samples import (
    embedding_on_crossbars,
    token_looked_up_before_it_is_chosen,
)
from tests.ir.verify.wrong.times import pg_driven_twice
from tests.make import compile_small, small_chip, small_workload
from tests.stacks import named

EVERY = [(make, check, corrupt) for make, table in TABLES for check, corrupt in table]


@pytest.mark.parametrize(
    ("make", "check", "corrupt"), EVERY, ids=[f"{n}-{f.__name__}" for _, n, f in EVERY]
)
def test_corruption_is_caught_by_the_check_meant_for_it(
    make: Make, check: str, corrupt: Corrupt
) -> None:
    assert faults_before(make) == []
    c = corrupt(make())
    result = results(c)[check]
    assert result != "ok"
    assert not result.startswith("not checked")
    with pytest.raises(CheckError):
        verify_mapping(c.mapping, c.workload, c.chip)
        verify_program(c)


@cache
def faults_before(make: Make) -> list[tuple[str, str]]:
    """What is wrong with the program that a corruption is made in."""
    return [found for found in results(make()).items() if found[1] != "ok"]


def test_every_check_has_a_corruption() -> None:
    assert {check for _, check, _ in EVERY} == {check.name for check in CHECKS}


def test_outputs_kept_for_tokens_that_run_again_are_counted() -> None:
    assert set(results(stepping_without_keys()).values()) == {"ok"}
    c = outputs_kept_a_token_short(stepping_without_keys())
    # prefill of 2 tokens: both run again in step 1, 2 x d 20 bytes
    assert results(c)["caches"].endswith("carries 20 bytes, expected 40")


def test_a_constant_is_made_in_the_first_step() -> None:
    """It serves every step after it, so that none makes its own."""
    c = compile_small(small_workload(layers=1, masks=True), decode=1)
    row = [op.name for op in c.workload.operators].index("mask")  # constants come first
    late = with_column(c, "step", changed(c.program.step, row, 1))
    assert "0 RESULT instructions" in results(late)["operators"]


def test_what_takes_no_time_waits_for_its_unit() -> None:
    """A constant in the middle of a job of its unit, which is free 1 ps after that."""
    c = base()
    p, row = c.program, [op.name for op in c.workload.operators].index("mask")
    assert p.busy_ps[row] == 0
    busy = np.flatnonzero((p.unit == p.unit[row]) & (p.busy_ps > 1))[0]
    for start, found in ((p.start_ps[busy] + 1, "starts at"), (p.start_ps[busy], "ok")):
        late = with_column(c, "start_ps", changed(p.start_ps, row, start))
        assert results(late)["unit-once"].split(": ")[-1].startswith(found)


def test_an_embedding_on_crossbars_waits_for_the_choice_of_its_token() -> None:
    assert set(results(embedding_on_crossbars()).values()) == {"ok"}
    c = token_looked_up_before_it_is_chosen(embedding_on_crossbars())
    assert results(c)["inputs"].endswith("expected its operator's inputs")


def test_a_stack_of_layers_in_regions_of_their_own_is_caught() -> None:
    """Neither bus goes to the other's peripheral groups."""
    c = compile_small(small_workload(), small_chip(pg={"stack_limit": 2}))
    members = named(c.mapping)
    c = with_stacks(c, (members["q0"], members["q1"]))
    assert results(c)["stacks"] == "stack 0: of layers [0, 1], expected layers of one region"


def test_an_expert_twice_in_a_group_is_refused_by_its_type_and_by_its_check() -> None:
    """The check before it misses the second copy's blocks, so that it is asked by itself."""
    c = base()
    with pytest.raises(InputError):
        replace(c.mapping.grouping.layers[0], groups=((0, 1, 1), (2, 3)))
    wrong = expert_twice_in_a_group(c)
    fault = check_groups(MappingCase(wrong.mapping, c.workload, c.chip))
    assert fault is not None
    assert fault.problem == "group 0 holds [0, 1, 1], expected each once"


def test_error_names_check_culprit_and_problem() -> None:
    c = pg_driven_twice(base())
    with pytest.raises(CheckError) as error:
        verify_program(c)
    # the MVM moved forward may also come before its LOAD: whichever is found first, it is named
    assert error.value.check in {check.name for check in CHECKS}
    assert error.value.culprit.startswith("#")
    assert " MVM " in error.value.culprit
    assert error.value.problem in str(error.value)


def test_checks_behind_a_failed_gate_are_not_run() -> None:
    c = unit_that_does_not_exist(base())
    found = check_program(c)
    assert found[0][0] == "columns"
    assert found[0][1] != "ok"
    assert {result for _, result in found[1:]} == {"not checked: columns failed"}
