"""The chip: crossbars, the peripheral groups that share circuits, buses, mesh, digital units.

Integers: picoseconds, femtojoules, square micrometres, microwatts, bits. `None` where the source
publishes no value; a report that needs it says so. The values come from TOML presets
(moexbar/chips), where each number stands beside its source; `facts` carries those along.
"""

from dataclasses import dataclass, field
from typing import Literal

from ir.errors import InputError
from ir.workload import Weight

VALUES_PER_PACKET = 256  # the unit in which hops and digital operations are published (3D-CiM)


@dataclass(frozen=True)
class Crossbar:
    """R x C cells; a weight takes `slices` cells of a row.

    weight_bits: most bits of a weight the array stores; a model with fewer uses fewer cells.
    differential: a weight is the difference of two cells in columns of their own; signed_cells: one
    cell holds a signed value (a pair of devices inside it). With neither, weights are stored with
    half their range added.
    """

    rows: int
    columns: int
    cell_bits: int
    weight_bits: int
    differential: bool
    array_um2: int | None
    signed_cells: bool = False

    def slices(self, model_bits: int) -> int:
        """Cells of a binary weight: ceil(min(model, weight_bits) / cell_bits), two for a pair."""
        bits = min(model_bits, self.weight_bits)
        return -(-bits // self.cell_bits) * (2 if self.differential else 1)

    def cells(self, weight: Weight) -> int:
        """Cells per weight: its slices; one differential pair for a ternary one.

        A signed cell holds the pair inside.
        """
        if weight.format == "ternary":
            return 1 if self.signed_cells else 2
        return self.slices(weight.bits)

    def weights_per_row(self, weight: Weight) -> int:
        """Weights side by side in one row: floor(C / cells)."""
        return self.columns // self.cells(weight)


@dataclass(frozen=True)
class Mvm:
    """One matrix-vector product of one crossbar.

    The input is applied in ceil(input_bits / dac_bits) cycles, each max(read, columns_per_adc x
    conversion) long; then `drain_ps`. cycle_fj: energy of one crossbar with its converters, per
    cycle. port_fj: energy of bringing a crossbar its input and taking its output, once per product,
    where a source counts transfers by crossbar and not by bit and distance. adc_bits: of a
    conversion, for quantised execution only: what converters cost is in cycle_fj and areas.
    """

    input_bits: int
    output_bits: int
    dac_bits: int
    read_ps: int
    columns_per_adc: int
    conversion_ps: int
    drain_ps: int
    cycle_fj: int
    port_fj: int = 0
    adc_bits: int | None = None

    @property
    def cycles(self) -> int:
        """Input cycles of one MVM."""
        return -(-self.input_bits // self.dac_bits)


@dataclass(frozen=True)
class PeripheralGroup:
    """The circuits that `mux` expert crossbars share (dense ones have their own, mux 1).

    input_buffers: token vectors the input buffer holds (2 = loads overlap MVMs); retain_input: a
    token used in two slots running is broadcast once; idle_uw: static power, 0 = power-gated.
    mux_switch_um2 (per crossbar) and mux_settle_ps count only where mux > 1.
    """

    mux: int
    peripheral_um2: int | None
    mux_switch_um2: int
    mux_settle_ps: int
    input_buffers: int
    retain_input: bool
    idle_uw: int


@dataclass(frozen=True)
class Accumulate:
    """Where the partial sums of a block's row tiles are added.

    pg: along the chain of the column's PGs, one hop of `psum_bits` values and an add each;
    dpu: on the shared digital units, one job per output column.
    """

    where: Literal["pg", "dpu"]
    hop_ps: int
    hop_fj: int
    psum_bits: int


@dataclass(frozen=True)
class Bus:
    """The broadcast bus of a layer's region, and the link by which results return.

    transfers_per_slot: B, token vectors per MVM time, which sizes the bus to the layer's d_model;
    or bits_per_ns, a fixed width; both None = unlimited, a transfer then takes `latency_ps`.
    return_lanes: width of the return link in bus widths, 0 = one lane per expert of a token (k).
    """

    transfers_per_slot: int | None
    bits_per_ns: int | None
    latency_ps: int
    bit_fj: int
    um2_per_bit_per_ns: int
    return_lanes: int


@dataclass(frozen=True)
class Mesh:
    """Cores on a mesh: hop_ps and hop_fj per packet of 256 values at 8 bits. 0 x 0 = auto.

    distance: hops = packets follow each other over the links between two places, taking time and
    energy on each; flat = every vector takes one hop's time, whatever it carries and wherever it
    goes, on links without a limit, and no energy (mvm.port_fj counts it).
    """

    pgs_per_core: int
    width: int
    height: int
    hop_ps: int
    hop_fj: int
    distance: Literal["hops", "flat"] = "hops"


@dataclass(frozen=True)
class Digital:
    """The digital units: `dpus` for vectors, `mha_units` for attention.

    pgs_per_dpu: every region has its own digital units, one for so many of its peripheral groups
    (rounded up); 0 = the whole chip shares `dpus` of them.
    *_ps and *_fj per 256 values, add_base_ps per job, act_ps and sample_ps per job whatever its
    width; macs_per_ns and mac_fj of one unit for products of two activations and for the router.
    accounting: full = every operation of the model takes its time; reference = as the reference
    simulator of arXiv 2602.10254 counts: selecting experts takes nothing, and the experts' sum is
    so many adds as wide as their hidden layer, without multiplying by the gates.
    """

    dpus: int
    mha_units: int
    add_base_ps: int
    add_ps: int
    add_fj: int
    norm_ps: int
    norm_fj: int
    act_ps: int
    act_fj: int
    sample_ps: int
    macs_per_ns: int
    mac_fj: int
    attention: Literal["macs", "polynomial"]
    router_on: Literal["digital", "crossbar"]
    experts_wait_for_router: bool
    dpu_um2: int | None
    mha_um2: int | None
    pgs_per_dpu: int = 0
    accounting: Literal["full", "reference"] = "full"


@dataclass(frozen=True)
class Memory:
    """Buffers beside the bus of each region, DRAM for the caches, and power that is always on.

    region_buffer_bytes: the most a region's buffer holds; 0 = auto, as much as the program needs.
    dram_bytes: what the caches may take, 0 = not stated and not checked.
    accounting: full = every byte read from and written to a cache takes the port's time and energy;
    reference = as the reference simulator of arXiv 2602.10254 counts: keys and values of all tokens
    so far are read in series, after the step's own and before its attention; writes and the GO
    cache take nothing; DRAM draws its idle power only while there is a GO cache.
    """

    region_buffer_bytes: int
    buffer_um2_per_kib: int
    dram_mb_per_s: int
    dram_active_uw: int
    dram_idle_uw: int
    passive_uw: int
    dram_bytes: int = 0
    accounting: Literal["full", "reference"] = "full"


@dataclass(frozen=True)
class Write:
    """Programming the crossbars, where published.

    row_ps: one row of one crossbar, all its cells together; cell_fj: one cell; endurance: writes
    that a cell survives.
    """

    row_ps: int | None = None
    cell_fj: int | None = None
    endurance: int | None = None


@dataclass(frozen=True)
class Fact:
    """Where a number of the chip comes from: field path, value as written, source.

    path: table and field of these dataclasses, e.g. mvm.read_ps; text: with its unit, "130 ns".
    assumed: no published value for this chip; low, high: the band a report carries for it, if any,
    in the unit of the field that `path` names.
    """

    path: str
    text: str
    source: str
    assumed: bool
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Change:
    """A number that was set for this chip alone: `key = text`, as it was asked for.

    key: table and field with the unit it was given in, e.g. mvm.read_ns; text: its value.
    """

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key} = {self.text}"


@dataclass(frozen=True)
class Headline:
    """What the source says one full crossbar reaches; the preset's self-test (0 = not stated)."""

    tops_per_w: float = 0.0
    tops_per_mm2: float = 0.0


@dataclass(frozen=True, repr=False)
class Chip:
    """A complete chip description.

    changes: what was set to other than the description that `name` stands for has it; they are in
    the numbers already, so two chips of the same numbers are the same.
    """

    name: str
    description: str
    crossbar: Crossbar
    mvm: Mvm
    pg: PeripheralGroup
    accumulate: Accumulate
    bus: Bus
    mesh: Mesh
    digital: Digital
    memory: Memory
    write: Write = Write()
    headline: Headline = Headline()
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        side = f"{self.crossbar.rows} x {self.crossbar.columns}"
        return f"<Chip {self.title}: crossbars of {side} cells, mux {self.pg.mux}>"

    def __post_init__(self) -> None:
        """Refuse what no chip can be; the loader adds the file's name."""
        positive = {
            "crossbar.rows": self.crossbar.rows,
            "crossbar.columns": self.crossbar.columns,
            "crossbar.cell_bits": self.crossbar.cell_bits,
            "crossbar.weight_bits": self.crossbar.weight_bits,
            "mvm.input_bits": self.mvm.input_bits,
            "mvm.output_bits": self.mvm.output_bits,
            "mvm.dac_bits": self.mvm.dac_bits,
            "mvm.adc_bits": self.mvm.adc_bits,
            "mvm.columns_per_adc": self.mvm.columns_per_adc,
            "mvm.read": self.mvm.read_ps,
            "pg.mux": self.pg.mux,
            "pg.input_buffers": self.pg.input_buffers,
            "accumulate.psum_bits": self.accumulate.psum_bits,
            "bus.transfers_per_slot": self.bus.transfers_per_slot,
            "bus.bits_per_ns": self.bus.bits_per_ns,
            "mesh.pgs_per_core": self.mesh.pgs_per_core,
            "digital.dpus": self.digital.dpus,
            "digital.mha_units": self.digital.mha_units,
            "digital.macs_per_ns": self.digital.macs_per_ns,
            "memory.dram": self.memory.dram_mb_per_s,
        }
        for path, value in positive.items():
            if value is not None and value < 1:
                raise InputError(f"chip {self.name}", f"{path}: {value}, expected at least 1")
        if (self.mesh.width == 0) != (self.mesh.height == 0):
            raise InputError(
                f"chip {self.name}",
                f"mesh: {self.mesh.width} x {self.mesh.height} cores, expected both or no auto",
            )
        if self.crossbar.columns < self.crossbar.slices(self.crossbar.weight_bits):
            raise InputError(
                f"chip {self.name}",
                f"crossbar.columns: {self.crossbar.columns} cells hold no weight of "
                f"{self.crossbar.slices(self.crossbar.weight_bits)} cells",
            )

    @property
    def title(self) -> str:
        """Its name with what was changed, e.g. `hermes-mux2 with pg.mux = 4`."""
        changes = ", ".join(str(change) for change in self.changes)
        return f"{self.name} with {changes}" if changes else self.name

    @property
    def assumed(self) -> tuple[Fact, ...]:
        """The facts without a published source; results that rest on them say so."""
        return tuple(fact for fact in self.facts if fact.assumed)
