"""From model, routing and chip to a verified program: every stage one line, in order.

Whoever has decisions of his own enters in the middle: `realise` makes a program of a mapping and a
schedule, wherever they come from.
"""

from collections.abc import Callable
from collections.abc import Mapping as ByKey
from dataclasses import replace

import numpy as np

from compiler.dies.onto import Asked, onto_dies
from compiler.digital import among_all, digital_by_layer, others
from compiler.emit import emit
from compiler.grouping import Job, joined
from compiler.grouping.costs import costs_on
from compiler.grouping.given import check_sizes
from compiler.options import Options, Scheduling
from compiler.ordering import choose_order, policies_for
from compiler.partition import partition, with_dense_copies, with_replicas
from compiler.placement import Routed
from compiler.sizing import choose_sizes, with_largest_sizes
from compiler.stacks.by_time import shortest, stacks_by_time
from compiler.stages import PLAIN, Stages
from compiler.steps import pairs_run, plan_steps, refuse_caches
from compiler.timeline.assemble import set_times, timed_ps
from compiler.trace import (
    Window,
    calibrate,
    first_window,
    passed_tokens,
    routing_matrices,
    routing_of_window,
)
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.compiled import Compiled
from ir.mapping import Block, Grouping, Mapping, Owner, RoutedOwner
from ir.routing import Routing
from ir.schedule import Schedule, Step
from ir.sides import on_side
from ir.stacks import Stacking
from ir.verify import verify_mapping, verify_program
from ir.workload import Workload

MAPPING_STAGES = ("partition", "grouping", "placement")
PROGRAM_STAGES = ("slots", "program", "checks")
STAGES = MAPPING_STAGES + PROGRAM_STAGES
Begin = Callable[[str], object]
NOT_SAID: ByKey[int, Bools] = {}


def compile_model(
    workload: Workload,
    routing: Routing,
    chip: Chip,
    options: Options,
    *,
    grouping: Grouping | None = None,
    begin: Begin = lambda stage: None,
    stages: Stages = PLAIN,
) -> Compiled:
    """Compile a prefill of `workload` for `chip`, and the decode steps after it.

    grouping: as decided elsewhere; None: decided here. `begin` is told each of STAGES as it begins.
    Raises InputError for a trace that does not belong to the model, InfeasibleError where the chip
    is too small, CheckError if a stage broke an invariant (then nothing comes out).
    """
    asked = workload, routing, chip, options
    mapping = map_model(*asked, grouping=grouping, begin=begin, stages=stages)
    return run_mapping(workload, routing, mapping, chip, options, begin=begin, stages=stages)


def map_model(
    workload: Workload,
    routing: Routing,
    chip: Chip,
    options: Options,
    *,
    grouping: Grouping | None = None,
    begin: Begin = lambda stage: None,
    stages: Stages = PLAIN,
) -> Mapping:
    """The first half of `compile_model`: which experts share what, and where every tile is."""
    traced = routing_matrices(workload, routing)
    first_window(routing, options.score, options.shape)  # what is asked is there, or nothing begins
    if chip.memory.accounting == "full":
        refuse_caches(workload, options.caches, options.shape.decode)
    begin("partition")
    blocks = partition(workload, chip)
    begin("grouping")
    if grouping is None:
        grouping = group_experts(workload, blocks, traced, routing, chip, options, stages)
    begin("placement")
    mapping = place_experts(workload, blocks, grouping, traced, routing, chip, options, stages)
    asked = options.placement.stacks
    if isinstance(asked, Stacking):
        return mapping
    alone = run_mapping(workload, routing, mapping, chip, options, stages=stages)
    tried = (replace(options.placement, stacks=s) for s in stacks_by_time(alone, asked, options))
    stacked = [replace(options, placement=placement) for placement in tried]
    asked_of = workload, blocks, grouping, traced, routing, chip
    return shortest(alone, [place_experts(*asked_of, decided, stages) for decided in stacked])


def run_mapping(
    workload: Workload,
    routing: Routing,
    mapping: Mapping,
    chip: Chip,
    options: Options,
    *,
    begin: Begin = lambda stage: None,
    stages: Stages = PLAIN,
) -> Compiled:
    """The second half of `compile_model`: the program of a mapping for the window."""
    traced = routing_matrices(workload, routing)
    window = first_window(routing, options.score, options.shape)
    chosen = routing_of_window(workload, routing, traced, window)
    begin("slots")
    passed = passed_tokens(workload, routing, window.trace)
    wide = with_largest_sizes(chip)

    def ordered(policy: Scheduling) -> Schedule:
        asked = replace(options, slots=replace(options.slots, policy=policy))
        return schedule_tokens(workload, mapping.grouping, chosen, window, chip, asked, stages)

    def time_ps(schedule: Schedule) -> int:
        passing = passing_tokens(workload, schedule, chosen, passed)
        return timed_ps(*emit(workload, mapping, schedule, wide, passing), wide)

    schedule, tried = choose_order(policies_for(workload, options, chip), ordered, time_ps)
    found = realise(workload, chip, mapping, schedule, chosen, begin, passed)
    return replace(found, orders=tried)


