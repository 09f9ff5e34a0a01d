"""Each invariant, broken in turn, is caught by the check meant for it."""

from collections.abc import Callable
from dataclasses import astuple, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from backends.functional.order import check_order
from backends.simulate import replay
from ir.arrays import Array, Ints
from ir.certificate import Certificate
from ir.compiled import Compiled
from ir.errors import CheckError
from ir.mapping import (
    DenseOwner,
    LayerGrouping,
    Mapping,
    Owner,
    RoutedOwner,
)
from ir.placement import Placement, Region
from ir.program import Lists, Opcode, Program
from ir.schedule import Caches
from ir.selection import Capacity
from ir.stacks import Member, Stacking
from ir.topology import Topology
from ir.verify import CHECKS, check_mapping, check_program, verify_mapping, verify_program
from ir.workload import Weight
from tests.dies import JOINED, at_random, die_chip
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import named, stacks_of


@cache
def base() -> Compiled:
    """Correct: two sequences, a gated shared expert, a factor, constants, two regions, pairs."""
    workload = small_workload(k=3, shared=1, shared_gates=(True,), scale=2.5, masks=True)
    sequence = np.array([0, 0, 0, 1, 1, 1, 1])
    return compile_small(workload, small_chip(pg={"retain_input": False}), sequence=sequence)


@cache
def in_lockstep() -> Compiled:
    """Correct: one token at a time."""
    workload, chip = small_workload(k=3), small_chip(pg={"retain_input": False})
    return compile_small(workload, chip, lockstep=True)


@cache
def stepping() -> Compiled:
    """Correct: expert choice, two decode steps of two sequences, keys and scores kept."""
    workload = small_workload(expert_choice=True, capacity=Capacity(constant=2))
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    return compile_small(workload, sequence=sequence, decode=2)


@cache
def stepping_without_keys() -> Compiled:
    """Correct: the same with the outputs of earlier tokens kept instead of their keys."""
    workload = small_workload(expert_choice=True, capacity=Capacity(constant=2))
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    return compile_small(workload, sequence=sequence, decode=2, caches=Caches(kv=False))


@cache
def embedding_on_crossbars() -> Compiled:
    """Correct: a decode step whose first LOAD waits for the choice of its token."""
    return compile_small(small_workload(layers=1, embedded=True), decode=1)


@cache
def gates_on_input() -> Compiled:
    """Correct: gates multiply the experts' input, so a MUL the first stage's sums."""
    return compile_small(small_workload(k=3, shared=1, weight_on="input"))


@cache
def dense_twice() -> Compiled:
    """Correct: everything but routed experts stands twice, a shared expert among it."""
    return compile_small(small_workload(layers=1, shared=1), copies=2)


def placed(c: Compiled, **changes: Any) -> Compiled:
    """The same with another placement."""
    placement = replace(c.mapping.placement, **changes)
    return replace(c, mapping=replace(c.mapping, placement=placement))


def changed(column: np.ndarray, rows: Any, value: Any) -> np.ndarray:
    """A copy of a column with `rows` set."""
    out = column.copy()
    out[rows] = value
    return out


def moved(c: Compiled, index: int, position: int) -> Compiled:
    """The same with all tiles of a block at another crossbar behind their PGs."""
    spots = c.mapping.placement.spots
    return placed(c, spots=changed(spots, (index, slice(None), 0), position))


def with_column(c: Compiled, column: str, new: Array | Lists) -> Compiled:
    """The same with another column in the program."""
    columns: dict[str, Any] = {column: new}
    return replace(c, program=replace(c.program, **columns))


def edited(c: Compiled, column: str, rows: Any, value: Any) -> Compiled:
    """The same with rows of one column of the program set."""
    new = changed(getattr(c.program, column), rows, value)
    return with_column(c, column, new)


def entry(c: Compiled, column: str, row: int, place: int, value: int) -> Compiled:
    """The same with one entry of a list column set: `row`'s entry number `place`."""
    lists: Lists = getattr(c.program, column)
    values = changed(lists.values, int(lists.offsets[row]) + place, value)
    return with_column(c, column, Lists(lists.offsets, values))


def rows(p: Program, opcode: Opcode, **fields: int) -> Ints:
    """Rows of an opcode whose columns have these values."""
    mask = p.opcode == opcode
    for name, value in fields.items():
        mask = mask & (getattr(p, name) == value)
    return np.flatnonzero(mask)


def routed(p: Program, opcode: Opcode, **fields: int) -> Ints:
    """Rows of an opcode that belong to a routed expert."""
    found = rows(p, opcode, **fields)
    return found[p.expert[found] >= 0]


def block(m: Mapping, role: str, expert: int, layer: int = 0) -> int:
    """Index of an expert's block."""
    return next(
        i
        for i, b in enumerate(m.blocks)
        if (b.role, b.owner, b.layer) == (role, RoutedOwner(expert), layer)
    )


# -- mappings ------------------------------------------------------------------------------------


def block_with_a_row_tile_too_many(c: Compiled) -> Compiled:
    first, *others = c.mapping.blocks
    return replace(c, mapping=replace(c.mapping, blocks=(replace(first, rows=4), *others)))


def block_twice(c: Compiled) -> Compiled:
    blocks = (c.mapping.blocks[1], *c.mapping.blocks[1:])
    return replace(c, mapping=replace(c.mapping, blocks=blocks))


def expert_in_no_group(c: Compiled) -> Compiled:
    certificate = Certificate("slots", 0, 0, "heuristic")
    short = LayerGrouping(0, ((0, 1), (2,)), "by hand", certificate)
    grouping = replace(c.mapping.grouping, layers=(short, c.mapping.grouping.layers[1]))
    return replace(c, mapping=replace(c.mapping, grouping=grouping))


def pg_that_does_not_exist(c: Compiled) -> Compiled:
    pg_start = c.mapping.placement.pg_start
    return placed(c, pg_start=changed(pg_start, np.argmax(pg_start), pg_start.max() + 1))


def two_tiles_on_a_crossbar(c: Compiled) -> Compiled:
    # experts 0 and 1 are behind the same PGs, at positions 0 and 1
    return moved(c, block(c.mapping, "up", 1), 0)


def tile_beyond_its_crossbar(c: Compiled) -> Compiled:
    # the last row tile of up has 4 of 8 rows: from row 5 on it would end at 9
    spots = c.mapping.placement.spots
    return placed(c, spots=changed(spots, (block(c.mapping, "up", 0), 2, 1), 5))


def position_beyond_mux(c: Compiled) -> Compiled:
    # mux 2: positions 0 and 1
    return moved(c, block(c.mapping, "up", 1), 2)


def dense_block_behind_position_1(c: Compiled) -> Compiled:
    return moved(c, 0, 1)


def gate_behind_the_pgs_of_up(c: Compiled) -> Compiled:
    # expert 1 still holds the gate's own PGs, so none is empty
    start = c.mapping.placement.pg_start
    gate, up = block(c.mapping, "gate", 0), block(c.mapping, "up", 0)
    return placed(c, pg_start=changed(start, gate, start[up]))


