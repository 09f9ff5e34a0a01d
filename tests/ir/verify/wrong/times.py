"""Instructions that begin before their values are there or their unit is free."""

from ir.compiled import Compiled
from ir.program import Opcode
from tests.ir.verify.wrong.edits import Tables, edited, together
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.programs import base


def reader_before_its_value(c: Compiled) -> Compiled:
    return edited(c, "start_ps", rows(c.program, Opcode.COMBINE)[0], 0)


def pg_driven_twice(c: Compiled) -> Compiled:
    return together(c, Opcode.MVM, "group")


def two_loads_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.LOAD, "bus")


def two_stores_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.STORE, "return")


def two_norms_at_once(c: Compiled) -> Compiled:
    return together(c, Opcode.NORM, "dpu")


TABLES: Tables = [
    (
        base,
        [
            ("read-after-write", reader_before_its_value),
            ("pg-once", pg_driven_twice),
            ("bus", two_loads_at_once),
            ("return-link", two_stores_at_once),
            ("unit-once", two_norms_at_once),
        ],
    ),
]
