"""From model, routing and chip to a verified program: every stage one line, in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from compiler.assemble import set_times
from compiler.emit import emit
from compiler.grouping import group_layer, split_counts, split_pairs
from compiler.partition import partition, with_replicas
from compiler.placement import Routed, place
from compiler.scheduling import count_slots, order_slots
from compiler.solver import SolverOptions
from compiler.trace import calibrate, first_window, mean_slots, routing_matrices
from ir.chip import Chip
from ir.errors import InfeasibleError
from ir.mapping import Grouping, Mapping
from ir.program import Program
from ir.routing import Routing
from ir.schedule import Schedule, assign_experts
from ir.verify import verify_mapping, verify_program
from ir.workload import Workload

Bools = npt.NDArray[np.bool_]
Span = tuple[int, int]


@dataclass(frozen=True)
class Options:
    """What to decide and how.

    prefill: tokens in the window. fit: token range the grouping is fitted to; score: range whose
    first window is scheduled and costed. time_s: solver limit per layer in deterministic seconds.
    groups, group_size, replicas: of every MoE layer, see `compiler.grouping.group_layer`; None
    stands for the fewest groups, of the chip's mux. bus, buffer: limits of the slot order, see
    `compiler.scheduling.order_slots`. pack: see `compiler.placement.spots`.
    """

    prefill: int
    fit: Span
    score: Span
    grouping: str = "cp-sat"
    placement: str = "in-order"
    scheduling: str = "min-transfer"
    groups: int | None = None
    group_size: int | None = None
    replicas: int = 0
    bus: int | None = None
    buffer: int | None = None
    pack: bool = False
    solver: SolverOptions = field(default_factory=lambda: SolverOptions(time_s=1.0))


@dataclass(frozen=True, eq=False)
class Compiled:
    """Everything a compilation decided. chosen: MoE layer id -> bool [tokens, experts].

    mean_slots: slots of a window in the mean over all windows of the score range.
    """

    chip: Chip
    options: Options
    mapping: Mapping
    schedule: Schedule
    program: Program
    chosen: dict[int, Bools]
    mean_slots: float
    seconds: float


Report = Callable[[str], None]


def compile_model(
    workload: Workload,
    routing: Routing,
    chip: Chip,
    options: Options,
    report: Report = lambda stage: None,
) -> Compiled:
    """Compile one prefill window of `workload` for `chip`.

    `report` is told the name of each stage as it begins. Raises InputError for a trace that does
    not belong to the model, InfeasibleError where the chip is too small, CheckError if a stage
    broke an invariant (then nothing comes out).
    """
    begun = time.perf_counter()
    traced = routing_matrices(workload, routing)
    window = first_window(routing, options.score, options.prefill)
    chosen = {layer: matrix[slice(*window)] for layer, matrix in traced.items()}
    report("partition")
    blocks = partition(workload, chip)
    report("grouping")
    grouping = group_experts(workload, traced, routing, chip, options)
    blocks = with_replicas(blocks, grouping)
    report("placement")
    fitted = {layer: matrix[slice(*options.fit)] for layer, matrix in traced.items()}
    routed = Routed(workload, fitted, options.fit[1] - options.fit[0])
    placement = place(
        blocks,
        grouping,
        chip,
        options.placement,
        routed=routed,
        options=options.solver,
        pack=options.pack,
    )
    mapping = Mapping(blocks, grouping, placement)
    verify_mapping(mapping, workload, chip)
    report("slot scheduling")
    schedule = schedule_tokens(grouping, chosen, routing.sequence[slice(*window)], window, options)
    report("program")
    draft, units = emit(workload, mapping, schedule, chip)
    program = set_times(draft, units, workload, mapping, chip)
    report("checks")
    verify_program(program, mapping, schedule, workload, chip, chosen)
    slots_of = partial(
        count_slots, policy=options.scheduling, bus=options.bus, buffer=options.buffer
    )
    slots = mean_slots(grouping, traced, options.score, options.prefill, slots_of)
    seconds = time.perf_counter() - begun
    return Compiled(chip, options, mapping, schedule, program, chosen, slots, seconds)


def group_experts(
    workload: Workload, traced: dict[int, Bools], routing: Routing, chip: Chip, options: Options
) -> Grouping:
    """Group every MoE layer's experts by the fit range of the trace."""
    size = options.group_size or chip.pg.mux
    if size > chip.pg.mux:
        raise InfeasibleError(
            "crossbars behind a peripheral group",
            f"groups of {size}",
            f"mux {chip.pg.mux} on chip {chip.name}",
            f"use groups of {chip.pg.mux}, or --set pg.mux={size}",
        )
    layers = []
    for op in workload.moe_layers:
        known = calibrate(
            traced[op.layer], routing, options.fit, options.prefill, options.solver.seed
        )
        layers.append(
            group_layer(
                known.chosen,
                known.windows,
                size,
                options.grouping,
                layer=op.layer,
                groups=options.groups,
                replicas=options.replicas,
                options=options.solver,
            )
        )
    return Grouping(tuple(layers))


def schedule_tokens(
    grouping: Grouping,
    chosen: dict[int, Bools],
    sequence: npt.NDArray[np.int64],
    window: Span,
    options: Options,
) -> Schedule:
    """Order every layer's token-expert pairs of the window into slots."""
    orders = []
    for layer in grouping.layers:
        picked = chosen[layer.layer]
        order = order_slots(
            split_counts(layer, picked),
            options.scheduling,
            seed=options.solver.seed,
            time_s=options.solver.time_s,
            bus=options.bus,
            buffer=options.buffer,
        )
        orders.append(assign_experts(order, layer, picked, split_pairs(layer, picked)))
    return Schedule(sequence, window[0], tuple(orders))