def expert_in_the_pgs_of_another_group(c: Compiled) -> Compiled:
    # experts 1 (group 0) and 2 (group 1) change places
    start = c.mapping.placement.pg_start
    one, other = block(c.mapping, "up", 1), block(c.mapping, "up", 2)
    return placed(c, pg_start=changed(start, [one, other], start[[other, one]]))


def core_beyond_the_mesh(c: Compiled) -> Compiled:
    p: Placement = c.mapping.placement
    return placed(c, core=changed(p.core, 0, p.mesh_width * p.mesh_height))


def region_beyond_the_mesh(c: Compiled) -> Compiled:
    one, other = c.mapping.placement.regions
    return placed(c, regions=(one, replace(other, height=other.height + 1)))


def core_with_too_many_pgs(c: Compiled) -> Compiled:
    # 4 PGs to a core: PG 4 is the first on the second core
    core = c.mapping.placement.core
    return placed(c, core=changed(core, 4, core[0]))


def overlapping_regions(c: Compiled) -> Compiled:
    one, other = c.mapping.placement.regions
    return placed(c, regions=(one, Region(1, 0, other.y - 1, other.width, other.height)))


def pg_outside_its_region(c: Compiled) -> Compiled:
    core = c.mapping.placement.core
    return placed(c, core=changed(core, [0, -1], core[[-1, 0]]))


def column_torn_apart(c: Compiled) -> Compiled:
    # d 20 on 8 rows: PGs 0, 1, 2 are one column; 0 goes to the third core of the same region
    core = c.mapping.placement.core
    return placed(c, core=changed(core, [0, 8], core[[8, 0]]))


# -- programs: columns and units -----------------------------------------------------------------


def unit_that_does_not_exist(c: Compiled) -> Compiled:
    return edited(c, "unit", 3, len(c.program.units))


def read_of_no_instruction(c: Compiled) -> Compiled:
    return entry(c, "reads", int(c.program.reads.rows()[0]), 0, -1)


def negative_start(c: Compiled) -> Compiled:
    return edited(c, "start_ps", 0, -1)


def unit_with_a_pg_less(c: Compiled) -> Compiled:
    at = next(i for i, u in enumerate(c.program.units) if u.kind == "group")
    units = list(c.program.units)
    units[at] = replace(units[at], pgs=units[at].pgs - 1)
    return replace(c, program=replace(c.program, units=tuple(units)))


def a_bus_for_wider_vectors(c: Compiled) -> Compiled:
    return bus_with(c, width=9999)


def a_bus_past_more_cores(c: Compiled) -> Compiled:
    return bus_with(c, rows=9)


def bus_with(c: Compiled, **sizes: Any) -> Compiled:
    first, *others = c.program.units
    assert first.kind == "bus"
    return replace(c, program=replace(c.program, units=(replace(first, **sizes), *others)))


def a_return_link_of_more_lanes(c: Compiled) -> Compiled:
    bus, link, *others = c.program.units
    assert link.kind == "return"
    wide = replace(link, lanes=link.lanes + 1)
    return replace(c, program=replace(c.program, units=(bus, wide, *others)))


def a_digital_unit_too_many(c: Compiled) -> Compiled:
    spare = replace(c.program.units[-1], kind="dpu", name="spare")
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


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


def norm_on_an_attention_unit(c: Compiled) -> Compiled:
    mha = next(i for i, u in enumerate(c.program.units) if u.kind == "mha")
    return edited(c, "unit", rows(c.program, Opcode.NORM)[0], mha)


def mvm_on_the_second_stage(c: Compiled) -> Compiled:
    p = c.program
    second = routed(p, Opcode.MVM, stage=1, layer=0)[0]
    return edited(c, "unit", routed(p, Opcode.MVM, stage=0, layer=0)[0], p.unit[second])


def load_into_a_second_stage(c: Compiled) -> Compiled:
    p = c.program
    load = next(r for r in rows(p, Opcode.LOAD, layer=0) if p.slot[r] >= 0)
    return entry(c, "dst", load, 0, int(p.unit[routed(p, Opcode.MVM, stage=1, layer=0)[0]]))


def value_written_by_another(c: Compiled) -> Compiled:
    return edited(c, "writes", 5, 4)


def value_read_but_not_written(c: Compiled) -> Compiled:
    return edited(c, "writes", c.program.reads.values[0], -1)


def reader_before_its_value(c: Compiled) -> Compiled:
    return edited(c, "start_ps", rows(c.program, Opcode.COMBINE)[0], 0)


# -- programs: routing ---------------------------------------------------------------------------


def routing_that_was_not_scheduled(c: Compiled) -> Compiled:
    chosen = {**c.chosen, 0: np.roll(c.chosen[0], 1, axis=1)}
    return replace(c, chosen=chosen)


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


def transfer_in_another_slot(c: Compiled) -> Compiled:
    p = c.program
    load = next(r for r in rows(p, Opcode.LOAD) if p.slot[r] >= 0)
    return edited(c, "slot", load, p.slot[load] + 1)


# -- programs: dataflow --------------------------------------------------------------------------


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


def load_of_another_operator(c: Compiled) -> Compiled:
    # the broadcast of the MoE layer takes the first norm's output instead of the second's
    p = c.program
    load = next(r for r in rows(p, Opcode.LOAD, layer=0) if p.slot[r] >= 0)
    norm = rows(p, Opcode.NORM, layer=0, token=int(p.token[load]))[0]
    return entry(c, "reads", load, 0, int(norm))


def read_across_regions(c: Compiled) -> Compiled:
    # layer 1 reads layer 0's sum where it lies, past the XFER that moves it
    p = c.program
    mesh = [i for i, u in enumerate(p.units) if u.kind == "mesh"]
    move = next(r for r in rows(p, Opcode.XFER) if p.unit[r] in mesh)
    at = int(np.flatnonzero(p.reads.values == move)[0])
    reader = int(p.reads.rows()[at])
    return entry(c, "reads", reader, at - int(p.reads.offsets[reader]), int(p.reads[move][0]))


def sum_of_other_experts(c: Compiled) -> Compiled:
    p = c.program
    combine = rows(p, Opcode.COMBINE, token=0, layer=0)[0]
    store = routed(p, Opcode.STORE, token=1, layer=0)[0]
    place = next(i for i, r in enumerate(p.reads[combine]) if p.opcode[r] == Opcode.STORE)
    return entry(c, "reads", combine, place, int(store))


def shared_gate_of_another_token(c: Compiled) -> Compiled:
    p = c.program
    combine = rows(p, Opcode.COMBINE, token=0, layer=0)[0]
    other = rows(p, Opcode.GATE, token=1, layer=0)[0]
    place = next(i for i, r in enumerate(p.reads[combine]) if p.opcode[r] == Opcode.GATE)
    return entry(c, "reads", combine, place, int(other))


def top_k_of_another_token(c: Compiled) -> Compiled:
    p = c.program
    one, other = (rows(p, Opcode.TOPK, token=t, layer=0)[0] for t in (0, 1))
    return entry(c, "reads", one, 0, int(p.reads[other][0]))


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


def store_past_its_sums(c: Compiled) -> Compiled:
    p = c.program
    store = routed(p, Opcode.STORE)[0]
    acc = int(p.reads[store][0])
    return entry(c, "reads", store, 0, int(p.reads[acc][0]))


