"""The area of a design, part by part, each of a region and of a few decisions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from compiler.design.choices import Key, Values
from compiler.design.flow import Site, Way
from compiler.emit.caches import may_stream
from ir import timing
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.errors import InputError
from ir.links import return_lanes, sent_width
from ir.mapping import RoutedOwner
from ir.workload import Attention, Dense, Digital, MoELayer


@dataclass(frozen=True, eq=False)
class Part:
    """Area of a kind in a region, um2; needs: the decisions that it depends on."""

    what: str
    region: int
    needs: tuple[Key, ...]
    um2: Callable[[Site], int]


def parts_of(way: Way) -> list[Part]:
    """Every part of every region, as `backends.cost.chip_area` adds them up.

    Buffers hold keys and values, and what waits for the first product; other values in flight are
    left out. Raises InputError for a chip of which areas are not published.
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
        kept += _waiting_bytes(way) if region == way.workload.region_at(0) else 0
        kept += _chosen_bytes(way, region)
        if way.floor.together(region, way.stack)[0] == region:
            found.append(Part("crossbars and peripheral groups", region, sizes, _crossbars))
            found.append(Part("input buffers", region, (*sizes, "buffers"), _entries))
        found += [
            Part("buses", region, ("transfers", "lanes"), _buses),
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
    """Peripheral groups, arrays, and switches of crossbars that share, of all layers in it."""
    chip, laid, layers = site.chip, site.laid, site.layers
    here = [block for layer in layers for block in laid.blocks_of[layer]]
    experts = sum(b.tiles for b in here if isinstance(b.owner, RoutedOwner))
    routed, others = laid.switched[site.region] if site.stack > 1 else (0, 0)
    switches = others + (experts if chip.pg.mux > 1 else routed)
    total = laid.region_pgs[site.region] * (peripheral_um2(chip) or 0)
    total += sum(b.tiles for b in here) * (chip.crossbar.array_um2 or 0)
    return total + switches * chip.pg.mux_switch_um2


def _buses(site: Site) -> int:
    """The bus, and the return link of so many."""
    width = timing.bus_bits_per_ns(site.chip, site.bus_width) or 0
    lanes = return_lanes(site.floor.workload, site.region, site.chip)
    return width * (1 + lanes) * site.chip.bus.um2_per_bit_per_ns


def _entries(site: Site) -> int:
    """Input buffers of all groups beyond the first vector; of a stack the largest's."""
    chip, work, more = site.chip, site.floor.workload, 0
    for stand in site.laid.stands[site.region]:
        firsts = [(fire.stage, fire.blocks[0]) for fire in stand]
        sent = max(sent_width(work.operators[b.operator], n, b.weight.rows) for n, b in firsts)
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
    """What keys and values are made of, or what comes of them from DRAM, of all sequences.

    Of an attention that waits for whole sequences the queries too.
    """
    chip, tokens = way.floor.chip, way.floor.tokens
    streams = may_stream(op, chip)
    in_buffers = streams and chip.memory.kv == "buffers"
    outputs = {name: other.width for other in way.workload.operators for name in other.outputs}
    made = [outputs[n] for n in (op.kept if streams else op.inputs) if n in way.values]
    each = sum(_vector_bytes(chip, width) for width in made)
    kept = each * (tokens.prefill + (tokens.decode if in_buffers else 0))
    read = timing.key_bytes(chip, op.kv_heads, op.head_dim) * int(tokens.place.max(initial=0))
    most = kept if in_buffers or not tokens.decode else max(kept, read)
    return most * tokens.sequences


def _waiting_bytes(way: Way) -> int:
    """Vectors that digital units make of all tokens of the prefill before its first product."""
    each = 0
    for op in way.workload.operators:
        match op:
            case Digital():
                each += _vector_bytes(way.floor.chip, op.width) if op.scope == "token" else 0
            case Attention() | Dense() | MoELayer():
                break
            case _:
                assert_never(op)
    return each * way.floor.tokens.prefill * way.floor.tokens.sequences


def _chosen_bytes(way: Way, region: int) -> int:
    """Where experts choose among tokens: these, and what the layer's sum is added to."""
    work, tokens, each = way.workload, way.floor.tokens, 0
    for op in work.moe_layers:
        if op.router.capacity is not None and work.region_of(op.layer) == region:
            each += 2 * _vector_bytes(way.floor.chip, op.d_model)
    return each * tokens.prefill * tokens.sequences


def _vector_bytes(chip: Chip, width: int) -> int:
    return -(-width * chip.mvm.output_bits // 8)
