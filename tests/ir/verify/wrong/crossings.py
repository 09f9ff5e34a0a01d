"""Values that are read on another die than theirs, or do not cross to it once, over its link."""

import numpy as np

from ir.arrays import Ints
from ir.compiled import Compiled
from ir.program import Lists, Opcode, Program
from tests.ir.verify.forms.narrow import NARROW
from tests.ir.verify.wrong.edits import Tables, edited, entry, with_column
from tests.ir.verify.wrong.find import crossings, first_kind, readers, rows
from tests.ir.verify.wrong.programs import on_dies


def dies_of(p: Program) -> Ints:
    """[rows] the die that each is carried out on."""
    return np.array([unit.die for unit in p.units], dtype=np.int64)[p.unit]


def crossing_on_a_mesh(c: Compiled) -> Compiled:
    return edited(c, "unit", int(crossings(c.program)[0]), first_kind(c, "mesh"))


def move_over_a_link(c: Compiled) -> Compiled:
    p = c.program
    mesh = [unit.kind == "mesh" for unit in p.units]
    row = np.flatnonzero(np.array(mesh)[p.unit])[0]
    return edited(c, "unit", int(row), first_kind(c, "d2d"))


def dst_of_a_crossing(c: Compiled) -> Compiled:
    """A CROSS goes to no input buffer."""
    p, row = c.program, int(crossings(c.program)[0])
    group = first_kind(c, "group")
    values = np.insert(p.dst.values, p.dst.offsets[row], group)
    offsets = p.dst.offsets + (np.arange(len(p.dst) + 1) > row)
    return with_column(c, "dst", Lists(offsets, values))


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


def moved_on_a_die_without_a_crossing(c: Compiled) -> Compiled:
    """A vector of another layer, read where the XFER leaves it: at the port of its own die."""
    p = c.program
    for row in crossings(p):
        made = int(p.reads[row][0])
        if p.opcode[made] == Opcode.XFER and p.units[p.unit[made]].kind == "mesh":
            reader, place = readers(p, int(row))[0]
            return entry(c, "reads", reader, place, made)
    raise AssertionError("none")


def constant_brought_elsewhere(c: Compiled) -> Compiled:
    """A CROSS brings a constant instead, over a link to another die than its reader's."""
    p, row = c.program, int(crossings(c.program)[0])
    link = p.units[p.unit[row]]
    ends = link.die, link.to
    at = next(i for i, u in enumerate(p.units) if u.kind == "d2d" and u.to not in ends)
    mask = [op.name for op in c.workload.operators].index("mask")
    (made,) = np.flatnonzero(p.node == mask).tolist()
    wrong = edited(entry(c, "reads", row, 0, made), "unit", row, at)
    for column in ("node", "layer", "token", "seq"):
        wrong = edited(wrong, column, row, getattr(p, column)[made])
    return wrong


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


def crossing_of_another_operator(c: Compiled) -> Compiled:
    """One of the same region that has nothing to do with it: the product after the attention."""
    names = [op.name for op in c.workload.operators]
    row = next(r for r in crossings(c.program) if c.program.node[r] == names.index("q0"))
    return edited(c, "node", int(row), names.index("o0"))


def crossing_brought_twice(c: Compiled) -> Compiled:
    """A CROSS that brings what another one brings, to its own reader."""
    p = c.program
    one, other = one_way(p)
    twice = entry(c, "reads", other, 0, int(p.reads[one][0]))
    return edited(twice, "token", other, p.token[one])


def crossing_of_itself(c: Compiled) -> Compiled:
    row = int(crossings(c.program)[0])
    return entry(c, "reads", row, 0, row)


def crossing_called_a_moves(c: Compiled) -> Compiled:
    """A CROSS says that it is of another token, and of the operator of a MOVE that reads it."""
    p = c.program
    one, other = one_way(p)
    mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
    move = int(np.flatnonzero(mesh & (np.arange(len(p)) > one))[0])
    wrong = entry(c, "reads", move, 0, one)
    for column in ("node", "layer"):
        wrong = edited(wrong, column, one, getattr(p, column)[move])
    return edited(wrong, "token", one, p.token[other])


TABLES: Tables = [
    (
        on_dies,
        [
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
            ("crossings", crossing_of_itself),
            ("crossings", crossing_called_a_moves),
        ],
    ),
    (NARROW["constants, on dies"], [("on-die", constant_brought_elsewhere)]),
]
