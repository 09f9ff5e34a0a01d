"""The digital units."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Digital:
    """The digital units for vectors, the attention units, and how many there are of each.

    dpus_per_region: every region has so many of its own; pgs_per_dpu: one for so many of its
    peripheral groups (rounded up); dpus: the whole chip shares so many. The first that is not 0
    holds; where all are 0 every region has as many as its work asks for (`ir.units`).
    mha_units_per_region: every region with attention has so many, and the heads of a sequence are
    spread over them; mha_units: the whole chip shares so many, each of which takes whole sequences.
    Likewise: the first that is not 0, or by the region's work.
    *_ps and *_fj per 256 values, *_base_ps per job, relu_ps and sample_ps per job whatever its
    width. relu_*: curves that clip; smooth_*: one pass of any other curve (`ir.passes`).
    macs_per_ns and mac_fj of one unit for products of two activations and for the router.
    mha_bits_per_ns: keys and values that one attention unit reads of its part of the buffer; None =
    unlimited.
    accounting: full = every operation of the model takes its time; reference = as the reference
    simulator of arXiv 2602.10254 counts: selecting experts takes nothing, and the experts' sum is
    so many adds as wide as their hidden layer, without multiplying by the gates, and every curve
    is ReLU.
    """

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
    dpus_per_region: int = 0
    pgs_per_dpu: int = 0
    dpus: int = 0
    mha_units_per_region: int = 0
    mha_units: int = 0
    mha_bits_per_ns: int | None = None
    accounting: Literal["full", "reference"] = "full"

    @property
    def shares_dpus(self) -> bool:
        """Whether the whole chip shares its digital units."""
        return self.dpus > 0 and not self.dpus_per_region and not self.pgs_per_dpu

    @property
    def shares_mha_units(self) -> bool:
        """Whether the whole chip shares its attention units."""
        return self.mha_units > 0 and not self.mha_units_per_region
