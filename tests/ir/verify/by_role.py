"""Right programs with one thing changed in an instruction of every role, systematically.

What is drawn (`single_changes`) seldom meets the first token, the first expert, the last pass; here
the first instruction of each kind is changed, which is of them, and the last. Every such program is
wrong, and some check refuses it, but for a CROSS of another operator that reads what it brings.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ir.arrays import Ints
from ir.compiled import Compiled
from ir.program import Program
from ir.verify.case import ProgramCase
from ir.verify.roles import Form, Role
from tests.backends.functional import mutate

COSTS = ("bytes", "macs", "energy_fj", "duration_ps", "busy_ps")
LABELS = ("token", "seq", "step", "layer", "stage", "slot", "expert", "replica", "src")


def changes_by_role(c: Compiled, seen: set[tuple[int, ...]]) -> Iterator[tuple[str, Compiled]]:
    """(what was done, the program) for instructions of every kind that is not in `seen`, then is.

    A kind: the role, form and stage, whether of a token, a routed expert, a router on crossbars.
    """
    case = ProgramCase(c)
    p = case.whole
    flags = p.token >= 0, p.expert >= 0, case.of_router, case.streams.mine
    kinds = np.stack([case.role, case.row_form, p.stage, *flags], axis=1)
    for kind in np.unique(kinds, axis=0):
        key = tuple(kind.tolist())
        if key not in seen:
            seen.add(key)
            for what, program in _of_kind(case, np.flatnonzero((kinds == kind).all(axis=1))):
                yield f"{Role(key[0]).name} {what}", replace(c, program=program)


def _of_kind(case: ProgramCase, rows: Ints) -> Iterator[tuple[str, Program]]:
    p, one, last = case.whole, int(rows[0]), int(rows[-1])
    yield "left out", mutate.drop(p, last)
    again = mutate.duplicate(p, one, p.makespan_ps)
    yield "out of nothing", mutate.reads(again, len(p), [])
    for form, node in _of_other_forms(case, one):
        yield f"of a {form}", mutate.put(p, "node", one, node)
    for column in LABELS:
        for word, value in _others(getattr(p, column), rows):
            yield f"{column} {word}", mutate.put(p, column, one, value)
    for column in COSTS:
        less = int(getattr(p, column)[one]) - 1
        yield f"{column} off by one", mutate.put(p, column, one, less if less >= 0 else 1)
    for unit in _elsewhere(p, last):
        yield "elsewhere", mutate.put(p, "unit", last, unit)
    if p.buffer[one] >= 0:
        yield "without a place", mutate.put(mutate.put(p, "buffer", one, -1), "offset", one, -1)
    for row in dict.fromkeys((one, last)):
        yield from _reads(p, row)


def _of_other_forms(case: ProgramCase, row: int) -> Iterator[tuple[str, int]]:
    """An operator of every other form, in the same region where there is one."""
    own = case.row_form[row]
    here = case.region == case.region[case.whole.node[row]]
    for form in Form:
        nodes = np.flatnonzero(case.form == form)
        if form != own and len(nodes):
            near = nodes[here[nodes]]
            yield form.name, int(near[0] if len(near) else nodes[0])


def _elsewhere(p: Program, row: int) -> list[int]:
    """The first unit of the same kind for another region, stage, group, die or link, if any."""
    own = p.units[p.unit[row]]
    places = [(u.kind, u.layer, u.stage, u.group, u.die, u.to) for u in p.units]
    mine = places[p.unit[row]]
    return [i for i, place in enumerate(places) if place[0] == own.kind and place != mine][:1]


def _others(column: Any, rows: Ints) -> Iterator[tuple[str, int]]:
    """None where there is a number, a number where there is none, and another one's."""
    own = int(column[rows[0]])
    yield ("none", -1) if own >= 0 else ("a number", 0)
    others = column[rows][column[rows] != own]
    if len(others) and others[0] != -1:
        yield "of another", int(others[0])


def _reads(p: Program, row: int) -> Iterator[tuple[str, Program]]:
    """Without the first of its reads, and without the last."""
    reads = p.reads[row].tolist()
    for at in sorted({0, len(reads) - 1} & set(range(len(reads)))):
        yield f"without read {at}", mutate.reads(p, row, reads[:at] + reads[at + 1 :])
