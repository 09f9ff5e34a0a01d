"""Where weights are, how full crossbars are, and decode steps."""

from dataclasses import replace

import pytest

from ir.chip import Crossbar
from moexbar.figures.figure import Shown
from moexbar.figures.steps import steps
from moexbar.figures.weights import fill_rows, role_of, stored_bits, weight_rows, weights
from moexbar.report.mapped import BlockRow, Spots
from moexbar.report.weights import DigitalWeightsRow
from tests.make import SMALL_CHIP

BLOCK = BlockRow(
    "up", 1, "up", 0, 0, 0, -1, 2, 3, 0, Spots(), "w", None, False, (12, 10), 0, 1, "binary"
)


def test_every_stored_number_is_in_one_part(shown: Shown) -> None:
    found = shown.report.weights
    assert found is not None
    data = list(weight_rows(found, shown.mapping))
    assert sum(row["elements"] for row in data) == found.elements
    held = sum(row["elements"] for row in data if row["where"] == "on crossbars")
    assert held == found.crossbar
    alone = list(weight_rows(found, None))
    assert alone[0]["elements"] == found.crossbar


def test_parts_of_one_name_in_two_places_are_told_apart(shown: Shown) -> None:
    found = shown.report.weights
    assert found is not None
    group = DigitalWeightsRow("MatMul", "matrix", 1, 5, 0.0, "n", "<img src=x>")
    both = replace(found, groups=(group, replace(group, held="table")))
    names = [row["part"] for row in weight_rows(both, shown.mapping)]
    assert "MatMul, digital units multiply it" in names
    assert "MatMul, looked up or element-wise" in names
    assert len(set(names)) == len(names)


def test_the_fill_by_hand(shown: Shown) -> None:
    """12 x 10 weights of 2 cells on 2 x 3 tiles of 8 x 8 cells."""
    assert shown.mapping is not None
    copies = (BLOCK, replace(BLOCK, replica=1))
    rows = list(fill_rows(replace(shown.mapping, blocks=copies), SMALL_CHIP))
    fill = 12 * 10 * 2 / (2 * 3 * 8 * 8)
    assert rows == [{"part": "experts, up", "fill": fill, "tiles": 2 * 6}]


def test_bits_follow_from_the_tiles() -> None:
    """10 columns in 2 tiles of 8 cells: 5 or more a tile, so weights of one cell of 4 bits."""
    crossbar: Crossbar = SMALL_CHIP.crossbar
    assert stored_bits([BLOCK], crossbar) == 8
    assert stored_bits([replace(BLOCK, columns=2)], crossbar) == 4
    assert stored_bits([replace(BLOCK, columns=1)], crossbar) == 8  # cannot be: as the chip has it
    assert stored_bits([], crossbar) == 8


def test_a_shared_expert_is_no_routed_one() -> None:
    assert role_of(replace(BLOCK, shared=0)) == "shared experts"
    assert role_of(replace(BLOCK, role="dense")) == "dense"


def test_reports_without_an_account(shown: Shown) -> None:
    assert weights(replace(shown, report=replace(shown.report, weights=None))) is None
    figure = weights(replace(shown, mapping=None))
    assert figure is not None
    assert len(figure.spec["vconcat"]) == 1


def test_steps_in_us(shown: Shown) -> None:
    figure = steps(shown)
    assert figure is not None
    found = shown.report.steps
    points = figure.spec["layer"][1]["data"]["values"]
    assert [p["us"] for p in points] == [ns / 1000 for ns in found.decode_ns]
    assert [p["step"] for p in points] == [1, 2]
    assert found.decoding is not None
    bounds = figure.spec["layer"][0]["data"]["values"]
    assert bounds[0]["us"] == pytest.approx(found.decoding.chain_ns / 1000)


def test_a_prefill_alone_has_no_steps(shown: Shown) -> None:
    alone = replace(shown.report.steps, decode_ns=(), decoding=None)
    assert steps(replace(shown, report=replace(shown.report, steps=alone))) is None
