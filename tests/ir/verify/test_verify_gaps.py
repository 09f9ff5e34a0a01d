"""Wrong programs and right ones that one small change of a check would have judged otherwise.

Each stands for what a run of `python -m benchmarks.mutants` over all changes had left.
"""

from dataclasses import fields, replace
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
import pytest

from ir.compiled import Compiled
from ir.program import Lists, Opcode, Program
from ir.schedule import Caches
from ir.workload import AnyOperator, Attention, MoELayer, Workload
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.ir.verify import test_verify_replicas as replicas
from tests.ir.verify.results import results
from tests.ir.verify.test_verify_forms import (
    IN_TILES,
    TWO,
    chosen_on,
    of_both_choices,
    of_two_sides,
    plain,
)
from tests.ir.verify.test_verify_forms import changed as with_changed
from tests.ir.verify.wrong.edits import (
    Corrupt,
    Make,
    Tables,
    edited,
    in_step,
    scheduled,
    with_groups,
)
from tests.ir.verify.wrong.find import first_kind, readers, routed, rows
from tests.ir.verify.wrong.programs import (
    base,
    dense_twice,
    on_digital_units,
    stepping,
    stepping_without_keys,
)
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import random_stacks

# -- routing: turns, groups, who waits for whom --------------------------------------------------


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


def vector_named_by_a_token_before(c: Compiled) -> Compiled:
    """It waits for the newest token's choice, and says that it is one's that is not scored."""
    p = c.program
    for row in rows(p, Opcode.LOAD, step=1).tolist():
        if Opcode.TOPK in p.opcode[p.reads[row]]:
            return edited(c, "token", row, p.token[row] - 1)
    raise AssertionError("none waits")


# -- the first instruction of all, which has nothing that it could read --------------------------


def first_of_all(p: Program, row: int) -> Program:
    """A row is number 0 and reads nothing; what was there has its number."""
    place = np.arange(len(p), dtype=np.int32)
    place[[0, row]] = row, 0
    new: dict[str, Any] = {}
    for column in fields(p):
        value = getattr(p, column.name)
        if isinstance(value, np.ndarray):
            new[column.name] = value[place]
        elif isinstance(value, Lists):
            new[column.name] = mutate.lists([value[at].tolist() for at in place.tolist()])
    reads = Lists(new["reads"].offsets, place[new["reads"].values])
    writes = np.where(new["writes"] >= 0, place[new["writes"]], -1)
    return mutate.reads(replace(p, **{**new, "reads": reads, "writes": writes}), 0, [])


def norm_of_nothing(c: Compiled) -> Compiled:
    row = int(rows(c.program, Opcode.NORM)[0])
    return replace(c, program=first_of_all(c.program, row))


def choice_of_nothing(c: Compiled) -> Compiled:
    row = int(rows(c.program, Opcode.SAMPLE, step=0)[0])
    return replace(c, program=first_of_all(c.program, row))


def choice_of_experts_too_late(c: Compiled) -> Compiled:
    """The first TOPK ends when all has ended."""
    row = int(rows(c.program, Opcode.TOPK)[0])
    first = first_of_all(c.program, row)
    return replace(c, program=mutate.put(first, "start_ps", 0, c.program.makespan_ps))


def product_of_nothing(c: Compiled) -> Program:
    """The MVM of the first token's queries is the first of all."""
    p, node = c.program, [op.name for op in c.workload.operators].index("q0")
    return first_of_all(p, int(rows(p, Opcode.MVM, node=node)[0]))


def product_of_nothing_on_no_copy(c: Compiled) -> Compiled:
    """Of two copies of its matrix it names none, and neither does what is done with its sums."""
    p = product_of_nothing(c)
    job = (p.node == p.node[0]) & (p.token == p.token[0])
    return replace(c, program=replace(p, replica=np.where(job, -1, p.replica)))


def product_of_nothing_without_macs(c: Compiled) -> Compiled:
    return replace(c, program=mutate.put(product_of_nothing(c), "macs", 0, 0))


# -- instructions on units that cannot do them, which are no others for that ---------------------


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


def norm_done_again_on_a_mesh(c: Compiled) -> Compiled:
    p = c.program
    norm = int(rows(p, Opcode.NORM)[0])
    more = mutate.duplicate(p, norm, p.makespan_ps)
    return replace(c, program=mutate.put(more, "unit", len(p), first_kind(c, "mesh")))


# -- mappings, digital experts -------------------------------------------------------------------


def copies_of_an_expert_in_no_group(c: Compiled) -> Compiled:
    """Expert 0 has both of its blocks, and is in none of the groups that shared them."""
    return with_groups(c, groups=((1,), (3,), (2, 3)))


def slot_of_digital_experts(c: Compiled) -> Compiled:
    """As that of the last instruction of all, which is a STORE done again."""
    p = c.program
    store = int(routed(p, Opcode.STORE)[0])
    more = mutate.duplicate(p, store, p.makespan_ps)
    slot = np.where((more.opcode == Opcode.DIGITAL) & (more.expert >= 0), p.slot[store], more.slot)
    return replace(c, program=replace(more, slot=slot))


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
    return edited(wrong, "token", row, 3)


