"""From model, routing and chip to a verified program: every stage one line, in order."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from compiler.emit import emit
from compiler.grouping import Job, split_counts, split_pairs
from compiler.grouping.costs import costs_on
from compiler.grouping.parallel import solve_jobs
from compiler.partition import partition, with_replicas
from compiler.placement import Routed, place
from compiler.slots import count_slots, order_slots
from compiler.solver import SolverOptions
from compiler.steps import pairs_run, plan_steps
from compiler.timeline.assemble import set_times
from compiler.trace import Shape, Window, calibrate, first_window, mean_slots, routing_matrices
from ir.arrays import Bools, Span
from ir.chip import Chip
from ir.errors import InfeasibleError
from ir.mapping import Block, Grouping, LayerGrouping, Mapping
from ir.program import Program
from ir.routing import Routing
from ir.schedule import Caches, PairOrder, Schedule, SlotOrder, assign_experts
from ir.verify import verify_mapping, verify_program
from ir.workload import Workload


@dataclass(frozen=True)
class Options:
    """What to decide and how.

    shape: sequences, tokens and decode steps; caches: what the steps keep. fit: token range the
    grouping is fitted to; score: range whose first window is scheduled and costed. groups,
    group_size, replicas: of every MoE layer, see `compiler.grouping.group_layer`; None stands for
    the fewest groups, of the chip's mux. objective: what the grouping minimises, see
    `compiler.grouping.costs`. bus, buffer: limits of the slot order, see
    `compiler.slots.order_slots`. pack: see `compiler.placement.spots`. processes: layers
    grouped at a time; more than one start the main module again, so a script needs its
    `if __name__ == "__main__"` line. solver: limits of one layer.
    """

    shape: Shape
    fit: Span
    score: Span
    grouping: str = "cp-sat"
    placement: str = "in-order"
    scheduling: str = "min-transfer"
    caches: Caches = field(default_factory=Caches)
    groups: int | None = None
    group_size: int | None = None
    replicas: int = 0
    bus: int | None = None
    buffer: int | None = None
    pack: bool = False
    objective: str = "slots"
    processes: int = 1
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
    """Compile a prefill of `workload` for `chip`, and the decode steps after it.

    `report` is told the name of each stage as it begins. Raises InputError for a trace that does
    not belong to the model, InfeasibleError where the chip is too small, CheckError if a stage
    broke an invariant (then nothing comes out).
    """
    begun = time.perf_counter()
    traced = routing_matrices(workload, routing)
    window = first_window(routing, options.score, options.shape)
    chosen = {layer: matrix[window.trace] for layer, matrix in traced.items()}
    report("partition")
    blocks = partition(workload, chip)
    report("grouping")
    grouping = group_experts(workload, blocks, traced, routing, chip, options)
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
    schedule = schedule_tokens(workload, grouping, chosen, window, chip, options)
    report("program")
    draft, units = emit(workload, mapping, schedule, chip)
    program = set_times(draft, units, workload, mapping, schedule, chip)
    report("checks")
    verify_program(program, mapping, schedule, workload, chip, chosen)
    together = options.shape.prefill * options.shape.batch
    slots_of = partial(
        count_slots, policy=options.scheduling, bus=options.bus, buffer=options.buffer
    )
    slots = mean_slots(grouping, traced, options.score, together, slots_of)
    seconds = time.perf_counter() - begun
    return Compiled(chip, options, mapping, schedule, program, chosen, slots, seconds)


def group_experts(
    workload: Workload,
    blocks: tuple[Block, ...],
    traced: dict[int, Bools],
    routing: Routing,
    chip: Chip,
    options: Options,
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
    jobs = []
    together = options.shape.prefill * options.shape.batch
    for op in workload.moe_layers:
        groups = options.groups or -(-(op.router.experts + options.replicas) // size)
        one = tuple(b for b in blocks if b.layer == op.layer and b.expert == 0)
        jobs.append(
            Job(
                op.layer,
                calibrate(traced[op.layer], routing, options.fit, together, options.solver.seed),
                size,
                options.grouping,
                options.groups,
                options.replicas,
                options.solver,
                costs_on(chip, options.objective, op.d_model, one, groups),
            )
        )
    solved = solve_jobs(jobs, options.processes)
    if solved.interrupted:
        raise KeyboardInterrupt
    return Grouping(tuple(answer[0] for answer in solved.answers if answer is not None))


def schedule_tokens(
    workload: Workload,
    grouping: Grouping,
    chosen: dict[int, Bools],
    window: Window,
    chip: Chip,
    options: Options,
) -> Schedule:
    """Order every layer's token-expert pairs into slots, step by step."""
    expert_choice = any(op.router.capacity is not None for op in workload.moe_layers)
    plan = plan_steps(
        window.arrival,
        options.caches,
        expert_choice=expert_choice,
        reference=chip.memory.accounting == "reference",
    )
    steps = [
        replace(
            step,
            layers=tuple(
                order_layer(layer, pairs_run(step, chosen[layer.layer]), options)
                for layer in grouping.layers
            ),
        )
        for step in plan
    ]
    return Schedule(
        window.sequence,
        window.arrival,
        window.trace,
        tuple(steps),
        options.caches,
        sampled=options.shape.decode > 0,
    )


def order_layer(layer: LayerGrouping, picked: Bools, options: Options) -> PairOrder:
    """Order one layer's pairs `picked`: bool [tokens, experts]; name the expert of each turn."""
    order = order_turns(layer, picked, options)
    return assign_experts(order, layer, picked, split_pairs(layer, picked))


def order_turns(layer: LayerGrouping, picked: Bools, options: Options) -> SlotOrder:
    """The slot order of one layer's pairs `picked`: bool [tokens, experts]."""
    return order_slots(
        split_counts(layer, picked),
        options.scheduling,
        seed=options.solver.seed,
        time_s=options.solver.time_s,
        bus=options.bus,
        buffer=options.buffer,
    )
