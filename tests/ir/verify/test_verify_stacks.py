"""Correct programs of random stacks pass every check, in all shapes that pass without stacks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ir.arrays import Bools
from ir.program import Opcode, Program
from ir.stacks import NO_STACKS, Member
from ir.verify import check_mapping, check_program
from tests.ir.verify.test_verify_accepts import SHAPES
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import named, random_stacks, stacks_of

LIMIT = 6  # crossbars behind a peripheral group; the shapes have groups of at most four


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=SHAPES)
def test_a_program_of_random_stacks_passes_every_check(number: int) -> None:
    workload, changes, window = list(SHAPES.values())[number]
    settled = small_chip(**changes)
    chip = replace(settled, pg=replace(settled.pg, stack_limit=LIMIT))
    model = small_workload(**workload)
    same = {name: window[name] for name in ("pack", "copies") if name in window}
    alone = map_small(model, chip, **same)
    stacks = random_stacks(alone, chip, number)
    assert stacks.stacks
    done = compile_small(model, chip, stacks=stacks, **window)
    found = check_mapping(done.mapping, done.workload, done.chip) + check_program(done)
    assert [(check, what) for check, what in found if what != "ok"] == []
    assert done.mapping.placement.pgs < alone.placement.pgs
    assert pgs_one_at_a_time(done.program)


def pgs_one_at_a_time(program: Program) -> bool:
    """Whether no peripheral group has two MVMs at once, by looking at each."""
    busy: dict[int, list[tuple[int, int]]] = {}
    for row in np.flatnonzero(program.opcode == Opcode.MVM).tolist():
        unit = program.units[int(program.unit[row])]
        for pg in range(unit.first_pg, unit.first_pg + unit.pgs):
            start = int(program.start_ps[row])
            busy.setdefault(pg, []).append((start, start + int(program.busy_ps[row])))
    return all(
        end <= start for times in busy.values() for (_, end), (start, _) in pairwise(sorted(times))
    )


def test_two_groups_of_a_layer_in_one_stack_take_turns() -> None:
    """All tokens to one expert of either group: apart both compute at once, in a stack never.

    12 tokens x 2 groups x 10 ns behind the one, and half as long behind the two.
    """
    chip = small_chip(pg={"stack_limit": 4})
    model = small_workload(layers=1)
    chosen = {0: np.tile([True, False, True, False], (12, 1))}
    alone = compile_small(model, chip, tokens=12, chosen=chosen)
    stacks = stacks_of(alone.mapping, ("moe0.0.0", "moe0.0.1"))
    done = compile_small(model, chip, tokens=12, chosen=chosen, stacks=stacks)
    spans = []
    for c in (alone, done):
        p = c.program
        rows = np.flatnonzero((p.opcode == Opcode.MVM) & (p.expert >= 0) & (p.stage == 0))
        assert len(rows) == 24
        spans.append(int(p.end_ps[rows].max() - p.start_ps[rows].min()))
        assert pgs_one_at_a_time(p)
    assert spans[1] >= 24 * 10_000
    assert spans[0] < 24 * 10_000
    loads = [np.unique(c.program.dst.rows()[_to_experts(c.program)]) for c in (alone, done)]
    assert len(loads[0]) == len(loads[1]) == 12  # one broadcast to both all the same


def _to_experts(program: Program) -> Bools:
    """Entries of `dst` that are a first stage of experts."""
    mine = [u.name.startswith("group.") and u.stage == 0 for u in program.units]
    return np.array(mine)[program.dst.values]


def test_an_mvm_of_a_dense_matrix_waits_for_the_switch_in_a_stack_alone() -> None:
    """10 ns; 0.5 ns more behind a switch. Experts of one to a group have none unless in a stack."""
    chip = small_chip(pg={"mux": 1, "stack_limit": 2, "mux_settle_ps": 500})
    model = small_workload(layers=1)
    stacks = stacks_of(map_small(model, chip), ("q0", "moe0.0.3"), ("k0", "v0"))
    done = compile_small(model, chip, stacks=stacks)
    p, settled = done.program, {"q0", "moe0.0.3", "k0", "v0"}
    names = {member: name for name, member in named(done.mapping).items()}
    for row in np.flatnonzero(p.opcode == Opcode.MVM).tolist():
        unit = p.units[int(p.unit[row])]
        name = names[Member(unit.layer, unit.stage, unit.group)]
        assert p.duration_ps[row] == p.busy_ps[row] == 10_000 + 500 * (name in settled), name
    # q0 15 tiles, expert 3 18, of which 15 share; k0 and v0 15 each
    assert p.inventory.switched_crossbars == 4 * 15


def test_the_crossbars_of_a_stack_count_once_for_what_they_are() -> None:
    """Two experts behind 18 PGs, and 15 of the same for q0; every crossbar is there as before."""
    chip = small_chip(pg={"stack_limit": 3})
    model = small_workload(layers=1)
    alone = compile_small(model, chip)
    stacks = stacks_of(alone.mapping, ("moe0.0.0", "q0"))
    before, after = (
        compile_small(model, chip, stacks=given).program.inventory for given in (NO_STACKS, stacks)
    )
    assert after.expert_crossbars == before.expert_crossbars
    assert after.dense_crossbars == before.dense_crossbars
    assert after.expert_pgs == before.expert_pgs
    assert after.dense_pgs == before.dense_pgs - 15
    assert before.switched_crossbars == before.expert_crossbars  # mux 2
    assert after.switched_crossbars == before.switched_crossbars + 15
