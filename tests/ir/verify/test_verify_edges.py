"""Every table and every range at its ends: what is one beyond is refused by the check meant for it.

What stands exactly at a limit is accepted.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache, partial
from typing import Any, TypeVar

import numpy as np
import pytest

from compiler.pipeline import realise
from ir.compiled import Compiled
from ir.errors import InputError
from ir.mapping import DenseOwner, Mapping, RoutedOwner
from ir.program import Lists, Opcode
from ir.schedule import Caches, assign_experts
from ir.verify import check_mapping, check_program
from ir.verify.check import first_difference, first_repeat, first_uneven
from ir.verify.exclusive import _clash
from ir.verify.mapping import check_crossbars, check_groups
from ir.verify.tiles import MappingCase
from ir.verify.traffic import _counted
from ir.workload import AnyOperator, MoELayer
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import streaming
from tests.ir.verify import test_verify_rejects as rejects
from tests.ir.verify.test_verify_forms import FORMS, NARROW, TWO, with_digital
from tests.ir.verify.test_verify_rejects import block, changed, placed, with_unit
from tests.ir.verify.test_verify_streams import elsewhere
from tests.make import compact_order, compile_small, map_small, small_chip, small_workload
from tests.stacks import named, stacks_of

T = TypeVar("T")
Corrupt = Callable[[Compiled], Compiled]


def unchecked(value: T, **changes: Any) -> T:
    """A copy of a frozen value with fields that its type would refuse, as a file might hold."""
    out = object.__new__(type(value))
    for field in fields(value):  # type: ignore[arg-type]
        object.__setattr__(out, field.name, changes.get(field.name, getattr(value, field.name)))
    return out


def mapped(c: Compiled, **changes: Any) -> Compiled:
    """The same with other fields of the mapping."""
    return replace(c, mapping=replace(c.mapping, **changes))


def with_block(c: Compiled, at: int = 0, **changes: Any) -> Compiled:
    """The same with other fields of a block."""
    blocks = list(c.mapping.blocks)
    blocks[at] = replace(blocks[at], **changes)
    return mapped(c, blocks=tuple(blocks))


# -- mappings ------------------------------------------------------------------------------------


def no_copy_of_dense_blocks(c: Compiled) -> Compiled:
    return mapped(c, dense_copies=0)


def block_of_an_operator_without_a_matrix(c: Compiled) -> Compiled:
    norm = [op.name for op in c.workload.operators].index("norm_a0")
    return with_block(c, operator=norm)


def block_in_another_layer(c: Compiled) -> Compiled:
    return with_block(c, layer=1)


def block_of_another_stage(c: Compiled) -> Compiled:
    return with_block(c, stage=1)


def block_with_a_column_tile_too_many(c: Compiled) -> Compiled:
    return with_block(c, columns=c.mapping.blocks[0].columns + 1)


def block_left_out(c: Compiled) -> Compiled:
    return mapped(c, blocks=c.mapping.blocks[1:])


def layer_without_groups(c: Compiled) -> Compiled:
    return mapped(c, grouping=replace(c.mapping.grouping, layers=c.mapping.grouping.layers[:1]))


def with_groups(c: Compiled, **changes: Any) -> Compiled:
    """The same with other groups in the first layer, whatever they are."""
    first, *others = c.mapping.grouping.layers
    layers = (unchecked(first, **changes), *others)
    return mapped(c, grouping=replace(c.mapping.grouping, layers=layers))


def expert_twice_in_a_group(c: Compiled) -> Compiled:
    return with_groups(c, groups=((0, 1, 1), (2, 3)))


def expert_twice_in_a_group_with_its_blocks(c: Compiled) -> Compiled:
    """Each of the two has what it takes, as replicas in two groups have."""
    again = RoutedOwner(1, 1)
    mine = [b for b in c.mapping.blocks if (b.layer, b.owner) == (0, RoutedOwner(1))]
    more = (*c.mapping.blocks, *(replace(b, owner=again) for b in mine))
    return mapped(expert_twice_in_a_group(c), blocks=more)


def expert_that_does_not_exist(c: Compiled) -> Compiled:
    return with_groups(c, groups=((0, 1), (2, 3, 4)))


def expert_in_a_group_and_digital(c: Compiled) -> Compiled:
    return with_groups(c, digital=(3,))


def shorter(name: str) -> Corrupt:
    """A table of the placement with its last row gone."""

    def corrupt(c: Compiled) -> Compiled:
        return placed(c, **{name: getattr(c.mapping.placement, name)[:-1]})

    corrupt.__name__ = f"{name}_a_row_short"
    return corrupt


def far(name: str, by: int) -> Corrupt:
    """A number of the placement so far off that in 32 bits it would be the same again."""

    def corrupt(c: Compiled) -> Compiled:
        column = getattr(c.mapping.placement, name).astype(np.int64)
        at = (0,) * column.ndim
        return placed(c, **{name: changed(column, at, column[at] + by)})

    corrupt.__name__ = f"{name}_{by:+}"
    return corrupt


def pg_before_the_first(c: Compiled) -> Compiled:
    start = c.mapping.placement.pg_start
    return placed(c, pg_start=changed(start, np.argmin(start), -1))


def spot(name: str, kind: int, place: int, value: int) -> Corrupt:
    """Expert 0's up: the crossbar (0), row (1) or cell (2) of a kind of its tiles set."""

    def corrupt(c: Compiled) -> Compiled:
        at = block(c.mapping, "up", 0), kind, place
        return placed(c, spots=changed(c.mapping.placement.spots, at, value))

    corrupt.__name__ = name
    return corrupt


def expert_on_pgs_of_its_own(c: Compiled) -> Compiled:
    """The second of a group gets PGs that nobody else has."""
    place, up = c.mapping.placement, block(c.mapping, "up", 1)
    more = c.mapping.blocks[up].tiles
    start = int(place.pg_start[up])
    return placed(
        c,
        pg_start=changed(place.pg_start, up, place.pgs),
        core=np.append(place.core, place.core[start : start + more]),
        pg_class=np.append(place.pg_class, place.pg_class[start : start + more]),
    )


def pg_of_another_class(c: Compiled) -> Compiled:
    kind = c.mapping.placement.pg_class
    return placed(c, pg_class=changed(kind, 0, 1 - kind[0]))


def core_before_the_first(c: Compiled) -> Compiled:
    return placed(c, core=changed(c.mapping.placement.core, 0, -1))


def region(name: str, **by: int) -> Corrupt:
    """Fields of the last region changed by so much."""

    def corrupt(c: Compiled) -> Compiled:
        *others, last = c.mapping.placement.regions
        new = {field: getattr(last, field) + more for field, more in by.items()}
        return placed(c, regions=(*others, replace(last, **new)))

    corrupt.__name__ = name
    return corrupt


def region_as_wide_as_none(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, width=0)))


def region_as_high_as_none(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, height=0)))


def mesh_that_the_chip_has_not(c: Compiled) -> Compiled:
    """The chip's has another width, or height."""
    place = c.mapping.placement
    mesh = replace(c.chip.mesh, width=place.mesh_width, height=place.mesh_height + 1)
    return replace(c, chip=replace(c.chip, mesh=mesh))


