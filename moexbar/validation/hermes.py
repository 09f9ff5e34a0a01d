"""Two chips of phase-change memory, both measured: the HERMES core, and a chip of 64 such cores."""

from moexbar.chips import load_chip
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.matrix import Core, core

CORE = "Khaddam-Aljameh et al., JSSC 2022"
CHIP = "Le Gallo et al., Nature Electronics 2023"

STUDIES = (
    Study(
        "HERMES core",
        "measured",
        CORE,
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
        "chip of 64 such cores",
        "measured",
        CHIP,
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
                cause="the chip's network and digital units draw power while its cores compute; "
                "ours is the power of the cores",
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


CORES = 64


def _hermes() -> Core:
    return core(load_chip("hermes"))


def _four_phases() -> Core:
    return core(load_chip("hermes-4phase"))


OURS: Ours = {
    # 2 x 256 x 256 operations in 130 ns
    "hermes.rate": lambda: _hermes().tops,
    # 2 x 256 x 256 operations for 12.5 nJ
    "hermes.per_watt": lambda: _hermes().tops_per_w,
    # 1.008 TOPS on 0.127 + 0.508 mm2
    "hermes.per_area": lambda: _hermes().tops / _hermes().mm2,
    # 64 cores of 1.008 TOPS
    "cores64.rate": lambda: CORES * _hermes().tops,
    # as of one core: nothing but cores draws power
    "cores64.per_watt": lambda: _hermes().tops_per_w,
    "cores64.per_area": lambda: _hermes().tops / _hermes().mm2,
    # 64 x 131072 operations in 521 ns
    "cores64.rate_4phase": lambda: CORES * _four_phases().tops,
    # 131072 operations for 52.9 nJ
    "cores64.per_watt_4phase": lambda: _four_phases().tops_per_w,
    # 0.2516 TOPS on 0.635 mm2
    "cores64.per_area_4phase": lambda: _four_phases().tops / _four_phases().mm2,
}
