"""Values that are read in another region than theirs, or are not moved to each that uses them."""

from dataclasses import replace
from functools import cache, partial

import numpy as np

from ir.compiled import Compiled
from ir.program import Opcode
from tests.backends.functional import mutate
from tests.ir.verify.forms.narrow import NARROW
from tests.ir.verify.test_verify_streams import elsewhere
from tests.ir.verify.wrong.edits import Corrupt, Tables, edited, entry
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.programs import base
from tests.make import compile_small, small_workload


def read_across_regions(c: Compiled) -> Compiled:
    # layer 1 reads layer 0's sum where it lies, past the XFER that moves it
    p = c.program
    mesh = [i for i, u in enumerate(p.units) if u.kind == "mesh"]
    move = next(r for r in rows(p, Opcode.XFER) if p.unit[r] in mesh)
    at = int(np.flatnonzero(p.reads.values == move)[0])
    reader = int(p.reads.rows()[at])
    return entry(c, "reads", reader, at - int(p.reads.offsets[reader]), int(p.reads[move][0]))


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
            return entry(c, "reads", other, 0, int(p.reads[one][0]))
        return edited(c, "unit", one, _another_mesh(c, one))

    corrupt.__name__ = f"moved_from_another_{kind}"
    return corrupt


def _another_mesh(c: Compiled, row: int) -> int:
    p = c.program
    return next(i for i, u in enumerate(p.units) if u.kind == "mesh" and i != p.unit[row])


def moved_to_where_it_is(c: Compiled) -> Compiled:
    """One more MOVE, which nobody reads, of the region and operator that its value is of."""
    p = c.program
    mesh = np.array([u.kind == "mesh" for u in p.units])[p.unit]
    row = int(np.flatnonzero(mesh)[0])
    made = int(p.reads[row][0])
    more = mutate.duplicate(p, row, p.makespan_ps)
    more = mutate.put(more, "node", len(p), int(p.node[made]))
    return replace(c, program=mutate.put(more, "layer", len(p), int(p.layer[made])))


def constant_that_was_moved(c: Compiled) -> Compiled:
    """The second layer's attention reads its mask by a MOVE too, where constants are everywhere."""
    p = c.program
    names = [op.name for op in c.workload.operators]
    row = int(rows(p, Opcode.ATTN, node=names.index("attention1"))[0])
    mask = next(r for r in p.reads[row].tolist() if p.node[r] == names.index("mask"))
    move = int(rows(p, Opcode.XFER, node=names.index("norm_a1"), seq=p.seq[row])[0])
    more = mutate.duplicate(p, move, p.makespan_ps)
    more = mutate.reads(more, len(p), [mask])
    return replace(c, program=mutate.reads(more, row, [*p.reads[row].tolist(), len(p)]))


@cache
def used_in_two_regions() -> Compiled:
    """Correct: the last layer adds what the first one made, which goes to both that follow."""
    workload = small_workload(layers=3)
    operators = tuple(
        replace(op, inputs=(*op.inputs, "add_b0")) if op.name == "add_a2" else op
        for op in workload.operators
    )
    return compile_small(replace(workload, operators=operators))


def brought_on_by_another_move(c: Compiled) -> Compiled:
    """A value goes from region 0 to 1 and from there to 2, where it goes from its maker to each."""
    p = c.program
    mesh = {unit.layer: i for i, unit in enumerate(p.units) if unit.kind == "mesh"}
    moves = np.flatnonzero(p.unit == mesh[0]).tolist()
    to = {(int(p.reads[row][0]), int(p.token[row]), int(p.layer[row])): row for row in moves}
    source, token, far = next((s, t, row) for (s, t, layer), row in to.items() if layer == 2)
    wrong = entry(c, "reads", far, 0, to[source, token, 1])
    return edited(wrong, "unit", far, mesh[1])


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
    load = int(rows(p, Opcode.LOAD, layer=0)[0])
    made = int(p.reads[load][0])
    assert p.layer[made] == 0
    more = mutate.duplicate(p, int(np.flatnonzero(mesh)[0]), p.makespan_ps)
    for column in ("node", "layer", "token", "seq", "step"):
        more = mutate.put(more, column, len(p), int(getattr(p, column)[load]))
    more = mutate.reads(more, len(p), [made])
    return replace(c, program=mutate.read_instead(more, load, made, len(p)))


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
    return entry(c, "reads", norm, 0, other)


TABLES: Tables = [
    (
        base,
        [
            ("moved", read_across_regions),
            ("moved", moved_from("token")),
            ("moved", moved_from("region")),
            ("moved", moved_to_where_it_is),
            ("inputs", constant_that_was_moved),
        ],
    ),
    (used_in_two_regions, [("inputs", brought_on_by_another_move)]),
    (
        NARROW["four regions, two values of a token after each other"],
        [("inputs", part_of_another_region)],
    ),
    (partial(elsewhere, streams=False), [("inputs", moved_where_it_is)]),
    (one_token_of_two_values, [("inputs", other_value_that_was_moved)]),
]