def pg_moved(c: Compiled, dx: int, dy: int) -> Compiled:
    """The first PG's core by so much; the region that it is in is as large as it has to be."""
    place = c.mapping.placement
    new = int(place.core[0]) + dy * place.mesh_width + dx
    return placed(c, core=changed(place.core, 0, new))


def region_smaller_by_its_last_column(c: Compiled) -> Compiled:
    return _shrunk(c, width=-1)


def region_smaller_by_its_first_column(c: Compiled) -> Compiled:
    return _shrunk(c, x=1, width=-1)


def region_smaller_by_its_first_row(c: Compiled) -> Compiled:
    return _shrunk(c, y=1, height=-1)


def region_smaller_by_its_last_row(c: Compiled) -> Compiled:
    return _shrunk(c, height=-1)


def _shrunk(c: Compiled, **by: int) -> Compiled:
    first, *others = c.mapping.placement.regions
    new = {field: getattr(first, field) + more for field, more in by.items()}
    return placed(c, regions=(replace(first, **new), *others))


# -- programs: columns and units -----------------------------------------------------------------


def nodes_of_another_model(c: Compiled) -> Compiled:
    return replace(c, program=replace(c.program, nodes=c.program.nodes[::-1]))


def list_offsets(name: str, at: int, by: int) -> Corrupt:
    """The offsets of a list column changed at one place."""

    def corrupt(c: Compiled) -> Compiled:
        lists: Lists = getattr(c.program, name)
        offsets = changed(lists.offsets, at, lists.offsets[at] + by)
        return rejects.with_column(c, name, Lists(offsets, lists.values))

    corrupt.__name__ = f"offset_{at}_of_{name}_{by:+}"
    return corrupt


def list_without_its_first_value(name: str) -> Corrupt:
    """Offsets begin at 1, so that the first value is nobody's."""

    def corrupt(c: Compiled) -> Compiled:
        lists: Lists = getattr(c.program, name)
        return rejects.with_column(c, name, Lists(np.maximum(lists.offsets, 1), lists.values))

    corrupt.__name__ = f"first_value_of_{name}_left_out"
    return corrupt


def list_value(name: str, value: str) -> Corrupt:
    """A value of a list column one beyond either end."""

    def corrupt(c: Compiled) -> Compiled:
        lists: Lists = getattr(c.program, name)
        size = len(c.program) if name == "reads" else len(c.program.units)
        values = changed(lists.values, 0, size if value == "above" else -1)
        return rejects.with_column(c, name, Lists(lists.offsets, values))

    corrupt.__name__ = f"{name}_{value}_its_range"
    return corrupt


LIMITS: dict[str, tuple[int | None, Callable[[Compiled], int] | None]] = {
    "opcode": (None, lambda _: max(Opcode)),
    "token": (-1, lambda c: c.schedule.tokens - 1),
    "stage": (-1, lambda _: 1),
    "unit": (0, lambda c: len(c.program.units) - 1),
    "src": (-1, lambda c: len(c.program.units) - 1),
    "node": (0, lambda c: len(c.program.nodes) - 1),
    "buffer": (-1, lambda c: len(c.program.buffers) - 1),
    "start_ps": (0, None),
    "busy_ps": (0, None),
    "duration_ps": (0, None),
}


def beyond(name: str, *, below: bool) -> Corrupt:
    """A column of the program one beyond an end of its range."""

    def corrupt(c: Compiled) -> Compiled:
        low, high = LIMITS[name]
        if below:
            assert low is not None
            return rejects.edited(c, name, 1, low - 1)
        assert high is not None
        return rejects.edited(c, name, 1, high(c) + 1)

    corrupt.__name__ = f"{name}_{'below' if below else 'above'}_its_range"
    return corrupt


def unit(name: str, of: str, /, **changes: Any) -> Corrupt:
    """The last unit of a kind with other fields."""

    def corrupt(c: Compiled) -> Compiled:
        at = max(i for i, u in enumerate(c.program.units) if u.kind == of)
        return with_unit(c, at, **changes)

    corrupt.__name__ = name
    return corrupt


def without_unit(kind: str) -> Corrupt:
    """The last unit of a kind is none: what ran there runs on the one before it."""

    def corrupt(c: Compiled) -> Compiled:
        p = c.program
        at = max(i for i, u in enumerate(p.units) if u.kind == kind)
        units = (*p.units[:at], *p.units[at + 1 :])

        def moved(column: Any) -> Any:
            return column - (column >= at) if at else np.maximum(column - 1, 0)

        dst = Lists(p.dst.offsets, moved(p.dst.values))
        src = np.where(p.src >= 0, moved(p.src), p.src)
        return replace(c, program=replace(p, units=units, unit=moved(p.unit), src=src, dst=dst))

    corrupt.__name__ = f"without_a_{kind}"
    return corrupt


def unit_twice(kind: str) -> Corrupt:
    """One more unit like the last of a kind, under a name of its own."""

    def corrupt(c: Compiled) -> Compiled:
        spare = replace(next(u for u in reversed(c.program.units) if u.kind == kind), name="spare")
        return replace(c, program=replace(c.program, units=(*c.program.units, spare)))

    corrupt.__name__ = f"one_{kind}_more"
    return corrupt


def two_units_of_a_name(c: Compiled) -> Compiled:
    *_, one, _ = c.program.units
    return with_unit(c, len(c.program.units) - 1, name=one.name)


def digital_unit_of_a_region_besides(c: Compiled) -> Compiled:
    """Beside those that all regions share."""
    spare = replace(next(u for u in c.program.units if u.kind == "dpu"), name="spare", layer=0)
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def sums_on_a_digital_unit(c: Compiled) -> Compiled:
    """Where peripheral groups have adders."""
    at = next(i for i, u in enumerate(c.program.units) if u.kind == "dpu")
    return rejects.edited(c, "unit", rejects.rows(c.program, Opcode.ACC)[0], at)


def vector_to_the_adders_of_a_group(c: Compiled) -> Compiled:
    p, row = c.program, int(rejects.rows(c.program, Opcode.LOAD)[0])
    group = p.units[p.dst[row][0]]
    keys = [(u.kind, u.layer, u.stage, u.group) for u in p.units]
    at = keys.index(("acc", group.layer, group.stage, group.group))
    return rejects.entry(c, "dst", row, 0, at)


def bytes_of_sums(c: Compiled) -> Compiled:
    row = rejects.rows(c.program, Opcode.MVM)[0]
    return rejects.edited(c, "bytes", row, c.program.bytes[row] + 1)


def bytes_of_added_sums(c: Compiled) -> Compiled:
    return rejects.edited(c, "bytes", rejects.rows(c.program, Opcode.ACC)[0], 1)


def unit_left_by_what_leaves_none(c: Compiled) -> Compiled:
    """A norm says that it comes from a unit: that of the program's last instruction, no job's."""
    row = rejects.rows(c.program, Opcode.NORM)[0]
    return rejects.edited(c, "src", row, c.program.unit[-1])


def crossing_on_a_chip_of_one_die(c: Compiled) -> Compiled:
    return rejects.edited(c, "opcode", rejects.rows(c.program, Opcode.NORM)[0], Opcode.CROSS)


def no_destinations_at_all(c: Compiled) -> Compiled:
    none = Lists(np.zeros_like(c.program.dst.offsets), c.program.dst.values[:0])
    return rejects.with_column(c, "dst", none)