# -- programs: resources -------------------------------------------------------------------------


def together(c: Compiled, opcode: Opcode, pool: str, gap: int = -1) -> Compiled:
    """Let the later of two neighbours on one unit of `pool` begin 1 ps before the first is done."""
    p = c.program
    kind = np.array([u.kind for u in p.units])[p.unit]
    here = np.flatnonzero((p.opcode == opcode) & (kind == pool))
    here = here[np.lexsort((p.start_ps[here], p.unit[here]))]
    at = int(np.flatnonzero(p.unit[here[1:]] == p.unit[here[:-1]])[0])
    one, other = here[at], here[at + 1]
    return edited(c, "start_ps", other, p.start_ps[one] + p.busy_ps[one] + gap)


def pg_driven_twice(c: Compiled) -> Compiled:
    return together(c, Opcode.MVM, "group")


def two_loads_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.LOAD, "bus")


def two_stores_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.STORE, "return")


def two_norms_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.NORM, "dpu")


def input_buffer_too_full(c: Compiled) -> Compiled:
    # two vectors fit; a third is loaded while the first two still wait
    p = c.program
    unit = int(p.unit[routed(p, Opcode.MVM, stage=0)[0]])
    to = np.unique(p.dst.rows()[p.dst.values == unit])
    return edited(c, "start_ps", to[:3], p.start_ps[to[0]])


def value_beyond_its_buffer(c: Compiled) -> Compiled:
    row = rows(c.program, Opcode.NORM)[0]
    return edited(c, "offset", row, c.program.buffers[c.program.buffer[row]].bytes)


def value_without_a_place(c: Compiled) -> Compiled:
    return edited(c, "buffer", rows(c.program, Opcode.ATTN)[0], -1)


def value_of_no_bytes(c: Compiled) -> Compiled:
    return edited(c, "bytes", rows(c.program, Opcode.NORM)[0], 0)


def values_in_the_same_place(c: Compiled) -> Compiled:
    # the embeddings of a sequence all live until its tokens are mixed: one byte is shared
    p = c.program
    one, other = rows(p, Opcode.EMBED, seq=0)[:2]
    return edited(c, "offset", other, p.offset[one] + p.bytes[one] - 1)


def values_on_top_of_each_other(c: Compiled) -> Compiled:
    # the same two embeddings, now with all bytes shared
    one, other = rows(c.program, Opcode.EMBED, seq=0)[:2]
    return edited(c, "offset", other, c.program.offset[one])


# -- programs: costs -----------------------------------------------------------------------------


def add(column: str, opcode: Opcode, amount: int) -> Callable[[Compiled], Compiled]:
    """A corruption that adds to a column of the last instruction of an opcode."""

    def corrupt(c: Compiled) -> Compiled:
        row = rows(c.program, opcode)[-1]
        return edited(c, column, row, getattr(c.program, column)[row] + amount)

    corrupt.__name__ = f"{column}_of_{opcode.name}_{amount:+}"
    return corrupt


def mvm_called_an_accumulation(c: Compiled) -> Compiled:
    return edited(c, "opcode", rows(c.program, Opcode.MVM)[0], Opcode.ACC)


def a_core_more(c: Compiled) -> Compiled:
    inventory = replace(c.program.inventory, cores=c.program.inventory.cores + 1)
    return replace(c, program=replace(c.program, inventory=inventory))


# -- steps and caches ----------------------------------------------------------------------------


def token_that_its_step_does_not_work_on(c: Compiled) -> Compiled:
    # token 0 arrived in step 0, and its keys are kept
    norms = rows(c.program, Opcode.NORM, step=1)
    return edited(c, "token", norms[0], 0)


def step_that_does_not_exist(c: Compiled) -> Compiled:
    return edited(c, "step", rows(c.program, Opcode.NORM)[0], 9)


def step_that_runs_all_tokens_again(c: Compiled) -> Compiled:
    steps = c.schedule.steps
    again = replace(steps[1], rows=np.flatnonzero(c.schedule.so_far(1)))
    return replace(c, schedule=replace(c.schedule, steps=(steps[0], again, *steps[2:])))


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


def token_that_does_not_wait_for_its_choice(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.EMBED, step=1)[0])
    return entry(c, "reads", row, 0, 0)


def choice_from_an_older_token(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.SAMPLE, step=0)[0])
    return entry(c, "reads", row, 0, int(p.reads[row][0]) - 1)


def token_looked_up_before_it_is_chosen(c: Compiled) -> Compiled:
    p = c.program
    sample = rows(p, Opcode.SAMPLE, step=0)[0]
    load = next(r for r in rows(p, Opcode.LOAD, step=1) if sample in p.reads[r])
    other = int(rows(p, Opcode.NORM, step=0)[0])
    return entry(c, "reads", int(load), list(p.reads[load]).index(sample), other)


def choices_that_nobody_asked_for(c: Compiled) -> Compiled:
    return replace(c, schedule=replace(c.schedule, sampled=False))


def outputs_kept_a_token_short(c: Compiled) -> Compiled:
    p = c.program
    row = next(r for r in rows(p, Opcode.GO_RD, step=1) if p.bytes[r] == 2 * 20)
    return edited(c, "bytes", row, 20)


def reads_what_comes_later(c: Compiled) -> Compiled:
    row = int(c.program.reads.rows()[0])
    return entry(c, "reads", row, 0, row + 1)


