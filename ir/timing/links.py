"""Vectors on a region's bus, its return link and the mesh."""

from ir.chip import VALUES_PER_PACKET, Chip
from ir.timing.cost import Cost, ceil
from ir.timing.crossbars import mvm_ps


def bus_bits_per_ns(chip: Chip, d_model: int) -> int | None:
    """Width of a region's broadcast bus: B vectors of d_model per MVM time; None = unlimited."""
    if chip.bus.bits_per_ns is not None:
        return chip.bus.bits_per_ns
    if chip.bus.transfers_per_slot is None:
        return None
    bits = chip.bus.transfers_per_slot * d_model * chip.mvm.input_bits
    return ceil(bits * 1000, mvm_ps(chip, shared=True))


def _link_ps(chip: Chip, bits: int, d_model: int, lanes: int) -> int:
    """Time of `bits` over `lanes` buses sized for d_model (exact: not by the rounded width)."""
    if chip.bus.bits_per_ns is not None:
        return ceil(bits * 1000, chip.bus.bits_per_ns * lanes) + chip.bus.latency_ps
    if chip.bus.transfers_per_slot is None:
        return chip.bus.latency_ps
    per_slot = chip.bus.transfers_per_slot * d_model * chip.mvm.input_bits * lanes
    return ceil(bits * mvm_ps(chip, shared=True), per_slot) + chip.bus.latency_ps


def _link(chip: Chip, bits: int, d_model: int, lanes: int) -> Cost:
    duration = _link_ps(chip, bits, d_model, lanes)
    unlimited = chip.bus.bits_per_ns is None and chip.bus.transfers_per_slot is None
    busy = 0 if unlimited else duration - chip.bus.latency_ps
    return Cost(duration, busy, bits * chip.bus.bit_fj, ceil(bits, 8))


def load(chip: Chip, values: int, d_model: int) -> Cost:
    """One token vector broadcast: values x input_bits over the region's bus."""
    return _link(chip, values * chip.mvm.input_bits, d_model, 1)


def store(chip: Chip, values: int, d_model: int, lanes: int, hops: int = 0) -> Cost:
    """One result vector back over the return link of `lanes` bus widths.

    The link starts `hops` mesh links away: a hop time each before the first bits are there, during
    which the link already serves others, and a hop's energy for each packet of 256 values. Neither
    where distances are flat.
    """
    bits = values * chip.mvm.output_bits
    hops = 0 if chip.mesh.distance == "flat" else hops
    link, packets = _link(chip, bits, d_model, lanes), ceil(bits, VALUES_PER_PACKET * 8)
    return Cost(
        link.duration_ps + hops * chip.mesh.hop_ps,
        link.busy_ps,
        link.energy_fj + hops * packets * chip.mesh.hop_fj,
        link.bytes,
    )


def xfer(chip: Chip, values: int, hops: int, ports: int = 1) -> Cost:
    """A vector over `hops` mesh links, in packets of 256 values.

    A core has one port to the mesh. What lies in several cores, as the columns of a large matrix
    do, goes through their `ports` side by side; the packets of one port follow each other. Where
    distances are flat: one hop's time.
    """
    packets = ceil(values * chip.mvm.output_bits, VALUES_PER_PACKET * 8)
    data = ceil(values * chip.mvm.output_bits, 8)
    if chip.mesh.distance == "flat":
        return Cost(chip.mesh.hop_ps, 0, 0, data)
    in_series = ceil(packets, ports)
    duration = (hops + in_series - 1) * chip.mesh.hop_ps if hops else 0
    busy = min(duration, in_series * chip.mesh.hop_ps)
    return Cost(duration, busy, hops * packets * chip.mesh.hop_fj, data)
