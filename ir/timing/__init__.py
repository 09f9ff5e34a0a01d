"""Time, energy and bytes of ONE instruction on a chip: the single source for all stages.

Every function takes the chip and the size of the job and returns a `Cost`. Formulas are those of
docs/model.md, section Timing, and of the reference simulator's tables (3D-CiM, IBM; hops and
digital operations per 256 values), each stated where it is used. Rounding is up, to whole
picoseconds.
"""

from ir.timing.cost import Cost
from ir.timing.crossbars import Fired, accumulate, full, mvm, mvm_ps
from ir.timing.digital import (
    SAMPLE_VALUES,
    act,
    add,
    attention,
    attention_macs,
    combine,
    digital,
    gate,
    join,
    macs,
    norm,
    sample,
    top_tokens,
    topk,
)
from ir.timing.links import bus_bits_per_ns, cross, load, store, xfer
from ir.timing.memory import (
    digital_expert,
    dram,
    kept_ps,
    key_bytes,
    reads_in_series,
    reference_go_bytes,
    score_bytes,
    weight_bytes,
    with_products,
)
from ir.timing.wires import Extent, buffer_ps, hop_um, region_um, square, wire_ps

__all__ = [
    "SAMPLE_VALUES",
    "Cost",
    "Extent",
    "Fired",
    "accumulate",
    "act",
    "add",
    "attention",
    "attention_macs",
    "buffer_ps",
    "bus_bits_per_ns",
    "combine",
    "cross",
    "digital",
    "digital_expert",
    "dram",
    "full",
    "gate",
    "hop_um",
    "join",
    "kept_ps",
    "key_bytes",
    "load",
    "macs",
    "mvm",
    "mvm_ps",
    "norm",
    "reads_in_series",
    "reference_go_bytes",
    "region_um",
    "sample",
    "score_bytes",
    "square",
    "store",
    "top_tokens",
    "topk",
    "weight_bytes",
    "wire_ps",
    "with_products",
    "xfer",
]
