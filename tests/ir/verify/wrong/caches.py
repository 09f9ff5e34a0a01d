"""Caches of keys, scores and outputs that are not written, not read, or not in full."""

from dataclasses import replace
from functools import cache
from unittest import mock

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from ir.schedule import Caches
from ir.workload import AnyOperator, MoELayer
from tests.backends.functional import mutate
from tests.ir.verify.forms.experts import of_both_choices
from tests.ir.verify.forms.parts import TWO
from tests.ir.verify.forms.parts import changed as with_changed
from tests.ir.verify.wrong.edits import Tables, add, edited, entry
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.programs import stepping, stepping_without_keys
from tests.make import compile_small, small_workload


def keys_of_a_token_fewer(c: Compiled) -> Compiled:
    return add("bytes", Opcode.KV_RD, -1)(c)


def scores_never_written(c: Compiled) -> Compiled:
    return edited(c, "opcode", rows(c.program, Opcode.GO_WR)[0], int(Opcode.KV_WR))


def keys_read_before_the_last_were_written(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.KV_RD, step=2)[0])  # it waits for the writes of steps 0 and 1
    return entry(c, "reads", row, 1, int(p.reads[row][0]))


def keys_of_the_other_sequence_written(c: Compiled) -> Compiled:
    p = c.program
    one, other = rows(p, Opcode.KV_WR, step=0)[:2].tolist()
    return entry(c, "reads", other, 0, int(p.reads[one][0]))


def attention_without_its_cache(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.ATTN, step=1)[0])
    place = int(np.flatnonzero(p.opcode[p.reads[row]] == Opcode.KV_RD)[0])
    return entry(c, "reads", row, place, int(p.reads[row][place - 1]))


def outputs_kept_a_token_short(c: Compiled) -> Compiled:
    p = c.program
    row = next(r for r in rows(p, Opcode.GO_RD, step=1) if p.bytes[r] == 2 * 20)
    return edited(c, "bytes", row, 20)


def cache_read_twice(c: Compiled) -> Compiled:
    row = rows(c.program, Opcode.KV_RD)[0]
    return replace(c, program=mutate.duplicate(c.program, row, c.program.makespan_ps))


@cache
def scoring_again() -> Compiled:
    """Correct: the second step scores all tokens, whose vectors are kept, and runs one."""
    workload = small_workload(layers=1, expert_choice=True)
    return compile_small(workload, decode=1, caches=Caches(go=False))


def router_of_vectors_that_nothing_keeps(c: Compiled) -> Compiled:
    """It scores what the first operator made, and the experts' vectors are kept."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, MoELayer):
            router = replace(op.router, reads="embed")
            return replace(op, inputs=(*op.inputs, "embed"), router=router)
        return op

    operators = tuple(map(change, c.workload.operators))
    return replace(c, workload=replace(c.workload, operators=operators))


@cache
def keys_alone() -> Compiled:
    """Correct: experts choose, and what their routers score again is what the cache keeps."""
    workload = small_workload(expert_choice=True)
    return compile_small(workload, decode=1, caches=Caches(go=False))


def router_with_a_second_vector(c: Compiled) -> Compiled:
    """Of which no cache keeps those of earlier tokens."""

    def beside(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, "add_a0")) if isinstance(op, MoELayer) else op

    return replace(c, workload=with_changed(c.workload, beside))


def layer_whose_tokens_choose(_: Compiled) -> Compiled:
    """Beside one whose experts do: only the latter scores the tokens that do not run.

    The other's GATEs of those read nothing, and no cache has anything of it.
    """
    both = of_both_choices(small_workload(expert_choice=True))
    with mock.patch("compiler.pipeline.verify_program"):
        c = compile_small(both, sequence=TWO, decode=1, caches=Caches(go=False))
    of_second = [op.name for op in both.operators].index("moe1")
    p, kinds = c.program, (Opcode.KV_RD, Opcode.KV_WR)
    for row in np.flatnonzero((p.node == of_second) & np.isin(p.opcode, kinds))[::-1].tolist():
        p = mutate.drop(p, row)
    return replace(c, program=p)


TABLES: Tables = [
    (
        stepping,
        [
            ("inputs", attention_without_its_cache),
            ("caches", keys_of_a_token_fewer),
            ("caches", scores_never_written),
            ("caches", cache_read_twice),
            ("cache-reads", keys_read_before_the_last_were_written),
            ("cache-reads", keys_of_the_other_sequence_written),
        ],
    ),
    (stepping_without_keys, [("caches", outputs_kept_a_token_short)]),
    (scoring_again, [("caches", router_of_vectors_that_nothing_keeps)]),
    (
        keys_alone,
        [("caches", router_with_a_second_vector), ("caches", layer_whose_tokens_choose)],
    ),
]
