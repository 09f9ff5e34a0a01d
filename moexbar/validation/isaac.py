"""ISAAC: its own tables, and what another tool says of the same design.

The paper is a model at 32 nm, no chip. Eight crossbars are an IMA, 12 of them a tile, 168 tiles a
chip with 22.88 mm2 and 10.4 W of off-chip links, which our chip has not: they are added to ours.
"""

from ir.chip import Chip
from moexbar.chips import load_chip
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.matrix import Core, Ran, core, full_mw, layer_ns, product

PAPER = "Shafiee et al., ISCA 2016"
FORGE = "AccelForge 1.0.467 (hwcomponents-adc 1.0.21), arch isaac_isca_2016"

STUDIES = (
    Study(
        "ISAAC",
        "modelled",
        PAPER,
        (
            Claim(
                "isaac.ima_power",
                "power of 8 crossbars",
                "mW",
                24.08,
                f"{PAPER}, table 1: 289 mW for 12 IMAs",
                fits="mvm.cycle of isaac",
            ),
            Claim(
                "isaac.ima_area",
                "area of 8, no registers",
                "um2",
                10250,
                f"{PAPER}, table 1: ADC 9600, DAC 170, S+H 40, arrays 200, S+A 240",
                fits="areas of isaac",
            ),
            Claim(
                "isaac.tile_power",
                "power of a tile",
                "mW",
                330,
                f"{PAPER}, table 1",
                fits="what ours is: a tile with crossbars, bus and buffer in use all the time, the "
                "last two set from this table",
                second_hand=True,
                cause="a quarter of a router 10.5 mW, output register 1.7: ours counts hops",
            ),
            Claim(
                "isaac.tile_area",
                "area of a tile",
                "mm2",
                0.372,
                f"{PAPER}, table 1",
                second_hand=True,
                cause="two differences that cancel in part: ours has a return link of 0.090 mm2 "
                "where ISAAC's bus serves both ways, and no router (0.038) and registers (0.038)",
            ),
            Claim(
                "isaac.per_area",
                "chip, rate per area",
                "GOPS/mm2",
                478.95,
                f"{PAPER}, table 4: CE of ISAAC-CE",
                second_hand=True,
            ),
            Claim(
                "isaac.per_watt",
                "chip, operations per energy",
                "GOPS/W",
                627.5,
                f"{PAPER}, table 4: PE of ISAAC-CE",
                second_hand=True,
                cause="the power of a tile, above",
            ),
            Claim(
                "isaac.weights",
                "weights on a chip",
                "MiB",
                63.2,
                f"{PAPER}, table 4: SE 0.74 MB/mm2 x 85.4 mm2",
                second_hand=True,
            ),
            Claim(
                "isaac.latency",
                "from buffer to buffer",
                "ns",
                2200,
                f"{PAPER}, figure 4b: 22 cycles of 100 ns",
                second_hand=True,
                cause="ISAAC gives reading the buffer, the ADC, two sums, the sigmoid and writing "
                "back cycles of 100 ns, six beside the 16 of the product. The ADC and sum of the "
                "last bit overlap the next product, so ours leaves them out; the others take what "
                "they need, 40 ns in all",
            ),
            Claim(
                "isaac.bits32",
                "rate lost by 32-bit numbers",
                "x",
                4,
                f"{PAPER}, section 8: 32 bits reduce throughput by 4x",
                second_hand=True,
            ),
        ),
    ),
    Study(
        "ISAAC by AccelForge",
        "run",
        FORGE,
        (
            Claim(
                "forge.mac",
                "16-bit MAC, buffers off",
                "pJ",
                2.83,
                f"{FORGE}: ADC 1.95, cells 0.82, row drivers 0.036, shift-add 0.021",
                cause="its cells take 0.82 pJ by their values, by ISAAC's table 0.23; its drivers "
                "0.036, ISAAC's 1-bit DACs 0.39; its ADC 1.95, ISAAC's 1.56",
            ),
            Claim(
                "forge.rate",
                "rate of 8 crossbars",
                "GOPS",
                19.2,
                FORGE,
                cause="it is exactly that of 128 conversions in each of 16 cycles at 1.2 GS/s, the "
                "clock of ISAAC's digital parts; ISAAC's ADC has 1.28, and its cycles 100 ns",
            ),
            Claim(
                "forge.area",
                "area of 8 crossbars",
                "um2",
                68870,
                f"{FORGE}: ADC 51754, row drivers 10966, column drivers 3523, cells 2148, "
                "shift-add 480",
                cause="its ADC is a fit to a survey of converters, 6469 um2 at 8 bits, 1.28 GS/s, "
                "32 nm; ISAAC's table has one of 1200. Its row and column drivers come from "
                "NeuroSim, 1811 um2 a crossbar; ISAAC's 1-bit DACs are inverters, 21. Its "
                "cells are of 16 F2, 268 um2; ISAAC's table says 25, less than 4 F2. Ours are "
                "ISAAC's. With its ADCs in ours they would be 52402, 24 % less than its own; the "
                "rest is drivers, and cells and shift-and-adds are 2628 there and 440 here",
            ),
        ),
    ),
)


