"""PUMA: an MVM unit computes with 128 x 128 weights of 16 bits on 8 arrays; a node has 2208 units.

A node holds 69 MiB of weights (second-hand), that is 2208 units of 32 KiB. Its off-chip links are
ISAAC's, 22.88 mm2 and 10.4 W, as PUMA's simulator has them; our chip has none: added to ours.
"""

from ir.chip import Chip
from moexbar.chips import load_chip
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.isaac import BUS, LINKS_MM2, LINKS_MW
from moexbar.validation.matrix import Core, Ran, core, full_mw, layer_ns, product

PAPER = "Ankit et al., ASPLOS 2019"
CYCLES = "PUMA simulator, its wiki's page PUMA Core of 24 September 2018"

STUDIES = (
    Study(
        "PUMA",
        "modelled",
        PAPER,
        (
            Claim(
                "puma.time",
                "MVM unit, one product",
                "ns",
                2304,
                f"{PAPER}, text",
                fits="mvm of puma",
                second_hand=True,
            ),
            Claim(
                "puma.energy",
                "MVM unit, one product",
                "nJ",
                43.97,
                f"{PAPER}, text",
                fits="mvm.cycle of puma",
                second_hand=True,
            ),
            Claim(
                "puma.area",
                "MVM unit, area",
                "mm2",
                0.012,
                f"{PAPER}, table of components",
                fits="areas of puma",
            ),
            Claim(
                "puma.node_rate",
                "node, peak rate",
                "TOPS",
                52.31,
                f"{PAPER}, table 6",
                second_hand=True,
                cause="not confirmed by any source: the paper's own 2208 units of 32768 operations "
                "and 2304 ns give ours, 1/1.67 of its peak; a product every 2048 ns would give "
                "35.3. What comes near is to count as operations, too, the shift-and-adds of 8 "
                "slices x 16 bits x 128 columns and the 4 lanes of 1104 vector units: 51.5. A "
                "review (Aguirre et al., Nature Communications 2024, table 3) has 26.2 for it",
            ),
            Claim(
                "puma.node_power",
                "node, power",
                "W",
                62.5,
                f"{PAPER}, table 6; 52.31 TOPS / 837 GOPS/s/W of the abstract",
                fits="what ours is: a tile with crossbars, bus and buffer in use all the time",
                second_hand=True,
                cause="the table's powers are of all parts in use all the time; ours has no vector "
                "units (15 mW a tile), instruction memories (15), receive buffer (9) and registers "
                "(4)",
            ),
            Claim(
                "puma.node_area",
                "node, area",
                "mm2",
                90.6,
                f"{PAPER}, table 6; 52.31 TOPS / 577 GOPS/s/mm2 of the abstract",
                second_hand=True,
            ),
            Claim(
                "puma.layer",
                "from buffer to buffer",
                "ns",
                2736,
                f"{CYCLES}: load 24, MVM 2304, sigmoid 384, store 24 cycles of 1 ns",
                cause="its vector unit takes 3 cycles for each of 128 values; ours is a unit of "
                "the table that all presets share, 14 ns",
            ),
        ),
    ),
)


ARRAYS, UNITS, TILES = 8, 2208, 138  # arrays of a unit, units and tiles of a node


def _puma() -> Chip:
    return load_chip("puma", BUS)


def _core() -> Core:
    return core(_puma())


def _tile() -> Ran:
    """A matrix of 8 x 16 arrays: the 16 units of a tile."""
    return product(_puma(), 8 * 128, 16 * 16)


def _node_watts() -> float:
    """138 tiles that start a product whenever the last is done, and the links."""
    return (TILES * full_mw(_puma(), _tile(), _core()) + LINKS_MW) / 1000


OURS: Ours = {
    # 16 cycles of 128 ns and 256 ns of drain
    "puma.time": lambda: _core().ps / 1e3,
    # 8 x 16 x 343.62 pJ
    "puma.energy": lambda: ARRAYS * _core().fj / 1e6,
    # 8 x (1475 + 25) um2
    "puma.area": lambda: ARRAYS * _core().mm2,
    # 2208 x 2 x 128 x 128 operations in 2304 ns
    "puma.node_rate": lambda: UNITS * ARRAYS * _core().tops,
    "puma.node_power": _node_watts,
    # 138 x (128 x 1500 um2, bus and return link, 64 KiB) and the links
    "puma.node_area": lambda: TILES * _tile().cost.area.total_um2 / 1e6 + LINKS_MM2,
    # 2304 ns, and what loads, the sigmoid and the way back take
    "puma.layer": lambda: layer_ns(_puma(), 128, 128),
}
