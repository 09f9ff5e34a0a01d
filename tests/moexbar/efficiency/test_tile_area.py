"""The area of one tile position, by hand."""

from moexbar.chips import load_chip
from moexbar.efficiency.tile_area import tile_area_um2


def test_a_peripheral_group_for_each_group_and_a_crossbar_with_its_switch_for_each_copy() -> None:
    # 8 experts and 2 replicas in 4 groups of at most 3: 4 PGs, 10 arrays, 10 switches
    chip = load_chip("hermes-mux4")
    assert tile_area_um2(chip, groups=4, columns=10, size=3) == 4 * 508_000 + 10 * (127_000 + 256)


def test_experts_alone_have_no_switch() -> None:
    assert tile_area_um2(load_chip("hermes-mux4"), 8, 8, size=1) == 8 * (508_000 + 127_000)


def test_a_chip_without_areas_gives_none() -> None:
    assert tile_area_um2(load_chip("ibm-3dcim"), 4, 8, 2) is None