IMA, TILES = 8, 168  # crossbars of an IMA, tiles of a chip
LINKS_MM2, LINKS_MW = 22.88, 10400
TILE = 12 * IMA  # crossbars
BUS = {  # the tile's own: 384 wires at 1.2 GHz both ways, before 64 KiB
    "bus.bits_per_ns": 461,
    "bus.return_lanes": 1,
    "memory.region_buffer_mib": 0.0625,
}


def _isaac() -> Chip:
    return load_chip("isaac", BUS)


def _core() -> Core:
    return core(_isaac())


def _tile() -> Ran:
    """A matrix of 12 x 8 crossbars, which is what a tile holds."""
    return product(_isaac(), 12 * 128, 8 * 16)


def _tile_mw() -> float:
    """A whole tile with all of it in use, a product every 1600 ns."""
    return full_mw(_isaac(), _tile(), _core())


def _tile_mm2() -> float:
    return _tile().cost.area.total_um2 / 1e6


def _chip_gops() -> float:
    """168 x 96 crossbars of 2 x 128 x 16 operations in 1600 ns: 41288."""
    return TILES * TILE * _core().tops * 1000


def _bits32() -> float:
    """Twice the cells of a weight and twice the cycles of an input."""
    wide = {"crossbar.weight_bits": 32, "mvm.input_bits": 32, "mvm.output_bits": 32}
    return _core().tops / core(load_chip("isaac", wide)).tops


OURS: Ours = {
    # 8 x 16 x 0.301 nJ in 1600 ns
    "isaac.ima_power": lambda: IMA * _core().fj / _core().ps,
    # 8 x (1256 + 25)
    "isaac.ima_area": lambda: IMA * _core().mm2 * 1e6,
    # 96 x 4.816 nJ in 1600 ns; 461 bits of 15 fJ and 256 of 80 fJ in a ns; 1.56 mW
    "isaac.tile_power": _tile_mw,
    # 96 x 1281, bus and return link, 64 KiB
    "isaac.tile_area": _tile_mm2,
    # 41288 GOPS on 168 tiles and the links
    "isaac.per_area": lambda: _chip_gops() / (TILES * _tile_mm2() + LINKS_MM2),
    "isaac.per_watt": lambda: _chip_gops() / (TILES * _tile_mw() + LINKS_MW) * 1000,
    # 16128 crossbars x 128 x 16 weights of 2 bytes
    "isaac.weights": lambda: TILES * TILE * _core().weights * 2 / 2**20,
    # 16 cycles of 100 ns, and what loads, the sigmoid and the way back take
    "isaac.latency": lambda: layer_ns(_isaac(), 128, 16),
    "isaac.bits32": _bits32,
    # 4.816 nJ / (128 x 16)
    "forge.mac": lambda: _core().fj / _core().weights / 1000,
    # 8 x 4096 operations in 1600 ns
    "forge.rate": lambda: IMA * _core().tops * 1000,
    "forge.area": lambda: IMA * _core().mm2 * 1e6,
}