def store_out_of_nothing(c: Compiled) -> Compiled:
    """One more STORE, the last instruction of all, which reads nothing."""
    row = int(rejects.rows(c.program, Opcode.STORE)[0])
    more = mutate.duplicate(c.program, row, c.program.makespan_ps)
    return replace(c, program=mutate.reads(more, len(c.program), []))


def a_byte_more_is_read(c: Compiled) -> Compiled:
    inventory = c.program.inventory
    more = replace(inventory, buffer_read_bytes=inventory.buffer_read_bytes + 1)
    return replace(c, program=replace(c.program, inventory=more))


def slot_below_none(c: Compiled) -> Compiled:
    """Of a broadcast that is no transfer of a slot table."""
    loads = rejects.rows(c.program, Opcode.LOAD)
    nodes = [i for i, op in enumerate(c.workload.operators) if isinstance(op, MoELayer)]
    plain = (c.program.slot[loads] < 0) & np.isin(c.program.node[loads], nodes)
    return rejects.edited(c, "slot", loads[plain][0], -2)


def expert_below_none(c: Compiled) -> Compiled:
    """Of an instruction that is of no expert."""
    return rejects.edited(c, "expert", rejects.rows(c.program, Opcode.NORM)[0], -2)


def choice_named_by_another_token(c: Compiled) -> Compiled:
    """It reads the newest token's output, and says that it is of the one before."""
    row = rejects.rows(c.program, Opcode.SAMPLE, step=0)[0]
    return rejects.edited(c, "token", row, c.program.token[row] - 1)


def first_product_past_its_sums(c: Compiled) -> Compiled:
    """The STORE of the first matrix of all reads its MVM, not what the ACC made of that."""
    p = c.program
    node = next(i for i, op in enumerate(c.workload.operators) if op.name == "q0")
    store = int(rejects.rows(p, Opcode.STORE, node=node)[0])
    return rejects.entry(c, "reads", store, 0, int(p.reads[p.reads[store][0]][0]))


def product_on_the_groups_of_another(c: Compiled) -> Compiled:
    """A job of the first product of queries runs on the keys' group, all of it."""
    p = c.program
    names = [op.name for op in c.workload.operators]
    here = {(u.kind, u.layer, u.group): i for i, u in enumerate(p.units)}
    queries, keys = (
        p.units[p.unit[rejects.rows(p, Opcode.MVM, node=names.index(name))[0]]]
        for name in ("q0", "k0")
    )
    wrong = c
    for opcode in (Opcode.MVM, Opcode.ACC):
        row = rejects.rows(p, opcode, node=names.index("q0"))[0]
        unit = p.units[p.unit[row]]
        assert unit.group == queries.group
        to = here[unit.kind, unit.layer, keys.group]
        wrong = rejects.edited(wrong, "unit", row, to)
    return wrong


def second_stage_of_another_job(c: Compiled) -> Compiled:
    """An ACC of a job reads the MVM of another token's job."""
    p = c.program
    one, other = rejects.routed(p, Opcode.ACC, stage=1)[[0, -1]]
    return rejects.entry(c, "reads", int(max(one, other)), 0, int(p.reads[min(one, other)][0]))


def offset_without_a_buffer(c: Compiled) -> Compiled:
    row = int(np.flatnonzero(c.program.buffer < 0)[0])
    return rejects.edited(c, "offset", row, 0)


def value_before_its_buffer(c: Compiled) -> Compiled:
    row = rejects.rows(c.program, Opcode.NORM)[0]
    return rejects.edited(c, "offset", row, -1)


def buffer_larger_than_the_chips(c: Compiled) -> Compiled:
    most = max(buffer.bytes for buffer in c.program.buffers)
    return _with_buffers_of(c, most - 1)


def _with_buffers_of(c: Compiled, limit: int) -> Compiled:
    memory = replace(c.chip.memory, region_buffer_bytes=limit)
    return replace(c, chip=replace(c.chip, memory=memory))


# -- schedules -----------------------------------------------------------------------------------


def scheduled(c: Compiled, **changes: Any) -> Compiled:
    """The same with other fields of the schedule."""
    return replace(c, schedule=replace(c.schedule, **changes))


def in_step(c: Compiled, at: int, **changes: Any) -> Compiled:
    """The same with other fields of a step."""
    steps = list(c.schedule.steps)
    steps[at] = replace(steps[at], **changes)
    return scheduled(c, steps=tuple(steps))


def step_left_out(c: Compiled) -> Compiled:
    return scheduled(c, steps=c.schedule.steps[:-1])


def step_field(name: str) -> Corrupt:
    """The tokens of the last step one short."""

    def corrupt(c: Compiled) -> Compiled:
        last = len(c.schedule.steps) - 1
        return in_step(c, last, **{name: getattr(c.schedule.steps[last], name)[:-1]})

    corrupt.__name__ = f"{name}_of_a_step_one_short"
    return corrupt


def step_that_says_it_has_no_keys(c: Compiled) -> Compiled:
    return in_step(c, 1, kv=not c.schedule.steps[1].kv)


def first_step_with_keys(c: Compiled) -> Compiled:
    return in_step(c, 0, kv=not c.schedule.steps[0].kv)


def pairs(name: str, by: str) -> Corrupt:
    """An entry of the first layer's turns at or below an end of its range."""

    def corrupt(c: Compiled) -> Compiled:
        first, *others = c.schedule.steps[0].layers
        column = getattr(first, name)
        sizes = {
            "token": c.schedule.tokens,
            "expert": c.chosen[first.layer].shape[1],
            "group": len(c.mapping.grouping.of(first.layer).groups),
            "slot": first.order.slots,
        }
        new: dict[str, Any] = {name: changed(column, 0, sizes[name] if by == "above" else -1)}
        return in_step(c, 0, layers=(replace(first, **new), *others))

    corrupt.__name__ = f"{name}_of_a_turn_{by}_its_range"
    return corrupt


def from_the_end(name: str) -> Corrupt:
    """A turn in the last group, or slot, says -1, which would stand for it in an array."""

    def corrupt(c: Compiled) -> Compiled:
        first, *others = c.schedule.steps[0].layers
        column = getattr(first, name)
        new: dict[str, Any] = {name: changed(column, np.argmax(column), -1)}
        return in_step(c, 0, layers=(replace(first, **new), *others))

    corrupt.__name__ = f"last_{name}_counted_from_the_end"
    return corrupt


