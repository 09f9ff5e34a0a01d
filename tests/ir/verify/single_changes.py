"""Right programs with a single number changed, drawn the same way every time.

A value is taken from another instruction of the same kind where that has another one, so that it is
in range and no check of ranges says all there is to say; else it is one more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ir.compiled import Compiled
from ir.mapping import Block
from ir.placement import Placement
from ir.program import Lists, Program
from tests.backends.functional import mutate

COSTS = ("bytes", "macs", "energy_fj", "duration_ps", "busy_ps")
TAKEN = ("token", "seq", "step", "layer", "node", "unit", "stage", "slot", "expert", "replica")
OTHERS = ("opcode", "src", "writes", "buffer", "offset", "start_ps")


@dataclass(frozen=True)
class Draw:
    """A program and where its changes are drawn from."""

    c: Compiled
    random: np.random.Generator

    @property
    def p(self) -> Program:
        """The program as it is."""
        return self.c.program

    def row(self, least: Lists | None = None) -> int:
        """A row, of an opcode drawn first; one that has entries in `least`."""
        p = self.p
        usable = np.ones(len(p), dtype=np.bool_) if least is None else np.diff(least.offsets) > 0
        code = self.random.choice(np.unique(p.opcode[usable]))
        return int(self.random.choice(np.flatnonzero(usable & (p.opcode == code))))

    def another(self, row: int, values: Any) -> int:
        """A value that another row of the kind has: of its opcode and stage, nearby if any."""
        p = self.p
        alike = (p.opcode == p.opcode[row]) & (p.stage == p.stage[row]) & (values != values[row])
        alike &= self.random.random(len(p)) < 1 / 2
        found = np.flatnonzero(alike)
        return int(values[self.random.choice(found)]) if len(found) else int(values[row]) + 1

    def program(self, program: Program) -> Compiled:
        """The same with another program."""
        return replace(self.c, program=program)


def single_changes(c: Compiled, seed: int, each: int) -> Iterator[tuple[str, Compiled]]:
    """(what was changed, the program): `each` changes of every kind."""
    draw = Draw(c, np.random.default_rng(seed))
    for _ in range(each):
        yield from _of_columns(draw)
        yield from _of_lists(draw)
        yield from _of_rows(draw)
        yield from _of_tables(draw)
        yield from _of_mapping(draw)
        yield from _of_schedule(draw)


def _of_columns(draw: Draw) -> Iterator[tuple[str, Compiled]]:
    p = draw.p
    for column in COSTS:
        row = draw.row()
        value = int(getattr(p, column)[row]) + int(draw.random.choice([-1, 1]))
        yield f"{column} {p.name(row)}", draw.program(mutate.put(p, column, row, value))
    for column in (*TAKEN, *OTHERS):
        row = draw.row()
        value = draw.another(row, getattr(p, column))
        yield f"{column} {p.name(row)}", draw.program(mutate.put(p, column, row, value))


def _of_lists(draw: Draw) -> Iterator[tuple[str, Compiled]]:
    p = draw.p
    for name in ("reads", "dst"):
        lists: Lists = getattr(p, name)
        row = draw.row(lists)
        entries = [lists[n].tolist() for n in range(len(p))]
        alike = [
            v
            for n in np.flatnonzero((p.opcode == p.opcode[row]) & (p.stage == p.stage[row]))
            for v in entries[n]
            if v not in entries[row] and (name == "dst" or v < row)
        ]
        at = int(draw.random.integers(len(entries[row])))
        fewer = [v for n, v in enumerate(entries[row]) if n != at]
        for word, changed in (
            ("without one", fewer),
            ("another of", [*fewer, int(draw.random.choice(alike))] if alike else None),
            ("one more", [*entries[row], int(draw.random.choice(alike))] if alike else None),
        ):
            if changed is not None:
                rows = [*entries[:row], changed, *entries[row + 1 :]]
                column: dict[str, Any] = {name: mutate.lists(rows)}
                program = replace(p, **column)
                yield f"{name} {word} {p.name(row)}", draw.program(program)


def _of_rows(draw: Draw) -> Iterator[tuple[str, Compiled]]:
    p, row = draw.p, draw.row()
    yield f"without {p.name(row)}", draw.program(mutate.drop(p, row))
    row = draw.row()
    yield f"twice {p.name(row)}", draw.program(mutate.duplicate(p, row, p.makespan_ps))


def _number(draw: Draw, value: Any) -> tuple[str, Any] | None:
    """A number field of a value one more or less."""
    names = [f.name for f in fields(value) if type(getattr(value, f.name)) is int]
    name = str(draw.random.choice(names))
    change = int(draw.random.choice([-1, 1]))
    return name, replace(value, **{name: getattr(value, name) + change})


def _of_tables(draw: Draw) -> Iterator[tuple[str, Compiled]]:
    p = draw.p
    for table in ("units", "buffers"):
        values = list(getattr(p, table))
        at = int(draw.random.integers(len(values)))
        found = _number(draw, values[at])
        if found is not None:
            name = f"{table} {name_of(values[at])} {found[0]}"
            values[at] = found[1]
            tables: dict[str, Any] = {table: tuple(values)}
            yield name, draw.program(replace(p, **tables))
    found = _number(draw, p.inventory)
    if found is not None:
        yield f"inventory {found[0]}", draw.program(replace(p, inventory=found[1]))


def name_of(value: Any) -> str:
    """The name of a unit or a buffer."""
    return str(value.name)


def _of_mapping(draw: Draw) -> Iterator[tuple[str, Compiled]]:
    mapping = draw.c.mapping
    place: Placement = mapping.placement
    for name in ("pg_start", "spots", "core", "pg_class"):
        column = getattr(place, name).copy()
        at = tuple(int(draw.random.integers(size)) for size in column.shape)
        column[at] += int(draw.random.choice([-1, 1]))
        changed = replace(mapping, placement=replace(place, **{name: column}))
        yield f"placement {name} {list(at)}", replace(draw.c, mapping=changed)
    at_block = int(draw.random.integers(len(mapping.blocks)))
    found = _number(draw, mapping.blocks[at_block])
    if found is not None:
        blocks: list[Block] = list(mapping.blocks)
        blocks[at_block] = found[1]
        changed = replace(mapping, blocks=tuple(blocks))
        yield f"block {at_block} {found[0]}", replace(draw.c, mapping=changed)
    at_region = int(draw.random.integers(len(place.regions)))
    found = _number(draw, place.regions[at_region])
    if found is not None:
        regions = list(place.regions)
        regions[at_region] = found[1]
        changed = replace(mapping, placement=replace(place, regions=tuple(regions)))
        yield f"region {at_region} {found[0]}", replace(draw.c, mapping=changed)


def _of_schedule(draw: Draw) -> Iterator[tuple[str, Compiled]]:
    schedule = draw.c.schedule
    at = int(draw.random.integers(len(schedule.steps)))
    step = schedule.steps[at]
    if not step.layers:
        return
    n = int(draw.random.integers(len(step.layers)))
    pairs = step.layers[n]
    for name in ("token", "expert", "replica", "group", "slot"):
        column = getattr(pairs, name).copy()
        if len(column):
            row = int(draw.random.integers(len(column)))
            others = column[column != column[row]]
            column[row] = draw.random.choice(others) if len(others) else column[row] + 1
            layers = (*step.layers[:n], replace(pairs, **{name: column}), *step.layers[n + 1 :])
            steps = (*schedule.steps[:at], replace(step, layers=layers), *schedule.steps[at + 1 :])
            changed = replace(schedule, steps=steps)
            yield f"turn {row} {name} in step {at}", replace(draw.c, schedule=changed)
