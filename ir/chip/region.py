"""What lies around the crossbars: a layer's bus, the mesh of cores, buffers and DRAM."""

from dataclasses import dataclass
from typing import Literal

VALUES_PER_PACKET = 256  # the unit in which hops and digital operations are published (3D-CiM)


@dataclass(frozen=True)
class Bus:
    """The broadcast bus of a layer's region, and the link by which results return.

    transfers_per_slot: B, token vectors per MVM time, which sizes the bus to the layer's d_model;
    or bits_per_ns, a fixed width; both None = unlimited, a transfer then takes `latency_ps`.
    return_lanes: width of the return link in bus widths, 0 = one lane per expert of a token (k).
    """

    transfers_per_slot: int | None
    bits_per_ns: int | None
    latency_ps: int
    bit_fj: int
    um2_per_bit_per_ns: int
    return_lanes: int


@dataclass(frozen=True)
class Wires:
    """What the length of wires costs.

    cost: published = a hop and a bus cost what their sources say, however long they are; by length
    = the wires that a vector goes along are added, for which the areas of a core must be known.
    fj_per_bit_mm: energy of a bit over a millimetre; ps_per_mm: time of a wire with repeaters.
    """

    cost: Literal["published", "by length"] = "published"
    fj_per_bit_mm: int = 0
    ps_per_mm: int = 0


@dataclass(frozen=True)
class Mesh:
    """Cores on a mesh: hop_ps and hop_fj per packet of 256 values at 8 bits. 0 x 0 = auto.

    core_uw: what a core draws whatever it does, as long as the program runs, beside its crossbars:
    memories, router, bus and control that leak.

    distance: hops = packets follow each other over the links between two places, taking time and
    energy on each; flat = every vector takes one hop's time, whatever it carries and wherever it
    goes, on links without a limit, and no energy (mvm.port_fj counts it).
    """

    pgs_per_core: int
    width: int
    height: int
    hop_ps: int
    hop_fj: int
    distance: Literal["hops", "flat"] = "hops"
    core_uw: int = 0


@dataclass(frozen=True)
class Memory:
    """Buffers beside the bus of each region, DRAM for the caches, and power that is always on.

    region_buffer_bytes: the most a region's buffer holds; 0 = auto, as much as the program needs.
    dram: which memory the three numbers of the DRAM are of; own = of none that is known by name.
    buffer_bits_per_ns: read from the part of a region's buffer that is in one core; None =
    unlimited; buffer_bit_fj: a bit written to a region's buffer, or read from it.
    dram_bytes: what the caches may take, 0 = not stated and not checked.
    accounting: full = every byte read from and written to a cache takes the port's time and energy;
    reference = as the reference simulator of arXiv 2602.10254 counts: keys and values of all tokens
    so far are read in series, after the step's own and before its attention; writes and the GO
    cache take nothing; DRAM draws its idle power only while there is a GO cache.
    kv: where keys and values of earlier steps are kept: in DRAM, or in the buffers of the regions,
    of those attentions that go query by query (others keep theirs in DRAM).
    """

    region_buffer_bytes: int
    buffer_um2_per_kib: int
    dram_mb_per_s: int
    dram_active_uw: int
    dram_idle_uw: int
    passive_uw: int
    dram_bytes: int = 0
    dram: Literal["own", "3d-cim", "lpddr4", "lpddr5", "hbm2", "hbm3"] = "own"
    buffer_bits_per_ns: int | None = None
    buffer_bit_fj: int = 0
    accounting: Literal["full", "reference"] = "full"
    kv: Literal["dram", "buffers"] = "dram"
