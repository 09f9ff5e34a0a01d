"""Lengths and what they cost, worked by hand."""

from dataclasses import replace

import pytest

from ir import timing
from ir.chip import Wires
from ir.cores import core_um, core_um2
from ir.errors import InputError
from moexbar.chips import load_chip
from tests.make import small_chip

HERMES = load_chip("hermes-mux2")


def test_a_core_is_a_square_of_its_groups_and_their_crossbars() -> None:
    # 16 x (508000 + 2 x (127000 + 256 of switches)) = 12200192 um2; its root is 3492.9 um
    assert (core_um2(HERMES), core_um(HERMES)) == (12_200_192, 3_493)
    # unshared there are no switches: 16 x 635000; 3187.5 um
    alone = load_chip("hermes")
    assert (core_um2(alone), core_um(alone)) == (10_160_000, 3_188)
    # a whole root is not rounded: 4 x (100 + 2 x (10 + 2)) = 496; 4 x 1 x (99 + 1) = 400
    square = small_chip(pg={"mux": 1, "peripheral_um2": 99}, crossbar={"array_um2": 1})
    assert (core_um2(square), core_um(square)) == (400, 20)


def test_a_bus_is_half_a_region_round() -> None:
    # 17 x 17 cores, the experts of a layer of gpt-oss-20b: 34 x 3.493 = 118.8 mm
    layer = timing.Extent(17, 17, 4512)
    assert timing.region_um(HERMES, layer) == 118_762
    cost = timing.load(HERMES, 2880, 2880, layer)
    bits = 2880 * 8
    # 15 fJ a bit of drivers, and 11.9 pJ of wire; 4.75 ns along it at 40 ps/mm
    assert cost.energy_fj == bits * 15 + 273_627_648
    assert cost.duration_ps == 65_000 + 12_000 + 4_751


def test_published_costs_know_no_length() -> None:
    flat = replace(HERMES, wires=Wires())
    far, near = timing.Extent(17, 17, 4512), timing.Extent(1, 1, 16)
    assert timing.load(flat, 256, 256, far) == timing.load(flat, 256, 256, near)
    assert timing.xfer(flat, 512, 3).energy_fj == 6 * 12_930
    for name in ("paper", "ibm-3dcim"):
        assert load_chip(name).wires.cost == "published"


def test_lengths_need_the_area_of_a_core() -> None:
    with pytest.raises(
        InputError, match=r"wires\.cost: by length, but the areas of a core are not"
    ):
        load_chip("hermes", {"pg.peripheral_um2": "not published"})


def test_a_result_comes_over_the_wires_of_its_hops() -> None:
    # 256 values, 2048 bits, over 2 hops: 2 x (12930 + 2048 x 3.493 x 100 fJ), and 15 fJ a bit
    here, there = (timing.store(HERMES, 256, 256, 2, hops) for hops in (0, 2))
    assert there.energy_fj - here.energy_fj == 2 * 12_930 + 1_430_733  # 1430732.8, up
    assert there.duration_ps - here.duration_ps == 2 * (12_000 + 140)
    assert there.busy_ps == here.busy_ps


def test_a_bus_waits_for_a_slow_buffer() -> None:
    # 16384 bits in half an MVM time are 252 a ns, those of one core's part 256: the bus paces; of
    # 64 a ns, the buffer: 256 ns. Of a region whose groups fill two cores, two parts: 128 ns
    memory = replace(HERMES.memory, buffer_bits_per_ns=64)
    slow = replace(HERMES, memory=memory)
    one, two = timing.Extent(2, 2, 16), timing.Extent(2, 2, 17)
    assert timing.load(HERMES, 2048, 2048, one).busy_ps == 65_000
    assert timing.load(slow, 2048, 2048, one).busy_ps == 256_000
    assert timing.load(slow, 2048, 2048, two).busy_ps == 128_000
    free = replace(HERMES, memory=replace(memory, buffer_bits_per_ns=None))
    assert timing.load(free, 2048, 2048, one) == timing.load(HERMES, 2048, 2048, one)


def test_the_smallest_square_of_cores() -> None:
    # 16 groups a core: 64 groups fill 2 x 2 cores, one more 3 x 3
    assert timing.square(HERMES, 64) == timing.Extent(2, 2, 64)
    assert timing.square(HERMES, 65) == timing.Extent(3, 3, 65)
