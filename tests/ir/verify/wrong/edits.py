"""Programs with one thing changed, whatever that makes of them: what corruptions are made with.

Nothing is checked: a copy of a mapping, schedule or program may hold what its type would refuse.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from ir.arrays import Array
from ir.compiled import Compiled
from ir.mapping import Owner
from ir.program import Lists, Opcode
from ir.stacks import Member, Stacking
from tests.ir.verify.wrong.find import rows

Make = Callable[[], Compiled]
Corrupt = Callable[[Compiled], Compiled]
Tables = list[tuple[Make, list[tuple[str, Corrupt]]]]  # a right program: (check, corruption)s of it
T = TypeVar("T")


def changed(column: np.ndarray, rows: Any, value: Any) -> np.ndarray:
    """A copy of a column with `rows` set."""
    out = column.copy()
    out[rows] = value
    return out


def placed(c: Compiled, **changes: Any) -> Compiled:
    """The same with another placement."""
    placement = replace(c.mapping.placement, **changes)
    return replace(c, mapping=replace(c.mapping, placement=placement))


def moved(c: Compiled, index: int, position: int) -> Compiled:
    """The same with all tiles of a block at another crossbar behind their PGs."""
    spots = c.mapping.placement.spots
    return placed(c, spots=changed(spots, (index, slice(None), 0), position))


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


def with_groups(c: Compiled, **changes: Any) -> Compiled:
    """The same with other groups in the first layer, whatever they are."""
    first, *others = c.mapping.grouping.layers
    layers = (unchecked(first, **changes), *others)
    return mapped(c, grouping=replace(c.mapping.grouping, layers=layers))


def copied(c: Compiled, whose: Owner, **changes: Any) -> Compiled:
    """The same with the first block of `whose` changed."""
    index = next(i for i, b in enumerate(c.mapping.blocks) if b.owner == whose)
    new = replace(c.mapping.blocks[index], **changes)
    blocks = (*c.mapping.blocks[:index], new, *c.mapping.blocks[index + 1 :])
    return replace(c, mapping=replace(c.mapping, blocks=blocks))


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


def with_stacks(c: Compiled, *stacks: tuple[Member, ...]) -> Compiled:
    """The same with other stacks said."""
    return replace(c, mapping=replace(c.mapping, stacks=Stacking(stacks)))


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


def with_unit(c: Compiled, at: int, **changes: Any) -> Compiled:
    """The same with fields of a unit changed."""
    units = list(c.program.units)
    units[at] = replace(units[at], **changes)
    return replace(c, program=replace(c.program, units=tuple(units)))


def with_counted(c: Compiled, name: str, more: int) -> Compiled:
    """The inventory says so many more of something, or fewer."""
    inventory = c.program.inventory
    changes: dict[str, Any] = {name: getattr(inventory, name) + more}
    return replace(c, program=replace(c.program, inventory=replace(inventory, **changes)))


def scheduled(c: Compiled, **changes: Any) -> Compiled:
    """The same with other fields of the schedule."""
    return replace(c, schedule=replace(c.schedule, **changes))


def in_step(c: Compiled, at: int, **changes: Any) -> Compiled:
    """The same with other fields of a step."""
    steps = list(c.schedule.steps)
    steps[at] = replace(steps[at], **changes)
    return scheduled(c, steps=tuple(steps))


def with_buffers_of(c: Compiled, limit: int) -> Compiled:
    """The same on a chip whose regions have room for so many bytes."""
    memory = replace(c.chip.memory, region_buffer_bytes=limit)
    return replace(c, chip=replace(c.chip, memory=memory))


def add(column: str, opcode: Opcode, amount: int) -> Corrupt:
    """A corruption that adds to a column of the last instruction of an opcode."""

    def corrupt(c: Compiled) -> Compiled:
        row = rows(c.program, opcode)[-1]
        return edited(c, column, row, getattr(c.program, column)[row] + amount)

    corrupt.__name__ = f"{column}_of_{opcode.name}_{amount:+}"
    return corrupt


def together(c: Compiled, opcode: Opcode, pool: str, gap: int = -1) -> Compiled:
    """Let the later of two neighbours on one unit of `pool` begin 1 ps before the first is done."""
    p = c.program
    kind = np.array([u.kind for u in p.units])[p.unit]
    here = np.flatnonzero((p.opcode == opcode) & (kind == pool))
    here = here[np.lexsort((p.start_ps[here], p.unit[here]))]
    at = int(np.flatnonzero(p.unit[here[1:]] == p.unit[here[:-1]])[0])
    one, other = here[at], here[at + 1]
    return edited(c, "start_ps", other, p.start_ps[one] + p.busy_ps[one] + gap)
