"""What the numbers of a program that is read may be, so that nothing that uses them goes astray.

Indices point into their tables. Times, energies and counts are at most MOST, their sums at most
SUM, and the makespan times the instructions is at most SUM: whatever is added up over
instructions, ends or waits among it, stays below 2^63. 2^52 ps are 75 minutes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ir.errors import InputError
from ir.program import Buffer, Inventory, Program, Unit

MOST, SUM = 1 << 52, 1 << 62
MOST_PGS = 1 << 28
MOST_LAYER = 1 << 20  # ids of layers, experts, copies and stages are below
MOST_DIES = 1 << 14
MOST_WIDE = 1 << 31  # values of a vector, cores in a row, lanes
MAX_NAME = 200
HINT = "compile it again"

Range = tuple[int, int]  # both ends are in it

UNIT: Mapping[str, Range] = {
    "layer": (-1, MOST_LAYER),
    "stage": (-1, 1),
    "group": (-1, MOST_PGS),
    "first_pg": (-1, MOST_PGS),
    "pgs": (0, MOST_PGS),
    "input_bytes": (0, MOST),
    "units": (0, MOST_WIDE),
    "width": (0, MOST_WIDE),
    "lanes": (0, MOST_WIDE),
    "columns": (0, MOST_WIDE),
    "rows": (0, MOST_WIDE),
    "die": (0, MOST_DIES),
    "to": (-1, MOST_DIES),
}
BUFFER: Mapping[str, Range] = {
    "layer": (-1, MOST_LAYER),
    "bytes": (0, MOST),
    "die": (0, MOST_DIES),
}
AMOUNTS = ("start_ps", "duration_ps", "busy_ps", "energy_fj", "macs", "bytes")


def check_tables(
    units: Sequence[Unit],
    buffers: Sequence[Buffer],
    inventory: Inventory,
    lockstep: Sequence[int],
    where: str,
) -> None:
    """InputError naming table, row and field of the first number or name that is none."""
    for number, unit in enumerate(units):
        _check_row(vars(unit), UNIT, where, f"units[{number}]")
    for number, buffer in enumerate(buffers):
        _check_row(vars(buffer), BUFFER, where, f"buffers[{number}]")
    _check_row(vars(inventory), dict.fromkeys(vars(inventory), (0, MOST)), where, "inventory")
    layers = {f"[{number}]": layer for number, layer in enumerate(lockstep)}
    _check_row(layers, dict.fromkeys(layers, (0, MOST_LAYER)), where, "lockstep")


def _check_row(row: Mapping[str, Any], ranges: Mapping[str, Range], where: str, at: str) -> None:
    name = row.get("name", "")
    if len(name) > MAX_NAME or not name.isprintable():
        found = f"{at}.name: found {ascii(name)[:60]}"
        raise InputError(where, f"{found}, expected at most {MAX_NAME} printable characters", HINT)
    for field, (low, high) in ranges.items():
        if not low <= row[field] <= high:
            problem = f"{at}.{field}: found {row[field]}, expected {low} to {high}"
            raise InputError(where, problem, HINT)


def check_columns(program: Program, where: str) -> None:
    """InputError naming column and row of the first number out of range, or the sum that is."""
    rows, units = len(program), len(program.units)
    ids = dict.fromkeys(("layer", "stage", "expert", "replica"), (0, MOST_LAYER))
    limits: dict[str, Range] = {name: (-1, high) for name, (_, high) in ids.items()}
    limits |= {name: (-1, max(rows, 1) - 1) for name in ("token", "slot", "writes", "step")}
    limits |= {"seq": (-1, 2**31 - 1), "unit": (0, units - 1), "src": (-1, units - 1)}
    limits |= {"node": (-1, len(program.nodes) - 1), "buffer": (-1, len(program.buffers) - 1)}
    limits |= dict.fromkeys(AMOUNTS, (0, MOST)) | {"offset": (-1, MOST)}
    for name, (low, high) in limits.items():
        _check_range(name, getattr(program, name), low, high, where)
    _check_range("reads", program.reads.values, 0, rows - 1, where)
    _check_range("dst", program.dst.values, 0, units - 1, where)
    for name in AMOUNTS:
        if name != "start_ps":
            _check_sum(name, float(getattr(program, name).sum(dtype=np.float64)), where)
    _check_sum("start_ps", float(program.makespan_ps) * rows, where)


def _check_range(
    name: str, values: npt.NDArray[np.integer[Any]], low: int, high: int, where: str
) -> None:
    bad = np.flatnonzero((values < low) | (values > high))
    if len(bad):
        found = f"{values[bad[0]]} (entry {bad[0]})"
        raise InputError(where, f"column {name}: {found}, expected {low} to {high}", HINT)


def _check_sum(name: str, found: float, where: str) -> None:
    """In floating point, which does not wrap; it is off by less than a millionth."""
    if found > SUM:
        what = "the makespan for each instruction" if name == "start_ps" else "all instructions"
        problem = f"column {name}: {found:.3g} in sum of {what}, expected at most 2^62"
        raise InputError(where, problem, HINT)
