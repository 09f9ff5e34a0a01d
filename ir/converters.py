"""What converters cost at a resolution, and how many bits, reads and circuits a crossbar needs.

The table is ISAAC's converter (Shafiee et al., ISCA 2016: 8 bits at 1.28 GS/s and 32 nm; Kull et
al., ISSCC 2013), scaled to other resolutions by the power and linearity of successive-approximation
converters (Saberi et al., IEEE TCAS-I 2011), as the hwcomponents-library of the Accelergy project
tabulates it. Only its ratios are used. Below 4 bits the least step of the table goes on; above 10
every bit doubles energy and area, which is a constant figure of merit in Walden's sense.
"""

from fractions import Fraction

from ir.chip import Chip

# bits: (fJ of a conversion, um2 of a converter)
SAR = {
    4: (790, 361),
    5: (990, 477),
    6: (1200, 627),
    7: (1420, 845),
    8: (1670, 1200),
    9: (1970, 1828),
    10: (2380, 3002),
}
LEAST, MOST = min(SAR), max(SAR)


def reads(chip: Chip) -> int:
    """Reads of a full crossbar in an input cycle: ceil(rows / rows_per_read)."""
    return -(-chip.crossbar.rows // rows_read(chip))


def rows_read(chip: Chip) -> int:
    """Rows that are read at once."""
    return min(chip.mvm.rows_per_read or chip.crossbar.rows, chip.crossbar.rows)


def adcs(chip: Chip, columns_per_adc: int | None = None) -> int:
    """Converters of a crossbar: ceil(columns / columns_per_adc), by default of the chip's own."""
    return -(-chip.crossbar.columns // (columns_per_adc or chip.mvm.columns_per_adc))


def lossless_bits(chip: Chip) -> int:
    """Bits that a column's sum can need: rows read x largest cell x largest input digit.

    ISAAC's formula, log2(rows) + cell bits + DAC bits, one less where either has one bit; counted
    exactly. An encoding that keeps columns half empty, as ISAAC's, needs one bit less.
    """
    cell, digit = (1 << chip.crossbar.cell_bits) - 1, (1 << chip.mvm.dac_bits) - 1
    return (rows_read(chip) * cell * digit).bit_length()


def conversion_factor(chip: Chip) -> Fraction:
    """Energy of a conversion, as a multiple of what it is with the bits that Split names."""
    return _factor(chip, 0)


def converter_factor(chip: Chip) -> Fraction:
    """Area of a converter, as a multiple of what it is with the bits that Split names."""
    return _factor(chip, 1)


def time_depends_on_bits(chip: Chip) -> bool:
    """Whether adc_bits changes how long a conversion takes."""
    return chip.mvm.adc_kind == "sar" and None not in (chip.mvm.adc_bits, chip.split.adc_bits)


def columns_in_turn(chip: Chip) -> bool:
    """Whether the columns of a converter are read one after another, each with its rows driven."""
    return chip.mvm.adc_kind in ("flash", "integrating")


def read_ps(chip: Chip) -> int:
    """One read with the conversions of all columns of a converter, ps.

    Held columns are converted beside the next read, which takes the longer of the two.
    """
    mvm, conversion = chip.mvm, chip.mvm.conversion_ps
    if columns_in_turn(chip):
        return mvm.columns_per_adc * max(mvm.read_ps, conversion)
    if time_depends_on_bits(chip) and mvm.adc_bits and chip.split.adc_bits:
        conversion = -(-conversion * mvm.adc_bits // chip.split.adc_bits)
    return max(mvm.read_ps, mvm.columns_per_adc * conversion)


def peripheral_um2(chip: Chip) -> int | None:
    """Area of one peripheral group with the chip's converters; None where not published.

    The published area, of which the shares of converters and of what adds their results go with
    the number of converters, and that of converters with their resolution as well. Rounded up.
    """
    if chip.pg.peripheral_um2 is None:
        return None
    split = chip.split
    mine, published = adcs(chip), adcs(chip, split.columns_per_adc)
    if mine == published and chip.mvm.adc_bits in (None, split.adc_bits):
        return chip.pg.peripheral_um2
    number = Fraction(mine, published)
    converters = number * converter_factor(chip) * split.adc_area
    rest = split.driver_area + number * split.shift_add_area + split.other_area
    exact = chip.pg.peripheral_um2 * (converters + rest) / split.area_shares
    return -(-exact.numerator // exact.denominator)


def _factor(chip: Chip, column: int) -> Fraction:
    bits, published = chip.mvm.adc_bits, chip.split.adc_bits
    if bits is None or published is None:
        return Fraction(1)
    if chip.mvm.adc_kind == "flash":
        return Fraction(2**bits - 1, 2**published - 1)
    return Fraction(_tabulated(bits, column), _tabulated(published, column))


def _tabulated(bits: int, column: int) -> int:
    if bits > MOST:
        return SAR[MOST][column] << (bits - MOST)
    if bits < LEAST:
        step = SAR[LEAST + 1][column] - SAR[LEAST][column]
        return SAR[LEAST][column] - step * (LEAST - bits)
    return SAR[bits][column]
