"""Runs of two simulators whose rules a preset of ours takes over: code against code.

Agreement says that the rules were understood, not that a chip would do so.
"""

from moexbar.validation.claim import Claim, Study

PAPER = "code of arXiv 2602.10254, workload R"
TIERS = (
    "3D-CiM-LLM-Inference-Simulator, commit 0bef55f, default constants: one decoder layer 512 wide, "
    "feed-forward of 512, vocabulary of 512, 8 tokens and one sampling, every matrix in a tile of "
    "its own"
)

STUDIES = (
    Study(
        "the simulator of arXiv 2602.10254, one layer 4096 wide",
        "code",
        (
            Claim(
                "paper.prefill_time",
                "prefill of 32 tokens",
                "ns",
                244282.5,
                PAPER,
                fits="rules of chip paper",
            ),
            Claim(
                "paper.prefill_energy",
                "prefill of 32 tokens",
                "nJ",
                609730.25,
                PAPER,
                fits="rules of chip paper",
            ),
            Claim(
                "paper.cached_time",
                "8 tokens with both caches",
                "ns",
                493518.83,
                PAPER,
                fits="rules of chip paper",
            ),
            Claim(
                "paper.cached_energy",
                "8 tokens with both caches",
                "nJ",
                473555.43,
                PAPER,
                fits="rules of chip paper",
            ),
        ),
    ),
    Study(
        "the simulator of Büchel et al. 2025, one layer 512 wide",
        "code",
        (
            Claim(
                "tiers.time",
                "prefill of 8 tokens",
                "ns",
                2253,
                TIERS,
                fits="rules of chip paper, constants of ibm-3dcim",
            ),
            Claim(
                "tiers.energy",
                "prefill of 8 tokens, power excluded",
                "nJ",
                986.34,
                f"{TIERS}: 12251.34 nJ less 11265 of passive power, a placeholder",
                fits="rules of chip paper, constants of ibm-3dcim",
            ),
        ),
    ),
)
