"""ISAAC: its own tables, and what another tool says of the same design.

The paper is a model at 32 nm, no chip. Eight crossbars are an IMA, 12 of them a tile, 168 tiles a
chip with 22.88 mm2 and 10.4 W of off-chip links, which our chip has not: they are added to ours.
"""

from moexbar.validation.claim import Claim, Study

PAPER = "Shafiee et al., ISCA 2016"
FORGE = "AccelForge 1.0.467 (hwcomponents-adc 1.0.21), arch isaac_isca_2016"

STUDIES = (
    Study(
        "ISAAC, 128 x 128, 2-bit cells, 16-bit (Shafiee, ISCA 2016)",
        "modelled",
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
                "area of 8 crossbars, no registers",
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
                second_hand=True,
            ),
            Claim(
                "isaac.tile_area",
                "area of a tile",
                "mm2",
                0.372,
                f"{PAPER}, table 1",
                second_hand=True,
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
        "ISAAC as AccelForge 1.0.467 models it",
        "run",
        (
            Claim(
                "forge.mac",
                "16-bit MAC, buffers off",
                "pJ",
                2.83,
                f"{FORGE}: ADC 1.95, cells 0.82, row drivers 0.036, shift-add 0.021",
            ),
            Claim(
                "forge.rate",
                "rate of 8 crossbars",
                "GOPS",
                19.2,
                FORGE,
            ),
            Claim(
                "forge.area",
                "area of 8 crossbars, buffers off",
                "um2",
                68870,
                f"{FORGE}: ADC 51754, row drivers 10966, column drivers 3523, cells 2148, "
                "shift-add 480",
            ),
        ),
    ),
)
