"""Wrong programs and right ones that one small change of a check would have judged otherwise.

Each stands for what a run of `python -m benchmarks.mutants` over all changes had left.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ir.compiled import Compiled
from ir.program import Opcode
from ir.schedule import Caches
from ir.workload import AnyOperator, Attention, Workload
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.ir.verify import test_verify_rejects as rejects
from tests.ir.verify.test_verify_edges import Corrupt, results
from tests.ir.verify.test_verify_forms import IN_TILES, STREAMED, chosen_on, of_two_sides, plain
from tests.ir.verify.test_verify_forms import changed as with_changed
from tests.make import compile_small, small_chip, small_workload

# -- routing: turns, groups, who waits for whom --------------------------------------------------


@cache
def experts_in_the_first_layer_alone() -> Compiled:
    """Correct: the second layer's groups of PGs are numbered from 0 on, as experts' are."""
    return compile_small(small_workload(dense_layers=(1,)))


def expert_on_the_pgs_of_a_product(c: Compiled) -> Compiled:
    """A pair of group 0 runs on group 0 of the layer that has no experts."""
    p = c.program
    row = next(
        int(r) for r in rejects.routed(p, Opcode.MVM, stage=0) if p.units[p.unit[r]].group == 0
    )
    keys = [(u.kind, u.layer, u.stage, u.group) for u in p.units]
    return rejects.edited(c, "unit", row, keys.index(("group", 1, 0, 0)))


@cache
def two_tokens() -> Compiled:
    """Correct: each has a TOPK of its own."""
    return compile_small(small_workload(layers=1), tokens=2)


def choice_of_the_first_token_for_both(c: Compiled) -> Compiled:
    """The second one's is not made, and who read it reads the first one's."""
    p = c.program
    early, late = (int(row) for row in rejects.rows(p, Opcode.TOPK))
    for reader, _ in rejects.readers(p, late):
        p = mutate.read_instead(p, reader, late, early)
    return replace(c, program=mutate.drop(p, late))


def vector_named_by_a_token_before(c: Compiled) -> Compiled:
    """It waits for the newest token's choice, and says that it is one's that is not scored."""
    p = c.program
    for row in rejects.rows(p, Opcode.LOAD, step=1).tolist():
        if Opcode.TOPK in p.opcode[p.reads[row]]:
            return rejects.edited(c, "token", row, p.token[row] - 1)
    raise AssertionError("none waits")


# -- streams -------------------------------------------------------------------------------------


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
    return rejects.edited(wrong, "token", row, 3)


def of_the_newest_alone(workload: Workload) -> Workload:
    """The attention says that it is done for the newest token."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, newest=True) if isinstance(op, Attention) else op

    return with_changed(workload, change)


KEPT_BY_NOBODY = small_chip(memory={"kv": "buffers"}, digital=IN_TILES)
RIGHT: dict[str, Callable[[], Compiled]] = {
    "streams, buffers that keep no keys": plain(
        STREAMED, KEPT_BY_NOBODY, sequence=SEQUENCE, decode=1, caches=Caches(kv=False)
    ),
    "attention for the newest token alone, whose keys are in no buffer": plain(
        of_the_newest_alone(streaming(small_workload(layers=1))), KEPT_BY_NOBODY, tokens=1
    ),
}
TABLES: list[tuple[Callable[[], Compiled], list[tuple[str, Corrupt]]]] = [
    (experts_in_the_first_layer_alone, [("expert-group", expert_on_the_pgs_of_a_product)]),
    (two_tokens, [("combine", choice_of_the_first_token_for_both)]),
    (rejects.stepping_without_keys, [("inputs", vector_named_by_a_token_before)]),
    (decoder_that_looks_at_attention, [("inputs", job_of_a_token_of_the_other_side)]),
    (decoder_that_looks_at_attention, [("labels", job_of_keys_of_the_other_side)]),
]
EVERY = [(make, check, corrupt) for make, table in TABLES for check, corrupt in table]


@pytest.mark.parametrize(
    ("make", "check", "corrupt"), EVERY, ids=[f"{n}-{f.__name__}" for _, n, f in EVERY]
)
def test_what_is_wrong_is_refused_by_the_check_meant_for_it(
    make: Callable[[], Compiled], check: str, corrupt: Corrupt
) -> None:
    result = results(corrupt(make()))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes_every_check(name: str) -> None:
    assert {what for what in results(RIGHT[name]()).values() if what != "ok"} == set()
