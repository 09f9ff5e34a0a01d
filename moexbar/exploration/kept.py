"""Stages that look their answers up by the content of what they are given."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from compiler.grouping import Job
from compiler.options import SlotOptions, SolverOptions
from compiler.stages import (
    Group,
    Order,
    Place,
    Places,
    Stages,
    group_layers,
    order_layer,
    place_blocks,
)
from ir.arrays import Bools, Ints
from ir.mapping import LayerGrouping
from ir.placement import Placement
from ir.schedule import PairOrder
from moexbar.exploration.content import key_of

Value = TypeVar("Value")
MOST_ORDERS, MOST_PLACES = 2048, 64  # slot orders and placements that a process keeps


class Recent(Generic[Value]):
    """The answers last used, so many at most."""

    def __init__(self, most: int) -> None:
        """None yet."""
        self._most, self._found = most, OrderedDict[str, Value]()

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        """What is kept under the key, else what `make` gives, which is kept."""
        if key not in self._found:
            self._found[key] = make()
            if len(self._found) > self._most:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]


def group_key(job: Job) -> str:
    """The key of a layer's groups: all that the job is given."""
    return key_of("groups", job)


def order_key(
    layer: LayerGrouping,
    picked: Bools,
    options: SlotOptions,
    limits: SolverOptions,
    arrivals: Ints | None,
) -> str:
    """The key of a layer's slot order: its groups, its pairs, what is asked, when tokens come."""
    asked = options.of_a_layer, options.bus, options.buffer, limits.seed, limits.time_s
    return key_of("order", layer.layer, layer.groups, layer.digital, picked, asked, arrivals)


def place_key(asked: Places) -> str:
    """The key of a placement: blocks, groups, tokens, and what a placement sees of a chip."""
    blocks, grouping, chip, options, routed, limits, sites = asked
    mesh, crossbar = chip.mesh, chip.crossbar
    seen = mesh.width, mesh.height, mesh.pgs_per_core, chip.pg.most, chip.dies, chip.link
    packets = chip.accumulate.where, chip.mvm.output_bits
    groups = [(layer.layer, layer.groups, layer.digital) for layer in grouping.layers]
    return key_of("places", blocks, groups, seen, crossbar, packets, options, routed, limits, sites)


@dataclass(frozen=True)
class Answers:
    """What a process has found of the stages that it keeps."""

    orders: Recent[PairOrder] = field(default_factory=lambda: Recent[PairOrder](MOST_ORDERS))
    places: Recent[Placement] = field(default_factory=lambda: Recent[Placement](MOST_PLACES))


def kept_stages(groups: Mapping[str, LayerGrouping], answers: Answers) -> Stages:
    """The stages with answers that are known: groups, and what this process has found."""
    return Stages(_grouped(groups), _placed(answers.places), _ordered(answers.orders))


def _grouped(known: Mapping[str, LayerGrouping]) -> Group:
    def group(jobs: Sequence[Job], processes: int) -> tuple[LayerGrouping, ...]:
        keys = [group_key(job) for job in jobs]
        left = [job for key, job in zip(keys, jobs, strict=True) if key not in known]
        found = iter(group_layers(left, processes))
        return tuple(known[key] if key in known else next(found) for key in keys)

    return group


def _placed(kept: Recent[Placement]) -> Place:
    """Placements that are searched for; a rule takes less time than its key."""

    def placed(asked: Places) -> Placement:
        if asked[3].solver != "cp-sat":
            return place_blocks(asked)
        return kept.get(place_key(asked), lambda: place_blocks(asked))

    return placed


def _ordered(kept: Recent[PairOrder]) -> Order:
    def order(
        layer: LayerGrouping,
        picked: Bools,
        options: SlotOptions,
        limits: SolverOptions,
        arrivals: Ints | None = None,
    ) -> PairOrder:
        key = order_key(layer, picked, options, limits, arrivals)
        return kept.get(key, lambda: order_layer(layer, picked, options, limits, arrivals))

    return order
