"""Where something is in a program or a mapping."""

from dataclasses import astuple

import numpy as np

from ir.arrays import Ints
from ir.compiled import Compiled
from ir.mapping import Mapping, RoutedOwner
from ir.program import Opcode, Program
from tests.stacks import named


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


def dense(m: Mapping, tensor: str) -> int:
    """Index of the block of a dense matrix."""
    return next(i for i, b in enumerate(m.blocks) if b.weight.tensor == tensor)


def of_dense(c: Compiled, tensor: str, opcode: Opcode) -> Ints:
    """Rows of an opcode of a dense product, by its tensor."""
    node = [op.name for op in c.workload.operators].index(tensor)
    return rows(c.program, opcode, node=node)


def unit_of(c: Compiled, name: str) -> int:
    """The group unit of a fire group, by its name."""
    keys = [(u.kind, u.layer, u.stage, u.group) for u in c.program.units]
    return keys.index(("group", *astuple(named(c.mapping)[name])))


def first_kind(c: Compiled, kind: str) -> int:
    """The first unit of a kind."""
    return next(i for i, unit in enumerate(c.program.units) if unit.kind == kind)


def readers(p: Program, row: int) -> list[tuple[int, int]]:
    """Who reads a row: (reader, place among what it reads)."""
    found = np.flatnonzero(p.reads.values == row)
    who = p.reads.rows()[found]
    return [(int(r), int(at - p.reads.offsets[r])) for r, at in zip(who, found, strict=True)]


def crossings(p: Program) -> Ints:
    """Rows of CROSSes."""
    return rows(p, Opcode.CROSS)
