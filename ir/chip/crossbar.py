"""A crossbar, one matrix-vector product of it, and the circuits that crossbars share."""

from dataclasses import dataclass
from typing import Literal

from ir.workload import Weight


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


AdcKind = Literal["sampled", "sar", "flash", "integrating"]


@dataclass(frozen=True)
class Mvm:
    """One matrix-vector product of one crossbar.

    The input is applied in ceil(input_bits / dac_bits) cycles, each of ceil(rows / rows_per_read)
    reads; then `drain_ps`. cycle_fj: energy of one full crossbar with its converters, per cycle,
    with the settings that Split names. port_fj: energy of bringing a crossbar its input and taking
    its output, once per product, where a source counts transfers by crossbar and not by bit and
    distance. rows_per_read: rows that are read at once, None = all; the sums of each group of so
    many rows are converted on their own and added digitally.

    adc_kind, of which the time of a read and the cost of another resolution depend:
    sampled: columns are held and converted one after another beside the next read;
    sar: the same, and a conversion takes as many steps as bits;
    flash: columns are read one after another, and compared with all levels at once;
    integrating: columns are read one after another, and converted while they are read.
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
    adc_kind: AdcKind = "sampled"
    rows_per_read: int | None = None

    @property
    def cycles(self) -> int:
        """Input cycles of one MVM."""
        return -(-self.input_bits // self.dac_bits)


@dataclass(frozen=True)
class Split:
    """How mvm.cycle_fj and pg.peripheral_um2 split into parts, and which settings they are for.

    adc_bits, columns_per_adc: of the source's converters; None = the chip's own, whatever it has.
    Shares are in proportion to their sum, in any one unit. Energy in a cycle of a full crossbar:
    of all cells, all rows' drivers, the conversions of all columns, what shifts and adds their
    results, and what does not depend on the use. Area of the peripherals likewise. Where a source
    gives no split all is `other`, which every crossbar takes in full.
    """

    adc_bits: int | None = None
    columns_per_adc: int | None = None
    cell_energy: int = 0
    driver_energy: int = 0
    adc_energy: int = 0
    shift_add_energy: int = 0
    other_energy: int = 1
    driver_area: int = 0
    adc_area: int = 0
    shift_add_area: int = 0
    other_area: int = 1

    @property
    def energy_shares(self) -> int:
        """The sum that shares of the energy are of."""
        parts = self.cell_energy + self.driver_energy + self.adc_energy
        return parts + self.shift_add_energy + self.other_energy

    @property
    def area_shares(self) -> int:
        """The sum that shares of the area are of."""
        return self.driver_area + self.adc_area + self.shift_add_area + self.other_area


@dataclass(frozen=True)
class PeripheralGroup:
    """The circuits that `mux` expert crossbars share (dense ones have their own, mux 1).

    input_buffers: token vectors the input buffer holds (2 = loads overlap MVMs); retain_input: a
    token used in two slots running is broadcast once. idle_uw: power of one that does not compute;
    wake_fj: energy of one that was switched off, until it can compute, which takes wake_ps at the
    power of an idle one; None = not published, and then none is ever switched off.
    mux_switch_um2 (per crossbar) and mux_settle_ps count only where a group has several crossbars.
    stack_limit: most crossbars behind one, of experts or dense matrices of whatever layers
    (`ir.stacks`), where that is more than mux.
    """

    mux: int
    peripheral_um2: int | None
    mux_switch_um2: int
    mux_settle_ps: int
    input_buffers: int
    retain_input: bool
    idle_uw: int
    wake_ps: int = 0
    wake_fj: int | None = None
    stack_limit: int = 0

    @property
    def most(self) -> int:
        """Most crossbars behind one."""
        return max(self.mux, self.stack_limit)


@dataclass(frozen=True)
class Accumulate:
    """Where the partial sums of a block's row tiles are added, and in which order.

    pg: between the column's PGs, one hop of `psum_bits` values and an add each;
    dpu: on the shared digital units, one job per output column, one add after another.
    order, of sums in PGs: chain = from neighbour to neighbour; tree = in pairs, the pairs' sums in
    pairs, and so on, each level at once. Either has one adder fewer than tiles.
    add_ps, add_fj: of a PG's adder, for all values of a tile; None = as a digital unit adds them.
    """

    where: Literal["pg", "dpu"]
    hop_ps: int
    hop_fj: int
    psum_bits: int
    order: Literal["chain", "tree"] = "chain"
    add_ps: int | None = None
    add_fj: int | None = None


@dataclass(frozen=True)
class Write:
    """Programming the crossbars, where published.

    row_ps: one row of one crossbar, all its cells together; cell_fj: one cell; endurance: writes
    that a cell survives.
    """

    row_ps: int | None = None
    cell_fj: int | None = None
    endurance: int | None = None
