"""What the paper states and what its simulator gives for workload R, beside which ours are set.

The runs are of the simulator published with arXiv 2602.10254, on workload R (see there); the paper
itself states the two ratios of its cache and no more of them. Times in ns, energies in nJ.
"""

from dataclasses import dataclass

from ir.schedule import Caches
from moexbar.report.reproduced import Figures
from moexbar.reproduce.run import Run

NONE, KV, GO, BOTH = (
    Caches(kv=False, go=False),
    Caches(kv=True, go=False),
    Caches(kv=False, go=True),
    Caches(kv=True, go=True),
)
MODES: dict[str, Caches] = {"no cache": NONE, "KV only": KV, "GO only": GO, "KV + GO": BOTH}


@dataclass(frozen=True)
class Row:
    """A run of the reference simulator, with its wall time there on a busy 2-core machine."""

    name: str
    run: Run
    figures: Figures
    wall: str


ROWS = (
    Row(
        "prefill 32 and one sampling, no cache",
        Run(1, NONE, prefill=True),
        Figures(244282.5, 609730.25, 530340, 601000, 48080, 0),
        "46-134 s",
    ),
    Row(
        "generation of 8, KV and GO cache",
        Run(8, BOTH, prefill=False),
        Figures(493518.83, 473555.43, 268590, 301000, 24080, 387172),
        "46-134 s",
    ),
    Row(
        "prefill and generation of 8, no cache",
        Run(8, NONE, prefill=True),
        Figures(2297724.0, 5393783.13, 4687080, 5312000, 424960, 0),
        "1498 s",
    ),
)

# Generation of 8 alone, by mode: time and energy.
GENERATION_OF_8: dict[str, tuple[float, float]] = {
    "no cache": (2053429.5, 4784045.77),
    "KV only": (1309748.83, 4851526.21),
    "GO only": (1237199.5, 502530.37),
    "KV + GO": (493518.83, 473555.43),
}

# No cache against both, by tokens generated: time and energy. Those of 8 are of the runs above, the
# others of a model of the same rules that was not checked against a run.
RATIOS: dict[int, tuple[float, float]] = {
    8: (4.16, 10.1),
    32: (5.22, 12.0),
    64: (6.71, 14.1),
    128: (9.84, 17.1),
}

CLAIMED = (4.2, 10.1)  # the paper: both caches against none in time and energy, 8 tokens generated
