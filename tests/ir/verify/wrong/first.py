"""The first instruction of all, which has nothing that it could read."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from ir.compiled import Compiled
from ir.program import Lists, Opcode, Program
from tests.backends.functional import mutate
from tests.ir.verify.wrong.edits import Tables
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.operators import two_tokens
from tests.ir.verify.wrong.programs import dense_twice, stepping


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


TABLES: Tables = [
    (
        two_tokens,
        [("inputs", norm_of_nothing), ("router-first", choice_of_experts_too_late)],
    ),
    (stepping, [("samples", choice_of_nothing)]),
    (
        dense_twice,
        [
            ("expert-group", product_of_nothing_on_no_copy),
            ("macs", product_of_nothing_without_macs),
        ],
    ),
]
