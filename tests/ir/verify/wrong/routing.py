"""Pairs of token and expert that are not run once, in their group, in turn, after their router."""

from dataclasses import replace
from functools import cache

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from tests.backends.functional import mutate
from tests.ir.verify.forms.rare import FORMS
from tests.ir.verify.wrong.edits import Corrupt, Tables, edited, in_step
from tests.ir.verify.wrong.find import routed, rows
from tests.ir.verify.wrong.programs import base, in_lockstep, on_digital_units
from tests.make import compile_small, small_chip, small_workload


def pair_run_by_another_expert(c: Compiled) -> Compiled:
    # experts 0 and 1 are one group: the unit stays right, but now one pair is missing
    row = next(r for r in routed(c.program, Opcode.MVM, stage=1) if c.program.expert[r] < 2)
    return edited(c, "expert", row, 1 - c.program.expert[row])


def pair_of_another_token(c: Compiled) -> Compiled:
    row = routed(c.program, Opcode.MVM, stage=0, token=0)[0]
    return edited(c, "token", row, 1)


def expert_on_another_group(c: Compiled) -> Compiled:
    p = c.program
    here = routed(p, Opcode.MVM, stage=0, layer=0)
    other = next(r for r in here if p.unit[r] != p.unit[here[0]])
    return edited(c, "unit", here[0], p.unit[other])


def turns_swapped(c: Compiled) -> Compiled:
    p = c.program
    here = routed(p, Opcode.MVM, stage=0, layer=0)
    one, other = here[p.unit[here] == p.unit[here[0]]][:2]
    return edited(c, "start_ps", [one, other], p.start_ps[[other, one]])


def another_slot(c: Compiled) -> Compiled:
    return edited(c, "slot", routed(c.program, Opcode.MVM)[0], 10**6)


def slot_of_no_turn(c: Compiled) -> Compiled:
    return edited(c, "slot", routed(c.program, Opcode.MVM, stage=0)[0], -1)


def slot_before_the_last_has_ended(c: Compiled) -> Compiled:
    p = c.program
    late = routed(p, Opcode.MVM, stage=0, layer=0, slot=1)[0]
    before = routed(p, Opcode.MVM, stage=0, layer=0, slot=0)
    return edited(c, "start_ps", late, p.end_ps[before].max() - 1)


def lockstep_not_said(c: Compiled) -> Compiled:
    return replace(c, program=replace(c.program, lockstep=(0,)))


def expert_before_its_router(c: Compiled) -> Compiled:
    p = c.program
    row = routed(p, Opcode.MVM, stage=0, layer=0)[0]
    top = rows(p, Opcode.TOPK, layer=0, token=int(p.token[row]))[0]
    return edited(c, "start_ps", row, p.end_ps[top] - 1)


def digital(opcode: str) -> Corrupt:
    """An instruction of a digital expert gone, done twice, or another expert's."""

    def corrupt(c: Compiled) -> Compiled:
        p = c.program
        row = int(np.flatnonzero((p.opcode == Opcode.DIGITAL) & (p.expert >= 0))[0])
        if opcode == "gone":
            return replace(c, program=mutate.drop(p, row))
        if opcode == "twice":
            return replace(c, program=mutate.duplicate(p, row, p.makespan_ps))
        return edited(c, "expert", row, 0)

    corrupt.__name__ = f"digital_expert_{opcode}"
    return corrupt


@cache
def in_lockstep_beside_a_shared_expert() -> Compiled:
    """Correct: one layer, whose shared expert waits for no slot."""
    workload, chip = small_workload(layers=1, k=3, shared=1), small_chip(pg={"retain_input": False})
    return compile_small(workload, chip, lockstep=True)


def lockstep_of_one_of_two_layers(c: Compiled) -> Compiled:
    """The other one, on the same experts, runs ahead."""
    first, second = c.schedule.steps[0].layers
    free = replace(second, order=replace(second.order, lockstep=False))
    return in_step(c, 0, layers=(first, free))


@cache
def experts_in_the_first_layer_alone() -> Compiled:
    """Correct: the second layer's groups of PGs are numbered from 0 on, as experts' are."""
    return compile_small(small_workload(dense_layers=(1,)))


def expert_on_the_pgs_of_a_product(c: Compiled) -> Compiled:
    """A pair of group 0 runs on group 0 of the layer that has no experts."""
    p = c.program
    row = next(int(r) for r in routed(p, Opcode.MVM, stage=0) if p.units[p.unit[r]].group == 0)
    keys = [(u.kind, u.layer, u.stage, u.group) for u in p.units]
    return edited(c, "unit", row, keys.index(("group", 1, 0, 0)))


def slot_of_digital_experts(c: Compiled) -> Compiled:
    """As that of the last instruction of all, which is a STORE done again."""
    p = c.program
    store = int(routed(p, Opcode.STORE)[0])
    more = mutate.duplicate(p, store, p.makespan_ps)
    slot = np.where((more.opcode == Opcode.DIGITAL) & (more.expert >= 0), p.slot[store], more.slot)
    return replace(c, program=replace(more, slot=slot))


TABLES: Tables = [
    (
        base,
        [
            ("pairs-once", pair_run_by_another_expert),
            ("pairs-once", pair_of_another_token),
            ("expert-group", expert_on_another_group),
            ("slot-order", turns_swapped),
            ("slot-order", another_slot),
            ("router-first", expert_before_its_router),
        ],
    ),
    (
        in_lockstep,
        [
            ("lockstep", slot_before_the_last_has_ended),
            ("lockstep", lockstep_not_said),
            ("slot-order", slot_of_no_turn),
        ],
    ),
    (in_lockstep_beside_a_shared_expert, [("lockstep", slot_before_the_last_has_ended)]),
    (FORMS["tied layers in lockstep"], [("lockstep", lockstep_of_one_of_two_layers)]),
    (
        on_digital_units,
        [
            ("pairs-once", digital("gone")),
            ("pairs-once", digital("twice")),
            ("pairs-once", digital("of_an_expert_on_crossbars")),
            ("stages", slot_of_digital_experts),
        ],
    ),
    (experts_in_the_first_layer_alone, [("expert-group", expert_on_the_pgs_of_a_product)]),
]
