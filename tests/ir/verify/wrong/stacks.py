"""Stacks that are not those said, and stacked matrices that do not take turns."""

from dataclasses import astuple, replace
from functools import cache

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from ir.stacks import Member
from tests.ir.verify.wrong.edits import (
    Tables,
    behind_another,
    changed,
    edited,
    moved,
    placed,
    with_counted,
    with_stacks,
)
from tests.ir.verify.wrong.find import block, dense, of_dense, rows, unit_of
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import named, stacks_of


@cache
def stacked() -> Compiled:
    """Correct: stacks across layers, of dense with experts, within a layer; a switch settles."""
    workload = small_workload(k=3, shared=1)
    pg = {"stack_limit": 4, "mux_settle_ps": 500, "input_buffers": 1, "retain_input": False}
    chip = small_chip(pg=pg)
    stacks = stacks_of(
        map_small(workload, chip),
        ("q0", "v1"),
        ("k0", "moe0.0.0"),
        ("moe1.0.0", "moe1.0.1"),
        ("o1", "moe0.1.1"),
    )
    return compile_small(workload, chip, stacks=stacks)


def nobody_said_to_share(c: Compiled) -> Compiled:
    return with_stacks(c)


def one_of_a_stack_not_said(c: Compiled) -> Compiled:
    (_, *rest), *others = c.mapping.stacks.stacks
    return with_stacks(c, tuple(rest), *others)


def stack_of_one_that_is_alone(c: Compiled) -> Compiled:
    first, *others = c.mapping.stacks.stacks
    return with_stacks(c, (*first, named(c.mapping)["q1"]), *others)


def stack_of_one_that_does_not_exist(c: Compiled) -> Compiled:
    first, *others = c.mapping.stacks.stacks
    return with_stacks(c, (*first, Member(1, 1, 99)), *others)


def two_stacks_said_to_be_one(c: Compiled) -> Compiled:
    """Of layers in one region, each on shared PGs; but the one's are not the other's."""
    first, second, *others = c.mapping.stacks.stacks
    return with_stacks(c, (*first, *second), *others)


@cache
def in_one_stack() -> Compiled:
    """Correct: q0 and v1 are behind the same PGs, and nothing else is shared."""
    workload, chip = small_workload(), small_chip(pg={"stack_limit": 2})
    stacks = stacks_of(map_small(workload, chip), ("q0", "v1"))
    return compile_small(workload, chip, stacks=stacks)


def stack_of_one_alone_said(c: Compiled) -> Compiled:
    return with_stacks(c, (named(c.mapping)["v1"],))


@cache
def in_no_stack() -> Compiled:
    """Correct: a chip that could have stacks, and has none."""
    return compile_small(small_workload(), small_chip(pg={"stack_limit": 2}))


def stack_over_two_regions(c: Compiled) -> Compiled:
    """The second layer's queries behind the PGs of the first one's, in the region of these."""
    one, two = (dense(c.mapping, name) for name in ("q0", "q1"))
    members = named(c.mapping)
    wrong = with_stacks(c, *c.mapping.stacks.stacks, (members["q0"], members["q1"]))
    return behind_another(wrong, one, two)


def guest_without_a_region(c: Compiled) -> Compiled:
    (region,) = c.mapping.placement.regions
    return placed(c, regions=(replace(region, guests=()),))


def two_of_a_stack_on_a_crossbar(c: Compiled) -> Compiled:
    # v1 is behind q0, on crossbar 1
    return moved(c, dense(c.mapping, "v1"), 0)


def position_beyond_the_limit(c: Compiled) -> Compiled:
    # at most 4 behind a PG: 0 to 3
    return moved(c, dense(c.mapping, "v1"), 4)


def position_of_one_in_no_stack(c: Compiled) -> Compiled:
    return moved(c, dense(c.mapping, "q1"), 1)


def expert_on_a_pg_that_is_no_expert_s(c: Compiled) -> Compiled:
    # k0's PGs are also those of the experts of group 0
    first = int(c.mapping.placement.pg_start[dense(c.mapping, "k0")])
    return placed(c, pg_class=changed(c.mapping.placement.pg_class, first, 1))


def tile_of_a_stack_on_the_pg_of_another_tile(c: Compiled) -> Compiled:
    # of the experts of group 0 one moves on by a PG, behind the same stack
    start, up = c.mapping.placement.pg_start, block(c.mapping, "up", 1)
    return placed(c, pg_start=changed(start, up, start[up] + 1))


def unit_on_other_pgs(c: Compiled) -> Compiled:
    """v1's group on PGs of its own, so that it would seem to be in no stack."""
    member = named(c.mapping)["v1"]
    units = tuple(
        replace(u, first_pg=c.mapping.placement.pgs)
        if u.kind == "group" and (u.layer, u.stage, u.group) == astuple(member)
        else u
        for u in c.program.units
    )
    assert units != c.program.units
    return replace(c, program=replace(c.program, units=units))


