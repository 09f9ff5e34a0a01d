"""Matrix-vector products, and the sums of their parts."""

from dataclasses import dataclass
from fractions import Fraction

from ir.chip import VALUES_PER_PACKET, Chip
from ir.converters import columns_in_turn, conversion_factor, read_ps, reads
from ir.timing.cost import Cost, ceil, job
from ir.timing.digital import add


@dataclass(frozen=True)
class Fired:
    """What fires together in an MVM, in an input cycle, summed over its crossbars.

    rows: driven, once each; cells: on used rows and used columns; conversions: of used columns, one
    for each read of the crossbar's used rows.
    """

    crossbars: int
    rows: int
    cells: int
    conversions: int

    def __add__(self, other: "Fired") -> "Fired":
        return Fired(
            self.crossbars + other.crossbars,
            self.rows + other.rows,
            self.cells + other.cells,
            self.conversions + other.conversions,
        )


def full(chip: Chip, crossbars: int) -> Fired:
    """Crossbars of which every cell is used."""
    rows, columns = crossbars * chip.crossbar.rows, chip.crossbar.columns
    return Fired(crossbars, rows, rows * columns, crossbars * columns * reads(chip))


def mvm_ps(chip: Chip, *, shared: bool, stacked: bool = False) -> int:
    """Time of one MVM: ceil(input/dac bits) x reads of a full crossbar x one read + drain.

    shared: as experts share peripheral groups, with a switch that must settle first where mux > 1;
    stacked: behind those of a stack, which have one too.
    """
    settle = chip.pg.mux_settle_ps if stacked or (shared and chip.pg.mux > 1) else 0
    return chip.mvm.cycles * reads(chip) * read_ps(chip) + chip.mvm.drain_ps + settle


def mvm(chip: Chip, fired: Fired, *, shared: bool, stacked: bool = False) -> Cost:
    """One MVM time; the energy of what fires and of the crossbars' ports, rounded up once."""
    split, size = chip.split, chip.crossbar
    driver = Fraction(split.driver_energy)
    if columns_in_turn(chip):
        published = split.columns_per_adc or chip.mvm.columns_per_adc
        driver *= Fraction(chip.mvm.columns_per_adc, published)
    adc = split.adc_energy * conversion_factor(chip) + split.shift_add_energy
    shares = (
        Fraction(split.cell_energy * fired.cells, size.rows * size.columns)
        + driver * fired.rows / size.rows
        + adc * fired.conversions / size.columns
        + split.other_energy * fired.crossbars
    )
    exact = chip.mvm.cycles * chip.mvm.cycle_fj * shares / split.energy_shares
    energy = ceil(exact.numerator, exact.denominator) + fired.crossbars * chip.mvm.port_fj
    return job(mvm_ps(chip, shared=shared, stacked=stacked), energy)


def accumulate(chip: Chip, rows: int, columns: int, values: int, *, bias: bool) -> Cost:
    """Partial sums of `columns` tile columns, `rows` tiles each, `values` outputs per column.

    pg: rows - 1 times a hop and an add, one after another in a chain, or in ceil(log2(rows)) levels
    of a tree; all columns side by side, pipelined with one result per hop + add. dpu: (rows - 1)
    adds one after another on one digital unit, for ONE column (`columns` jobs are emitted). A bias
    is one more add.
    """
    by_unit, asked = add(chip, values), chip.accumulate
    adds = rows - 1 + bias
    if asked.where == "dpu":
        return job(adds * by_unit.duration_ps, adds * by_unit.energy_fj)
    add_ps = by_unit.duration_ps if asked.add_ps is None else asked.add_ps
    add_fj = by_unit.energy_fj if asked.add_fj is None else asked.add_fj
    bits = values * asked.psum_bits
    hop_ps = ceil(asked.hop_ps * bits, VALUES_PER_PACKET * 8)
    hop_fj = ceil(asked.hop_fj * bits, VALUES_PER_PACKET * 8)
    in_series = (rows - 1).bit_length() if asked.order == "tree" else rows - 1
    duration = in_series * (hop_ps + add_ps) + bias * add_ps
    energy = columns * ((rows - 1) * hop_fj + adds * add_fj)
    return Cost(duration, min(duration, hop_ps + add_ps), energy)
