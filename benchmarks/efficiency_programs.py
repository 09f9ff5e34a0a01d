"""One MoE layer in emitted, verified programs, each method on the chip that is best for it.

A part of `python -m benchmarks.efficiency`. Groups are fitted to one half of the sequences, and
windows of the other are timed. A method has one chip for both ways and one slot order: both are
chosen for the programs together, as `compile` does for one. Beside the three sizes of
`compiler/sizing.py` the digital units of a region are chosen, by the same rule: the "auto" of a
chip has as many as keep up with one token in each MVM time, so that no order of slots could be
faster than that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from backends.band import with_peripherals
from backends.breakeven import Run
from backends.cost import CostReport, cost
from benchmarks.moe_shapes import moe_layers
from compiler.baselines import Method, Pair, methods
from compiler.emit import emit
from compiler.options import Options, Scheduling
from compiler.ordering import BY_TRANSFERS, choose_order
from compiler.partition import partition
from compiler.pipeline import group_experts, place_experts, realise
from compiler.sizing import GAIN, choose_sizes, with_largest_sizes
from compiler.slots import count_slots
from compiler.stages import order_layer
from compiler.timeline.assemble import timed_ps
from ir.arrays import Bools, Span
from ir.chip import Chip
from ir.compiled import OrderTry
from ir.mapping import Grouping
from ir.mapping import Mapping as Placed
from ir.routing import Routing, windows
from ir.schedule import Schedule, prefill_schedule
from ir.workload import Workload
from moexbar.report.gains import MethodResult

Feed = Literal["fed", "at once"]
FEEDS: tuple[Feed, ...] = get_args(Feed)
MOST_UNITS = 256  # digital units of a region


@dataclass(frozen=True)
class Sample:
    """Layers that programs are emitted of, a window of `tokens` of each.

    From places of the half that are as far apart as they can be.
    """

    layers: tuple[int, ...]
    tokens: int

    def window(self, layer: int, half: Span) -> Span:
        """Tokens of the trace that the layer's window has in one half of the sequences."""
        start, stop = half
        spans = windows(stop - start, self.tokens)
        first, last = spans[self.layers.index(layer) * len(spans) // len(self.layers)]
        return start + first, start + last


@dataclass(frozen=True, eq=False)
class Grouped:
    """A method with its groups of every layer.

    slots: of all windows of all layers together, `tokens` in all, where all tokens are there; where
    several orders are tried, of the one with the fewest.
    """

    method: Method
    grouping: Grouping
    slots: int
    tokens: int


@dataclass(frozen=True, eq=False)
class Case:
    """A window of one layer by one method: all that is decided of it before there is a chip."""

    workload: Workload
    mapping: Placed
    schedule: Schedule
    chosen: Mapping[int, Bools]


@dataclass(frozen=True, eq=False)
class Ordered:
    """The windows of each way by one slot order."""

    policy: Scheduling
    ways: tuple[tuple[Case, ...], ...]

    def time_ps(self, chip: Chip) -> int:
        """How long all of them together take on a chip, by the fewest list schedules."""
        return sum(_time_ps(case, chip) for way in self.ways for case in way)


@dataclass(frozen=True, eq=False)
class Emitted:
    """A method's programs of all sampled windows of one way, on its chip.

    policy: the slot order, kept among those that were tried (none where there is but one).
    """

    grouped: Grouped
    chip: Chip
    policy: Scheduling
    tried: tuple[OrderTry, ...]
    programs: tuple[MethodResult, ...]

    @property
    def costs(self) -> list[CostReport]:
        """What each program costs."""
        return [cost(one.compiled.program, self.chip) for one in self.programs]

    @property
    def runs(self) -> list[Run]:
        """The programs, each with the slots of its window."""
        done = [one.compiled for one in self.programs]
        slots = [sum(x.order.slots for x in d.schedule.prefill.layers) for d in done]
        return [Run(d.program, self.chip, n) for d, n in zip(done, slots, strict=True)]

    def at_share(self, per_cent: int) -> list[CostReport]:
        """What each costs where so much of a core are peripherals, its times as they are."""
        pg, crossbar = self.chip.pg, self.chip.crossbar
        whole = (pg.peripheral_um2 or 0) + (crossbar.array_um2 or 0)
        chip = with_peripherals(self.chip, whole * per_cent // 100)
        return [cost(one.compiled.program, chip) for one in self.programs]


def group_all(
    name: str, routing: Routing, chip: Chip, options: Options, pairs: Sequence[Pair]
) -> list[Grouped]:
    """Every method with its groups of all layers; methods of the same groups share them."""
    workload = moe_layers(name, range(routing.layers))
    traced = {layer: routing.matrix(layer) for layer in range(routing.layers)}
    made: dict[str, Grouping] = {}
    found = []
    for method in methods(chip, options, tuple(pairs)):
        if method.groups not in made:
            blocks = partition(workload, method.chip)
            made[method.groups] = group_experts(
                workload, blocks, traced, routing, method.chip, method.options
            )
        slots, tokens = _slots(made[method.groups], traced, method)
        found.append(Grouped(method, made[method.groups], slots, tokens))
    return found


def _slots(grouping: Grouping, traced: Mapping[int, Bools], method: Method) -> tuple[int, int]:
    """Slots and tokens of all windows of the half that is scored, all layers together."""
    start, stop = method.options.score
    spans = windows(stop - start, method.options.shape.prefill)
    slots = sum(
        count_slots(
            layer.counts(traced[layer.layer][start + a : start + b]), method.options.slots.policy
        )
        for layer in grouping.layers
        for a, b in spans
    )
    return slots, sum(b - a for a, b in spans) * len(grouping.layers)


def emitted(
    name: str, routing: Routing, ways: Sequence[Grouped], sample: Sample, feed: Feed
) -> tuple[Emitted, ...]:
    """A method's chip, and its programs of each way: fitted to one half, of the other's windows."""
    method, layers = ways[0].method, sample.layers

    def ordered(policy: Scheduling) -> Ordered:
        ordered_ways = (
            tuple(_case(name, routing, one, feed, layer, sample, policy) for layer in layers)
            for one in ways
        )
        return Ordered(policy, tuple(ordered_ways))

    wide = with_units(with_largest_sizes(method.chip), MOST_UNITS)
    kept, tried = choose_order(policies(method), ordered, lambda found: found.time_ps(wide))
    chip = best_chip(method.chip, kept.time_ps)
    return tuple(
        Emitted(one, chip, kept.policy, tried, tuple(_program(one, case, chip) for case in way))
        for one, way in zip(ways, kept.ways, strict=True)
    )


def policies(method: Method) -> tuple[Scheduling, ...]:
    """The slot orders that are tried: those of `compile` where nothing else is asked."""
    asked = method.options.slots.policy
    return BY_TRANSFERS if asked == "auto" else (asked,)


def _program(one: Grouped, case: Case, chip: Chip) -> MethodResult:
    """The verified program of a window."""
    done = realise(case.workload, chip, case.mapping, case.schedule, case.chosen)
    slots = sum(layer.order.slots for layer in case.schedule.prefill.layers)
    return MethodResult(replace(one.method, chip=chip), done, slots, 0.0)


def best_chip(chip: Chip, time_ps: Callable[[Chip], int]) -> Chip:
    """The chip with digital units and open sizes chosen, the units first.

    Digital units: the smallest power of two after which twice as many buy less than `GAIN` of the
    time, with the open sizes as large as they may be.
    """
    wide = with_largest_sizes(chip)
    units, now = 1, time_ps(with_units(wide, 1))
    while 2 * units <= MOST_UNITS:
        then = time_ps(with_units(wide, 2 * units))
        if now - then < GAIN * now:
            break
        units, now = 2 * units, then
    return choose_sizes(with_units(chip, units), time_ps)[0]


def with_units(chip: Chip, units: int) -> Chip:
    """The chip with so many digital units in every region."""
    return replace(chip, digital=replace(chip.digital, dpus_per_region=units))


def _case(
    name: str,
    routing: Routing,
    one: Grouped,
    feed: Feed,
    layer: int,
    sample: Sample,
    policy: Scheduling,
) -> Case:
    """The window of one layer that is scored: experts placed, pairs ordered."""
    workload, options = moe_layers(name, [layer], fed=feed == "fed"), one.method.options
    chosen = routing.matrix(layer)
    here = chosen[slice(*sample.window(layer, options.score))]
    grouping = Grouping((one.grouping.of(layer),))
    blocks, chip = partition(workload, one.method.chip), one.method.chip
    mapping = place_experts(workload, blocks, grouping, {layer: chosen}, routing, chip, options)
    come = np.arange(len(here)) if policy == "arriving" else None
    slots = replace(options.slots, policy=policy)
    pairs = order_layer(grouping.layers[0], here, slots, options.limits, come)
    schedule = prefill_schedule(np.zeros(len(here), dtype=np.int64), (pairs,))
    return Case(workload, mapping, schedule, {layer: here})


def _time_ps(case: Case, chip: Chip) -> int:
    """How long the window takes on a chip, by the fewest list schedules."""
    return timed_ps(*emit(case.workload, case.mapping, case.schedule, chip, {}), chip)


def rate(costs: Sequence[CostReport]) -> float:
    """GOPS/mm2 of the MoE part over several programs, in the mean of their areas.

    Areas that are not published count as none.
    """
    macs = sum(part.macs for one in costs for part in one.moe)
    mm2 = sum(one.moe_area.total_um2 for one in costs) / len(costs) / 1e6
    return 2 * macs / sum(one.moe_time_ps for one in costs) * 1000 / mm2
