"""A macro of SRAM cells that adds charges: 2304 x 256 one-bit cells, an 8-bit converter a column.

Measured (Jia et al., JSSC 2020), its numbers as the tests of CiMLoop have them (commit d6e1390). No
preset is of it: what a chip of ours needs is set here, from the same tables, for 1-bit inputs and
weights at 0.85 V. The rows of more bits, and the density, rest on nothing but that.
"""

from moexbar.chips import load_chip
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.matrix import Core, core

PAPER = "Jia et al., JSSC 2020"
READ_BY = "as CiMLoop's tests read it"

STUDIES = (
    Study(
        "SRAM adding charges, 2304 x 256",
        "measured",
        f"{PAPER}, {READ_BY}",
        (
            Claim(
                "jia.rate",
                "rate, inputs of 1 bit",
                "TOPS",
                0.874,
                f"{PAPER}, table II, {READ_BY}",
                fits="read of the macro: 54 cycles at 40 MHz",
                second_hand=True,
            ),
            Claim(
                "jia.rate2",
                "rate, inputs of 2 bits",
                "TOPS",
                0.437,
                f"{PAPER}, figure 10, {READ_BY}: 0.874 / 2",
                second_hand=True,
            ),
            Claim(
                "jia.rate4",
                "rate, inputs of 4 bits",
                "TOPS",
                0.2185,
                f"{PAPER}, figure 10, {READ_BY}: 0.874 / 4",
                second_hand=True,
            ),
            Claim(
                "jia.rate8",
                "rate, inputs of 8 bits",
                "TOPS",
                0.09323,
                f"{PAPER}, figure 10, {READ_BY}: 0.874 x 64 / 600",
                cause="the chip's memory does not bring so many bits in time, say CiMLoop's tests: "
                "9.4 times the time of 1 bit where 8 bits take 8",
                second_hand=True,
            ),
            Claim(
                "jia.per_watt",
                "efficiency, 1 bit",
                "TOPS/W",
                400,
                f"{PAPER}, table II, {READ_BY}",
                fits="energy of the macro: 1.79 and 9.7 pJ a column, table I",
                second_hand=True,
            ),
            Claim(
                "jia.per_area",
                "density, 1 bit",
                "TOPS/mm2",
                0.24,
                f"{PAPER}, table II, {READ_BY}",
                second_hand=True,
            ),
        ),
    ),
)


MACRO: dict[str, int | float | str] = {
    "crossbar.rows": 2304,
    "crossbar.columns": 256,
    "crossbar.cell_bits": 1,
    "crossbar.weight_bits": 1,
    "crossbar.array_mm2": 2.91,  # figure 11: the cells with their drivers
    "mvm.dac_bits": 1,
    "mvm.adc_bits": 8,
    "mvm.adc_kind": "sar",
    "mvm.columns_per_adc": 1,
    "mvm.read_ns": 1350,  # 54 cycles at 40 MHz
    "mvm.conversion_ns": 0,
    "mvm.drain_ns": 0,
    "mvm.cycle_pj": 2941.44,  # 256 columns of 1.79 (ADC) and 9.7 pJ (cells)
    "pg.peripheral_mm2": 0.994,  # figure 11: ADCs 0.497, data path that shifts and adds 0.497
    "split.adc_bits": 8,
    "split.columns_per_adc": 1,
}


def _macro(bits: int) -> Core:
    """The macro with inputs of so many bits."""
    return core(load_chip("neurosim", {**MACRO, "mvm.input_bits": bits}))


OURS: Ours = {
    # 2 x 2304 x 256 operations in 1350 ns
    "jia.rate": lambda: _macro(1).tops,
    # and in 2, 4 and 8 times that
    "jia.rate2": lambda: _macro(2).tops,
    "jia.rate4": lambda: _macro(4).tops,
    "jia.rate8": lambda: _macro(8).tops,
    # 1179648 operations for 2941.44 pJ
    "jia.per_watt": lambda: _macro(1).tops_per_w,
    # on 2.91 + 0.994 mm2
    "jia.per_area": lambda: _macro(1).tops / _macro(1).mm2,
}