CORRUPTIONS: tuple[tuple[str, Callable[[Compiled], Compiled]], ...] = (
    ("blocks", block_with_a_row_tile_too_many),
    ("blocks", block_twice),
    ("groups", expert_in_no_group),
    ("pg-table", pg_that_does_not_exist),
    ("crossbars", two_tiles_on_a_crossbar),
    ("crossbars", tile_beyond_its_crossbar),
    ("mux", position_beyond_mux),
    ("mux", dense_block_behind_position_1),
    ("tiles-apart", gate_behind_the_pgs_of_up),
    ("group-sharing", expert_in_the_pgs_of_another_group),
    ("mesh", core_beyond_the_mesh),
    ("mesh", region_beyond_the_mesh),
    ("core-capacity", core_with_too_many_pgs),
    ("regions", overlapping_regions),
    ("in-region", pg_outside_its_region),
    ("column-chains", column_torn_apart),
    ("columns", unit_that_does_not_exist),
    ("columns", read_of_no_instruction),
    ("columns", negative_start),
    ("units", unit_with_a_pg_less),
    ("units", a_bus_for_wider_vectors),
    ("units", a_bus_past_more_cores),
    ("units", a_return_link_of_more_lanes),
    ("units", a_digital_unit_too_many),
    ("labels", instruction_in_another_layer),
    ("labels", token_of_another_sequence),
    ("labels", expert_of_a_norm),
    ("labels", another_step),
    ("stages", stage_of_a_norm),
    ("stages", another_slot_in_the_second_stage),
    ("opcode-unit", norm_on_an_attention_unit),
    ("opcode-unit", mvm_on_the_second_stage),
    ("destinations", load_into_a_second_stage),
    ("written-once", value_written_by_another),
    ("written-once", value_read_but_not_written),
    ("read-after-write", reader_before_its_value),
    ("schedule", routing_that_was_not_scheduled),
    ("pairs-once", pair_run_by_another_expert),
    ("pairs-once", pair_of_another_token),
    ("expert-group", expert_on_another_group),
    ("slot-order", turns_swapped),
    ("slot-order", another_slot),
    ("lockstep", slot_before_the_last_has_ended),
    ("lockstep", lockstep_not_said),
    ("router-first", expert_before_its_router),
    ("transfers", transfer_in_another_slot),
    ("operators", norm_of_a_token_twice),
    ("operators", attention_of_a_sequence_twice),
    ("inputs", norm_of_another_token),
    ("inputs", attention_without_a_token),
    ("inputs", load_of_another_operator),
    ("moved", read_across_regions),
    ("combine", sum_of_other_experts),
    ("combine", shared_gate_of_another_token),
    ("combine", top_k_of_another_token),
    ("mvm-input", mvm_of_another_vector),
    ("mvm-input", load_that_nobody_uses),
    ("broadcasts", vector_broadcast_once_more),
    ("broadcasts", two_values_in_one_broadcast),
    ("jobs", job_that_changes_its_token),
    ("jobs", sums_on_another_group),
    ("jobs", hidden_values_from_nowhere),
    ("job-reads", gating_without_activation),
    ("job-reads", store_past_its_sums),
    ("pg-once", pg_driven_twice),
    ("bus", two_loads_at_once),
    ("return-link", two_stores_at_once),
    ("unit-once", two_norms_at_once),
    ("input-buffers", input_buffer_too_full),
    ("buffer-bytes", value_beyond_its_buffer),
    ("buffer-bytes", value_without_a_place),
    ("buffer-bytes", value_of_no_bytes),
    ("buffer-overlap", values_in_the_same_place),
    ("buffer-overlap", values_on_top_of_each_other),
    ("duration", add("duration_ps", Opcode.ATTN, 1)),
    ("duration", add("busy_ps", Opcode.STORE, -1)),
    ("energy", add("energy_fj", Opcode.XFER, 1)),
    ("bytes", add("bytes", Opcode.LOAD, 1)),
    ("macs", add("macs", Opcode.MVM, -1)),
    ("macs", add("macs", Opcode.ATTN, 1)),
    ("macs", add("macs", Opcode.GATE, -20)),  # d 20: the shared expert's gate left out
    ("duration", add("duration_ps", Opcode.COMBINE, -1)),
    ("energy", add("energy_fj", Opcode.COMBINE, -1)),
    ("mvm-count", mvm_called_an_accumulation),
    ("mvm-energy", add("energy_fj", Opcode.MVM, 1)),
    ("inventory", a_core_more),
)
CORRUPTED_GATES: tuple[tuple[str, Callable[[Compiled], Compiled]], ...] = (
    ("job-reads", gate_of_another_token),
    ("job-reads", sums_activated_without_their_gate),
    ("job-reads", up_multiplied_without_its_gate),
    ("duration", add("duration_ps", Opcode.MUL, -1)),
    ("energy", add("energy_fj", Opcode.MUL, 1)),
    ("energy", add("energy_fj", Opcode.COMBINE, 1)),
)
CORRUPTED_STEPS: tuple[tuple[str, Callable[[Compiled], Compiled]], ...] = (
    ("labels", token_that_its_step_does_not_work_on),
    ("labels", step_that_does_not_exist),
    ("schedule", step_that_runs_all_tokens_again),
    ("inputs", attention_without_its_cache),
    ("inputs", token_that_does_not_wait_for_its_choice),
    ("caches", keys_of_a_token_fewer),
    ("caches", scores_never_written),
    ("cache-reads", keys_read_before_the_last_were_written),
    ("cache-reads", keys_of_the_other_sequence_written),
    ("samples", choice_from_an_older_token),
    ("samples", choices_that_nobody_asked_for),
    ("written-once", reads_what_comes_later),
)


WITHOUT_KEYS = [("caches", outputs_kept_a_token_short)]
BESIDE = [("macs", add("macs", Opcode.GATE, -20))]  # d 20: the only gate of a shared expert


@cache
def gated_beside_plain() -> Compiled:
    """Correct: of two shared experts one has a gate."""
    return compile_small(small_workload(layers=1, shared=2, shared_gates=(False, True)))


def test_a_gate_left_out_beside_an_expert_without_one_is_caught() -> None:
    ((check, corrupt),) = BESIDE
    assert [found for found in _results(gated_beside_plain()) if found[1] != "ok"] == []
    assert dict(_results(corrupt(gated_beside_plain())))[check] != "ok"


def sound(check: str) -> Compiled:
    """The correct program that a check's corruptions start from."""
    return in_lockstep() if check == "lockstep" else base()


@pytest.mark.parametrize(
    ("check", "corrupt"), CORRUPTIONS, ids=[f"{c}: {f.__name__}" for c, f in CORRUPTIONS]
)
def test_corruption_is_caught_by_the_check_meant_for_it(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(sound(check)) if found[1] != "ok"] == []
    c = corrupt(sound(check))
    result = dict(_results(c))[check]
    assert result != "ok"
    assert not result.startswith("not checked")
    with pytest.raises(CheckError):
        verify_mapping(c.mapping, c.workload, c.chip)
        verify_program(c)


@pytest.mark.parametrize(
    ("check", "corrupt"),
    CORRUPTED_GATES,
    ids=[f"{c}: {f.__name__}" for c, f in CORRUPTED_GATES],
)
def test_corrupted_gate_of_an_input_is_caught_by_the_check_meant_for_it(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(gates_on_input()) if found[1] != "ok"] == []
    result = dict(_results(corrupt(gates_on_input())))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


@pytest.mark.parametrize(
    ("check", "corrupt"),
    CORRUPTED_STEPS,
    ids=[f"{c}: {f.__name__}" for c, f in CORRUPTED_STEPS],
)
def test_corrupted_step_is_caught_by_the_check_meant_for_it(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(stepping()) if found[1] != "ok"] == []
    result = dict(_results(corrupt(stepping())))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


def test_outputs_kept_for_tokens_that_run_again_are_counted() -> None:
    assert [found for found in _results(stepping_without_keys()) if found[1] != "ok"] == []
    c = outputs_kept_a_token_short(stepping_without_keys())
    # prefill of 2 tokens: both run again in step 1, 2 x d 20 bytes
    assert dict(_results(c))["caches"].endswith("carries 20 bytes, expected 40")


def test_a_constant_is_made_in_the_first_step() -> None:
    """It serves every step after it, so that none makes its own."""
    c = compile_small(small_workload(layers=1, masks=True), decode=1)
    row = [op.name for op in c.workload.operators].index("mask")  # constants come first
    late = with_column(c, "step", changed(c.program.step, row, 1))
    assert "0 RESULT instructions" in dict(_results(late))["operators"]


def test_what_takes_no_time_waits_for_its_unit() -> None:
    """A constant in the middle of a job of its unit, which is free 1 ps after that."""
    c = base()
    p, row = c.program, [op.name for op in c.workload.operators].index("mask")
    assert p.busy_ps[row] == 0
    busy = np.flatnonzero((p.unit == p.unit[row]) & (p.busy_ps > 1))[0]
    for start, found in ((p.start_ps[busy] + 1, "starts at"), (p.start_ps[busy], "ok")):
        late = with_column(c, "start_ps", changed(p.start_ps, row, start))
        assert dict(_results(late))["unit-once"].split(": ")[-1].startswith(found)