def pg_driven_by_two_layers_at_once(c: Compiled) -> Compiled:
    one, other = (of_dense(c, name, Opcode.MVM)[0] for name in ("q0", "v1"))
    return edited(c, "start_ps", one, c.program.start_ps[other] + 1)


def pg_driven_by_experts_and_a_dense_matrix_at_once(c: Compiled) -> Compiled:
    expert = np.flatnonzero(c.program.unit == unit_of(c, "moe0.0.0"))[0]
    return edited(c, "start_ps", of_dense(c, "k0", Opcode.MVM)[0], c.program.start_ps[expert])


def pg_driven_by_two_groups_of_a_layer_at_once(c: Compiled) -> Compiled:
    one, other = (np.flatnonzero(c.program.unit == unit_of(c, f"moe1.0.{g}"))[0] for g in (0, 1))
    return edited(c, "start_ps", one, c.program.start_ps[other])


def sums_of_two_layers_at_once(c: Compiled) -> Compiled:
    one, other = (of_dense(c, name, Opcode.ACC)[0] for name in ("q0", "v1"))
    return edited(c, "start_ps", one, c.program.start_ps[other])


def vector_of_another_layer_brought_too_early(c: Compiled) -> Compiled:
    # one entry: k0's vector is in it until its MVM has ended
    held = of_dense(c, "k0", Opcode.MVM)[-1]
    p, group = c.program, unit_of(c, "moe0.0.0")
    filled = p.dst.rows()[p.dst.values == group][0]
    return edited(c, "start_ps", filled, p.end_ps[held] - 1)


def vector_brought_between_two_uses_of_the_last(c: Compiled) -> Compiled:
    # a vector for both groups of layer 1's stack is needed until the second MVM ends; the next one
    # comes when the first has ended
    p = c.program
    one, other = (unit_of(c, f"moe1.0.{g}") for g in (0, 1))
    for load in rows(p, Opcode.LOAD, layer=1):
        if {one, other} <= set(p.dst[load].tolist()):
            readers = np.unique(p.reads.rows()[p.reads.values == load])
            users = readers[np.isin(p.unit[readers], (one, other))]
            to = np.unique(p.dst.rows()[np.isin(p.dst.values, (one, other))])
            later = to[p.start_ps[to] >= p.end_ps[users].max()]
            if len(later):
                return edited(c, "start_ps", later[0], p.end_ps[users].min())
    raise AssertionError("no vector for both")


def switch_that_does_not_settle(c: Compiled) -> Compiled:
    row = of_dense(c, "v1", Opcode.MVM)[0]
    faster = edited(c, "duration_ps", row, c.program.duration_ps[row] - 500)
    return edited(faster, "busy_ps", row, c.program.busy_ps[row] - 500)


def switch_where_there_is_none(c: Compiled) -> Compiled:
    row = of_dense(c, "q1", Opcode.MVM)[0]
    slower = edited(c, "duration_ps", row, c.program.duration_ps[row] + 500)
    return edited(slower, "busy_ps", row, c.program.busy_ps[row] + 500)


def a_switch_less(c: Compiled) -> Compiled:
    return with_counted(c, "switched_crossbars", -1)


def experts_counted_without_the_dense_pgs_of_their_stacks(c: Compiled) -> Compiled:
    # k0's 15 PGs are among the 18 of group 0: none of them is a dense one
    return with_counted(c, "dense_pgs", 15)


TABLES: Tables = [
    (
        stacked,
        [
            ("stacks", nobody_said_to_share),
            ("stacks", one_of_a_stack_not_said),
            ("stacks", stack_of_one_that_is_alone),
            ("stacks", stack_of_one_that_does_not_exist),
            ("stacks", two_stacks_said_to_be_one),
            ("regions", guest_without_a_region),
            ("crossbars", two_of_a_stack_on_a_crossbar),
            ("group-sharing", two_of_a_stack_on_a_crossbar),
            ("mux", position_beyond_the_limit),
            ("mux", position_of_one_in_no_stack),
            ("mux", expert_on_a_pg_that_is_no_expert_s),
            ("group-sharing", tile_of_a_stack_on_the_pg_of_another_tile),
            ("units", unit_on_other_pgs),
            ("pg-once", pg_driven_by_two_layers_at_once),
            ("pg-once", pg_driven_by_experts_and_a_dense_matrix_at_once),
            ("pg-once", pg_driven_by_two_groups_of_a_layer_at_once),
            ("unit-once", sums_of_two_layers_at_once),
            ("input-buffers", vector_of_another_layer_brought_too_early),
            ("input-buffers", vector_brought_between_two_uses_of_the_last),
            ("duration", switch_that_does_not_settle),
            ("duration", switch_where_there_is_none),
            ("inventory", a_switch_less),
            ("inventory", experts_counted_without_the_dense_pgs_of_their_stacks),
        ],
    ),
    (in_one_stack, [("stacks", stack_of_one_alone_said)]),
    (in_no_stack, [("stacks", stack_over_two_regions)]),
]
