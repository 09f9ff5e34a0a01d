"""Area efficiency from slots and transfers: arithmetic by hand, and against an emitted program."""

from dataclasses import replace

import numpy as np
import pytest

from backends.cost import cost
from ir.chip import Chip, Wires
from ir.workload import MoELayer
from moexbar.chips import load_chip
from moexbar.efficiency.layer import Windows, fill_ps, gops_per_mm2, layer_area, window_ps
from tests.make import compile_small, small_chip, small_workload


def layer(d: int = 512, f: int = 256, experts: int = 4) -> MoELayer:
    return small_workload(layers=1, d=d, f=f, experts=experts, k=2).moe_layers[0]


def windows(slots: int, transfers: int, groups: int = 2) -> Windows:
    """One window of 100 tokens, two experts each."""
    tokens, pairs = np.array([100]), np.array([200])
    return Windows(tokens, pairs, np.array([slots]), np.array([transfers]), groups, copies=4)


def hermes(**settings: str) -> Chip:
    return load_chip("hermes-mux2", {name.replace("__", "."): v for name, v in settings.items()})


def test_the_slower_of_slots_and_bus_sets_the_time() -> None:
    # B = 2: 130 ns a slot, 65 ns a transfer. 100 slots = 13 us; 100 transfers fit, 300 take 19.5 us
    op, chip = layer(), hermes()
    fill = fill_ps(op, chip, 2)
    assert window_ps(op, chip, windows(100, 100)).tolist() == [13_000_000 + fill]
    assert window_ps(op, chip, windows(100, 300)).tolist() == [19_500_000 + fill]


def test_with_one_input_buffer_loads_and_slots_follow_each_other() -> None:
    op, chip = layer(), hermes(pg__input_buffers="1")
    fill = fill_ps(op, chip, 2)
    assert window_ps(op, chip, windows(100, 100)).tolist() == [13_000_000 + 6_500_000 + fill]


def test_an_unlimited_bus_takes_no_time_and_no_area() -> None:
    free = {"bus__transfers_per_slot": "unlimited", "memory__buffer_bits_per_ns": "unlimited"}
    op, chip = layer(), hermes(**free)
    assert window_ps(op, chip, windows(100, 10_000))[0] == 13_000_000 + fill_ps(op, chip, 2)
    assert layer_area(op, chip, 2, 4).parts_um2["buses"] == 0


def test_the_fill_is_what_one_pair_takes() -> None:
    # d 512, width 256: up and gate 2 x 1 tiles each, down 1 x 2: 4 + 2 tiles a group, 12 PGs in
    # all: one core, so one hop. Load 512 x 8 bits at B 2 = 65 + 12; chain of two rows 24 + 12;
    # 512 values out: 2 packets, 1 port: 2 x 12; SiLU 6 + 16; gate x up 12; back: 1 packet 12;
    # MVM 130; down has one row: 0; return 2 lanes: 32.5, + 12 and one hop 12; combine 3 x (4 + 16).
    # Wires at 40 ps/mm: 2 x 3.493 mm of bus 0.28, each of the three hops 0.14.
    chip = hermes()
    by_hand = 77 + 36 + 24 + 22 + 12 + 12 + 130 + 0 + 56.5 + 60
    assert fill_ps(layer(), chip, 2) == by_hand * 1000 + 280 + 3 * 140


def test_area_by_hand() -> None:
    # 6 tiles an expert: 2 groups x 6 PGs, 4 experts x 6 crossbars
    # bus: 2 x 512 x 8 bits in 130 ns = 63.02, so 64 bits per ns; return link two of them
    # digital work of a token: router 4 x 512 / 1024 = 2 ns, top-2 2 x (4 + 8 x 4 / 256) = 8.25,
    # two pairs of SiLU 22 and gate x up 12 = 68, sum 3 x (4 + 16) = 60: 138.25 of 130 ns: 2 units
    parts = layer_area(layer(), hermes(), 2, 4).parts_um2
    assert parts == {
        "peripheral groups": 12 * 508_000,
        "arrays": 24 * 127_000,
        "mux switches": 24 * 256,
        "buses": 3 * 64 * 195,
        "input buffers": 2 * 1297,  # a second vector of 512 and of 256 bytes in 2 groups: 1.5 KiB
        "digital units": 2 * 1_250_000,
    }
    three = hermes(digital__dpus_per_region="3")  # as the chip says
    assert layer_area(layer(), three, 2, 4).parts_um2["digital units"] == 3 * 1_250_000


def test_efficiency_is_work_over_time_over_area() -> None:
    op, chip, one = layer(), hermes(), windows(100, 100)
    macs = 200 * 3 * 512 * 256 + 100 * 512 * 4  # pairs, and the router
    seconds = int(window_ps(op, chip, one)[0]) * 1e-12
    mm2 = layer_area(op, chip, 2, 4).total_um2 * 1e-6
    assert gops_per_mm2(op, chip, one) == pytest.approx(2 * macs / seconds / mm2 / 1e9)
    nowhere = replace(chip, pg=replace(chip.pg, peripheral_um2=None), wires=Wires())
    assert gops_per_mm2(op, nowhere, one) is None


@pytest.mark.parametrize("mux", [1, 2, 4])
def test_area_and_work_are_those_of_a_program(mux: int) -> None:
    done = compile_small(small_workload(layers=1), small_chip(pg={"mux": mux}), tokens=9)
    op, (order,) = done.workload.moe_layers[0], done.schedule.prefill.layers
    spent, groups = cost(done.program, done.chip), 4 // mux
    counted = Windows(
        np.array([9]),
        np.array([18]),
        np.array([order.order.slots]),
        np.array([order.order.transfers_retained]),
        groups,
        4,
    )
    known = layer_area(op, done.chip, groups, 4)
    buffers = {"buffers": spent.moe_area.parts_um2["buffers"]}  # not known without a program
    assert known.parts_um2 | buffers == spent.moe_area.parts_um2
    ours, time_ps = gops_per_mm2(op, done.chip, counted), window_ps(op, done.chip, counted)[0]
    assert ours is not None
    assert spent.moe_gops_per_mm2 is not None
    program = spent.moe_gops_per_mm2 * spent.moe_time_ps * spent.moe_area.total_um2
    assert ours * time_ps * known.total_um2 == pytest.approx(program)
