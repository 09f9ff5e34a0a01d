"""The digital units."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Digital:
    """The digital units: `dpus` for vectors, `mha_units` for attention.

    pgs_per_dpu: every region has its own digital units, one for so many of its peripheral groups
    (rounded up); 0 = the whole chip shares `dpus` of them.
    *_ps and *_fj per 256 values, *_base_ps per job, relu_ps and sample_ps per job whatever its
    width. relu_*: curves that clip; smooth_*: one pass of any other curve (`ir.passes`).
    macs_per_ns and mac_fj of one unit for products of two activations and for the router.
    accounting: full = every operation of the model takes its time; reference = as the reference
    simulator of arXiv 2602.10254 counts: selecting experts takes nothing, and the experts' sum is
    so many adds as wide as their hidden layer, without multiplying by the gates, and every curve
    is ReLU.
    """

    dpus: int
    mha_units: int
    add_base_ps: int
    add_ps: int
    add_fj: int
    norm_ps: int
    norm_fj: int
    relu_ps: int
    relu_fj: int
    smooth_base_ps: int
    smooth_ps: int
    smooth_fj: int
    sample_ps: int
    macs_per_ns: int
    mac_fj: int
    attention: Literal["macs", "polynomial"]
    router_on: Literal["digital", "crossbar"]
    experts_wait_for_router: bool
    dpu_um2: int | None
    mha_um2: int | None
    pgs_per_dpu: int = 0
    accounting: Literal["full", "reference"] = "full"