def of_the_newest_alone(workload: Workload) -> Workload:
    """The attention says that it is done for the newest token."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, newest=True) if isinstance(op, Attention) else op

    return with_changed(workload, change)


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


@cache
def encoder_of_five() -> Compiled:
    """Correct: two sequences of an encoder's five tokens and a decoder's seven, all streamed."""
    workload = streaming(of_two_sides(5, 7))
    sequence, chosen = np.repeat([0, 1], 7), chosen_on(workload.sides, (0, 1))
    return compile_small(workload, small_chip(digital=IN_TILES), sequence=sequence, chosen=chosen)


# -- buffers, steps and caches ---------------------------------------------------------------------


def output_over_a_vector_that_lives(c: Compiled) -> Compiled:
    """What nobody reads, such as the model's output, is written where another waits for readers."""
    p = c.program
    row = int(np.setdiff1d(np.flatnonzero(p.buffer >= 0), p.reads.values)[0])
    last = p.end_ps.copy()
    np.maximum.at(last, p.reads.values, p.end_ps[p.reads.rows()])
    lives = (p.buffer == p.buffer[row]) & (p.end_ps < p.end_ps[row]) & (last > p.end_ps[row])
    return edited(c, "offset", row, p.offset[np.flatnonzero(lives)[0]])


@cache
def moved_in_no_time() -> Compiled:
    """Correct: on a mesh without latency what is moved is gone at the moment when it is there.

    Where it was, a result of an earlier row is written at that very moment, and waits.
    """
    still = {"bus": {"transfers_per_slot": None}, "mesh": {"hop_ps": 0}}
    chip = small_chip(pg={"stack_limit": 4}, mvm={"read_ps": 122_000}, **still)
    model = small_workload(layers=1, f=5, shared=2)
    stacks = random_stacks(map_small(model, chip), chip, seed=7)
    return compile_small(model, chip, stacks=stacks, tokens=5)


def token_before_the_first_step(c: Compiled) -> Compiled:
    """Token 0 arrives in step -1, so that no step works on it, and a later one reads its keys."""
    arrival = c.schedule.arrival.copy()
    arrival[0] = -1
    return in_step(scheduled(c, arrival=arrival), 0, fresh=np.flatnonzero(arrival == 0))


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


RIGHT: dict[str, Make] = {
    "streams, buffers that keep no keys": plain(
        streaming(small_workload(layers=1)),
        small_chip(memory={"kv": "buffers"}, digital=IN_TILES),
        sequence=SEQUENCE,
        decode=1,
        caches=Caches(kv=False),
    ),
    "attention for the newest token alone, whose keys are in no buffer": plain(
        of_the_newest_alone(streaming(small_workload(layers=1))),
        small_chip(memory={"kv": "buffers"}),
        tokens=1,
    ),
    "vectors that are moved in no time": moved_in_no_time,
}
TABLES: Tables = [
    (experts_in_the_first_layer_alone, [("expert-group", expert_on_the_pgs_of_a_product)]),
    (
        two_tokens,
        [
            ("combine", choice_of_the_first_token_for_both),
            ("inputs", norm_of_two_tokens_at_once),
            ("inputs", norm_of_nothing),
            ("router-first", choice_of_experts_too_late),
        ],
    ),
    (stepping, [("samples", choice_of_nothing)]),
    (
        dense_twice,
        [
            ("expert-group", product_of_nothing_on_no_copy),
            ("macs", product_of_nothing_without_macs),
        ],
    ),
    (
        base,
        [
            ("transfers", transfer_done_again_over_a_link(0)),
            ("transfers", transfer_done_again_over_a_link(1)),
            ("operators", norm_done_again_on_a_mesh),
        ],
    ),
    (replicas.base, [("blocks", copies_of_an_expert_in_no_group)]),
    (on_digital_units, [("stages", slot_of_digital_experts)]),
    (stepping_without_keys, [("inputs", vector_named_by_a_token_before)]),
    (
        decoder_that_looks_at_attention,
        [
            ("inputs", job_of_a_token_of_the_other_side),
            ("labels", job_of_keys_of_the_other_side),
        ],
    ),
    (encoder_of_five, [("operators", job_for_nobody)]),
    (base, [("buffer-overlap", output_over_a_vector_that_lives)]),
    (stepping, [("schedule", token_before_the_first_step)]),
    (
        keys_alone,
        [("caches", router_with_a_second_vector), ("caches", layer_whose_tokens_choose)],
    ),
]
EVERY = [(make, check, corrupt) for make, table in TABLES for check, corrupt in table]


@pytest.mark.parametrize(
    ("make", "check", "corrupt"), EVERY, ids=[f"{n}-{f.__name__}" for _, n, f in EVERY]
)
def test_what_is_wrong_is_refused_by_the_check_meant_for_it(
    make: Make, check: str, corrupt: Corrupt
) -> None:
    result = results(corrupt(make()))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes_every_check(name: str) -> None:
    assert {what for what in results(RIGHT[name]()).values() if what != "ok"} == set()


def test_a_result_is_written_where_a_vector_lived_no_time() -> None:
    """Both at one moment, into a byte of one buffer, the result by the earlier row."""
    p = moved_in_no_time().program
    last = p.end_ps.copy()
    np.maximum.at(last, p.reads.values, p.end_ps[p.reads.rows()])
    gone = np.flatnonzero((p.buffer >= 0) & (last == p.end_ps))
    waits = np.flatnonzero((p.buffer >= 0) & (last > p.end_ps))
    both = (p.buffer[gone] == p.buffer[waits, None]) & (p.end_ps[gone] == p.end_ps[waits, None])
    both &= np.maximum(p.offset[gone], p.offset[waits, None]) < np.minimum(
        (p.offset + p.bytes)[gone], (p.offset + p.bytes)[waits, None]
    )
    assert np.any(both & (waits[:, None] < gone))
