"""Millimetres and reticles in words, and what is no single die."""

from moexbar.report.sizes import RETICLE_MM2, RegionSize, Size, size_line, size_notes


def size(*regions: RegionSize, chip_mm2: float) -> Size:
    return Size(3.493, (34.93, 69.86), regions, chip_mm2, chip_mm2 / RETICLE_MM2)


def test_a_reticle_is_26_by_33_mm() -> None:
    assert RETICLE_MM2 == 858


def test_what_fits_is_told_and_not_noted() -> None:
    # 4 x 6 cores of 3.493 mm: 13.97 x 20.96 mm = 292.8 mm2, 0.34 of 858
    small, large = RegionSize(0, 3.493, 3.493, 0.0142), RegionSize(1, 13.972, 20.958, 0.3413)
    fits = size(small, large, chip_mm2=305)
    assert size_line(fits) == (
        "cores of 3.49 mm; the largest region, of layer 1, 14.0 x 21.0 mm; "
        "chip 305 mm2, 0.36 reticles"
    )
    assert size_notes(fits) == ()


def test_a_large_region_and_a_large_chip_are_noted() -> None:
    # 17 x 17 cores, 59.4 mm square: 3526 mm2, 4.11 reticles; twelve of them 49.3
    layers = [RegionSize(n, 59.381, 59.381, 4.1097) for n in range(12)]
    assert size_notes(size(*layers, chip_mm2=42_312)) == (
        "12 of 12 regions are larger than a reticle of 26 x 33 mm, that of layer 0 4.11 times",
        "the chip is 49.3 times as large as a reticle of 26 x 33 mm: no single die",
    )
    # regions that fit, on a chip that does not
    assert len(size_notes(size(RegionSize(0, 20, 20, 0.4662), chip_mm2=900))) == 1
