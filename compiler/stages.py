"""The stages whose results may be kept, or computed elsewhere: pure functions of their arguments.

`Stages` is what the pipeline calls for them. Whoever compiles many points puts functions in it
that look an answer up by the content of the arguments, and compute it where there is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.grouping import Job, split_counts, split_pairs
from compiler.grouping.parallel import solve_jobs
from compiler.options import PlacementOptions, SlotOptions, SolverOptions
from compiler.placement import Routed, place
from compiler.placement.sites import Sites
from compiler.slots import order_slots
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.mapping import Block, Grouping, LayerGrouping
from ir.placement import Placement
from ir.schedule import PairOrder, SlotOrder, assign_experts

Group = Callable[[Sequence[Job], int], tuple[LayerGrouping, ...]]
Places = tuple[
    tuple[Block, ...], Grouping, Chip, PlacementOptions, Routed, SolverOptions, Sites | None
]
Place = Callable[[Places], Placement]
Order = Callable[[LayerGrouping, Bools, SlotOptions, SolverOptions, Ints | None], PairOrder]


def group_layers(jobs: Sequence[Job], processes: int) -> tuple[LayerGrouping, ...]:
    """The groups of every job, so many at a time; KeyboardInterrupt on Ctrl-C."""
    solved = solve_jobs(jobs, processes)
    if solved.interrupted:
        raise KeyboardInterrupt
    return tuple(answer.grouping for answer in solved.answers if answer is not None)


def place_blocks(asked: Places) -> Placement:
    """Where every block is: see `compiler.placement.place`."""
    blocks, grouping, chip, options, routed, limits, sites = asked
    return place(blocks, grouping, chip, options, routed=routed, limits=limits, sites=sites)


def order_layer(
    layer: LayerGrouping,
    picked: Bools,
    options: SlotOptions,
    limits: SolverOptions,
    arrivals: Ints | None = None,
) -> PairOrder:
    """Order one layer's pairs `picked`: bool [tokens, experts]; name the expert of each turn.

    arrivals: [tokens], the slot in which each token comes; None: all are there.
    """
    placed = layer.on_crossbars(picked)
    order = order_turns(layer, placed, options, limits, arrivals)
    found = assign_experts(order, layer, placed, split_pairs(layer, placed))
    return replace(found, digital=np.argwhere(picked & ~placed))


def order_turns(
    layer: LayerGrouping,
    picked: Bools,
    options: SlotOptions,
    limits: SolverOptions,
    arrivals: Ints | None = None,
) -> SlotOrder:
    """The slot order of one layer's pairs `picked`: bool [tokens, experts].

    arrivals: [tokens], the slot in which each token comes; None: all are there.
    """
    return order_slots(
        split_counts(layer, picked),
        options.of_a_layer,
        seed=limits.seed,
        time_s=limits.time_s,
        bus=options.bus,
        buffer=options.buffer,
        arrivals=arrivals,
    )


@dataclass(frozen=True)
class Stages:
    """What the pipeline calls: groups of layers, where blocks are, the slot order of a layer."""

    group: Group = group_layers
    place: Place = place_blocks
    order: Order = order_layer


PLAIN = Stages()