def test_an_embedding_on_crossbars_waits_for_the_choice_of_its_token() -> None:
    assert [found for found in _results(embedding_on_crossbars()) if found[1] != "ok"] == []
    c = token_looked_up_before_it_is_chosen(embedding_on_crossbars())
    assert dict(_results(c))["inputs"].endswith("expected its operator's inputs")


def copied(c: Compiled, whose: Owner, **changes: Any) -> Compiled:
    """The same with the first block of `whose` changed."""
    index = next(i for i, b in enumerate(c.mapping.blocks) if b.owner == whose)
    new = replace(c.mapping.blocks[index], **changes)
    blocks = (*c.mapping.blocks[:index], new, *c.mapping.blocks[index + 1 :])
    return replace(c, mapping=replace(c.mapping, blocks=blocks))


def other_weights_in_a_copy(c: Compiled) -> Compiled:
    # the first matrix of an operator's own is q0's: its second copy holds the numbers of k0
    return copied(c, DenseOwner(1), weight=Weight("k0", 20, 20, bits=8))


def a_copy_too_many(c: Compiled) -> Compiled:
    return copied(c, DenseOwner(1), owner=DenseOwner(2))


def a_copy_too_few(c: Compiled) -> Compiled:
    return replace(c, mapping=replace(c.mapping, dense_copies=3))


def copies_behind_one_group(c: Compiled) -> Compiled:
    # both copies of q0 on the PGs of the first; those of the second are not there any more
    one, two = (
        next(i for i, b in enumerate(c.mapping.blocks) if b.owner == DenseOwner(n)) for n in (0, 1)
    )
    return behind_another(c, one, two)


def behind_another(c: Compiled, one: int, two: int) -> Compiled:
    """Block `two` on the PGs of block `one`; its own are not there any more."""
    place = c.mapping.placement
    gone = np.arange(place.pg_start[two], place.pg_start[two] + c.mapping.blocks[two].tiles)
    start = place.pg_start - len(gone) * (place.pg_start > gone[0])
    return placed(
        c,
        pg_start=changed(start, two, start[one]),
        core=np.delete(place.core, gone),
        pg_class=np.delete(place.pg_class, gone),
    )


def first_of_q(c: Compiled, opcode: Opcode) -> tuple[int, int]:
    """The first instruction of a kind of token 0 of q0, and the unit of token 1's."""
    q = [op.name for op in c.workload.operators].index("q0")
    one, two = (rows(c.program, opcode, node=q, token=t)[0] for t in (0, 1))
    return int(one), int(c.program.unit[two])


def token_out_of_turn(c: Compiled) -> Compiled:
    return edited(c, "unit", *first_of_q(c, Opcode.MVM))


def sums_of_the_other_copy(c: Compiled) -> Compiled:
    return edited(c, "unit", *first_of_q(c, Opcode.ACC))


def second_stage_of_the_other_copy(c: Compiled) -> Compiled:
    # a shared expert's second stages, by token: copy 0 and copy 1
    p = c.program
    one, two = (rows(p, Opcode.MVM, stage=1, expert=-1, token=t)[0] for t in (0, 1))
    return edited(c, "unit", one, int(p.unit[two]))


def copy_of_another_name(c: Compiled) -> Compiled:
    return edited(c, "replica", first_of_q(c, Opcode.MVM)[0], 1)


COPIES: list[tuple[str, Callable[[Compiled], Compiled]]] = [
    ("blocks", other_weights_in_a_copy),
    ("blocks", a_copy_too_many),
    ("blocks", a_copy_too_few),
    ("crossbars", copies_behind_one_group),
    ("group-sharing", copies_behind_one_group),
    ("copies", token_out_of_turn),
    ("jobs", sums_of_the_other_copy),
    ("jobs", second_stage_of_the_other_copy),
    ("expert-group", copy_of_another_name),
]


@pytest.mark.parametrize(
    ("check", "corrupt"), COPIES, ids=[f"{name}-{f.__name__}" for name, f in COPIES]
)
def test_a_copy_of_a_dense_block_that_is_none_is_caught(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(dense_twice()) if found[1] != "ok"] == []
    result = dict(_results(corrupt(dense_twice())))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


@cache
def of_unlike_widths() -> Compiled:
    """Correct: experts of 12 and 5 in pairs, every token to both of the first pair."""
    chosen = {0: np.tile([True, True, False, False], (6, 1))}
    return compile_small(small_workload(layers=1, widths=(12, 5)), chosen=chosen)


def the_tiles_of_the_wider(c: Compiled) -> Compiled:
    # energy of 9 + 9 crossbars where 5 columns have 6 + 6, whose time is the same
    mvm = routed(c.program, Opcode.MVM, stage=0)
    wide, narrow = (mvm[c.program.expert[mvm] == expert] for expert in (0, 1))
    assert (c.program.energy_fj[wide] * 12 == c.program.energy_fj[narrow] * 18).all()
    return edited(c, "energy_fj", narrow, c.program.energy_fj[wide])


def the_results_of_the_wider(c: Compiled) -> Compiled:
    # up and gate of 12, not 5, are moved to the digital unit
    out = routed(c.program, Opcode.XFER, stage=0)
    wide, narrow = (out[c.program.expert[out] == expert][0] for expert in (0, 1))
    return edited(c, "bytes", narrow, c.program.bytes[wide])


def the_sums_of_the_wider(c: Compiled) -> Compiled:
    # 12 rows of down are two tiles, added by an ACC; 5 are one, so the STORE reads the MVM itself
    acc = routed(c.program, Opcode.ACC, stage=1)
    assert (c.program.expert[acc] == 0).all()
    store = next(r for r in routed(c.program, Opcode.STORE) if c.program.expert[r] == 1)
    return entry(c, "reads", store, 0, int(acc[0]))


def the_narrower_as_the_wider(c: Compiled) -> Compiled:
    # every instruction of one pair of expert 1 says that it is of expert 0
    first = routed(c.program, Opcode.MVM, stage=0)
    root = first[c.program.expert[first] == 1][0]
    token = c.program.token == c.program.token[root]
    return edited(c, "expert", token & (c.program.expert == 1), 0)


def columns_as_short_as_the_narrower(c: Compiled) -> Compiled:
    # down of expert 0: 2 x 5 tiles on 10 PGs; moved on by one, its last is behind the next group's
    start, down = c.mapping.placement.pg_start, block(c.mapping, "down", 0)
    return placed(c, pg_start=changed(start, down, start[down] + 1))


UNLIKE: list[tuple[str, Callable[[Compiled], Compiled]]] = [
    ("mvm-energy", the_tiles_of_the_wider),
    ("energy", the_tiles_of_the_wider),
    ("bytes", the_results_of_the_wider),
    ("jobs", the_sums_of_the_wider),
    ("pairs-once", the_narrower_as_the_wider),
    ("group-sharing", columns_as_short_as_the_narrower),
]


