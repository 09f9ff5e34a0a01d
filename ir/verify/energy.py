"""The energy of MVMs, counted anew from the shares of a crossbar's parts."""

from fractions import Fraction
from math import ceil

from ir import converters
from ir.chip import Chip
from ir.timing import Fired


def mvm_energy_fj(chip: Chip, fired: Fired) -> int:
    """Energy of one MVM: what one cell, row, conversion and crossbar takes, times how many fire.

    Of a crossbar's cycle each part takes its share. Rounded up to whole fJ once, with the ports.
    """
    size, mvm, split = chip.crossbar, chip.mvm, chip.split
    unit = Fraction(mvm.cycle_fj, split.energy_shares)
    of_cell = unit * split.cell_energy / (size.rows * size.columns)
    of_row = unit * split.driver_energy / size.rows
    if mvm.adc_kind in ("flash", "integrating") and split.columns_per_adc is not None:
        of_row = of_row * mvm.columns_per_adc / split.columns_per_adc
    of_conversion = unit * split.adc_energy / size.columns * converters.conversion_factor(chip)
    of_conversion += unit * split.shift_add_energy / size.columns
    in_cycle = (
        fired.cells * of_cell
        + fired.rows * of_row
        + fired.conversions * of_conversion
        + fired.crossbars * unit * split.other_energy
    )
    cycles = -(-mvm.input_bits // mvm.dac_bits)
    return ceil(cycles * in_cycle + fired.crossbars * mvm.port_fj)
