"""Programs and reports made by hand for pictures, without a compiler."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ir.program import TABLES, Inventory, Lists, Opcode, Program, Unit

NONE = Inventory(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
ABSENT = -1


def program(units: Sequence[Unit], rows: Sequence[dict[str, Any]]) -> Program:
    """A program of these instructions.

    rows: columns by name, `unit` by the name of one of `units`; what is left out is 0 for amounts
    and -1 for the rest; busy_ps as duration_ps.
    """
    place = {unit.name: n for n, unit in enumerate(units)}
    columns: dict[str, Any] = {}
    for field in fields(Program):
        if field.name in (*TABLES, "dst", "reads"):
            continue
        least = 0 if field.name.endswith(("_ps", "_fj")) or field.name in AMOUNTS else ABSENT
        columns[field.name] = np.array([row.get(field.name, least) for row in filled(rows, place)])
    for name in ("dst", "reads"):
        lists = [row.get(name, ()) for row in rows]
        offsets = np.cumsum([0, *map(len, lists)])
        values = [place.get(v, v) for each in lists for v in each]
        columns[name] = Lists(offsets, np.array(values, dtype=np.int32))
    columns["opcode"] = columns["opcode"].astype(np.uint8)
    return Program(**columns, units=tuple(units), buffers=(), nodes=(), inventory=NONE)


AMOUNTS = ("bytes", "macs", "step", "seq")


def filled(rows: Sequence[dict[str, Any]], place: dict[str, int]) -> list[dict[str, Any]]:
    """Rows with their unit as a number and what follows from the rest."""
    return [
        {
            "opcode": Opcode.MVM,
            "busy_ps": row.get("duration_ps", 0),
            **row,
            "unit": place[row["unit"]],
            "src": place.get(row.get("src", ""), ABSENT),
        }
        for row in rows
    ]
