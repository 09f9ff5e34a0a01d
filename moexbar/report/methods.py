"""One method's figures: time, energy and area of its program; or why it has none."""

from dataclasses import dataclass, field

from ir.chip import Size
from moexbar.report.plain import OPTIONAL


@dataclass(frozen=True)
class Energy:
    """Energy of a program, in the unit that its key in the owner ends in.

    total: dynamic and static.
    dynamic: of the instructions, by opcode, and of the buffers that they write and read.
    static: power over the whole time, by cause; of peripheral groups with those that rest long
        enough switched off, and what waking them takes.
    never_off: total, were no peripheral group ever switched off; left out of reports of earlier
        versions.
    """

    total: float
    dynamic: dict[str, float]
    static: dict[str, float]
    never_off: float | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class AreaRow:
    """What a mapping occupies, in the unit that its key in the owner ends in.

    total: of the known parts.
    parts: by name.
    not_published: parts without a published area, left out of the total.
    """

    total: float
    parts: dict[str, float]
    not_published: tuple[str, ...]


@dataclass(frozen=True)
class Banded:
    """A figure with its band over assumed areas: the split of a core, digital and attention units.

    value: null where an area is not published.
    low: least over the band; the value where there is none.
    high: largest over the band.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class BusyUnit:
    """The unit that works longest.

    name: as in the program's unit table.
    busy_ns: time in which it can take no other job.
    """

    name: str
    busy_ns: float


@dataclass(frozen=True)
class SizeTriedRow:
    """A size that was tried.

    value: of it.
    time_ns: of the program with it.
    """

    value: int
    time_ns: float


@dataclass(frozen=True)
class SizeRow:
    """A size of the bus, the input buffers or the return link.

    field: of the chip.
    value: what the program is made for; null for a bus that is not sized by transfers.
    tried: where the chip leaves it open, those that were tried, ascending; else none.
    """

    field: Size
    value: int | None
    tried: tuple[SizeTriedRow, ...]


@dataclass(frozen=True)
class OrderTriedRow:
    """A slot order that was tried, with sizes as large as they may be.

    scheduling: policy of the slots.
    time_ns: of the whole program.
    """

    scheduling: str
    time_ns: float


@dataclass(frozen=True)
class MethodRow:
    """All figures of one method.

    method: name; the one that was asked for is `moexbar`.
    chip: name.
    mux: expert crossbars behind one peripheral group.
    grouping: solver of the groups.
    scheduling: policy of the slots.
    bus: most transfers in a slot; null without a limit.
    buffer: most unfinished tokens; null without a limit.
    slots: of the window, over all MoE layers.
    mean_slots: of a window, in the mean over the score range.
    transfers: broadcasts of the window, over all MoE layers.
    transfers_retained: the same on a chip that keeps its input from slot to slot.
    moe_time_ns: in which some MoE layer is at work, from its first broadcast to its last sum.
    time_ns: of the whole program.
    time_bound_ns: proven: no schedule of its instructions takes less.
    critical_path_ns: longest chain of instructions that wait for each other.
    segments_ns: bound from attentions and selections, and the units that each waits for.
    busiest_unit: the unit that works longest.
    energy_nj: of the program.
    area_mm2: of the chip, as far as the mapping occupies it.
    moe_area_mm2: of the routed experts, and of their regions buses, digital units and buffers.
    moe_gops_per_mm2: 2 x multiply-accumulates of the MoE layers over their time and area.
    gops_per_w_mm2: 2 x multiply-accumulates over energy and area.
    macs: multiply-accumulates of the program.
    instructions: of the program.
    compile_seconds: what compiling took; of a mapping that several methods share, each one's part;
        null in report.json, whose times are in times.json.
    sizes: of bus, input buffers and return link; not in reports of earlier versions.
    orders: slot orders that were tried; not in reports of earlier versions.
    """

    method: str
    chip: str
    mux: int
    grouping: str
    scheduling: str
    bus: int | None
    buffer: int | None
    slots: int
    mean_slots: float
    transfers: int
    transfers_retained: int
    moe_time_ns: float
    time_ns: float
    time_bound_ns: float
    critical_path_ns: float
    segments_ns: float
    busiest_unit: BusyUnit
    energy_nj: Energy
    area_mm2: AreaRow
    moe_area_mm2: AreaRow
    moe_gops_per_mm2: Banded
    gops_per_w_mm2: Banded
    macs: int
    instructions: int
    compile_seconds: float | None
    sizes: tuple[SizeRow, ...] | None = field(default=None, metadata=OPTIONAL)
    orders: tuple[OrderTriedRow, ...] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class GainsRow:
    """How many times the MoE GOPS/mm2 of other methods the asked one gives; null where unknown.

    sharing: of the unshared chip with the same slot order.
    ordering: of the same groups, one token at a time.
    over_paper: of the paper's method.
    over_paper_baseline: of the unshared chip, one token at a time.
    peripheral_share: of a core, as the chip has it; null where not published.
    break_even_slots: share at which sharing gains nothing where slots alone count; 0 where it gains
        at any, null where it does at none.
    break_even_programs: the same by the times of the programs.
    """

    sharing: float | None
    ordering: float | None
    over_paper: float | None
    over_paper_baseline: float | None
    peripheral_share: float | None
    break_even_slots: float | None
    break_even_programs: float | None


@dataclass(frozen=True)
class Shortage:
    """What a chip has too little of.

    resource: that is short.
    needs: of it, in units.
    has: of it, in units.
    unit: that both count.
    summary: the same as text, with where it is needed.
    """

    resource: str
    needs: int
    has: int
    unit: str
    summary: str


@dataclass(frozen=True)
class UnfitRow:
    """A method that does not fit the chip, so that it has no program and no figures.

    does_not_fit: what is short.
    method: name.
    chip: name.
    mux: expert crossbars behind one peripheral group.
    grouping: solver of the groups.
    scheduling: policy of the slots.
    """

    does_not_fit: Shortage
    method: str
    chip: str
    mux: int
    grouping: str
    scheduling: str
