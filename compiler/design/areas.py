"""The area of a design, part by part, each of a region and of a few decisions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compiler.design.choices import Key, Values
from compiler.design.flow import Site, Way
from compiler.emit.caches import may_stream
from ir import timing
from ir.converters import peripheral_um2
from ir.errors import InputError
from ir.links import return_lanes, sent_width
from ir.mapping import RoutedOwner
from ir.workload import Attention


@dataclass(frozen=True, eq=False)
class Part:
    """Area of a kind in a region, um2; needs: the decisions that it depends on."""

    what: str
    region: int
    needs: tuple[Key, ...]
    um2: Callable[[Site], int]


def parts_of(way: Way) -> list[Part]:
    """Every part of every region, as `backends.cost.chip_area` adds them up.

    Buffers are those of what keys and values are made of; values in flight are left out. Raises
    InputError for a chip of which areas are not published.
    """
    chip, found = way.floor.chip, list[Part]()
    if peripheral_um2(chip) is None or chip.crossbar.array_um2 is None:
        raise InputError(
            f"chip {chip.name}",
            "pg.peripheral_um2 or crossbar.array_um2 is not published, expected both",
            "state them in a chip file, or take another chip",
        )
    for region in way.workload.regions:
        sizes = way.sizes(region)
        kept = sum(_kept_bytes(way, op) for op in _attentions(way, region))
        found += [
            Part("crossbars and peripheral groups", region, sizes, _crossbars),
            Part("buses", region, ("transfers", "lanes"), _buses),
            Part("input buffers", region, (*sizes, "buffers"), _entries),
            Part("digital units", region, ("dpus",), _dpus),
            Part("buffers", region, (), _of_bytes(kept)),
        ]
        if _attentions(way, region):
            found.append(Part("attention units", region, ("mha",), _mha))
    return found


def area_um2(
    parts: list[Part], site: Callable[[int, Values], Site], values: Values
) -> dict[str, int]:
    """Square micrometres by kind; site: a region under the values."""
    found: dict[str, int] = {}
    for part in parts:
        found[part.what] = found.get(part.what, 0) + part.um2(site(part.region, values))
    return found


def _crossbars(site: Site) -> int:
    """Peripheral groups, arrays, and switches of expert crossbars that share."""
    chip, region, laid = site.chip, site.region, site.laid
    here = [block for block in laid.blocks if block.layer == region]
    experts = sum(b.tiles for b in here if isinstance(b.owner, RoutedOwner))
    switches = experts if chip.pg.mux > 1 else 0
    total = laid.pgs[region] * (peripheral_um2(chip) or 0)
    total += sum(b.tiles for b in here) * (chip.crossbar.array_um2 or 0)
    return total + switches * chip.pg.mux_switch_um2


def _buses(site: Site) -> int:
    """The bus, and the return link of so many."""
    width = timing.bus_bits_per_ns(site.chip, site.bus_width) or 0
    lanes = return_lanes(site.floor.workload, site.region, site.chip)
    return width * (1 + lanes) * site.chip.bus.um2_per_bit_per_ns


def _entries(site: Site) -> int:
    """Input buffers of all groups beyond the first vector."""
    chip, work, more = site.chip, site.floor.workload, 0
    for fire in site.laid.groups:
        if fire.layer == site.region:
            first = fire.blocks[0]
            sent = sent_width(work.operators[first.operator], fire.stage, first.weight.rows)
            more += -(-sent * chip.mvm.input_bits // 8) * (site.values["buffers"] - 1)
    return _of_bytes(more)(site)


def _dpus(site: Site) -> int:
    return site.values["dpus"] * (site.chip.digital.dpu_um2 or 0)


def _mha(site: Site) -> int:
    return site.values["mha"] * (site.chip.digital.mha_um2 or 0)


def _of_bytes(size: int) -> Callable[[Site], int]:
    return lambda site: -(-size * site.chip.memory.buffer_um2_per_kib // 1024)


def _attentions(way: Way, region: int) -> list[Attention]:
    """The attentions that work in a region."""
    work = way.workload
    return [op for op in work.attentions() if work.region_of(op.layer) == region]


def _kept_bytes(way: Way, op: Attention) -> int:
    """What keys and values are made of, of as many tokens as have them at once."""
    chip, tokens = way.floor.chip, way.floor.tokens
    if not may_stream(op, chip):
        return 0
    outputs = {n: other.width for other in way.workload.operators for n in other.outputs}
    made = [outputs[name] for name in op.kept if name in way.values]
    each = sum(-(-width * chip.mvm.output_bits // 8) for width in made)
    sequences = len(np.unique(tokens.sequence))
    length = tokens.prefill + (tokens.decode if chip.memory.kv == "buffers" else 0)
    return each * length * sequences