def replica_of_a_turn(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    return in_step(c, 0, layers=(replace(first, replica=first.replica + 1), *others))


def one_short(name: str) -> Corrupt:
    """A column of the first layer's turns has an entry fewer than the others."""

    def corrupt(c: Compiled) -> Compiled:
        first, *others = c.schedule.steps[0].layers
        new: dict[str, Any] = {name: getattr(first, name)[:-1]}
        return in_step(c, 0, layers=(replace(first, **new), *others))

    corrupt.__name__ = f"{name}_of_the_turns_one_short"
    return corrupt


def turn_twice(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    columns: dict[str, Any] = {
        name: np.append(getattr(first, name), getattr(first, name)[0])
        for name in ("token", "expert", "replica", "group", "slot")
    }
    return in_step(c, 0, layers=(replace(first, **columns), *others))


def layer_of_turns_left_out(c: Compiled) -> Compiled:
    return in_step(c, 0, layers=c.schedule.steps[0].layers[:-1])


def routing_of_a_layer_left_out(c: Compiled) -> Compiled:
    return replace(c, chosen={layer: c.chosen[layer] for layer in list(c.chosen)[:-1]})


def routing_of_an_expert_too_few(c: Compiled) -> Compiled:
    return replace(c, chosen={layer: chosen[:, :-1] for layer, chosen in c.chosen.items()})


def pair_of_a_digital_expert_left_out(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    return in_step(c, 0, layers=(replace(first, digital=first.digital[1:]), *others))


def digital(opcode: str) -> Corrupt:
    """An instruction of a digital expert gone, done twice, or another expert's."""

    def corrupt(c: Compiled) -> Compiled:
        p = c.program
        row = int(np.flatnonzero((p.opcode == Opcode.DIGITAL) & (p.expert >= 0))[0])
        if opcode == "gone":
            return replace(c, program=mutate.drop(p, row))
        if opcode == "twice":
            return replace(c, program=mutate.duplicate(p, row, p.makespan_ps))
        return rejects.edited(c, "expert", row, 0)

    corrupt.__name__ = f"digital_expert_{opcode}"
    return corrupt


def without_steps(c: Compiled) -> Compiled:
    return scheduled(c, steps=())


def tokens_of_a_schedule(name: str) -> Corrupt:
    """What is said of every token is said of all but one."""

    def corrupt(c: Compiled) -> Compiled:
        return scheduled(c, **{name: getattr(c.schedule, name)[:-1]})

    corrupt.__name__ = f"{name}_of_a_token_too_few"
    return corrupt


def sequences_out_of_order(c: Compiled) -> Compiled:
    """Both sequences under the other's number, in the program as well."""
    other = scheduled(c, sequence=1 - c.schedule.sequence)
    return rejects.with_column(other, "seq", 1 - c.program.seq)


def step_that_is_skipped(c: Compiled) -> Compiled:
    """What arrives in the last step comes one later, in all that names a step."""
    last = c.schedule.steps[-1].number
    late = in_step(c, len(c.schedule.steps) - 1, number=last + 1)
    arrival = c.schedule.arrival
    late = scheduled(late, arrival=np.where(arrival == last, last + 1, arrival))
    step = c.program.step
    return rejects.with_column(late, "step", np.where(step == last, last + 1, step))


def steps_before_the_first(c: Compiled) -> Compiled:
    """All that names a step names the one before: the first is number -1."""
    steps = tuple(replace(step, number=step.number - 1) for step in c.schedule.steps)
    early = scheduled(c, steps=steps, arrival=c.schedule.arrival - 1)
    return rejects.with_column(early, "step", c.program.step - 1)


@cache
def keeping_nothing() -> Compiled:
    """Correct: a second step for which nothing is kept."""
    return compile_small(small_workload(layers=1), decode=1, caches=Caches(kv=False, go=False))


def passed_on_not_said(c: Compiled) -> Compiled:
    return replace(c, passed={})


def passed_on_by_a_token_too_few(c: Compiled) -> Compiled:
    return replace(c, passed={layer: passed[:-1] for layer, passed in c.passed.items()})


def pair_of_the_other_side(c: Compiled) -> Compiled:
    """A decoder's expert for token 4, where its sequences have three tokens."""
    layer = max(c.chosen)
    return replace(c, chosen={**c.chosen, layer: changed(c.chosen[layer], (4, 0), True)})


def pair_of_the_other_side_in_turn(c: Compiled) -> Compiled:
    """The same with a turn of its own."""
    wrong = pair_of_the_other_side(c)
    layer = max(c.chosen)
    grouping, chosen = c.mapping.grouping.of(layer), wrong.chosen[layer]
    turns = assign_experts(compact_order(grouping, chosen), grouping, chosen)
    orders = tuple(turns if o.layer == layer else o for o in c.schedule.steps[0].layers)
    return in_step(wrong, 0, layers=orders)


@cache
def waiting_where_keys_stay() -> Compiled:
    """Correct: on a chip that keeps keys in buffers an attention that is not proven causal."""
    chip = small_chip(memory={"kv": "buffers"})
    return compile_small(streaming(small_workload(layers=1), proven=False), chip, sequence=TWO)


def proven_after_all(c: Compiled) -> Compiled:
    """What keeps its keys goes on job by job, from the first on."""
    return replace(c, workload=streaming(c.workload))


def vector_to_one_group_twice(c: Compiled) -> Compiled:
    p = c.program
    row = int(rejects.rows(p, Opcode.LOAD)[0])
    rows = [p.dst[n].tolist() for n in range(len(p))]
    rows[row].append(rows[row][0])
    return rejects.with_column(c, "dst", mutate.lists(rows))


def slot_of_no_turn(c: Compiled) -> Compiled:
    return rejects.edited(c, "slot", rejects.routed(c.program, Opcode.MVM, stage=0)[0], -1)


def first_stage_called_a_second(c: Compiled) -> Compiled:
    """Of an expert of one matrix, which has none."""
    return rejects.edited(c, "stage", rejects.routed(c.program, Opcode.MVM)[0], 1)


def moved_from(kind: str) -> Corrupt:
    """A MOVE brings another token's vector, or one of another region than its own way."""

    def corrupt(c: Compiled) -> Compiled:
        p = c.program
        mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
        moves = [
            r for r in np.flatnonzero(mesh).tolist() if p.token[int(p.reads[r][0])] == p.token[r]
        ]
        one, other = (int(r) for r in moves[:2])
        if kind == "token":
            return rejects.entry(c, "reads", other, 0, int(p.reads[one][0]))
        return rejects.edited(c, "unit", one, _another_mesh(c, one))

    corrupt.__name__ = f"moved_from_another_{kind}"
    return corrupt


@cache
def used_in_two_regions() -> Compiled:
    """Correct: the last layer adds what the first one made, which goes to both that follow."""
    workload = small_workload(layers=3)
    operators = tuple(
        replace(op, inputs=(*op.inputs, "add_b0")) if op.name == "add_a2" else op
        for op in workload.operators
    )
    return compile_small(replace(workload, operators=operators))


def moved_to_where_it_is(c: Compiled) -> Compiled:
    """One more MOVE, which nobody reads, of the region and operator that its value is of."""
    p = c.program
    mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
    row = int(np.flatnonzero(mesh)[0])
    made = int(p.reads[row][0])
    more = mutate.duplicate(p, row, p.makespan_ps)
    more = mutate.put(more, "node", len(p), int(p.node[made]))
    return replace(c, program=mutate.put(more, "layer", len(p), int(p.layer[made])))


def part_of_another_region(c: Compiled) -> Compiled:
    """Of two values made after each other the last layer reads what goes to the second instead."""
    p = c.program
    mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
    near, *_, far = np.flatnonzero(mesh).tolist()
    assert p.reads[near][0] == p.reads[far][0] + 1
    (reader,) = p.reads.rows()[p.reads.values == far].tolist()
    return replace(c, program=mutate.read_instead(p, reader, far, near))


def moved_where_it_is(c: Compiled) -> Compiled:
    """A broadcast reads its vector by a MOVE from its region to the same."""
    p = c.program
    mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
    load = int(rejects.rows(p, Opcode.LOAD, layer=0)[0])
    made = int(p.reads[load][0])
    assert p.layer[made] == 0
    more = mutate.duplicate(p, int(np.flatnonzero(mesh)[0]), p.makespan_ps)
    for column in ("node", "layer", "token", "seq", "step"):
        more = mutate.put(more, column, len(p), int(getattr(p, column)[load]))
    more = mutate.reads(more, len(p), [made])
    return replace(c, program=mutate.read_instead(more, load, made, len(p)))


def constant_that_was_moved(c: Compiled) -> Compiled:
    """The second layer's attention reads its mask by a MOVE too, where constants are everywhere."""
    p = c.program
    names = [op.name for op in c.workload.operators]
    row = int(rejects.rows(p, Opcode.ATTN, node=names.index("attention1"))[0])
    mask = next(r for r in p.reads[row].tolist() if p.node[r] == names.index("mask"))
    move = int(rejects.rows(p, Opcode.XFER, node=names.index("norm_a1"), seq=p.seq[row])[0])
    more = mutate.duplicate(p, move, p.makespan_ps)
    more = mutate.reads(more, len(p), [mask])
    return replace(c, program=mutate.reads(more, row, [*p.reads[row].tolist(), len(p)]))


@cache
def one_token_of_two_values() -> Compiled:
    """Correct: of the only token two values go from the first region to the second."""
    workload = small_workload()
    operators = tuple(
        replace(op, inputs=(*op.inputs, "add_a0")) if op.name == "add_a1" else op
        for op in workload.operators
    )
    return compile_small(replace(workload, operators=operators), tokens=1)


def other_value_that_was_moved(c: Compiled) -> Compiled:
    """The second layer's first norm reads the value that only its sum is to read."""
    p = c.program
    names = [op.name for op in c.workload.operators]
    norm, add = (int(np.flatnonzero(p.node == names.index(n))[-1]) for n in ("norm_a1", "add_a1"))
    moves = [r for r in p.reads[add].tolist() if p.units[p.unit[r]].kind == "mesh"]
    other = next(move for move in moves if move not in p.reads[norm].tolist())
    return rejects.entry(c, "reads", norm, 0, other)


def brought_on_by_another_move(c: Compiled) -> Compiled:
    """A value goes from region 0 to 1 and from there to 2, where it goes from its maker to each."""
    p = c.program
    mesh = {unit.layer: i for i, unit in enumerate(p.units) if unit.kind == "mesh"}
    moves = np.flatnonzero(p.unit == mesh[0]).tolist()
    to = {(int(p.reads[row][0]), int(p.token[row]), int(p.layer[row])): row for row in moves}
    source, token, far = next((s, t, row) for (s, t, layer), row in to.items() if layer == 2)
    wrong = rejects.entry(c, "reads", far, 0, to[source, token, 1])
    return rejects.edited(wrong, "unit", far, mesh[1])


def _another_mesh(c: Compiled, row: int) -> int:
    p = c.program
    return next(i for i, u in enumerate(p.units) if u.kind == "mesh" and i != p.unit[row])


def routing_of_another_token(c: Compiled) -> Compiled:
    """A transfer waits for the top-k of another token than its own."""
    p = c.program
    top = rejects.rows(p, Opcode.TOPK, layer=0)
    for load in rejects.rows(p, Opcode.LOAD, layer=0).tolist():
        for place, read in enumerate(p.reads[load].tolist()):
            if p.opcode[read] == Opcode.TOPK:
                other = next(t for t in top.tolist() if p.token[t] != p.token[load] and t < load)
                return rejects.entry(c, "reads", load, place, other)
    raise AssertionError("none waits")


def transfer_in_two(c: Compiled) -> Compiled:
    """A token goes to each of two groups by a LOAD of its own, where one goes to both."""
    loads = rejects.rows(c.program, Opcode.LOAD, layer=0).tolist()
    row = next(r for r in loads if c.program.slot[r] >= 0 and len(c.program.dst[r]) > 1)
    p = mutate.duplicate(c.program, row, c.program.makespan_ps)
    to = [p.dst[n].tolist() for n in range(len(p))]
    to[row], to[-1] = to[row][:1], to[row][1:]
    return replace(c, program=replace(p, dst=mutate.lists(to)))


def table_of_turns_elsewhere(c: Compiled) -> Compiled:
    """The slot table has the tokens of a group one slot later than its turns say."""
    first, *others = c.schedule.steps[0].layers
    table = np.roll(first.order.table, 1, axis=0)
    order = replace(first, order=replace(first.order, table=table))
    return in_step(c, 0, layers=(order, *others))


def turn_in_a_group_without_its_expert(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    group = changed(first.group, 0, 1 - first.group[0])
    return in_step(c, 0, layers=(replace(first, group=group), *others))


def two_turns_in_a_slot(c: Compiled) -> Compiled:
    """A group's second turn is in the slot of its first one, and the table says so too."""
    first, *others = c.schedule.steps[0].layers
    one, two = np.flatnonzero(first.group == first.group[0])[:2]
    slot = changed(first.slot, two, first.slot[one])
    table = np.full_like(first.order.table, -1)
    table[slot, first.group] = first.token
    order = replace(first, slot=slot, order=replace(first.order, table=table))
    return in_step(c, 0, layers=(order, *others))


def lockstep_of_one_of_two_layers(c: Compiled) -> Compiled:
    """The other one, on the same experts, runs ahead."""
    first, second = c.schedule.steps[0].layers
    free = replace(second, order=replace(second.order, lockstep=False))
    return in_step(c, 0, layers=(first, free))


def cache_read_twice(c: Compiled) -> Compiled:
    row = rejects.rows(c.program, Opcode.KV_RD)[0]
    return replace(c, program=mutate.duplicate(c.program, row, c.program.makespan_ps))


@cache
def no_adders() -> Compiled:
    """Correct: digital units add all sums, and there are no other adders."""
    chip = small_chip(accumulate={"where": "dpu"}, pg={"retain_input": False})
    c = compile_small(small_workload(layers=1, k=3), chip)
    p = c.program
    kept = [i for i, u in enumerate(p.units) if u.kind != "acc"]
    place = np.full(len(p.units) + 1, -1)
    place[kept] = np.arange(len(kept))
    units, dst = tuple(p.units[i] for i in kept), Lists(p.dst.offsets, place[p.dst.values])
    fewer = replace(p, units=units, unit=place[p.unit], src=place[p.src], dst=dst)
    return replace(c, program=fewer)


def third_vector_a_moment_too_early(c: Compiled) -> Compiled:
    """The last group holds two; of three the first is used for 1 ps more when the last comes."""
    p = c.program
    unit = max((u.first_pg, i) for i, u in enumerate(p.units) if u.kind == "group")[1]
    filled = np.unique(p.dst.rows()[p.dst.values == unit])
    one, two, three = filled[np.argsort(p.start_ps[filled])][:3].tolist()
    users = p.reads.rows()[p.reads.values == one]
    until = int(p.end_ps[users[p.unit[users] == unit]].max())
    both = rejects.edited(c, "start_ps", two, p.start_ps[one])
    return rejects.edited(both, "start_ps", three, until - 1)


@cache
def in_lockstep_beside_a_shared_expert() -> Compiled:
    """Correct: one layer, whose shared expert waits for no slot."""
    workload, chip = small_workload(layers=1, k=3, shared=1), small_chip(pg={"retain_input": False})
    return compile_small(workload, chip, lockstep=True)


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


def group_of_the_first_pgs_on_another_die(c: Compiled) -> Compiled:
    units = enumerate(c.program.units)
    at, one = next((i, u) for i, u in units if u.kind == "group" and u.first_pg == 0)
    return with_unit(c, at, die=(one.die + 1) % 4)


def crossing_called_a_moves(c: Compiled) -> Compiled:
    """A CROSS says that it is of another token, and of the operator of a MOVE that reads it."""
    p = c.program
    one, other = rejects.one_way(p)
    mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
    move = int(np.flatnonzero(mesh & (np.arange(len(p)) > one))[0])
    wrong = rejects.entry(c, "reads", move, 0, one)
    for column in ("node", "layer"):
        wrong = rejects.edited(wrong, column, one, getattr(p, column)[move])
    return rejects.edited(wrong, "token", one, p.token[other])


def constant_brought_elsewhere(c: Compiled) -> Compiled:
    """A CROSS brings a constant instead, over a link to another die than its reader's."""
    p, row = c.program, int(rejects.crossings(c.program)[0])
    link = p.units[p.unit[row]]
    ends = link.die, link.to
    at = next(i for i, u in enumerate(p.units) if u.kind == "d2d" and u.to not in ends)
    mask = [op.name for op in c.workload.operators].index("mask")
    (made,) = np.flatnonzero(p.node == mask).tolist()
    wrong = rejects.edited(rejects.entry(c, "reads", row, 0, made), "unit", row, at)
    for column in ("node", "layer", "token", "seq"):
        wrong = rejects.edited(wrong, column, row, getattr(p, column)[made])
    return wrong


def crossing_of_itself(c: Compiled) -> Compiled:
    row = int(rejects.crossings(c.program)[0])
    return rejects.entry(c, "reads", row, 0, row)


ON_BASE: list[tuple[str, Corrupt]] = [
    ("blocks", no_copy_of_dense_blocks),
    ("blocks", block_of_an_operator_without_a_matrix),
    ("blocks", block_in_another_layer),
    ("blocks", block_of_another_stage),
    ("blocks", block_with_a_column_tile_too_many),
    ("blocks", block_left_out),
    ("groups", layer_without_groups),
    ("groups", expert_twice_in_a_group_with_its_blocks),
    ("groups", expert_that_does_not_exist),
    ("groups", expert_in_a_group_and_digital),
    *(("pg-table", shorter(name)) for name in ("pg_start", "spots", "pg_class")),
    ("pg-table", pg_before_the_first),
    *(("pg-table", far("pg_start", by)) for by in (2**32, -(2**32))),
    *(("mux", far("spots", by)) for by in (2**32, -(2**32))),
    *(("mesh", far("core", by)) for by in (2**32, -(2**32))),
    ("crossbars", spot("tile_above_its_crossbar", 0, 1, -1)),
    ("crossbars", spot("tile_left_of_its_crossbar", 0, 2, -1)),
    ("crossbars", spot("tile_below_its_crossbar", 0, 1, 1)),
    ("crossbars", spot("tile_right_of_its_crossbar", 0, 2, 1)),
    ("mux", spot("position_before_the_first", 0, 0, -1)),
    ("mux", pg_of_another_class),
    ("group-sharing", expert_on_pgs_of_its_own),
    ("mesh", core_before_the_first),
    ("mesh", mesh_that_the_chip_has_not),
    ("mesh", region("region_left_of_the_mesh", x=-1, width=1)),
    ("mesh", region("region_above_the_mesh", y=-99, height=99)),
    ("mesh", region("region_right_of_the_mesh", width=1)),
    ("mesh", region("region_on_the_die_before_the_first", die=-1)),
    ("mesh", region_as_wide_as_none),
    ("mesh", region_as_high_as_none),
    ("in-region", region_smaller_by_its_last_column),
    ("in-region", region_smaller_by_its_first_column),
    ("in-region", region_smaller_by_its_first_row),
    ("in-region", region_smaller_by_its_last_row),
    ("columns", nodes_of_another_model),
    *(
        ("columns", list_offsets(name, at, by))
        for name in ("reads", "dst")
        for at, by in ((0, 1), (0, -1), (-1, -1), (5, 10**6))
    ),
    *(("columns", list_without_its_first_value(name)) for name in ("reads", "dst")),
    *(
        ("columns", list_value(name, end))
        for name in ("reads", "dst")
        for end in ("above", "below")
    ),
    *(
        ("columns", beyond(name, below=True))
        for name, (low, _) in LIMITS.items()
        if low is not None
    ),
    *(
        ("columns", beyond(name, below=False))
        for name, (_, high) in LIMITS.items()
        if high is not None
    ),
    ("units", unit("group_of_pgs_before_its_own", "group", first_pg=0)),
    ("units", unit("group_with_less_input", "group", input_bytes=1)),
    ("units", unit("group_that_no_mapping_has", "group", group=99)),
    ("units", unit("adders_that_no_mapping_has", "acc", group=99)),
    ("units", unit("way_that_no_mapping_has", "link", group=99)),
    ("units", unit("unit_of_a_kind_that_is_none", "acc", kind="adder")),
    ("units", unit("bus_with_a_group", "bus", group=0)),
    ("units", unit("adders_with_pgs", "acc", pgs=1)),
    ("units", unit("digital_unit_for_two", "dpu", units=2)),
    ("units", unit("digital_unit_of_a_region_that_shares_them", "dpu", layer=0, units=0)),
    ("units", unit("adders_for_two", "acc", units=2)),
    ("units", two_units_of_a_name),
    ("units", digital_unit_of_a_region_besides),
    ("opcode-unit", sums_on_a_digital_unit),
    ("destinations", vector_to_the_adders_of_a_group),
    ("destinations", vector_to_one_group_twice),
    ("inputs", routing_of_another_token),
    ("inputs", constant_that_was_moved),
    ("transfers", transfer_in_two),
    ("schedule", table_of_turns_elsewhere),
    ("schedule", two_turns_in_a_slot),
    ("schedule", turn_in_a_group_without_its_expert),
    ("moved", moved_from("token")),
    ("moved", moved_from("region")),
    ("moved", moved_to_where_it_is),
    *(
        ("units", without_unit(kind))
        for kind in ("group", "bus", "return", "mesh", "dpu", "mha", "dram")
    ),
    *(
        ("units", unit_twice(kind))
        for kind in "group acc link bus return mesh dpu mha dram".split()
    ),
    ("bytes", bytes_of_sums),
    ("bytes", bytes_of_added_sums),
    ("job-reads", first_product_past_its_sums),
    ("jobs", unit_left_by_what_leaves_none),
    ("stages", slot_below_none),
    ("labels", expert_below_none),
    ("jobs", store_out_of_nothing),
    ("destinations", no_destinations_at_all),
    ("opcode-unit", crossing_on_a_chip_of_one_die),
    ("jobs", product_on_the_groups_of_another),
    ("jobs", second_stage_of_another_job),
    ("stages", offset_without_a_buffer),
    ("buffer-bytes", value_before_its_buffer),
    ("buffer-bytes", buffer_larger_than_the_chips),
    *(
        ("schedule", pairs(name, end))
        for name in ("token", "expert", "group", "slot")
        for end in ("above", "below")
    ),
    *(("schedule", from_the_end(name)) for name in ("group", "slot")),
    *(("schedule", one_short(name)) for name in ("expert", "group", "slot")),
    ("schedule", replica_of_a_turn),
    ("schedule", turn_twice),
    ("schedule", layer_of_turns_left_out),
    ("schedule", routing_of_a_layer_left_out),
    ("schedule", routing_of_an_expert_too_few),
]
IN_STEPS: list[tuple[str, Corrupt]] = [
    ("labels", step_left_out),
    *(("schedule", step_field(name)) for name in ("rows", "scored", "fresh")),
    ("schedule", step_that_says_it_has_no_keys),
    ("schedule", first_step_with_keys),
    ("caches", cache_read_twice),
    ("samples", choice_named_by_another_token),
    ("columns", without_steps),
    ("schedule", sequences_out_of_order),
    ("schedule", step_that_is_skipped),
    ("schedule", steps_before_the_first),
    ("columns", tokens_of_a_schedule("arrival")),
    ("columns", tokens_of_a_schedule("trace")),
]
ON_DIGITAL: list[tuple[str, Corrupt]] = [
    ("schedule", pair_of_a_digital_expert_left_out),
    ("pairs-once", digital("gone")),
    ("pairs-once", digital("twice")),
    ("pairs-once", digital("of_an_expert_on_crossbars")),
]


ON_PASSED: list[tuple[str, Corrupt]] = [
    ("schedule", passed_on_not_said),
    ("schedule", passed_on_by_a_token_too_few),
]


@cache
def in_one_stack() -> Compiled:
    """Correct: q0 and v1 are behind the same PGs, and nothing else is shared."""
    workload, chip = small_workload(), small_chip(pg={"stack_limit": 2})
    stacks = stacks_of(map_small(workload, chip), ("q0", "v1"))
    return compile_small(workload, chip, stacks=stacks)


def stack_of_one_alone_said(c: Compiled) -> Compiled:
    return rejects.with_stacks(c, (named(c.mapping)["v1"],))


def stack_over_two_regions(c: Compiled) -> Compiled:
    """The second layer's queries behind the PGs of the first one's, in the region of these."""
    one, two = (rejects.dense(c.mapping, name) for name in ("q0", "q1"))
    members = named(c.mapping)
    wrong = rejects.with_stacks(c, *c.mapping.stacks.stacks, (members["q0"], members["q1"]))
    return rejects.behind_another(wrong, one, two)


@cache
def in_no_stack() -> Compiled:
    """Correct: a chip that could have stacks, and has none."""
    return compile_small(small_workload(), small_chip(pg={"stack_limit": 2}))


@cache
def on_digital_units() -> Compiled:
    """Correct: of four experts the last one is on digital units."""
    return compile_small(small_workload(k=3), grouping=with_digital(3))


TABLES: list[tuple[Callable[[], Compiled], list[tuple[str, Corrupt]]]] = [
    (rejects.base, ON_BASE),
    (rejects.stepping, IN_STEPS),
    (
        rejects.on_dies,
        [
            ("links", group_of_the_first_pgs_on_another_die),
            ("crossings", crossing_of_itself),
            ("crossings", crossing_called_a_moves),
        ],
    ),
    (NARROW["constants, on dies"], [("on-die", constant_brought_elsewhere)]),
    (on_digital_units, ON_DIGITAL),
    (in_one_stack, [("stacks", stack_of_one_alone_said)]),
    (in_no_stack, [("stacks", stack_over_two_regions)]),
    (FORMS["tokens that pass themselves on"], ON_PASSED),
    (
        FORMS["an encoder longer than its decoder"],
        [
            ("schedule", pair_of_the_other_side),
            ("schedule", pair_of_the_other_side_in_turn),
        ],
    ),
    (
        NARROW["four regions, two values of a token after each other"],
        [("inputs", part_of_another_region)],
    ),
    (partial(elsewhere, streams=False), [("inputs", moved_where_it_is)]),
    (waiting_where_keys_stay, [("operators", proven_after_all)]),
    (no_adders, [("input-buffers", third_vector_a_moment_too_early)]),
    (NARROW["streams whose jobs' results are added"], [("inventory", a_byte_more_is_read)]),
    (FORMS["one matrix an expert"], [("jobs", first_stage_called_a_second)]),
    (rejects.in_lockstep, [("slot-order", slot_of_no_turn)]),
    (
        in_lockstep_beside_a_shared_expert,
        [("lockstep", rejects.slot_before_the_last_has_ended)],
    ),
    (FORMS["tied layers in lockstep"], [("lockstep", lockstep_of_one_of_two_layers)]),
    (keeping_nothing, [("schedule", steps_before_the_first)]),
    (scoring_again, [("caches", router_of_vectors_that_nothing_keeps)]),
    (used_in_two_regions, [("inputs", brought_on_by_another_move)]),
    (one_token_of_two_values, [("inputs", other_value_that_was_moved)]),
]
EVERY = [(make, check, corrupt) for make, table in TABLES for check, corrupt in table]


def results(c: Compiled) -> dict[str, str]:
    """Results of all checks; a broken mapping's program is not looked at."""
    found = check_mapping(c.mapping, c.workload, c.chip)
    if all(result == "ok" for _, result in found):
        found += check_program(c)
    return dict(found)


@pytest.mark.parametrize(
    ("make", "check", "corrupt"), EVERY, ids=[f"{n}-{f.__name__}" for _, n, f in EVERY]
)
def test_what_is_one_beyond_is_refused(
    make: Callable[[], Compiled], check: str, corrupt: Corrupt
) -> None:
    result = results(corrupt(make()))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


# -- exactly at a limit --------------------------------------------------------------------------


def remapped(c: Compiled, mapping: Mapping) -> Compiled:
    """The same turns on another mapping, with the program that follows from it."""
    return realise(c.workload, c.chip, mapping, c.schedule, c.chosen, passed=c.passed)


def beside(down: int, right: int) -> Mapping:
    """Expert 1's last rows of `up` on the crossbar of expert 0's, so many rows and cells on.

    20 rows are 8 + 8 + 4, so there is room for 4 more below; 12 columns of two cells are 8 + 8 + 8.
    """
    c = plain()
    spots, one = c.mapping.placement.spots.copy(), block(c.mapping, "up", 1)
    for kind in (2, 3):  # of the last row of tiles
        spots[one, kind] = (0, down, right)
    return placed(c, spots=spots).mapping


@cache
def plain() -> Compiled:
    """Correct: experts 0 and 1 behind the same PGs, each on crossbars of its own."""
    return compile_small(small_workload(layers=1))


@cache
def side_by_side() -> Compiled:
    """Correct: the last rows of two experts on one crossbar, the one right below the other."""
    return remapped(plain(), beside(4, 0))


@cache
def the_other_below() -> Compiled:
    """Correct: the same with the first expert's rows below the second's."""
    c = plain()
    spots = c.mapping.placement.spots.copy()
    for expert, row in ((0, 4), (1, 0)):
        for kind in (2, 3):
            spots[block(c.mapping, "up", expert), kind] = (0, row, 0)
    return remapped(c, placed(c, spots=spots).mapping)


@cache
def as_large_as_the_chips() -> Compiled:
    """Correct: a buffer takes all that a region has room for."""
    c = plain()
    return _with_buffers_of(c, max(buffer.bytes for buffer in c.program.buffers))


@cache
def units_the_other_way_round() -> Compiled:
    """Correct: which unit stands where in the table does not matter; a source is the last one."""
    p = plain().program
    source = int(p.src.max())
    order = [*(i for i in reversed(range(len(p.units))) if i != source), source]
    place = np.append(np.argsort(order), -1)  # of no unit: none
    units, dst = tuple(p.units[i] for i in order), Lists(p.dst.offsets, place[p.dst.values])
    moved = replace(p, units=units, unit=place[p.unit], src=place[p.src], dst=dst)
    return replace(plain(), program=moved)


@cache
def columns_far_apart() -> Compiled:
    """Correct: the first and the last column of three PGs are where the other was.

    Row tiles of a column are neighbours; where the next column begins does not matter.
    """
    c = plain()
    core = c.mapping.placement.core.copy()
    core[:3], core[-3:] = core[-3:].copy(), core[:3].copy()
    return remapped(c, placed(c, core=core).mapping)


@cache
def last_choice_is_not_written() -> Compiled:
    """Correct: nobody reads it, so that it need not be a value."""
    c = rejects.stepping()
    return rejects.edited(c, "writes", rejects.rows(c.program, Opcode.SAMPLE)[-1], -1)


def ids_the_other_way_round(make: Callable[[], Compiled]) -> Callable[[], Compiled]:
    """Correct: ids say no more than that what is read comes first."""

    def turned() -> Compiled:
        c = make()
        return replace(c, program=mutate.turned(c.program))

    turned.__name__ = "ids_the_other_way_round"
    return turned


TURNED: tuple[Callable[[], Compiled], ...] = (
    rejects.base,
    rejects.stepping,
    rejects.on_dies,
    FORMS["an encoder longer than its decoder"],
    FORMS["streams that go on in buffers"],
)
AT_LIMITS: list[Callable[[], Compiled]] = [
    side_by_side,
    the_other_below,
    as_large_as_the_chips,
    units_the_other_way_round,
    columns_far_apart,
    last_choice_is_not_written,
    no_adders,
    *(ids_the_other_way_round(make) for make in TURNED),
]


@pytest.mark.parametrize("make", AT_LIMITS, ids=lambda make: str(make.__name__))
def test_what_is_exactly_at_a_limit_is_accepted(make: Callable[[], Compiled]) -> None:
    assert set(results(make()).values()) == {"ok"}


@pytest.mark.parametrize("down", [1, 2, 3])
def test_tiles_that_share_a_row_are_refused(down: int) -> None:
    c = plain()
    found = dict(check_mapping(beside(down, 0), c.workload, c.chip))
    assert found["crossbars"] != "ok"


def test_a_value_goes_from_its_maker_to_each_region_that_uses_it() -> None:
    assert set(results(used_in_two_regions()).values()) == {"ok"}


@pytest.mark.parametrize(("row", "problem"), [(4, None), (3, "holds {} and {} in the same cells")])
def test_every_tile_on_the_only_crossbar(row: int, problem: str | None) -> None:
    """Two matrices of 4 rows, one tile each: rows 0 to 3, and from `row` on."""
    c = plain()
    held = block(c.mapping, "up", 0)
    weight = replace(c.mapping.blocks[held].weight, rows=4, columns=4)
    one = replace(c.mapping.blocks[held], weight=weight, owner=DenseOwner(0), rows=1, columns=1)
    spots = np.zeros((2, 4, 3), dtype=np.int64)
    spots[1, :, 1] = row
    small = mapped(placed(c, pg_start=np.zeros(2, dtype=np.int64), spots=spots), blocks=(one, one))
    case = MappingCase(small.mapping, c.workload, c.chip)
    fault = check_crossbars(case)
    named = problem and problem.format(case.tile_name(0), case.tile_name(1))
    assert (fault and fault.problem) == named


def test_an_expert_twice_in_a_group_is_refused_by_its_type_and_by_its_check() -> None:
    """The check before it misses the second copy's blocks, so that it is asked by itself."""
    c = rejects.base()
    with pytest.raises(InputError):
        replace(c.mapping.grouping.layers[0], groups=((0, 1, 1), (2, 3)))
    wrong = expert_twice_in_a_group(c)
    fault = check_groups(MappingCase(wrong.mapping, c.workload, c.chip))
    assert fault is not None
    assert fault.problem == "group 0 holds [0, 1, 1], expected each once"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([(0, 2, 0, 9), (2, 4, 0, 9)], (-1, -1)),  # side by side
        ([(0, 2, 0, 9), (1, 3, 5, 9)], (1, 0)),  # a byte of both while both live
        ([(0, 2, 0, 5), (1, 3, 5, 9)], (-1, -1)),  # the one ends when the other begins
        ([(0, 2, 0, 6), (1, 3, 5, 9)], (1, 0)),
        ([(0, 2, 0, 3), (0, 2, 3, 4), (1, 2, 3, 9)], (2, 1)),  # of the last that was there
        ([(0, 1, 0, 9), (1, 2, 1, 9), (0, 2, 4, 9)], (2, 0)),
        ([], (-1, -1)),
    ],
)
def test_who_takes_bytes_of_whom(
    values: list[tuple[int, int, int, int]], found: tuple[int, int]
) -> None:
    """(first piece, piece after the last, begin, end) by begin; compiled and as it is written."""
    columns = np.array(values, dtype=np.int64).reshape(-1, 4).T.copy()
    assert tuple(_clash(*columns)) == found
    assert tuple(_clash.py_func(*columns)) == found  # type: ignore[attr-defined]


def test_reads_are_counted_whatever_their_size() -> None:
    """Bytes of thousands are told apart by their rank."""
    edges = np.array([[1, 2, 1, 1], [10**9, 5, 10**9, 7]])
    assert _counted(edges) == {(1, 10**9): 2, (2, 5): 1, (1, 7): 1}
    large = 2**32 - 1  # one more is a factor by which 64 bits have no room for what comes first
    edges = np.array([[1, 2], [large, large], [large, large]])
    assert _counted(edges) == {(1, large, large): 1, (2, large, large): 1}


def test_keys_that_differ() -> None:
    """The lowest odd one, and whether what was found has too few of it."""
    few, all_ = np.array([1, 3]), np.array([1, 2, 3])
    assert first_difference(few, all_) == (2, True)
    assert first_difference(all_, few) == (2, False)
    assert first_difference(all_, all_) is None
    assert first_difference(np.array([4, 1]), np.array([1, 0])) == (0, True)
    assert first_uneven(np.array([1, 1, 2]), np.array([1, 2])) == (1, False)
    assert first_uneven(np.array([1, 2]), np.array([2, 1, 2])) == (2, True)
    assert first_uneven(np.array([2, 1]), np.array([1, 2])) is None
    assert first_repeat(np.array([3, 1, 3, 1])) == 1
    assert first_repeat(np.array([3, 1])) is None
