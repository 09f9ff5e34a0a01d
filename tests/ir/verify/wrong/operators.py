"""Operators that are not done once for each token or sequence, or read what is not theirs."""

from dataclasses import replace
from functools import cache

from ir.compiled import Compiled
from ir.program import Opcode
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import streaming
from tests.ir.verify.forms.parts import TWO
from tests.ir.verify.wrong.edits import Tables, edited, entry
from tests.ir.verify.wrong.find import first_kind, readers, routed, rows
from tests.ir.verify.wrong.programs import base
from tests.make import compile_small, small_chip, small_workload


def norm_of_a_token_twice(c: Compiled) -> Compiled:
    return edited(c, "token", rows(c.program, Opcode.NORM, token=0)[0], 1)


def attention_of_a_sequence_twice(c: Compiled) -> Compiled:
    return edited(c, "seq", rows(c.program, Opcode.ATTN, seq=0)[0], 1)


def norm_of_another_token(c: Compiled) -> Compiled:
    p = c.program
    one, other = rows(p, Opcode.NORM, token=0)[-1], rows(p, Opcode.NORM, token=1)[-1]
    return entry(c, "reads", one, 0, int(p.reads[other][0]))


def attention_without_a_token(c: Compiled) -> Compiled:
    row = rows(c.program, Opcode.ATTN)[0]
    return entry(c, "reads", row, 0, int(c.program.reads[row][1]))


def sum_of_other_experts(c: Compiled) -> Compiled:
    return combining(c, int(routed(c.program, Opcode.STORE, token=1, layer=0)[0]))


def shared_gate_of_another_token(c: Compiled) -> Compiled:
    return combining(c, int(rows(c.program, Opcode.GATE, token=1, layer=0)[0]))


def combining(c: Compiled, other: int) -> Compiled:
    """The first sum of token 0 reads this in place of its first value of the same opcode."""
    p = c.program
    combine = rows(p, Opcode.COMBINE, token=0, layer=0)[0]
    place = next(i for i, r in enumerate(p.reads[combine]) if p.opcode[r] == p.opcode[other])
    return entry(c, "reads", combine, place, other)


def top_k_of_another_token(c: Compiled) -> Compiled:
    p = c.program
    one, other = (rows(p, Opcode.TOPK, token=t, layer=0)[0] for t in (0, 1))
    return entry(c, "reads", one, 0, int(p.reads[other][0]))


@cache
def waiting_where_keys_stay() -> Compiled:
    """Correct: on a chip that keeps keys in buffers an attention that is not proven causal."""
    chip = small_chip(memory={"kv": "buffers"})
    return compile_small(streaming(small_workload(layers=1), proven=False), chip, sequence=TWO)


def proven_after_all(c: Compiled) -> Compiled:
    """What keeps its keys goes on job by job, from the first on."""
    return replace(c, workload=streaming(c.workload))


def norm_done_again_on_a_mesh(c: Compiled) -> Compiled:
    p = c.program
    norm = int(rows(p, Opcode.NORM)[0])
    more = mutate.duplicate(p, norm, p.makespan_ps)
    return replace(c, program=mutate.put(more, "unit", len(p), first_kind(c, "mesh")))


@cache
def two_tokens() -> Compiled:
    """Correct: each has a TOPK of its own."""
    return compile_small(small_workload(layers=1), tokens=2)


def choice_of_the_first_token_for_both(c: Compiled) -> Compiled:
    """The second one's is not made, and who read it reads the first one's."""
    p = c.program
    early, late = (int(row) for row in rows(p, Opcode.TOPK))
    for reader, _ in readers(p, late):
        p = mutate.read_instead(p, reader, late, early)
    return replace(c, program=mutate.drop(p, late))


def norm_of_two_tokens_at_once(c: Compiled) -> Compiled:
    """The second one's is not made: the first one's reads the vectors of both, and is read."""
    p, node = c.program, [op.name for op in c.workload.operators].index("norm_a0")
    early, late = (int(row) for row in rows(p, Opcode.NORM, node=node))
    for reader, _ in readers(p, late):
        p = mutate.read_instead(p, reader, late, early)
    p = mutate.reads(p, early, [*p.reads[early].tolist(), *p.reads[late].tolist()])
    return replace(c, program=mutate.drop(p, late))


TABLES: Tables = [
    (
        base,
        [
            ("operators", norm_of_a_token_twice),
            ("operators", attention_of_a_sequence_twice),
            ("operators", norm_done_again_on_a_mesh),
            ("inputs", norm_of_another_token),
            ("inputs", attention_without_a_token),
            ("combine", sum_of_other_experts),
            ("combine", shared_gate_of_another_token),
            ("combine", top_k_of_another_token),
        ],
    ),
    (waiting_where_keys_stay, [("operators", proven_after_all)]),
    (
        two_tokens,
        [
            ("combine", choice_of_the_first_token_for_both),
            ("inputs", norm_of_two_tokens_at_once),
        ],
    ),
]
