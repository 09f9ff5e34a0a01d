"""All published quantities, and those that nothing of ours can be set beside."""

from moexbar.validation import (
    codes,
    hermes,
    isaac,
    jia,
    neurosim,
    neurosim_runs,
    neurosim_sizes,
    puma,
)
from moexbar.validation.claim import Ours, Study, Unmatched

STUDIES: tuple[Study, ...] = (
    *hermes.STUDIES,
    *jia.STUDIES,
    *isaac.STUDIES,
    *puma.STUDIES,
    *neurosim.STUDIES,
    *neurosim_runs.STUDIES,
    *neurosim_sizes.STUDIES,
    *codes.STUDIES,
)

UNMATCHED = (
    Unmatched(
        "an LSTM step on the 64-core chip: 1.43 us, 5.24 uJ",
        "Le Gallo et al., Nature Electronics 2023 (second-hand)",
        "which of its two networks, how many cores and which read mode was not found; by our "
        "numbers all 64 cores firing once in four phases take 0.52 us and 3.4 uJ",
    ),
    Unmatched(
        "an input of a ResNet-9 layer on the 64-core chip: 1.52 us, 1.51 uJ",
        "Le Gallo et al., Nature Electronics 2023 (second-hand)",
        "which layer, how many cores and which read mode was not found",
    ),
    Unmatched(
        "NeuRRAM, 48 cores: 1.79 TOPS and 40.3 TOPS/W at 2-bit inputs and 4-bit outputs, 0.744 and "
        "15.95 at 4 and 6 bits",
        "Wan et al., Nature 2022, figure 12 as CiMLoop's tests read it (second-hand)",
        "every point has other input and output bits, and its converter counts 2^bits steps: a "
        "preset set from two points would be asked about a third that it cannot know",
    ),
    Unmatched(
        "3D analogue in-memory computing against an A100: 6x throughput, 20x area",
        "Büchel et al., Nature Computational Science 2025 (second-hand)",
        "no area of that chip is published beyond assumed tiles; its network is not shipped",
    ),
    Unmatched(
        "ISAAC-PE and ISAAC-SE, the paper's other designs: rate per area and power, weights per "
        "area",
        "Shafiee et al., ISCA 2016, table 4",
        "their crossbars, converters and tiles were not found in a source at hand",
    ),
)

OURS: Ours = {
    **hermes.OURS,
    **jia.OURS,
    **isaac.OURS,
    **puma.OURS,
    **neurosim.OURS,
    **neurosim_runs.OURS,
    **neurosim_sizes.OURS,
    **codes.OURS,
}
