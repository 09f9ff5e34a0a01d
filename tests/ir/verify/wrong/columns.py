"""Columns of the program beyond their ranges, and values that are not written once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ir.compiled import Compiled
from ir.program import Lists, Opcode
from tests.ir.verify.wrong.edits import Corrupt, Tables, changed, edited, entry, with_column
from tests.ir.verify.wrong.programs import base, stepping


def unit_that_does_not_exist(c: Compiled) -> Compiled:
    return edited(c, "unit", 3, len(c.program.units))


def read_of_no_instruction(c: Compiled) -> Compiled:
    return entry(c, "reads", int(c.program.reads.rows()[0]), 0, -1)


def negative_start(c: Compiled) -> Compiled:
    return edited(c, "start_ps", 0, -1)


def nodes_of_another_model(c: Compiled) -> Compiled:
    return replace(c, program=replace(c.program, nodes=c.program.nodes[::-1]))


def list_offsets(name: str, at: int, by: int) -> Corrupt:
    """The offsets of a list column changed at one place."""

    def corrupt(c: Compiled) -> Compiled:
        lists: Lists = getattr(c.program, name)
        offsets = changed(lists.offsets, at, lists.offsets[at] + by)
        return with_column(c, name, Lists(offsets, lists.values))

    corrupt.__name__ = f"offset_{at}_of_{name}_{by:+}"
    return corrupt


def list_without_its_first_value(name: str) -> Corrupt:
    """Offsets begin at 1, so that the first value is nobody's."""

    def corrupt(c: Compiled) -> Compiled:
        lists: Lists = getattr(c.program, name)
        return with_column(c, name, Lists(np.maximum(lists.offsets, 1), lists.values))

    corrupt.__name__ = f"first_value_of_{name}_left_out"
    return corrupt


def list_value(name: str, value: str) -> Corrupt:
    """A value of a list column one beyond either end."""

    def corrupt(c: Compiled) -> Compiled:
        lists: Lists = getattr(c.program, name)
        size = len(c.program) if name == "reads" else len(c.program.units)
        values = changed(lists.values, 0, size if value == "above" else -1)
        return with_column(c, name, Lists(lists.offsets, values))

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
            return edited(c, name, 1, low - 1)
        assert high is not None
        return edited(c, name, 1, high(c) + 1)

    corrupt.__name__ = f"{name}_{'below' if below else 'above'}_its_range"
    return corrupt


def value_written_by_another(c: Compiled) -> Compiled:
    return edited(c, "writes", 5, 4)


def value_read_but_not_written(c: Compiled) -> Compiled:
    return edited(c, "writes", c.program.reads.values[0], -1)


def reads_what_comes_later(c: Compiled) -> Compiled:
    row = int(c.program.reads.rows()[0])
    return entry(c, "reads", row, 0, row + 1)


TABLES: Tables = [
    (
        base,
        [
            ("columns", unit_that_does_not_exist),
            ("columns", read_of_no_instruction),
            ("columns", negative_start),
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
            ("written-once", value_written_by_another),
            ("written-once", value_read_but_not_written),
        ],
    ),
    (stepping, [("written-once", reads_what_comes_later)]),
]
