"""Vectors that are not sent once, in their slot, to all who multiply them and to nobody else."""

from dataclasses import replace

import numpy as np

from ir.compiled import Compiled
from ir.program import Lists, Opcode
from tests.backends.functional import mutate
from tests.ir.verify.wrong.edits import Corrupt, Tables, edited, entry, with_column
from tests.ir.verify.wrong.find import first_kind, routed, rows
from tests.ir.verify.wrong.programs import base, stepping_without_keys


def load_into_a_second_stage(c: Compiled) -> Compiled:
    p = c.program
    load = next(r for r in rows(p, Opcode.LOAD, layer=0) if p.slot[r] >= 0)
    return entry(c, "dst", load, 0, int(p.unit[routed(p, Opcode.MVM, stage=1, layer=0)[0]]))


def vector_to_the_adders_of_a_group(c: Compiled) -> Compiled:
    p, row = c.program, int(rows(c.program, Opcode.LOAD)[0])
    group = p.units[p.dst[row][0]]
    keys = [(u.kind, u.layer, u.stage, u.group) for u in p.units]
    at = keys.index(("acc", group.layer, group.stage, group.group))
    return entry(c, "dst", row, 0, at)


def vector_to_one_group_twice(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.LOAD)[0])
    to = [p.dst[n].tolist() for n in range(len(p))]
    to[row].append(to[row][0])
    return with_column(c, "dst", mutate.lists(to))


def no_destinations_at_all(c: Compiled) -> Compiled:
    none = Lists(np.zeros_like(c.program.dst.offsets), c.program.dst.values[:0])
    return with_column(c, "dst", none)


def transfer_in_another_slot(c: Compiled) -> Compiled:
    p = c.program
    load = next(r for r in rows(p, Opcode.LOAD) if p.slot[r] >= 0)
    return edited(c, "slot", load, p.slot[load] + 1)


def transfer_in_two(c: Compiled) -> Compiled:
    """A token goes to each of two groups by a LOAD of its own, where one goes to both."""
    loads = rows(c.program, Opcode.LOAD, layer=0).tolist()
    row = next(r for r in loads if c.program.slot[r] >= 0 and len(c.program.dst[r]) > 1)
    p = mutate.duplicate(c.program, row, c.program.makespan_ps)
    to = [p.dst[n].tolist() for n in range(len(p))]
    to[row], to[-1] = to[row][:1], to[row][1:]
    return replace(c, program=replace(p, dst=mutate.lists(to)))


def routing_of_another_token(c: Compiled) -> Compiled:
    """A transfer waits for the top-k of another token than its own."""
    p = c.program
    top = rows(p, Opcode.TOPK, layer=0)
    for load in rows(p, Opcode.LOAD, layer=0).tolist():
        for place, read in enumerate(p.reads[load].tolist()):
            if p.opcode[read] == Opcode.TOPK:
                other = next(t for t in top.tolist() if p.token[t] != p.token[load] and t < load)
                return entry(c, "reads", load, place, other)
    raise AssertionError("none waits")


def load_of_another_operator(c: Compiled) -> Compiled:
    # the broadcast of the MoE layer takes the first norm's output instead of the second's
    p = c.program
    load = next(r for r in rows(p, Opcode.LOAD, layer=0) if p.slot[r] >= 0)
    norm = rows(p, Opcode.NORM, layer=0, token=int(p.token[load]))[0]
    return entry(c, "reads", load, 0, int(norm))


def mvm_of_another_vector(c: Compiled) -> Compiled:
    p = c.program
    one, other = (routed(p, Opcode.MVM, token=t, layer=0, stage=0)[0] for t in (0, 1))
    return entry(c, "reads", one, 0, int(p.reads[other][0]))


def load_that_nobody_uses(c: Compiled) -> Compiled:
    p = c.program
    groups = np.unique(p.unit[routed(p, Opcode.MVM, stage=0, layer=0)]).tolist()
    loads = [r for r in rows(p, Opcode.LOAD, layer=0) if p.slot[r] >= 0]
    one = next(r for r in loads if len(p.dst[r]) < len(groups))
    free = next(u for u in groups if u not in p.dst[one].tolist())
    return entry(c, "dst", one, 0, free)


def vector_broadcast_once_more(c: Compiled) -> Compiled:
    # a transfer of the slot table that is said to be none: the shared expert has its LOAD already
    p = c.program
    return edited(c, "slot", next(r for r in rows(p, Opcode.LOAD) if p.slot[r] >= 0), -1)


def two_values_in_one_broadcast(c: Compiled) -> Compiled:
    # o multiplies what q, k and v do, not the attention's result
    p, names = c.program, [op.name for op in c.workload.operators]
    q, o = (rows(p, Opcode.MVM, node=names.index(name))[0] for name in ("q0", "o0"))
    return entry(c, "reads", int(o), 0, int(p.reads[q][0]))


def transfer_done_again_over_a_link(stage: int) -> Corrupt:
    """A LOAD of a stage on the way to a second stage."""

    def corrupt(c: Compiled) -> Compiled:
        p = c.program
        load = int(np.flatnonzero((p.opcode == Opcode.LOAD) & (p.slot >= 0))[0])
        more = mutate.duplicate(p, load, p.makespan_ps)
        more = mutate.put(more, "unit", len(p), first_kind(c, "link"))
        return replace(c, program=mutate.put(more, "stage", len(p), stage))

    corrupt.__name__ = f"transfer_done_again_over_a_link_in_stage_{stage}"
    return corrupt


def vector_named_by_a_token_before(c: Compiled) -> Compiled:
    """It waits for the newest token's choice, and says that it is one's that is not scored."""
    p = c.program
    for row in rows(p, Opcode.LOAD, step=1).tolist():
        if Opcode.TOPK in p.opcode[p.reads[row]]:
            return edited(c, "token", row, p.token[row] - 1)
    raise AssertionError("none waits")


TABLES: Tables = [
    (
        base,
        [
            ("destinations", load_into_a_second_stage),
            ("destinations", vector_to_the_adders_of_a_group),
            ("destinations", vector_to_one_group_twice),
            ("destinations", no_destinations_at_all),
            ("transfers", transfer_in_another_slot),
            ("transfers", transfer_in_two),
            ("transfers", transfer_done_again_over_a_link(0)),
            ("transfers", transfer_done_again_over_a_link(1)),
            ("inputs", routing_of_another_token),
            ("inputs", load_of_another_operator),
            ("mvm-input", mvm_of_another_vector),
            ("mvm-input", load_that_nobody_uses),
            ("broadcasts", vector_broadcast_once_more),
            ("broadcasts", two_values_in_one_broadcast),
        ],
    ),
    (stepping_without_keys, [("inputs", vector_named_by_a_token_before)]),
]
