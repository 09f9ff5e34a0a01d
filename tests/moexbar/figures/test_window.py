"""A stretch slice by slice: which stretch, what is told of a slice, and what it may weigh."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from backends.simulate import CAUSES, Waits, replay
from ir.errors import InputError
from ir.program import Unit
from moexbar.figures.figure import Shown
from moexbar.figures.window import between, busiest, busiest_units, longest_waits, timeline_window
from moexbar.files.chip_file import chip_of
from tests.moexbar.figures.by_hand import program

BUS, GROUP = Unit("bus", "b", layer=0), Unit("group", "g", layer=1, first_pg=0, pgs=1)
STARTS = [0, 100, 101, 102, 200, 300]
MADE = program([BUS, GROUP], [{"unit": "b", "start_ps": s, "duration_ps": 5} for s in STARTS])


def test_the_busiest_stretch_is_where_starts_are_dense() -> None:
    every = np.arange(6)
    assert busiest(MADE, every, most=3).tolist() == [1, 2, 3]
    assert busiest(MADE, every, most=6).tolist() == every.tolist()
    assert busiest(MADE, every[::-1], most=2).tolist() == [1, 2]


def test_a_stretch_holds_all_that_runs_in_it() -> None:
    """From 0.102 to 0.2 ns: #1 ends at 105, #4 starts at 200."""
    assert between(MADE, np.arange(6), 0.102, 0.2).tolist() == [1, 2, 3]
    assert between(MADE, np.arange(6), None, 0.1).tolist() == [0]
    with pytest.raises(InputError, match="expected a later end than start"):
        between(MADE, np.arange(6), 0.2, 0.2)


def test_too_many_slices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moexbar.figures.window.MOST_SLICES", 5)
    with pytest.raises(InputError, match=r"6 instructions from 0 to 0\.305 ns, expected at most 5"):
        between(MADE, np.arange(6), 0, None)


def test_the_busiest_units_in_the_order_of_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [Unit("bus", "b0", layer=0), GROUP, Unit("bus", "b1", layer=1)]
    made = program(
        units,
        [
            {"unit": "b0", "duration_ps": 5},
            {"unit": "b1", "duration_ps": 9},
            {"unit": "g", "duration_ps": 7},
        ],
    )
    assert busiest_units(made, np.arange(3))[0] == [1, 0, 2]
    monkeypatch.setattr("moexbar.figures.window.MOST_UNITS", 2)
    kept, rows = busiest_units(made, np.arange(3))
    assert (kept, rows.tolist()) == ([1, 2], [1, 2])


def slices(shown: Shown, **asked: float) -> list[dict[str, str]]:
    """The table of a picture."""
    figure = timeline_window(shown, **asked)  # type: ignore[arg-type]
    assert figure is not None
    return list(csv.DictReader(io.StringIO(figure.spec["data"]["values"])))


def test_a_slice_tells_what_its_instruction_is(shown: Shown) -> None:
    made = shown.program
    assert made is not None
    found = slices(shown)
    assert len(found) == np.count_nonzero(made.duration_ps)
    for line in found[:: len(found) // 50]:
        row = int(line["i"])
        assert float(line["s"]) == made.start_ps[row] / 1000
        assert float(line["d"]) == made.duration_ps[row] / 1000
        assert float(line["j"]) == made.energy_fj[row] / 1000
        assert line["u"] == made.units[made.unit[row]].name
        for key, column in (("l", made.layer), ("k", made.token), ("x", made.expert)):
            assert line[key] == (str(column[row]) if column[row] >= 0 else "")


def test_a_slice_tells_its_longest_wait(shown: Shown) -> None:
    made = shown.program
    assert made is not None
    waits = Waits(replay(made, chip_of(shown.report.chip)))
    causes, amounts, holders = longest_waits(waits, np.arange(len(made)))
    assert set(causes) <= {"", *CAUSES}
    for row in range(0, len(made), 37):
        cause, ps, holder = waits.longest(row)
        assert (causes[row], amounts[row], holders[row]) == (cause, ps, holder)


def test_one_layer_alone(shown: Shown) -> None:
    assert {line["l"] for line in slices(shown, layer=1)} == {"1"}
    assert timeline_window(shown, layer=99) is None
    assert timeline_window(replace(shown, program=None)) is None


def test_names_of_units_are_data(shown: Shown) -> None:
    made, bad = shown.program, "<img onerror=x>,\"datum['x']\n"
    assert made is not None
    units = tuple(replace(unit, name=bad + str(n)) for n, unit in enumerate(made.units))
    found = slices(replace(shown, program=replace(made, units=units)))
    assert all(line["u"].startswith(bad) for line in found)
    assert json.dumps(found)
