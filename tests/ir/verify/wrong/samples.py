"""Choices of the next token that are another's, that nobody asked for, or that nobody waits for."""

from dataclasses import replace
from functools import cache

from ir.compiled import Compiled
from ir.program import Opcode
from tests.ir.verify.wrong.edits import Tables, edited, entry
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.programs import stepping
from tests.make import compile_small, small_workload


def token_that_does_not_wait_for_its_choice(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.EMBED, step=1)[0])
    return entry(c, "reads", row, 0, 0)


def choice_from_an_older_token(c: Compiled) -> Compiled:
    p = c.program
    row = int(rows(p, Opcode.SAMPLE, step=0)[0])
    return entry(c, "reads", row, 0, int(p.reads[row][0]) - 1)


def choices_that_nobody_asked_for(c: Compiled) -> Compiled:
    return replace(c, schedule=replace(c.schedule, sampled=False))


def choice_named_by_another_token(c: Compiled) -> Compiled:
    """It reads the newest token's output, and says that it is of the one before."""
    row = rows(c.program, Opcode.SAMPLE, step=0)[0]
    return edited(c, "token", row, c.program.token[row] - 1)


@cache
def embedding_on_crossbars() -> Compiled:
    """Correct: a decode step whose first LOAD waits for the choice of its token."""
    return compile_small(small_workload(layers=1, embedded=True), decode=1)


def token_looked_up_before_it_is_chosen(c: Compiled) -> Compiled:
    p = c.program
    sample = rows(p, Opcode.SAMPLE, step=0)[0]
    load = next(r for r in rows(p, Opcode.LOAD, step=1) if sample in p.reads[r])
    other = int(rows(p, Opcode.NORM, step=0)[0])
    return entry(c, "reads", int(load), list(p.reads[load]).index(sample), other)


TABLES: Tables = [
    (
        stepping,
        [
            ("inputs", token_that_does_not_wait_for_its_choice),
            ("samples", choice_from_an_older_token),
            ("samples", choice_named_by_another_token),
            ("samples", choices_that_nobody_asked_for),
        ],
    ),
]
