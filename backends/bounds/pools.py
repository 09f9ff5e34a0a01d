"""Equal units as one pool."""

from typing import NamedTuple

import numpy as np

from ir.arrays import Ints
from ir.program import Program, circuits


class Pools(NamedTuple):
    """of_unit: pool of each unit; size: units of each pool; names: of the pools."""

    of_unit: Ints
    size: Ints
    names: list[str]


def pools(program: Program) -> Pools:
    """The pools of a program: digital and attention units of a region, all others by themselves.

    The groups of a stack are one unit, under the first one's name.
    """
    names: dict[str, int] = {}
    pool, of = [], circuits(program.units)
    for circuit in of.tolist():
        unit = program.units[circuit]
        several = unit.kind in ("dpu", "mha")
        shared = unit.name.rpartition(".")[0] if unit.kind == "dpu" else unit.name
        shared = unit.kind if unit.layer < 0 else shared  # of one region on one die
        pool.append(names.setdefault(shared if several else unit.name, len(names)))
    of_unit = np.array(pool, dtype=np.int64)
    size = np.bincount(of_unit[np.unique(of)], minlength=len(names))
    return Pools(of_unit, size, list(names))
