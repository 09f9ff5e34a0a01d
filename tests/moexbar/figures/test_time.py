"""Where the time goes: sums by kind of unit, and when layers are at work."""

from dataclasses import replace
from itertools import pairwise

from backends.bounds import Part
from ir.program import Unit
from moexbar.figures.figure import Shown
from moexbar.figures.time import MOST_UNITS, by_kind, layer_spans, time
from tests.moexbar.figures.by_hand import program

GROUP, OTHER, BUS = (
    Unit("group", "g0", layer=0, first_pg=0, pgs=1),
    Unit("group", "g1", layer=1, first_pg=1, pgs=1),
    Unit("bus", "b0", layer=0),
)


def test_parts_of_a_kind_are_added_the_longest_kind_first() -> None:
    parts = (
        Part(BUS, "b0", 50),
        Part(GROUP, "g0", 40),
        Part(OTHER, "g1", 30),
        Part(None, "", 10),
    )
    assert list(by_kind(parts).items()) == [("group", 40 + 30), ("bus", 50), ("", 10)]
    assert by_kind(()) == {}


def test_a_layer_is_at_work_from_its_first_start_to_its_last_end() -> None:
    made = program(
        [GROUP, OTHER, BUS],
        [
            {"unit": "b0", "layer": 0, "start_ps": 5, "duration_ps": 10},
            {"unit": "g0", "layer": 0, "start_ps": 15, "duration_ps": 20},
            {"unit": "g1", "layer": 3, "start_ps": 20, "duration_ps": 7},
            {"unit": "g0", "layer": -1, "start_ps": 0, "duration_ps": 99},  # of no layer
        ],
    )
    assert layer_spans(made) == [(0, 5, 15 + 20), (3, 20, 20 + 7)]


def test_the_bar_is_as_long_as_the_program(shown: Shown) -> None:
    figure = time(shown)
    assert figure is not None
    assert shown.program is not None
    bar, units, _ = figure.spec["vconcat"]
    values = bar["data"]["values"]
    assert values[0]["from"] == 0
    assert values[-1]["to"] == shown.program.makespan_ps / 1e6
    assert all(a["to"] == b["from"] for a, b in pairwise(values))
    assert len(units["data"]["values"]) <= MOST_UNITS
    asked = shown.report.methods[-1]
    bound = sum(row["us"] for row in values if not row["kind"].startswith("a better"))
    assert round(bound * 1e3, 3) == getattr(asked, "time_bound_ns", None)


def test_without_a_program_there_is_no_picture(shown: Shown) -> None:
    assert time(replace(shown, program=None)) is None
    assert time(replace(shown, program=program([GROUP], []))) is None
