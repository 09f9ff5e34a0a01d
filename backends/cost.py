"""What a program costs on its chip: time, energy and area, each broken down.

Dynamic energy is the sum over instructions, and of what they write to and read from the buffers of
regions; static energy is power x makespan, and of peripheral groups what `backends/idle.py` finds,
with those that rest long enough switched off. Area is what the mapping occupies: peripheral groups,
arrays with their mux switches, buses and return links, digital units, buffers. What a source does
not publish is left out of a sum and named.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from backends.idle import idle
from ir.arrays import Bools
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.program import Opcode, Program, UnitKind, circuits, in_common

FJ_PER_NJ = 10**6
BUFFERS = "buffers"  # of regions, among what instructions take
ELEMENT_WISE = (  # of digital operators; those that multiply too have their weights in DRAM
    Opcode.EMBED,
    Opcode.NORM,
    Opcode.ADD,
    Opcode.MUL,
    Opcode.ACT,
    Opcode.DIGITAL,
)


@dataclass(frozen=True)
class Area:
    """Square micrometres by part; `missing` names parts without a published value."""

    parts_um2: dict[str, int]
    missing: tuple[str, ...] = ()

    @property
    def total_um2(self) -> int:
        """Sum of the known parts."""
        return sum(self.parts_um2.values())


@dataclass(frozen=True)
class Energy:
    """Femtojoules: dynamic by opcode and of buffers, static by cause over the makespan.

    never_off_fj: all of it, were no peripheral group ever switched off.
    """

    dynamic_fj: dict[str, int]
    static_fj: dict[str, int]
    never_off_fj: int

    @property
    def dynamic_total_fj(self) -> int:
        """All instructions, and the buffers they use."""
        return sum(self.dynamic_fj.values())

    @property
    def total_fj(self) -> int:
        """Dynamic and static together."""
        return self.dynamic_total_fj + sum(self.static_fj.values())


@dataclass(frozen=True)
class MoePart:
    """The routed experts and router of one layer: their work, from first LOAD to last COMBINE.

    layer: where its experts are; layers with the same experts have a part each. spans: begin and
    end of that in each step, ps.
    """

    layer: int
    spans: tuple[tuple[int, int], ...]
    macs: int
    mvms: int
    transfers: int
    busy_ps: int

    @property
    def time_ps(self) -> int:
        """Its time in all steps."""
        return together_ps(self.spans)


def together_ps(spans: Iterable[tuple[int, int]]) -> int:
    """Time in which at least one of the spans (begin, end) is: what overlaps counts once."""
    total = over = 0
    for begin, end in sorted(spans):
        total += max(end - max(begin, over), 0)
        over = max(over, end)
    return total


@dataclass(frozen=True)
class CostReport:
    """All figures of one program. `macs` counts every multiply-accumulate of the run."""

    time_ps: int
    energy: Energy
    area: Area
    moe_area: Area
    macs: int
    moe: tuple[MoePart, ...]

    @property
    def moe_time_ps(self) -> int:
        """Time in which some MoE layer is at work; where tokens stream, several are at once."""
        return together_ps(span for part in self.moe for span in part.spans)

    @property
    def moe_gops_per_mm2(self) -> float | None:
        """2 x MACs of the MoE part over its time over its area; None without a published area."""
        macs = sum(part.macs for part in self.moe)
        if self.moe_area.missing or not self.moe_time_ps or not self.moe_area.total_um2:
            return None
        gops = 2 * macs / self.moe_time_ps * 1000
        return gops / (self.moe_area.total_um2 / 1e6)

    @property
    def gops_per_w_mm2(self) -> float | None:
        """2 x MACs over energy over area: operations per joule (in 1e9) and square millimetre."""
        if self.area.missing or not self.energy.total_fj or not self.area.total_um2:
            return None
        return 2 * self.macs / self.energy.total_fj * 1e6 / (self.area.total_um2 / 1e6)


def cost(program: Program, chip: Chip) -> CostReport:
    """Add up a program on a chip."""
    return CostReport(
        time_ps=program.makespan_ps,
        energy=_energy(program, chip),
        area=chip_area(program, chip),
        moe_area=moe_area(program, chip),
        macs=int(program.macs.sum()),
        moe=tuple(_moe_parts(program)),
    )


def _energy(program: Program, chip: Chip) -> Energy:
    totals = np.zeros(max(Opcode) + 1, dtype=np.int64)
    np.add.at(totals, program.opcode, program.energy_fj)
    dynamic = {op.name: int(totals[op]) for op in Opcode if totals[op]}
    moved = program.inventory.buffer_written_bytes + program.inventory.buffer_read_bytes
    if moved and chip.memory.buffer_bit_fj:
        dynamic[BUFFERS] = 8 * moved * chip.memory.buffer_bit_fj
    rests = idle(program, chip)
    # microwatt x picosecond = 1e-18 J = 1e-3 fJ
    static = {
        "passive": chip.memory.passive_uw * program.makespan_ps // 1000,
        "cores": cores_uw(program, chip) * program.makespan_ps // 1000,
        "DRAM idle": _dram_idle_uw(program, chip) * program.makespan_ps // 1000,
        "peripheral groups idle": rests.on_fj,
        "peripheral groups waking": rests.waking_fj,
    }
    total = sum(dynamic.values()) + sum(static.values())
    never_off = total - rests.on_fj - rests.waking_fj + rests.never_off_fj
    return Energy(dynamic, {cause: fj for cause, fj in static.items() if fj}, never_off)


def cores_uw(program: Program, chip: Chip) -> int:
    """Power that the cores of all regions draw whatever they do."""
    return chip.mesh.core_uw * program.inventory.cores


def _dram_idle_uw(program: Program, chip: Chip) -> int:
    """Power of DRAM that holds caches or weights; the reference counts the GO cache alone."""
    held = program.inventory.go_bytes > 0
    if chip.memory.accounting == "full":
        held |= program.inventory.kv_bytes > 0 or bool(np.any(multiplies(program)))
    return chip.memory.dram_idle_uw if held else 0


def multiplies(program: Program) -> Bools:
    """Instructions of digital operators that hold matrices themselves: [instructions]."""
    return np.isin(program.opcode, ELEMENT_WISE) & (program.macs > 0)


def chip_area(program: Program, chip: Chip) -> Area:
    """Everything the mapping occupies."""
    inv = program.inventory
    digital = {
        "digital units": (_units(program, "dpu"), chip.digital.dpu_um2),
        "attention units": (_units(program, "mha"), chip.digital.mha_um2),
    }
    parts = {
        "peripheral groups": (inv.expert_pgs + inv.dense_pgs, peripheral_um2(chip)),
        "arrays": (inv.expert_crossbars + inv.dense_crossbars, chip.crossbar.array_um2),
        "mux switches": (inv.switched_crossbars, chip.pg.mux_switch_um2),
        "buses": (inv.bus_bits_per_ns + inv.return_bits_per_ns, chip.bus.um2_per_bit_per_ns),
        "buffers": (-(-inv.buffer_bytes // 1024), chip.memory.buffer_um2_per_kib),
        "input buffers": _input_buffers(program, chip, dense=True),
        **digital,
    }
    if chip.link is not None:
        parts["links between dies"] = (_units(program, "d2d"), chip.link.end_um2)
    return sum_area(parts, optional=tuple(digital))


def moe_area(program: Program, chip: Chip) -> Area:
    """What the MoE layers need, shared experts not counted.

    Peripheral groups and crossbars of the routed experts; and of their regions the buses, all
    digital units (the chip's, where it shares them) and the buffer. The reference counts neither of
    the last two.
    """
    inv = program.inventory
    layers = set(np.unique(program.layer[program.expert >= 0]).tolist())
    parts: dict[str, tuple[int, int | None]] = {
        "peripheral groups": (inv.expert_pgs, peripheral_um2(chip)),
        "arrays": (inv.expert_crossbars, chip.crossbar.array_um2),
        "mux switches": (_expert_switches(program, chip), chip.pg.mux_switch_um2),
        "buses": (
            inv.moe_bus_bits_per_ns + inv.moe_return_bits_per_ns,
            chip.bus.um2_per_bit_per_ns,
        ),
    }
    if chip.digital.accounting == "full":
        held = sum(buffer.bytes for buffer in program.buffers if buffer.layer in layers)
        parts["buffers"] = (-(-held // 1024), chip.memory.buffer_um2_per_kib)
        parts["input buffers"] = _input_buffers(program, chip, dense=False)
        parts["digital units"] = (_units(program, "dpu", {-1, *layers}), chip.digital.dpu_um2)
    return sum_area(parts, optional=("digital units",))


def _expert_switches(program: Program, chip: Chip) -> int:
    """Crossbars of routed experts behind a multiplexer: all where mux > 1, else those in stacks.

    Without a mux an expert has one crossbar behind each of its peripheral groups.
    """
    if chip.pg.mux > 1:
        return program.inventory.expert_crossbars
    routed = [unit.name.startswith("group.") for unit in program.units]
    return int(in_common(program.units)[routed].sum())


def _units(program: Program, kind: UnitKind, layers: Collection[int] | None = None) -> int:
    """Units of a kind, of all regions or of some."""
    found = (u for u in program.units if u.kind == kind)
    return sum(u.units for u in found if layers is None or u.layer in layers)


def _input_buffers(program: Program, chip: Chip, *, dense: bool) -> tuple[int, int]:
    """KiB of the groups' input buffers beyond the first vector, which is a core's own register.

    The groups of a stack have one, as large as the largest of them needs.
    """
    held = np.zeros(len(program.units), dtype=np.int64)
    kinds = ("group.", "dense.") if dense else ("group.",)
    mine = [unit.input_bytes * unit.name.startswith(kinds) for unit in program.units]
    np.maximum.at(held, circuits(program.units), np.array(mine, dtype=np.int64))
    total = int(held.sum())
    more = total - total // chip.pg.input_buffers
    return -(-more // 1024), chip.memory.buffer_um2_per_kib


def sum_area(parts: dict[str, tuple[int, int | None]], optional: tuple[str, ...] = ()) -> Area:
    """Add up parts of (number, um2 of one); one that is not published is missing, or left out."""
    known = {name: n * um2 for name, (n, um2) in parts.items() if um2 is not None}
    missing = [n for n, (_, um2) in parts.items() if um2 is None and n not in optional]
    return Area(known, tuple(missing))


def _moe_parts(program: Program) -> Iterator[MoePart]:
    """Every layer's part; its time is from first LOAD to last COMBINE, step by step."""
    expert, opcode = program.expert >= 0, program.opcode
    for node in np.unique(program.node[expert]).tolist():
        here = program.node == node
        combine = here & (opcode == Opcode.COMBINE)
        load = here & (opcode == Opcode.LOAD) & (program.slot >= 0)
        gate = here & (opcode == Opcode.GATE)
        mvm = here & expert & (opcode == Opcode.MVM)
        steps = int(program.step.max(initial=0)) + 1
        begin = np.full(steps, np.iinfo(np.int64).max)
        np.minimum.at(begin, program.step[load], program.start_ps[load])
        end = np.zeros(steps, dtype=np.int64)
        np.maximum.at(end, program.step[combine], program.end_ps[combine])
        yield MoePart(
            layer=int(program.layer[np.argmax(here)]),
            spans=tuple(zip(np.minimum(begin, end).tolist(), end.tolist(), strict=True)),
            macs=int(program.macs[mvm].sum() + program.macs[gate].sum()),
            mvms=int(mvm.sum()),
            transfers=int(load.sum()),
            busy_ps=int(program.busy_ps[mvm].sum()),
        )