def realise(
    workload: Workload,
    chip: Chip,
    mapping: Mapping,
    schedule: Schedule,
    chosen: ByKey[int, Bools],
    begin: Begin = lambda stage: None,
    passed: ByKey[int, Bools] = NOT_SAID,
) -> Compiled:
    """Decisions, wherever they come from, as a timed and verified program.

    chosen: {MoE layer: bool [tokens, experts]}, the routing that the schedule must carry out.
    passed: {MoE layer: bool [tokens]}, those that pass themselves on; where a layer's router can do
    that and nothing is said, all of its side of fewer experts than its top-k are taken for them.
    Sizes that the chip leaves open are chosen for this program. Raises CheckError where mapping,
    schedule or program break an invariant.
    """
    begin("program")
    verify_mapping(mapping, workload, chip)
    passed = passing_tokens(workload, schedule, chosen, passed)
    chip, sizes = choose_sizes(
        chip, lambda tried: timed_ps(*emit(workload, mapping, schedule, tried, passed), tried)
    )
    program = set_times(
        *emit(workload, mapping, schedule, chip, passed), workload, mapping, schedule, chip
    )
    begin("checks")
    compiled = Compiled(workload, chip, mapping, program, schedule, chosen, passed, sizes)
    verify_program(compiled)
    return compiled


def passing_tokens(
    workload: Workload,
    schedule: Schedule,
    chosen: ByKey[int, Bools],
    passed: ByKey[int, Bools],
) -> dict[int, Bools]:
    """{MoE layer whose router can pass tokens on: bool [tokens]}: see `realise`."""
    return {
        op.layer: passed.get(op.layer, op.passes_on(chosen[op.layer].sum(axis=1)))
        & on_side(workload.sides, op.side, schedule.sequence)
        for op in workload.moe_layers
        if op.adds_tokens
    }


def group_experts(
    workload: Workload,
    blocks: tuple[Block, ...],
    traced: ByKey[int, Bools],
    routing: Routing,
    chip: Chip,
    options: Options,
    stages: Stages = PLAIN,
) -> Grouping:
    """Group every MoE layer's experts by the fit range of the trace."""
    digital = digital_by_layer(workload, options.grouping.digital)
    jobs = grouping_jobs(workload, blocks, traced, routing, chip, options)
    found = stages.group(jobs, options.processes)
    return Grouping(tuple(among_all(layer, digital[layer.layer]) for layer in found))


def grouping_jobs(
    workload: Workload,
    blocks: tuple[Block, ...],
    traced: ByKey[int, Bools],
    routing: Routing,
    chip: Chip,
    options: Options,
) -> list[Job]:
    """What is to be grouped: every MoE layer's experts, by the fit range of the trace.

    Experts that several layers work on are grouped once, by the windows of all of these.
    """
    asked = options.grouping
    check_sizes(asked, workload, chip)
    jobs = []
    digital = digital_by_layer(workload, asked.digital)
    start, stop = options.fit
    window = min(options.shape.together, stop - start)  # a shorter fit range is one window
    homes = workload.expert_homes
    routed: dict[tuple[int, Owner], list[Block]] = {}
    for block in blocks:
        routed.setdefault((block.layer, block.owner), []).append(block)
    grouped = [op for op in workload.moe_layers if homes[op.layer] == op.layer]
    limits = replace(options.limits, layers=max(1, len(grouped)))
    for op in grouped:
        kept = others(op.router.experts, digital[op.layer])
        fits = [
            calibrate(
                traced[layer][:, kept], routing, options.fit, window, seed=options.limits.seed
            )
            for layer in homes
            if homes[layer] == op.layer
        ]
        of_layer = asked.of_layer(op.layer)
        size = of_layer.size or chip.pg.mux
        groups = asked.groups or -(-(len(kept) + asked.replicas) // size)
        widest = RoutedOwner(max(kept, key=op.hidden_widths.__getitem__))
        one = tuple(routed.get((op.layer, widest), ()))
        jobs.append(
            Job(
                op.layer,
                joined(fits),
                chip.pg.mux,
                of_layer,
                limits,
                costs_on(chip, asked.objective, op.d_model, one, groups),
            )
        )
    return jobs


def place_experts(
    workload: Workload,
    blocks: tuple[Block, ...],
    grouping: Grouping,
    traced: ByKey[int, Bools],
    routing: Routing,
    chip: Chip,
    options: Options,
    stages: Stages = PLAIN,
) -> Mapping:
    """Put every block and every copy of one on the mesh; judged by the fitted tokens."""
    start, stop = options.fit
    fitted = {layer: matrix[start:stop] for layer, matrix in traced.items()}
    has = (on_side(workload.sides, n, routing.sequence) for n in range(len(workload.sides)))
    of_side = tuple(int(tokens[start:stop].sum()) for tokens in has)
    routed = Routed(workload, fitted, stop - start, of_side)
    copies = options.placement.dense_copies
    blocks = with_dense_copies(with_replicas(blocks, grouping), workload, copies)
    asked, limits = options.placement, options.limits
    wanted = Asked(asked, limits, options.shape)
    sites, crossing = onto_dies(workload, blocks, grouping, fitted, stop - start, chip, wanted)
    found = stages.place((blocks, grouping, chip, asked, routed, limits, sites))
    placement = replace(found, crossing=crossing)
    return Mapping(blocks, grouping, placement, copies, asked.stacking)


def schedule_tokens(
    workload: Workload,
    grouping: Grouping,
    chosen: ByKey[int, Bools],
    window: Window,
    chip: Chip,
    options: Options,
    stages: Stages = PLAIN,
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
                stages.order(
                    layer,
                    pairs_run(step, chosen[layer.layer]),
                    options.slots,
                    options.limits,
                    _in_turn(step, window, options) if options.slots.policy == "arriving" else None,
                )
                for layer in grouping.for_layers(workload.expert_homes).layers
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


def _in_turn(step: Step, window: Window, options: Options) -> Ints:
    """The slot in which each token of a step comes: int64 [window tokens].

    As dense products give them, one after another, of all copies of a product together.
    """
    place = np.searchsorted(step.rows, np.arange(len(window.sequence)))
    return np.minimum(place, len(step.rows)) // options.placement.dense_copies
