"""Vectors on a region's bus, its return link, the mesh and the links between dies."""

from ir.chip import VALUES_PER_PACKET, Chip
from ir.errors import InputError
from ir.timing.cost import Cost, ceil
from ir.timing.crossbars import mvm_ps
from ir.timing.wires import Extent, buffer_ps, hop_um, region_um, wire_fj, wire_ps


def bus_bits_per_ns(chip: Chip, d_model: int) -> int | None:
    """Width of a region's broadcast bus: B vectors of d_model per MVM time; None = unlimited."""
    if chip.bus.bits_per_ns is not None:
        return chip.bus.bits_per_ns
    if chip.bus.transfers_per_slot is None:
        return None
    bits = chip.bus.transfers_per_slot * d_model * chip.mvm.input_bits
    return ceil(bits * 1000, mvm_ps(chip, shared=True))


def _link_ps(chip: Chip, bits: int, d_model: int, lanes: int) -> int:
    """Time for which `bits` take `lanes` buses sized for d_model: exact, not by rounded widths."""
    if chip.bus.bits_per_ns is not None:
        return ceil(bits * 1000, chip.bus.bits_per_ns * lanes)
    if chip.bus.transfers_per_slot is None:
        return 0
    per_slot = chip.bus.transfers_per_slot * d_model * chip.mvm.input_bits * lanes
    return ceil(bits * mvm_ps(chip, shared=True), per_slot)


def load(chip: Chip, values: int, d_model: int, region: Extent) -> Cost:
    """One token vector broadcast: values x input_bits over the bus of a region.

    The bus waits for the region's buffer where that is slower. Along its length the bits travel
    after that, while the bus takes the next vector.
    """
    bits, um = values * chip.mvm.input_bits, region_um(chip, region)
    busy = max(_link_ps(chip, bits, d_model, 1), buffer_ps(chip, bits, region.pgs))
    energy = bits * chip.bus.bit_fj + wire_fj(chip, bits, um)
    return Cost(busy + chip.bus.latency_ps + wire_ps(chip, um), busy, energy, ceil(bits, 8))


def store(chip: Chip, values: int, d_model: int, lanes: int, hops: int = 0) -> Cost:
    """One result vector back over the return link of `lanes` bus widths.

    The link starts `hops` mesh links away: a hop's time each, and that of its wires, before the
    first bits are there, during which the link already serves others, and a hop's energy for each
    packet of 256 values, and that of its wires for each bit. None of them where distances are flat.
    """
    bits = values * chip.mvm.output_bits
    hops = 0 if chip.mesh.distance == "flat" else hops
    busy, um = _link_ps(chip, bits, d_model, lanes), hop_um(chip)
    return Cost(
        busy + chip.bus.latency_ps + hops * (chip.mesh.hop_ps + wire_ps(chip, um)),
        busy,
        bits * chip.bus.bit_fj + _hops_fj(chip, bits, hops),
        ceil(bits, 8),
    )


def xfer(chip: Chip, values: int, hops: int, ports: int = 1) -> Cost:
    """A vector over `hops` mesh links, in packets of 256 values.

    A core has one port to the mesh. What lies in several cores, as the columns of a large matrix
    do, goes through their `ports` side by side; the packets of one port follow each other, a hop's
    time apart, and take the time of a link's wires besides. Where distances are flat: one hop's
    time.
    """
    bits = values * chip.mvm.output_bits
    packets, data = ceil(bits, VALUES_PER_PACKET * 8), ceil(bits, 8)
    if chip.mesh.distance == "flat":
        return Cost(chip.mesh.hop_ps, 0, 0, data)
    if not hops:
        return Cost(0, 0, 0, data)
    in_series, wire = ceil(packets, ports), wire_ps(chip, hop_um(chip))
    duration = (hops + in_series - 1) * chip.mesh.hop_ps + hops * wire
    busy = min(duration, in_series * chip.mesh.hop_ps)
    return Cost(duration, busy, _hops_fj(chip, bits, hops), data)


def cross(chip: Chip, values: int, hops_before: int, hops_after: int) -> Cost:
    """A vector over one link between two dies, and the mesh links to it and from it.

    The link is busy while the bits go over it, one direction of it, and takes others while they
    travel: its latency, and as in `store` a hop's time and that of its wires for each mesh link on
    either die. None of these where distances are flat. Raises InputError where the chip has no link
    between dies.
    """
    link = chip.link
    if link is None:
        raise InputError(f"chip {chip.name}", "no [link], expected one between its dies")
    bits, um = values * chip.mvm.output_bits, hop_um(chip)
    hops = 0 if chip.mesh.distance == "flat" else hops_before + hops_after
    busy = ceil(bits * 1000, link.bits_per_ns)
    return Cost(
        busy + link.latency_ps + hops * (chip.mesh.hop_ps + wire_ps(chip, um)),
        busy,
        bits * link.bit_fj + _hops_fj(chip, bits, hops),
        ceil(bits, 8),
    )


def _hops_fj(chip: Chip, bits: int, hops: int) -> int:
    """Energy over mesh links: of each packet by the hop, of each bit by the length."""
    packets = ceil(bits, VALUES_PER_PACKET * 8)
    return hops * packets * chip.mesh.hop_fj + wire_fj(chip, bits, hops * hop_um(chip))
