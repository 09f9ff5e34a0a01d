"""Units over time: shares by hand, rows of few and of many units, a program of a million rows."""

from dataclasses import replace
from time import process_time
from typing import Any

import numpy as np
import pytest

from ir.program import Program, Unit
from moexbar.figures.figure import Shown
from moexbar.figures.timeline import MOST_BINS, MOST_ROWS, busy_shares, timeline, unit_rows
from tests.moexbar.figures.by_hand import program

BUS, GROUP = Unit("bus", "b", layer=0), Unit("group", "g", layer=1, first_pg=0, pgs=1)


def test_shares_by_hand() -> None:
    """100 ps in 4 bins of 25: the bus works in 10-30 and 60-100, the group never."""
    made = program(
        [BUS, GROUP],
        [
            {"unit": "b", "start_ps": 10, "duration_ps": 20},
            {"unit": "b", "start_ps": 60, "duration_ps": 40},
        ],
    )
    of_unit, rows = unit_rows(made)
    assert of_unit.tolist() == [0, -1]
    assert [(row.kind, row.name, row.units) for row in rows] == [("bus", "b", 1)]
    width, shares = busy_shares(made, of_unit, rows, most=4)
    assert width == 25
    assert shares.tolist() == [[15 / 25, 5 / 25, 15 / 25, 25 / 25]]


def test_the_last_bin_may_be_shorter() -> None:
    """7 ps in at most 3 bins: 3, 3 and 1."""
    made = program([BUS], [{"unit": "b", "start_ps": 2, "duration_ps": 5}])
    of_unit, rows = unit_rows(made)
    assert busy_shares(made, of_unit, rows, most=3)[1].tolist() == [[1 / 3, 1.0, 1.0]]


def test_units_of_a_kind_and_layer_are_taken_together_where_there_are_many() -> None:
    units = [Unit("group", f"g{n}", layer=n % 2, first_pg=n, pgs=1) for n in range(MOST_ROWS + 1)]
    rows = [{"unit": unit.name, "start_ps": 0, "duration_ps": 10} for unit in units]
    rows += [{"unit": units[0].name, "start_ps": 10, "duration_ps": 10}]
    made = program(units, rows)
    of_unit, found = unit_rows(made)
    assert [(r.name, r.units) for r in found] == [("layer 0", 61), ("layer 1", 60)]
    assert of_unit.tolist() == [n % 2 for n in range(MOST_ROWS + 1)]
    _, shares = busy_shares(made, of_unit, found, most=2)
    assert shares.tolist() == [[1.0, 1 / 61], [1.0, 0.0]]


def test_layers_are_taken_together_where_there_are_many() -> None:
    units = [Unit("bus", f"b{n}", layer=n) for n in range(2 * MOST_ROWS + 1)]
    made = program(units, [{"unit": u.name, "duration_ps": 1} for u in units])
    _, found = unit_rows(made)
    assert len(found) == 81  # of three layers: two would be 121 rows
    assert (found[0].name, found[-1].name) == ("layers 0-2", "layer 240")


COPIED = (
    *("opcode", "step", "seq", "token", "layer", "stage", "expert", "replica", "slot", "src"),
    *("bytes", "energy_fj", "macs", "writes", "buffer", "offset", "node"),
)


def large(count: int) -> Program:
    """Instructions on a thousand units of forty layers."""
    random = np.random.default_rng(0)
    units = [Unit("group", f"g{n}", layer=n // 25, first_pg=n, pgs=1) for n in range(1000)]
    one = program(units, [{"unit": "g0", "duration_ps": 1}])
    columns: dict[str, Any] = {name: np.repeat(getattr(one, name), count) for name in COPIED}
    none = replace(one.reads, offsets=np.zeros(count + 1, dtype=np.int64))
    took = random.integers(1, 10**6, count)
    return replace(
        one,
        **columns,
        unit=random.integers(0, 1000, count).astype(np.int32),
        start_ps=random.integers(0, 10**9, count),
        duration_ps=took,
        busy_ps=took,
        dst=none,
        reads=none,
    )


@pytest.mark.slow
def test_a_million_instructions(shown: Shown) -> None:
    made = large(10**6)
    before = process_time()
    figure = timeline(replace(shown, program=made))
    assert process_time() - before < 4  # 0.3 s; much more only if rows are looked at one by one
    assert figure is not None
    lines = [panel["data"]["values"].count("\n") for panel in figure.spec["vconcat"]]
    assert sum(lines) <= MOST_ROWS * (MOST_BINS + 1) + len(lines)


def test_all_busy_time_is_drawn(shown: Shown) -> None:
    made = shown.program
    assert made is not None
    of_unit, rows = unit_rows(made)
    width, shares = busy_shares(made, of_unit, rows)
    units = np.array([row.units for row in rows])
    lengths = np.full(shares.shape[1], width)
    lengths[-1] = made.makespan_ps - width * (shares.shape[1] - 1)
    busy = (shares * lengths * units[:, None]).sum()
    assert busy == pytest.approx(made.busy_ps.sum())
    assert shares.max() <= 1 + 1e-9


def test_without_time_there_is_no_picture(shown: Shown) -> None:
    assert timeline(replace(shown, program=None)) is None
    assert timeline(replace(shown, program=program([BUS], []))) is None
