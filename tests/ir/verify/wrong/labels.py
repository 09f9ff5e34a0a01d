"""Instructions that name another layer, token, step, stage, slot or expert than their own."""

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from ir.workload import MoELayer
from tests.ir.verify.wrong.edits import Tables, edited
from tests.ir.verify.wrong.find import routed, rows
from tests.ir.verify.wrong.programs import base, stepping


def instruction_in_another_layer(c: Compiled) -> Compiled:
    return edited(c, "layer", rows(c.program, Opcode.NORM, layer=0)[0], 1)


def token_of_another_sequence(c: Compiled) -> Compiled:
    return edited(c, "seq", rows(c.program, Opcode.NORM, token=0)[0], 1)


def expert_of_a_norm(c: Compiled) -> Compiled:
    return edited(c, "expert", rows(c.program, Opcode.NORM)[0], 0)


def another_step(c: Compiled) -> Compiled:
    return edited(c, "step", 3, 1)


def stage_of_a_norm(c: Compiled) -> Compiled:
    return edited(c, "stage", rows(c.program, Opcode.NORM)[0], 0)


def another_slot_in_the_second_stage(c: Compiled) -> Compiled:
    return edited(c, "slot", routed(c.program, Opcode.STORE)[0], 10**6)


def slot_below_none(c: Compiled) -> Compiled:
    """Of a broadcast that is no transfer of a slot table."""
    loads = rows(c.program, Opcode.LOAD)
    nodes = [i for i, op in enumerate(c.workload.operators) if isinstance(op, MoELayer)]
    plain = (c.program.slot[loads] < 0) & np.isin(c.program.node[loads], nodes)
    return edited(c, "slot", loads[plain][0], -2)


def expert_below_none(c: Compiled) -> Compiled:
    """Of an instruction that is of no expert."""
    return edited(c, "expert", rows(c.program, Opcode.NORM)[0], -2)


def token_that_its_step_does_not_work_on(c: Compiled) -> Compiled:
    # token 0 arrived in step 0, and its keys are kept
    norms = rows(c.program, Opcode.NORM, step=1)
    return edited(c, "token", norms[0], 0)


def step_that_does_not_exist(c: Compiled) -> Compiled:
    return edited(c, "step", rows(c.program, Opcode.NORM)[0], 9)


TABLES: Tables = [
    (
        base,
        [
            ("labels", instruction_in_another_layer),
            ("labels", token_of_another_sequence),
            ("labels", expert_of_a_norm),
            ("labels", expert_below_none),
            ("labels", another_step),
            ("stages", stage_of_a_norm),
            ("stages", another_slot_in_the_second_stage),
            ("stages", slot_below_none),
        ],
    ),
    (
        stepping,
        [
            ("labels", token_that_its_step_does_not_work_on),
            ("labels", step_that_does_not_exist),
        ],
    ),
]
