"""`auto` in a chip file: which fields may have it, what fixes it again."""

from pathlib import Path

import pytest

from ir.chip import SIZES
from ir.errors import InputError
from moexbar.chips import change_chip, load_chip
from moexbar.chips.sheet import chip_sheet

BUS, BUFFERS, LANES = SIZES


def test_the_presets_leave_their_sizes_open() -> None:
    for name in ("hermes", "hermes-mux2", "hermes-mux4", "hermes-mux8", "isaac"):
        assert load_chip(name).open == SIZES
    assert load_chip("tiny").open == ()
    assert load_chip("paper").open == ()  # the reference's links have no capacity


def test_a_number_fixes_a_size_and_auto_opens_it() -> None:
    chip = load_chip("hermes", {"bus.transfers_per_slot": 8})
    assert (chip.open, chip.bus.transfers_per_slot) == ((BUFFERS, LANES), 8)
    opened = change_chip(chip, {"bus.transfers_per_slot": "auto"})
    assert set(opened.open) == set(SIZES)
    assert change_chip(opened, {"pg.input_buffers": "4"}).open == (LANES, BUS)
    tiny = load_chip("tiny", {"bus.return_lanes": "auto"})
    assert tiny.open == (LANES,)


@pytest.mark.parametrize("width", ["bus.bits_per_ns=64", "bus.transfers_per_slot=unlimited"])
def test_a_bus_of_another_kind_is_not_open(width: str) -> None:
    key, _, value = width.partition("=")
    assert load_chip("hermes", {key: value}).open == (BUFFERS, LANES)
    assert change_chip(load_chip("hermes"), {key: value}).open == (BUFFERS, LANES)


def test_no_other_field_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('extends = "hermes"\n[pg]\nmux = "auto"\n')
    with pytest.raises(InputError, match=r'pg.mux: found "auto", expected a number'):
        load_chip(path)


def test_open_sizes_are_told_as_written() -> None:
    field = chip_sheet(load_chip("hermes")).fields["bus.transfers_per_slot"]
    assert (field.written, field.assumed) == ("auto", False)


def test_a_chip_takes_its_open_sizes_from_another() -> None:
    own = load_chip("hermes-mux2").closed({BUS: 8, BUFFERS: 4, LANES: 1})
    other = load_chip("hermes-mux2", {"mvm.read_ns": 65, "pg.input_buffers": 3}).sized_as(own)
    assert (other.bus.transfers_per_slot, other.pg.input_buffers) == (8, 3)
    assert (other.bus.return_lanes, other.open) == (1, ())
