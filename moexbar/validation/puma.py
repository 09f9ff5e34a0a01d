"""PUMA: an MVM unit computes with 128 x 128 weights of 16 bits on 8 arrays; a node has 2208 units.

A node holds 69 MiB of weights (second-hand), that is 2208 units of 32 KiB. Its off-chip links are
ISAAC's, 22.88 mm2 and 10.4 W, as PUMA's simulator has them; our chip has none: added to ours.
"""

from moexbar.validation.claim import Claim, Study

PAPER = "Ankit et al., ASPLOS 2019"

STUDIES = (
    Study(
        "PUMA, 128 x 128, 2-bit cells, 16-bit (Ankit, ASPLOS 2019)",
        "modelled",
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
            ),
            Claim(
                "puma.node_power",
                "node, power",
                "W",
                62.5,
                f"{PAPER}, table 6; 52.31 TOPS / 837 GOPS/s/W of the abstract",
                second_hand=True,
            ),
            Claim(
                "puma.node_area",
                "node, area",
                "mm2",
                90.6,
                f"{PAPER}, table 6; 52.31 TOPS / 577 GOPS/s/mm2 of the abstract",
                second_hand=True,
            ),
        ),
    ),
)