@pytest.mark.parametrize(
    ("check", "corrupt"), UNLIKE, ids=[f"{name}-{f.__name__}" for name, f in UNLIKE]
)
def test_an_expert_that_works_as_a_wider_one_of_its_group_is_caught(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(of_unlike_widths()) if found[1] != "ok"] == []
    result = dict(_results(corrupt(of_unlike_widths())))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


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


def with_stacks(c: Compiled, *stacks: tuple[Member, ...]) -> Compiled:
    """The same with other stacks said."""
    return replace(c, mapping=replace(c.mapping, stacks=Stacking(stacks)))


def dense(m: Mapping, tensor: str) -> int:
    """Index of the block of a dense matrix."""
    return next(i for i, b in enumerate(m.blocks) if b.weight.tensor == tensor)


def of_dense(c: Compiled, tensor: str, opcode: Opcode) -> Ints:
    """Rows of an opcode of a dense product, by its tensor."""
    node = [op.name for op in c.workload.operators].index(tensor)
    return rows(c.program, opcode, node=node)


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


def unit_of(c: Compiled, name: str) -> int:
    """The group unit of a fire group, by its name."""
    keys = [(u.kind, u.layer, u.stage, u.group) for u in c.program.units]
    return keys.index(("group", *astuple(named(c.mapping)[name])))


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
    inventory = c.program.inventory
    fewer = replace(inventory, switched_crossbars=inventory.switched_crossbars - 1)
    return replace(c, program=replace(c.program, inventory=fewer))


def experts_counted_without_the_dense_pgs_of_their_stacks(c: Compiled) -> Compiled:
    # k0's 15 PGs are among the 18 of group 0: none of them is a dense one
    inventory = replace(c.program.inventory, dense_pgs=c.program.inventory.dense_pgs + 15)
    return replace(c, program=replace(c.program, inventory=inventory))


STACKED: list[tuple[str, Callable[[Compiled], Compiled]]] = [
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
]


@pytest.mark.parametrize(
    ("check", "corrupt"), STACKED, ids=[f"{name}-{f.__name__}" for name, f in STACKED]
)
def test_a_stack_that_is_none_is_caught(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(stacked()) if found[1] != "ok"] == []
    result = dict(_results(corrupt(stacked())))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


def test_a_stack_of_layers_in_regions_of_their_own_is_caught() -> None:
    """Neither bus goes to the other's peripheral groups."""
    c = compile_small(small_workload(), small_chip(pg={"stack_limit": 2}))
    members = named(c.mapping)
    c = with_stacks(c, (members["q0"], members["q1"]))
    assert dict(_results(c))["stacks"] == "stack 0: of layers [0, 1], expected layers of one region"


# -- several dies --------------------------------------------------------------------------------


@cache
def on_dies() -> Compiled:
    """Correct: on a ring of four dies, each fire group on a random one; a decode step.

    Two layers with a shared expert, experts in pairs, routers on crossbars and gates of the input,
    in a way that routing, hidden vectors, results and choices of tokens all cross links.
    """
    dies, digital = JOINED["ring of 4"], {"router_on": "crossbar"}
    workload = small_workload(k=3, shared=1, weight_on="input", embedded=True)
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    chip = die_chip(dies, digital=digital, pg={"retain_input": False})
    return compile_small(workload, chip, sequence=sequence, decode=1, sites=at_random(dies, 3))


def with_unit(c: Compiled, at: int, **changes: Any) -> Compiled:
    """The same with fields of a unit changed."""
    units = list(c.program.units)
    units[at] = replace(units[at], **changes)
    return replace(c, program=replace(c.program, units=tuple(units)))


def crossings(p: Program) -> Ints:
    """Rows of CROSSes."""
    return rows(p, Opcode.CROSS)


def dies_of(p: Program) -> Ints:
    """[rows] the die that each is carried out on."""
    return np.array([unit.die for unit in p.units], dtype=np.int64)[p.unit]


def readers(p: Program, row: int) -> list[tuple[int, int]]:
    """Who reads a row: (reader, place among what it reads)."""
    found = np.flatnonzero(p.reads.values == row)
    who = p.reads.rows()[found]
    return [(int(r), int(at - p.reads.offsets[r])) for r, at in zip(who, found, strict=True)]


def first_kind(c: Compiled, kind: str) -> int:
    """The first unit of a kind."""
    return next(i for i, unit in enumerate(c.program.units) if unit.kind == kind)


def a_link_too_few(c: Compiled) -> Compiled:
    """What the last one did the one before does."""
    p = c.program
    *units, last = p.units
    assert last.kind == units[-1].kind == "d2d"
    c = edited(c, "unit", p.unit == len(units), len(units) - 1)
    return replace(c, program=replace(c.program, units=tuple(units)))


def a_link_too_many(c: Compiled) -> Compiled:
    # 0 and 2 are opposite each other on the ring
    spare = replace(c.program.units[-1], name="d2d.0.2", die=0, to=2)
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def a_link_twice(c: Compiled) -> Compiled:
    spare = replace(c.program.units[-1], name="spare")
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def link_the_other_way(c: Compiled) -> Compiled:
    at = first_kind(c, "d2d")
    unit = c.program.units[at]
    return with_unit(c, at, die=unit.to, to=unit.die)


def group_on_another_die(c: Compiled) -> Compiled:
    at = first_kind(c, "group")
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def adders_on_another_die(c: Compiled) -> Compiled:
    at = first_kind(c, "acc")
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def way_to_a_second_stage_on_another_die(c: Compiled) -> Compiled:
    at = first_kind(c, "link")
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def bus_on_another_die(c: Compiled) -> Compiled:
    # one on which the layer has no region, or has two busses then
    at = first_kind(c, "bus")
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def digital_unit_on_another_die(c: Compiled) -> Compiled:
    at = first_kind(c, "dpu")
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def attention_on_another_die(c: Compiled) -> Compiled:
    at = first_kind(c, "mha")
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def read_across_dies(c: Compiled) -> Compiled:
    """A crossing left out: who reads it reads what it brings, on the die before."""
    row = int(crossings(c.program)[0])
    reader, place = readers(c.program, row)[0]
    return entry(c, "reads", reader, place, int(c.program.reads[row][0]))


def link_left_out(c: Compiled) -> Compiled:
    """A value over two links, of which the second one takes it from where the first one did."""
    p = c.program
    second = next(r for r in crossings(p) if p.opcode[p.reads[r][0]] == Opcode.CROSS)
    return entry(c, "reads", int(second), 0, int(p.reads[p.reads[second][0]][0]))


def crossing_over_another_link(c: Compiled) -> Compiled:
    """To another die than its reader's."""
    p = c.program
    row = int(crossings(p)[0])
    link = p.units[p.unit[row]]
    keys = [(unit.kind, unit.die, unit.to) for unit in p.units]
    return edited(c, "unit", row, keys.index(("d2d", link.die, (2 * link.die - link.to) % 4)))


def broadcast_to_another_die(c: Compiled) -> Compiled:
    """A LOAD on one die into a group of its layer and stage on another."""
    p, die = c.program, dies_of(c.program)
    for load in rows(p, Opcode.LOAD):
        for to, unit in enumerate(p.units):
            fits = (unit.kind, unit.layer, unit.stage) == ("group", int(p.layer[load]), 0)
            if fits and unit.die != die[load]:
                return entry(c, "dst", int(load), 0, to)
    raise AssertionError("all on one die")


