"""What a shape takes of a chip: area of crossbars, peripheral groups, buses and units; its rate.

Counted as the compiler counts a model that it places: by `compiler.partition`, `ir.units` and the
parts of `backends.cost`. Digital and attention units are as many as the rate asks for, whatever the
chip says of their number, as in `compiler.design`. Buffers of regions are left out: how large they
are follows from a program.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from backends.cost import Area, sum_area
from compiler.partition import partition
from ir import timing
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.errors import InputError
from ir.links import bus_width, return_lanes
from ir.mapping import RoutedOwner
from ir.units import LOAD, digital_ps, operators_of
from moexbar.scaling.operators import workload_of
from moexbar.scaling.shape import HEAD, Shape

LEFT_OUT = (
    "buffers of regions (keys and values, input vectors beyond the first), DRAM",
    "the embedding's table, which is looked up in DRAM",
)


@dataclass(frozen=True)
class Region:
    """What a layer has of crossbars, buses and digital work, however its experts share.

    dense, expert: tiles of all matrices that are no expert's, and of one expert; bus: values that
    it is sized for; lanes: of the return link; digital_ps, attention_ps: of the digital units, and
    of one attention unit, for a token that `context` tokens precede.
    """

    dense: int
    expert: int
    bus: int
    lanes: int
    digital_ps: int
    attention_ps: int


@dataclass(frozen=True)
class Regions:
    """The regions of a shape's first layer, of any between, and of the last, which has the head."""

    first: Region
    middle: Region
    last: Region

    def of(self, layers: int) -> tuple[tuple[Region, int], ...]:
        """Each with how many there are of it; layers: at least 2."""
        return (self.first, 1), (self.middle, layers - 2), (self.last, 1)


@dataclass(frozen=True)
class Placed:
    """A shape on a chip: its area, and the least time between two tokens that it can keep."""

    area: Area
    least_ps: int


def check_areas(chip: Chip) -> None:
    """InputError for a chip of which areas are not published."""
    if peripheral_um2(chip) is None or chip.crossbar.array_um2 is None:
        raise InputError(
            f"chip {chip.name}",
            "pg.peripheral_um2 or crossbar.array_um2 is not published, expected both",
            "state them in a chip file, or take another chip",
        )


def regions_of(shape: Shape, chip: Chip, context: int) -> Regions:
    """The regions of all shapes of this width and so many experts: three layers stand for all."""
    work = workload_of(replace(shape, layers=3))
    blocks = partition(work, chip)
    last = timing.attention(chip, 1, context, shape.heads, HEAD, causal=True)
    found = []
    for layer in work.regions:
        here = [block for block in blocks if block.layer == layer]
        routed = [block.tiles for block in here if isinstance(block.owner, RoutedOwner)]
        found.append(
            Region(
                dense=sum(block.tiles for block in here) - sum(routed),
                expert=sum(routed) // shape.experts,
                bus=bus_width(work, layer),
                lanes=return_lanes(work, layer, chip),
                digital_ps=sum(digital_ps(op, chip) for op in operators_of(work, layer)),
                attention_ps=last.duration_ps,
            )
        )
    return Regions(*found)


def place(
    shape: Shape, chip: Chip, regions: Regions, period_ps: int | None, batch: int | None
) -> Placed:
    """The shape with as many units as a token every `period_ps` asks for; None: one of each.

    chip: with the mux that groups of experts take. batch: sequences, each of which has one token on
    its way at a time; None: tokens stream.
    """
    experts = shape.experts if shape.experts > 1 else 0
    groups = -(-experts // chip.pg.mux)
    pgs = routed = dense = bits = dpus = mha = 0
    for region, number in regions.of(shape.layers):
        dense += number * region.dense
        pgs += number * (region.dense + groups * region.expert)
        routed += number * experts * region.expert
        bits += number * (timing.bus_bits_per_ns(chip, region.bus) or 0) * (1 + region.lanes)
        dpus += number * _units(region.digital_ps / LOAD, period_ps)
        mha += number * min(_units(region.attention_ps, period_ps), shape.heads)
    parts = {
        "peripheral groups": (pgs, peripheral_um2(chip)),
        "arrays": (dense + routed, chip.crossbar.array_um2),
        "mux switches": (routed if chip.pg.mux > 1 else 0, chip.pg.mux_switch_um2),
        "buses": (bits, chip.bus.um2_per_bit_per_ns),
        "digital units": (dpus, chip.digital.dpu_um2),
        "attention units": (mha, chip.digital.mha_um2),
    }
    area = sum_area(parts, optional=("digital units", "attention units"))
    return Placed(area, least_ps(shape, chip, regions, batch))


def least_ps(shape: Shape, chip: Chip, regions: Regions, batch: int | None) -> int:
    """The least time between two tokens: of the busiest crossbars, attention, a batch's way.

    A dense matrix has every token, a group of experts its share of them: as many tokens go to every
    expert, so the largest of G groups has ceil(E / G) of E. Heads are spread over at most as many
    attention units. A token meets four products a layer, one after another, and the head.
    """
    dense, shared = timing.mvm_ps(chip, shared=False), timing.mvm_ps(chip, shared=True)
    groups = -(-shape.experts // chip.pg.mux)
    busiest = -(-shape.experts // groups)
    experts = -(-shared * busiest // shape.experts) if shape.experts > 1 else 0
    attention = -(-regions.middle.attention_ps // shape.heads)
    way = shape.layers * (2 * dense + 2 * (shared if shape.experts > 1 else dense)) + dense
    return max(dense, experts, attention, 0 if batch is None else -(-way // batch))


def _units(work_ps: Fraction | int, period_ps: int | None) -> int:
    """Units that do so much work for every token, at least one."""
    return 1 if period_ps is None else max(1, ceil(Fraction(work_ps) / period_ps))
