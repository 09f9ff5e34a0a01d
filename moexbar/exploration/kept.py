"""Stages that look their answers up by the content of what they are given."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from compiler.grouping import Job
from compiler.options import SlotOptions, SolverOptions
from compiler.stages import Group, Order, Stages, group_layers, order_layer
from ir.arrays import Bools, Ints
from ir.mapping import LayerGrouping
from ir.schedule import PairOrder
from moexbar.exploration.content import key_of

Value = TypeVar("Value")
MOST_ORDERS = 2048  # slot orders that a process keeps


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


def kept_stages(groups: Mapping[str, LayerGrouping], orders: Recent[PairOrder]) -> Stages:
    """The stages with answers that are known: groups, and the slot orders of this process."""
    return Stages(group=_grouped(groups), order=_ordered(orders))


def _grouped(known: Mapping[str, LayerGrouping]) -> Group:
    def group(jobs: Sequence[Job], processes: int) -> tuple[LayerGrouping, ...]:
        keys = [group_key(job) for job in jobs]
        left = [job for key, job in zip(keys, jobs, strict=True) if key not in known]
        found = iter(group_layers(left, processes))
        return tuple(known[key] if key in known else next(found) for key in keys)

    return group


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