def work_on_the_units_of_another_die(c: Compiled) -> Compiled:
    """An activation beside its expert's first stage, done in the same layer on another die."""
    p, die = c.program, dies_of(c.program)
    for row in rows(p, Opcode.ACT):
        for at, unit in enumerate(p.units):
            if (unit.kind, unit.layer) == ("dpu", p.layer[row]) and unit.die != die[row]:
                return edited(c, "unit", int(row), at)
    raise AssertionError("all on one die")


def two_values_in_a_crossing(c: Compiled) -> Compiled:
    p, one = c.program, int(crossings(c.program)[0])
    reads = p.reads
    values = np.insert(reads.values, reads.offsets[one], reads.values[reads.offsets[one]])
    offsets = reads.offsets + (np.arange(len(reads) + 1) > one)
    return with_column(c, "reads", Lists(offsets, values))


def nothing_in_a_crossing(c: Compiled) -> Compiled:
    p, one = c.program, int(crossings(c.program)[0])
    reads = p.reads
    values = np.delete(reads.values, reads.offsets[one])
    offsets = reads.offsets - (np.arange(len(reads) + 1) > one)
    return with_column(c, "reads", Lists(offsets, values))


def one_way(p: Program) -> tuple[int, int]:
    """Two CROSSes of different tokens over one link, of what operators make for one token each."""
    found = crossings(p)
    for one in found.tolist():
        same = found[(p.unit[found] == p.unit[one]) & (p.node[found] == p.node[one])]
        same = same[(p.token[same] != p.token[one]) & (p.seq[same] == p.seq[one])]
        same = same[p.opcode[[int(p.reads[r][0]) for r in same]] == p.opcode[p.reads[one][0]]]
        if len(same) and p.opcode[p.reads[one][0]] != Opcode.SAMPLE:
            return one, int(same[0])
    raise AssertionError("no two")


def crossing_of_another_token(c: Compiled) -> Compiled:
    one, other = one_way(c.program)
    return entry(c, "reads", one, 0, int(c.program.reads[other][0]))


def crossing_of_the_first_token_for_another(c: Compiled) -> Compiled:
    one, other = one_way(c.program)
    source = int(c.program.reads[one][0])
    assert c.program.token[source] == 0
    return entry(c, "reads", other, 0, source)


def crossing_that_nobody_reads(c: Compiled) -> Compiled:
    """Whoever read it reads another one's."""
    p = c.program
    one, other = one_way(p)
    for reader, place in readers(p, one):
        c = entry(c, "reads", reader, place, other)
    return c


def crossing_brought_twice(c: Compiled) -> Compiled:
    """A CROSS that brings what another one brings, to its own reader."""
    p = c.program
    one, other = one_way(p)
    twice = entry(c, "reads", other, 0, int(p.reads[one][0]))
    return edited(twice, "token", other, p.token[one])


def crossing_of_another_operator(c: Compiled) -> Compiled:
    """One of the same region that has nothing to do with it: the product after the attention."""
    names = [op.name for op in c.workload.operators]
    row = next(r for r in crossings(c.program) if c.program.node[r] == names.index("q0"))
    return edited(c, "node", int(row), names.index("o0"))


def crossings_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.CROSS, "d2d")


def crossing_before_its_value(c: Compiled) -> Compiled:
    p = c.program
    row = int(crossings(p)[0])
    return edited(c, "start_ps", row, p.end_ps[p.reads[row][0]] - 1)


def reader_before_its_crossing(c: Compiled) -> Compiled:
    p = c.program
    row = int(crossings(p)[0])
    return edited(c, "start_ps", readers(p, row)[0][0], p.end_ps[row] - 1)


def link_without_latency(c: Compiled) -> Compiled:
    row = int(crossings(c.program)[0])
    return edited(c, "duration_ps", row, c.program.busy_ps[row])


def link_free_too_early(c: Compiled) -> Compiled:
    row = int(crossings(c.program)[0])
    return edited(c, "busy_ps", row, c.program.busy_ps[row] - 1)


def value_in_the_buffer_of_another_die(c: Compiled) -> Compiled:
    """Of the same layer, where it is not."""
    p = c.program
    for row in np.flatnonzero(p.buffer >= 0):
        mine = p.buffers[p.buffer[row]]
        for at, buffer in enumerate(p.buffers):
            if (
                buffer.layer == mine.layer
                and buffer.die != mine.die
                and p.opcode[row] == Opcode.ACT
            ):
                larger = replace(buffer, bytes=10**6)
                buffers = tuple(larger if b is buffer else b for b in p.buffers)
                c = replace(c, program=replace(p, buffers=buffers))
                return edited(c, "buffer", int(row), at)
    raise AssertionError("all on one die")


def crossing_in_the_buffer_that_it_leaves(c: Compiled) -> Compiled:
    p = c.program
    keys = [(buffer.layer, buffer.die) for buffer in p.buffers]
    for row in crossings(p):
        key = int(p.layer[row]), p.units[p.unit[row]].die
        if p.buffer[row] >= 0 and key in keys:
            buffers = tuple(replace(b, bytes=10**6) for b in p.buffers)
            c = replace(c, program=replace(p, buffers=buffers))
            return edited(c, "buffer", int(row), keys.index(key))
    raise AssertionError("none")


def dst_of_a_crossing(c: Compiled) -> Compiled:
    """A CROSS goes to no input buffer."""
    p, row = c.program, int(crossings(c.program)[0])
    group = first_kind(c, "group")
    values = np.insert(p.dst.values, p.dst.offsets[row], group)
    offsets = p.dst.offsets + (np.arange(len(p.dst) + 1) > row)
    return with_column(c, "dst", Lists(offsets, values))


def crossing_on_a_mesh(c: Compiled) -> Compiled:
    return edited(c, "unit", int(crossings(c.program)[0]), first_kind(c, "mesh"))


def move_over_a_link(c: Compiled) -> Compiled:
    p = c.program
    mesh = [unit.kind == "mesh" for unit in p.units]
    row = np.flatnonzero(np.array(mesh)[p.unit])[0]
    return edited(c, "unit", int(row), first_kind(c, "d2d"))


def region_on_a_die_that_is_not_there(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, die=4)))


def region_on_another_die(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, die=(last.die + 1) % 4)))


def region_twice(c: Compiled) -> Compiled:
    """A second one of its layer on its die."""
    place = c.mapping.placement
    spare = replace(place.regions[-1], x=0, y=place.mesh_height - 1, width=1, height=1)
    return placed(c, regions=(*place.regions, spare))


def regions_of_a_die_overlap(c: Compiled) -> Compiled:
    """The second of a die begins where the first one does."""
    regions = list(c.mapping.placement.regions)
    for at, one in enumerate(regions):
        for other in regions[:at]:
            if one.die == other.die:
                regions[at] = replace(one, y=other.y)
                return placed(c, regions=tuple(regions))
    raise AssertionError("none")


