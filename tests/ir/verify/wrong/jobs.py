"""Jobs on crossbars, from the MVM to the STORE, that change on their way or leave a step out."""

from dataclasses import replace

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode, Program
from tests.backends.functional import mutate
from tests.ir.verify.forms.rare import FORMS
from tests.ir.verify.wrong.edits import Tables, edited, entry
from tests.ir.verify.wrong.find import routed, rows
from tests.ir.verify.wrong.programs import base, gates_on_input


def job_that_changes_its_token(c: Compiled) -> Compiled:
    return edited(c, "token", routed(c.program, Opcode.ACT, token=0)[0], 1)


def sums_on_another_group(c: Compiled) -> Compiled:
    p = c.program
    here = routed(p, Opcode.ACC, stage=0, layer=0)
    other = next(r for r in here if p.unit[r] != p.unit[here[0]])
    return edited(c, "unit", here[0], p.unit[other])


def hidden_values_from_nowhere(c: Compiled) -> Compiled:
    return edited(c, "src", routed(c.program, Opcode.XFER, stage=0)[0], 0)


def gating_without_activation(c: Compiled) -> Compiled:
    # MUL reads the activated gate and the up sums; here the latter twice
    mul = routed(c.program, Opcode.MUL)[0]
    return entry(c, "reads", mul, 0, int(c.program.reads[mul][1]))


def store_past_its_sums(c: Compiled) -> Compiled:
    p = c.program
    store = routed(p, Opcode.STORE)[0]
    acc = int(p.reads[store][0])
    return entry(c, "reads", store, 0, int(p.reads[acc][0]))


def first_product_past_its_sums(c: Compiled) -> Compiled:
    """The STORE of the first matrix of all reads its MVM, not what the ACC made of that."""
    p = c.program
    node = next(i for i, op in enumerate(c.workload.operators) if op.name == "q0")
    store = int(rows(p, Opcode.STORE, node=node)[0])
    return entry(c, "reads", store, 0, int(p.reads[p.reads[store][0]][0]))


def unit_left_by_what_leaves_none(c: Compiled) -> Compiled:
    """A norm says that it comes from a unit: that of the program's last instruction, no job's."""
    row = rows(c.program, Opcode.NORM)[0]
    return edited(c, "src", row, c.program.unit[-1])


def store_out_of_nothing(c: Compiled) -> Compiled:
    """One more STORE, the last instruction of all, which reads nothing."""
    row = int(rows(c.program, Opcode.STORE)[0])
    more = mutate.duplicate(c.program, row, c.program.makespan_ps)
    return replace(c, program=mutate.reads(more, len(c.program), []))


def product_on_the_groups_of_another(c: Compiled) -> Compiled:
    """A job of the first product of queries runs on the keys' group, all of it."""
    p = c.program
    names = [op.name for op in c.workload.operators]
    here = {(u.kind, u.layer, u.group): i for i, u in enumerate(p.units)}
    queries, keys = (
        p.units[p.unit[rows(p, Opcode.MVM, node=names.index(name))[0]]] for name in ("q0", "k0")
    )
    wrong = c
    for opcode in (Opcode.MVM, Opcode.ACC):
        row = rows(p, opcode, node=names.index("q0"))[0]
        unit = p.units[p.unit[row]]
        assert unit.group == queries.group
        to = here[unit.kind, unit.layer, keys.group]
        wrong = edited(wrong, "unit", row, to)
    return wrong


def second_stage_of_another_job(c: Compiled) -> Compiled:
    """An ACC of a job reads the MVM of another token's job."""
    p = c.program
    one, other = routed(p, Opcode.ACC, stage=1)[[0, -1]]
    return entry(c, "reads", int(max(one, other)), 0, int(p.reads[min(one, other)][0]))


def first_stage_called_a_second(c: Compiled) -> Compiled:
    """Of an expert of one matrix, which has none."""
    return edited(c, "stage", routed(c.program, Opcode.MVM)[0], 1)


def scales(p: Program) -> np.ndarray:
    """MULs by a gate: XFER out -> MUL -> ACT -> MUL, so the first of a job's two."""
    found = routed(p, Opcode.MUL)
    return np.array([r for r in found if p.opcode[p.reads[r][1]] == Opcode.TOPK])


def gate_of_another_token(c: Compiled) -> Compiled:
    p, row = c.program, scales(c.program)[-1]
    other = next(r for r in rows(p, Opcode.TOPK, layer=p.layer[row]) if p.token[r] != p.token[row])
    return entry(c, "reads", row, 1, int(other))


def sums_activated_without_their_gate(c: Compiled) -> Compiled:
    p, row = c.program, scales(c.program)[0]
    act = next(r for r in routed(p, Opcode.ACT) if row in p.reads[r])
    return entry(c, "reads", act, 0, int(p.reads[row][0]))


def up_multiplied_without_its_gate(c: Compiled) -> Compiled:
    p, row = c.program, scales(c.program)[0]
    mul = next(r for r in routed(p, Opcode.MUL) if p.reads[r][1] == row)
    return entry(c, "reads", mul, 1, int(p.reads[row][0]))


TABLES: Tables = [
    (
        base,
        [
            ("jobs", job_that_changes_its_token),
            ("jobs", sums_on_another_group),
            ("jobs", hidden_values_from_nowhere),
            ("jobs", unit_left_by_what_leaves_none),
            ("jobs", store_out_of_nothing),
            ("jobs", product_on_the_groups_of_another),
            ("jobs", second_stage_of_another_job),
            ("job-reads", gating_without_activation),
            ("job-reads", store_past_its_sums),
            ("job-reads", first_product_past_its_sums),
        ],
    ),
    (FORMS["one matrix an expert"], [("jobs", first_stage_called_a_second)]),
    (
        gates_on_input,
        [
            ("job-reads", gate_of_another_token),
            ("job-reads", sums_activated_without_their_gate),
            ("job-reads", up_multiplied_without_its_gate),
        ],
    ),
]
