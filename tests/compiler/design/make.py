"""Small models on a small chip, as designs see them and as programs."""

from dataclasses import replace
from typing import Any

import numpy as np

from compiler.design.choices import Design, Whole
from compiler.design.floor import Floor
from compiler.options import (
    GroupingOptions,
    GroupingSolver,
    Options,
    PlacementOptions,
    Shape,
    SlotOptions,
)
from compiler.pipeline import compile_model
from ir.arrays import Ints
from ir.chip import Chip
from ir.compiled import Compiled
from ir.routing import Routing
from ir.workload import Attention, MoELayer, Workload
from tests.make import SMALL_CHIP, random_routing, small_workload

# an MVM takes as long as in most chips, ten times a hop: else everything waits for everything
CHIP = replace(SMALL_CHIP, mvm=replace(SMALL_CHIP.mvm, read_ps=130_000))


def streaming(**words: Any) -> Workload:
    """A small model whose attention is proven causal."""
    return causal(small_workload(**words))


def causal(work: Workload) -> Workload:
    """The model with its attention proven so."""
    operators = tuple(
        replace(op, proven=True) if isinstance(op, Attention) else op for op in work.operators
    )
    return replace(work, operators=operators)


def traced(work: Workload, tokens: int, sequences: int = 2, seed: int = 0) -> Routing:
    """A trace of so many sequences, one half to fit to and one to run."""
    sequence = np.repeat(np.arange(sequences), tokens)
    layers = [op.layer for op in work.moe_layers]
    rooms = [op.router.capacity for op in work.moe_layers]
    if rooms[0] is not None:
        return _scored(work, sequence, [room.of(tokens) for room in rooms if room], seed)
    chosen = random_routing(work, sequence, seed)
    ids = np.stack([np.nonzero(chosen[n])[1].reshape(len(sequence), -1) for n in layers])
    experts = [op.router.experts for op in work.moe_layers if isinstance(op, MoELayer)]
    return Routing(np.array(layers), np.array(experts), sequence, ids.astype(np.int16))


def _scored(work: Workload, sequence: Ints, rooms: list[int], seed: int) -> Routing:
    """A trace of experts that choose among tokens, so many of each sequence, by drawn scores."""
    experts = np.array([op.router.outputs for op in work.moe_layers])
    drawn = np.random.default_rng(seed).random((len(rooms), len(sequence), experts.max()))
    layers = np.array([op.layer for op in work.moe_layers])
    scores = drawn.astype(np.float32)
    return Routing(layers, experts, sequence, scores=scores, capacity=np.array(rooms))


def floor_of(
    work: Workload,
    shape: Shape,
    chip: Chip = CHIP,
    seed: int = 0,
    solver: GroupingSolver = "sorted",
) -> Floor:
    """The model with a trace of its own, groups by `solver` and tokens in order."""
    routing = traced(work, shape.length, 2 * shape.batch, seed)
    half = shape.length * shape.batch
    spans = (0, half), (half, 2 * half)
    grouping, slots = GroupingOptions(solver), SlotOptions("token-order")
    return Floor(work, routing, chip, Options(shape, *spans, grouping, slots=slots))


def design_for(floor: Floor, size: int = 2, **values: int) -> Design:
    """One size of groups in all layers; everything else is enough, unless said otherwise."""
    enough = {"copies": 1, "transfers": 8, "lanes": 2, "buffers": 4, "dpus": 4, "mha": 2}
    enough["replicas"] = 0
    sizes = tuple((layer, size) for layer in floor.expert_layers)
    return Design(sizes, Whole(size), **(enough | values))


def program_of(floor: Floor, design: Design) -> Compiled:
    """The design as the compiler makes it."""
    asked = floor.options
    grouping = design.grouping(asked.grouping)
    options = replace(asked, grouping=grouping, placement=design.placement(PlacementOptions()))
    return compile_model(floor.workload, floor.routing, design.on(floor.chip), options)
