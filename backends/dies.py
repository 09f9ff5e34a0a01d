"""What each die holds, and what goes between dies."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.compiled import Executable
from ir.converters import peripheral_um2
from ir.crossings import is_crossing
from ir.errors import Amount, InfeasibleError
from ir.mapping import RoutedOwner
from ir.program import Program, Unit, circuits


@dataclass(frozen=True)
class LinkUse:
    """What goes over the links between dies.

    crossings: instructions; bytes: that they carry, each over one link; busiest: name of the link
    that is busy longest, for busy_ps; energy_fj: of all.
    """

    crossings: int
    bytes: int
    energy_fj: int
    busiest: str
    busy_ps: int


def link_use(program: Program) -> LinkUse:
    """Count the crossings of a program."""
    rows = is_crossing(program)
    busy = np.bincount(program.unit[rows], program.busy_ps[rows], len(program.units))
    most = int(np.argmax(busy)) if np.any(rows) else 0
    return LinkUse(
        int(rows.sum()),
        int(program.bytes[rows].sum()),
        int(program.energy_fj[rows].sum()),
        program.units[most].name if np.any(rows) else "",
        int(busy[most]) if np.any(rows) else 0,
    )


def die_areas(executable: Executable) -> Ints:
    """What each die holds, um2: int64 [dies], the parts of `backends.cost.chip_area`.

    Buffers are rounded up to KiB one by one; what is not published counts as nothing.
    """
    program, chip, placement = executable.program, executable.chip, executable.mapping.placement
    dies, cores = placement.topology.count, placement.mesh_width * placement.mesh_height
    groups = np.bincount(placement.core // cores, minlength=dies)
    units: Ints = np.zeros(dies, dtype=np.int64)
    for unit in program.units:
        units[unit.die] += _unit_um2(unit, chip)
    return (
        groups * (peripheral_um2(chip) or 0)
        + _crossbars_um2(executable)
        + units
        + _held_um2(program, chip, dies)
    )


def _unit_um2(unit: Unit, chip: Chip) -> int:
    """Of what stands beside the crossbars, and of the link interfaces."""
    match unit.kind:
        case "bus" | "return":
            bits = timing.bus_bits_per_ns(chip, unit.width) or 0
            return bits * max(unit.lanes, 1) * chip.bus.um2_per_bit_per_ns
        case "dpu":
            return unit.units * (chip.digital.dpu_um2 or 0)
        case "mha":
            return unit.units * (chip.digital.mha_um2 or 0)
        case "d2d":
            return chip.link.end_um2 if chip.link else 0
        case "group" | "link" | "mesh" | "acc" | "dram":
            return 0
        case _:
            assert_never(unit.kind)


def _crossbars_um2(executable: Executable) -> Ints:
    """Arrays of each die, and their switches where a multiplexer is in front of them."""
    mapping, chip, placement = executable.mapping, executable.chip, executable.mapping.placement
    most = int(placement.spots[:, :, 0].max(initial=0)) + 1
    arrays = np.zeros((placement.pgs, most), dtype=np.int64)
    array, switch = chip.crossbar.array_um2 or 0, chip.pg.mux_switch_um2
    for index, pgs, spots in mapping.tiles():
        shared = isinstance(mapping.blocks[index].owner, RoutedOwner) and chip.pg.mux > 1
        arrays[pgs, spots[..., 0]] = array + switch * shared
    out = np.zeros(placement.topology.count, dtype=np.int64)
    cores = placement.mesh_width * placement.mesh_height
    np.add.at(out, placement.core // cores, arrays.sum(axis=1))
    return out


def _held_um2(program: Program, chip: Chip, dies: int) -> Ints:
    """Buffers of regions, and input buffers of groups beyond their first vector."""
    kib = chip.memory.buffer_um2_per_kib
    out = np.zeros(dies, dtype=np.int64)
    for buffer in program.buffers:
        out[buffer.die] += -(-buffer.bytes // 1024) * kib
    held = np.array([unit.input_bytes for unit in program.units], dtype=np.int64)
    most = np.zeros_like(held)
    np.maximum.at(most, circuits(program.units), held)
    place = np.array([unit.die for unit in program.units], dtype=np.int64)
    total = np.bincount(place, most, dies).astype(np.int64)
    more: Ints = total - total // chip.pg.input_buffers
    return out + -(-more // 1024) * kib


def refuse_full(executable: Executable) -> None:
    """Raise InfeasibleError where a die holds more than it has room for."""
    dies = executable.chip.dies
    if dies is None:
        return
    areas = die_areas(executable)
    worst = int(areas.argmax())
    if areas[worst] <= dies.area_um2:
        return
    need = int(areas[worst])
    raise InfeasibleError(
        f"die {worst}",
        Amount(need, f"{need / 1e6:.4g} mm2 with the buffers of this program"),
        Amount(dies.area_um2, f"{dies.area_um2 / 1e6:.4g} mm2 on chip {executable.chip.name}"),
        "um2",
        f"set die.area_mm2 to {-(-need // 1000) / 1000:.3f}, or prefill fewer tokens at a time",
    )
