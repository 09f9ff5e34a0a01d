"""Two chips of phase-change memory, both measured: the HERMES core, and a chip of 64 such cores."""

from moexbar.validation.claim import Claim, Study

CORE = "Khaddam-Aljameh et al., JSSC 2022"
CHIP = "Le Gallo et al., Nature Electronics 2023"

STUDIES = (
    Study(
        "HERMES core, 256 x 256 (Khaddam-Aljameh, JSSC 2022)",
        "measured",
        (
            Claim(
                "hermes.rate",
                "peak rate",
                "TOPS",
                1.008,
                f"{CORE}, table 1",
                fits="mvm.read of hermes: the same 130 ns",
                second_hand=True,
            ),
            Claim(
                "hermes.per_watt",
                "efficiency",
                "TOPS/W",
                10.5,
                f"{CORE}, abstract",
                fits="mvm.cycle of hermes",
            ),
            Claim(
                "hermes.per_area",
                "density",
                "TOPS/mm2",
                1.59,
                f"{CORE}, title",
                fits="areas of hermes",
            ),
        ),
    ),
    Study(
        "chip of 64 such cores (Le Gallo, Nature Electronics 2023)",
        "measured",
        (
            Claim(
                "cores64.rate",
                "peak rate, one phase",
                "TOPS",
                63.1,
                f"{CHIP}, abstract",
            ),
            Claim(
                "cores64.per_watt",
                "efficiency, one phase",
                "TOPS/W",
                9.76,
                f"{CHIP}, abstract",
            ),
            Claim(
                "cores64.per_area",
                "density of a core, one phase",
                "TOPS/mm2",
                1.55,
                f"{CHIP}, text",
                second_hand=True,
            ),
            Claim(
                "cores64.rate_4phase",
                "peak rate, four phases",
                "TOPS",
                16.1,
                f"{CHIP}, text",
                fits="mvm.read of hermes-4phase",
            ),
            Claim(
                "cores64.per_watt_4phase",
                "efficiency, four phases",
                "TOPS/W",
                2.48,
                f"{CHIP}, text",
                fits="mvm.cycle of hermes-4phase",
            ),
            Claim(
                "cores64.per_area_4phase",
                "density of a core, four phases",
                "TOPS/mm2",
                0.400,
                f"{CHIP}, text: 400 GOPS/mm2",
                fits="mvm.read of hermes-4phase: this chip's rate; its area is another chip's",
                second_hand=True,
            ),
        ),
    ),
)
