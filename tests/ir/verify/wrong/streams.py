"""Jobs of streamed attention for tokens of the other side, an encoder's or a decoder's."""

from dataclasses import replace
from functools import cache

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from ir.workload import AnyOperator, Attention
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import streaming
from tests.ir.verify.forms.parts import IN_TILES
from tests.ir.verify.forms.parts import changed as with_changed
from tests.ir.verify.forms.sides import chosen_on, of_two_sides
from tests.ir.verify.wrong.edits import Tables, edited
from tests.make import compile_small, small_chip


@cache
def decoder_that_looks_at_attention() -> Compiled:
    """Correct: an encoder's attention streams two tokens, which the decoder of four takes."""
    workload = streaming(of_two_sides(2, 4))

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs[:2], "attention0")) if op.name == "attention1" else op

    workload = with_changed(workload, change)
    return compile_small(
        workload,
        small_chip(digital=IN_TILES),
        sequence=np.repeat([0, 1], 4),
        chosen=chosen_on(workload.sides, (0, 1)),
    )


def job_of_a_token_of_the_other_side(c: Compiled) -> Compiled:
    """The encoder's attention has a job that names a token of the decoder, which reads it."""
    p = c.program
    job, reader = mutate.rows(p, Opcode.ATTN, seq=0)
    more = mutate.duplicate(p, job, int(p.end_ps[job]))
    more = mutate.reads(mutate.put(more, "token", len(p), 2), len(p), [job])
    return replace(c, program=mutate.reads(more, reader, [*p.reads[reader].tolist(), len(p)]))


def job_of_keys_of_the_other_side(c: Compiled) -> Compiled:
    """The decoder's attention says that it looks at no later ones, and names its last token."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Attention) and op.name == "attention1":
            return replace(op, causal=True)
        return op

    row = mutate.rows(c.program, Opcode.ATTN, seq=0)[-1]
    wrong = replace(c, workload=with_changed(c.workload, change))
    return edited(wrong, "token", row, 3)


@cache
def encoder_of_five() -> Compiled:
    """Correct: two sequences of an encoder's five tokens and a decoder's seven, all streamed."""
    workload = streaming(of_two_sides(5, 7))
    sequence, chosen = np.repeat([0, 1], 7), chosen_on(workload.sides, (0, 1))
    return compile_small(workload, small_chip(digital=IN_TILES), sequence=sequence, chosen=chosen)


def job_for_nobody(c: Compiled) -> Compiled:
    """The encoder's attention has a job more, for a token of the decoder.

    It asks nothing and costs nothing, and is the last of its chain: the last job of the encoder's
    own tokens then need not keep the keys of those before, which may be overwritten.
    """
    p = c.program
    before, last = mutate.rows(p, Opcode.ATTN, seq=0, layer=0)
    row, size = len(p), int(p.bytes[last])
    p = mutate.put(mutate.duplicate(p, last, int(p.end_ps[last])), "token", row, 5)
    p = mutate.reads(p, row, [last])
    for column in ("macs", "duration_ps", "busy_ps", "energy_fj"):
        p = mutate.put(p, column, row, 0)
    own = [r for r in p.reads[last].tolist() if r == before or p.token[r] == 4]
    held = replace(p.inventory, buffer_written_bytes=p.inventory.buffer_written_bytes + size)
    return replace(c, program=replace(mutate.reads(p, last, own), inventory=held))


TABLES: Tables = [
    (
        decoder_that_looks_at_attention,
        [
            ("inputs", job_of_a_token_of_the_other_side),
            ("labels", job_of_keys_of_the_other_side),
        ],
    ),
    (encoder_of_five, [("operators", job_for_nobody)]),
]