def group_over_two_dies(c: Compiled) -> Compiled:
    """An expert group's gate where its up is not: it changes places with another's."""
    p = c.mapping.placement
    start = p.pg_start
    gate = block(c.mapping, "gate", 0)
    for expert in (2, 3):
        other = block(c.mapping, "gate", expert)
        if p.die_of(start[gate]) != p.die_of(start[other]):
            return placed(c, pg_start=changed(start, [gate, other], start[[other, gate]]))
    raise AssertionError("all on one die")


def core_beyond_the_last_die(c: Compiled) -> Compiled:
    p = c.mapping.placement
    cores = p.mesh_width * p.mesh_height * 4
    return placed(c, core=changed(p.core, 0, cores))


def pg_on_another_die(c: Compiled) -> Compiled:
    """The last PG of a fire group at the same place of the next die."""
    p = c.mapping.placement
    cores = p.mesh_width * p.mesh_height
    unit = next(u for u in c.program.units if u.kind == "group" and u.pgs > 1)
    last = unit.first_pg + unit.pgs - 1
    return placed(c, core=changed(p.core, last, (p.core[last] + cores) % (4 * cores)))


def dies_joined_otherwise(c: Compiled) -> Compiled:
    return placed(c, topology=Topology(4, ((0, 1), (0, 2), (0, 3))))


def moved_on_a_die_without_a_crossing(c: Compiled) -> Compiled:
    """A vector of another layer, read where the XFER leaves it: at the port of its own die."""
    p = c.program
    for row in crossings(p):
        made = int(p.reads[row][0])
        if p.opcode[made] == Opcode.XFER and p.units[p.unit[made]].kind == "mesh":
            reader, place = readers(p, int(row))[0]
            return entry(c, "reads", reader, place, made)
    raise AssertionError("none")


def inventory_without_a_bus_of_a_die(c: Compiled) -> Compiled:
    inventory = c.program.inventory
    fewer = replace(inventory, bus_bits_per_ns=inventory.bus_bits_per_ns - 1)
    return replace(c, program=replace(c.program, inventory=fewer))


ON_DIES: list[tuple[str, Callable[[Compiled], Compiled]]] = [
    ("mesh", region_on_a_die_that_is_not_there),
    ("mesh", core_beyond_the_last_die),
    ("regions", region_on_another_die),
    ("regions", region_twice),
    ("regions", regions_of_a_die_overlap),
    ("in-region", pg_on_another_die),
    ("in-region", group_over_two_dies),
    ("links", a_link_too_few),
    ("links", a_link_too_many),
    ("links", a_link_twice),
    ("links", link_the_other_way),
    ("links", group_on_another_die),
    ("links", adders_on_another_die),
    ("links", way_to_a_second_stage_on_another_die),
    ("links", dies_joined_otherwise),
    ("units", bus_on_another_die),
    ("units", digital_unit_on_another_die),
    ("units", attention_on_another_die),
    ("opcode-unit", crossing_on_a_mesh),
    ("labels", move_over_a_link),
    ("destinations", dst_of_a_crossing),
    ("on-die", read_across_dies),
    ("on-die", link_left_out),
    ("on-die", crossing_over_another_link),
    ("on-die", broadcast_to_another_die),
    ("on-die", work_on_the_units_of_another_die),
    ("on-die", moved_on_a_die_without_a_crossing),
    ("crossings", two_values_in_a_crossing),
    ("crossings", nothing_in_a_crossing),
    ("crossings", crossing_of_another_token),
    ("crossings", crossing_of_the_first_token_for_another),
    ("crossings", crossing_that_nobody_reads),
    ("crossings", crossing_of_another_operator),
    ("crossings", crossing_brought_twice),
    ("read-after-write", crossing_before_its_value),
    ("read-after-write", reader_before_its_crossing),
    ("unit-once", crossings_at_once),
    ("buffer-bytes", value_in_the_buffer_of_another_die),
    ("buffer-bytes", crossing_in_the_buffer_that_it_leaves),
    ("bytes", add("bytes", Opcode.CROSS, 1)),
    ("energy", add("energy_fj", Opcode.CROSS, -1)),
    ("duration", add("duration_ps", Opcode.CROSS, 1)),
    ("duration", link_without_latency),
    ("duration", link_free_too_early),
    ("macs", add("macs", Opcode.CROSS, 1)),
    ("inventory", inventory_without_a_bus_of_a_die),
]


@pytest.mark.parametrize(
    ("check", "corrupt"), ON_DIES, ids=[f"{name}-{f.__name__}" for name, f in ON_DIES]
)
def test_what_is_wrong_on_several_dies_is_caught(
    check: str, corrupt: Callable[[Compiled], Compiled]
) -> None:
    assert [found for found in _results(on_dies()) if found[1] != "ok"] == []
    result = dict(_results(corrupt(on_dies())))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


EXECUTION_REFUSES = (
    read_across_dies,
    link_left_out,
    crossing_over_another_link,
    work_on_the_units_of_another_die,
    moved_on_a_die_without_a_crossing,
    two_values_in_a_crossing,
    nothing_in_a_crossing,
    crossing_before_its_value,
    reader_before_its_crossing,
)
REPLAY_REFUSES = (
    crossing_on_a_mesh,
    move_over_a_link,
    dst_of_a_crossing,
    crossings_at_once,
    crossing_before_its_value,
    reader_before_its_crossing,
)


@pytest.mark.parametrize("corrupt", EXECUTION_REFUSES, ids=lambda f: f.__name__)
def test_execution_refuses_what_is_not_where_it_is_read(
    corrupt: Callable[[Compiled], Compiled],
) -> None:
    c = on_dies()
    check_order(c.program, c.chip.pg.input_buffers)
    with pytest.raises(CheckError):
        check_order(corrupt(c).program, c.chip.pg.input_buffers)


@pytest.mark.parametrize("corrupt", REPLAY_REFUSES, ids=lambda f: f.__name__)
def test_replay_refuses_links_that_are_held_and_values_that_are_not_there(
    corrupt: Callable[[Compiled], Compiled],
) -> None:
    c = on_dies()
    replay(c.program, c.chip)
    with pytest.raises(CheckError):
        replay(corrupt(c).program, c.chip)


def _results(c: Compiled) -> list[tuple[str, str]]:
    """Results of all checks; a broken mapping's program is not looked at."""
    found = check_mapping(c.mapping, c.workload, c.chip)
    if all(result == "ok" for _, result in found):
        found += check_program(c)
    return found


def test_every_check_has_a_corruption() -> None:
    corrupted = {
        check for check, _ in (*CORRUPTIONS, *CORRUPTED_STEPS, *COPIES, *STACKED, *ON_DIES)
    }
    assert corrupted == {check.name for check in CHECKS}


def test_error_names_check_culprit_and_problem() -> None:
    c = pg_driven_twice(base())
    with pytest.raises(CheckError) as error:
        verify_program(c)
    # the MVM moved forward may also come before its LOAD: whichever is found first, it is named
    assert error.value.check in {check.name for check in CHECKS}
    assert error.value.culprit.startswith("#")
    assert " MVM " in error.value.culprit
    assert error.value.problem in str(error.value)


def test_checks_behind_a_failed_gate_are_not_run() -> None:
    c = unit_that_does_not_exist(base())
    found = check_program(c)
    assert found[0][0] == "columns"
    assert found[0][1] != "ok"
    assert {result for _, result in found[1:]} == {"not checked: columns failed"}
