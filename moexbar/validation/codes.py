"""Runs of two simulators whose rules a preset of ours takes over: code against code.

Agreement says that the rules were understood, not that a chip would do so.
"""

from functools import cache

from ir.workload import AnyOperator, Attention, Digital, DigitalKind
from moexbar.chips import load_chip
from moexbar.report.reproduced import Figures
from moexbar.reproduce.reference import ROWS
from moexbar.reproduce.run import execute
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.matrix import Ran, matrix, run

PAPER = "code of arXiv 2602.10254, workload R"
TIERS = (
    "3D-CiM-LLM-Inference-Simulator, commit 0bef55f, default constants: one decoder layer 512 "
    "wide, feed-forward of 512, vocabulary of 512, 8 tokens and one sampling, every matrix in a "
    "tile of its own"
)

STUDIES = (
    Study(
        "code of arXiv 2602.10254",
        "code",
        PAPER,
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
            Claim(
                "paper.uncached_time",
                "prefill and 8 tokens, no cache",
                "ns",
                2297724.0,
                PAPER,
                fits="rules of chip paper",
            ),
            Claim(
                "paper.uncached_energy",
                "prefill and 8 tokens, no cache",
                "nJ",
                5393783.13,
                PAPER,
                fits="rules of chip paper",
            ),
        ),
    ),
    Study(
        "3D-CiM simulator",
        "code",
        TIERS,
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
                "prefill of 8 tokens, dynamic",
                "nJ",
                986.34,
                f"{TIERS}: 12251.34 nJ less 11265 of passive power, a placeholder",
                fits="rules of chip paper, constants of ibm-3dcim",
            ),
        ),
    ),
)


WIDE, HEADS, TOKENS = 512, 8, 8
CONSTANTS: dict[str, float | str] = {  # of the 3D-CiM simulator where they differ from chip paper's
    "crossbar.rows": WIDE,
    "crossbar.columns": WIDE,
    "mvm.read_ns": 100,
    "mvm.cycle_nj": 10,
    "mvm.port_pj": 81.92,  # 512 values there and back, 10 fJ a bit
    "bus.latency_ns": 10,
    "mesh.hop_ns": 10,
    "digital.dpus": 4,
    "digital.mha_units": 1,
    "digital.add_base_ns": 10,
    "digital.add_ns": 0,
    "digital.add_pj": 5000,  # 10 nJ for 512 values
    "digital.norm_ns": 25,
    "digital.norm_pj": 5000,
    "digital.relu_pj": 5000,
    "digital.attention": "macs",
    "digital.macs_per_ns": 36864,  # 2 x 36 pairs x 512 in a nanosecond
    "digital.mac_fj": 27,  # and for a nanojoule
    "digital.mha_bits_per_ns": "unlimited",  # its attention takes its operations' time alone
}


@cache
def _paper(row: int) -> Figures:
    """A run of workload R, compiled, checked and simulated."""
    return execute(ROWS[row].run, load_chip("paper")).figures


@cache
def _tiers() -> Ran:
    """The layer of the other simulator, by the same rules: embedding, attention, feed-forward."""
    return run(load_chip("paper", CONSTANTS), _layer(), TOKENS, sampled=True)


def _layer() -> tuple[AnyOperator, ...]:
    """The operators of a pass, in order."""
    attention = Attention(
        "attention",
        0,
        ("in",),
        ("attention",),
        (),
        WIDE,
        heads=HEADS,
        kv_heads=HEADS,
        head_dim=WIDE // HEADS,
        causal=True,
    )
    return (
        matrix("embedding", "x", WIDE, WIDE),
        _digital("add", "positions", "embedding"),
        matrix("in", "positions", WIDE, 3 * WIDE),
        attention,
        matrix("out", "attention", WIDE, WIDE),
        _digital("add", "residual", "positions", "out"),
        _digital("norm", "normed", "residual"),
        matrix("up", "normed", WIDE, WIDE),
        _digital("act", "relu", "up"),
        matrix("down", "relu", WIDE, WIDE),
        _digital("add", "output", "residual", "down"),
        _digital("norm", "final", "output", newest=True),
        matrix("head", "final", WIDE, WIDE, newest=True),
    )


def _digital(kind: DigitalKind, name: str, *x: str, newest: bool = False) -> Digital:
    return Digital(
        name,
        0,
        x,
        (name,),
        (),
        WIDE,
        kind=kind,
        scope="token",
        elements=WIDE,
        newest=newest,
    )


OURS: Ours = {
    "paper.prefill_time": lambda: _paper(0).time_ns,
    "paper.prefill_energy": lambda: _paper(0).energy_nj,
    "paper.cached_time": lambda: _paper(1).time_ns,
    "paper.cached_energy": lambda: _paper(1).energy_nj,
    "paper.uncached_time": lambda: _paper(2).time_ns,
    "paper.uncached_energy": lambda: _paper(2).energy_nj,
    "tiers.time": lambda: _tiers().program.makespan_ps / 1e3,
    # 57 products, 8 x 3 adds, 9 norms, 8 activations, all of 10 nJ, 106 transfers, attention
    "tiers.energy": lambda: _tiers().cost.energy.dynamic_total_fj / 1e6,
}
