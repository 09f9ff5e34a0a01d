"""What forms are put together from."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ir.certificate import Certificate
from ir.chip import Chip, Split
from ir.compiled import Compiled
from ir.mapping import Grouping, LayerGrouping
from ir.workload import AnyOperator, Workload
from tests.make import compile_small, small_chip

TWO = np.array([0, 0, 0, 0, 1, 1, 1, 1])
ONE_AND_THREE = np.array([0, 1, 1, 1])
ON_CROSSBARS: dict[str, Any] = {"router_on": "crossbar"}
IN_TILES: dict[str, Any] = {"mha_bits_per_ns": 64}  # jobs of two queries
SLOW_BUFFERS: dict[str, Any] = {
    "memory": {"buffer_bits_per_ns": 1},
    "bus": {"transfers_per_slot": 4096},
}
SHARES = Split(cell_energy=1, driver_energy=3, adc_energy=4, shift_add_energy=1)
OF_TWO = replace(SHARES, columns_per_adc=2)
OWN_UNITS = {"dpus": 0, "mha_units": 0}  # each region's own, as many as it needs


def changed(workload: Workload, change: Callable[[AnyOperator], AnyOperator]) -> Workload:
    """The same with operators changed."""
    return replace(workload, operators=tuple(map(change, workload.operators)))


def plain(workload: Workload, chip: Chip | None = None, **window: Any) -> Callable[[], Compiled]:
    """What compiles a workload."""
    return cache(lambda: compile_small(workload, chip or small_chip(), **window))


def with_digital(*experts: int) -> Grouping:
    """Pairs of the experts that are on crossbars, in both layers."""
    rest = [e for e in range(4) if e not in experts]
    groups = tuple(tuple(rest[i : i + 2]) for i in range(0, len(rest), 2))
    unknown = Certificate("slots", 0, 0, "heuristic")
    return Grouping(tuple(LayerGrouping(n, groups, "by hand", unknown, experts) for n in (0, 1)))
