"""A model compiled by several methods: those with the same groups share one mapping."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from compiler.baselines import OURS, Method, Unfit
from compiler.pipeline import MAPPING_STAGES, PROGRAM_STAGES, map_model, run_mapping
from compiler.slots import count_slots
from compiler.stages import PLAIN, Stages
from compiler.trace import mean_slots, routing_matrices
from ir.errors import InfeasibleError
from ir.mapping import Grouping, Mapping
from ir.routing import Routing
from ir.workload import Workload
from moexbar.progress import Progress
from moexbar.report.gains import MethodResult, kept_policy

GROUPS = {"unshared": "unshared", "sorted": "sorted groups", "ours": "our groups"}


@dataclass(frozen=True, eq=False)
class _Work:
    """What every method compiles, who is told, and where what may be kept is computed."""

    workload: Workload
    trace: Routing
    progress: Progress
    stages: Stages


def by_methods(
    workload: Workload,
    trace: Routing,
    every: Sequence[Method],
    progress: Progress,
    given: Grouping | None,
    stages: Stages = PLAIN,
) -> tuple[tuple[MethodResult | Unfit, ...], MethodResult]:
    """What the other methods gave, and the asked one, which is the last; `given`: its groups.

    A chip that is too small for one of the others is no error. Without MoE layers all are the same,
    so the asked one stands alone.
    """
    wanted = every if workload.moe_layers else every[-1:]
    work, before = _Work(workload, trace, progress, stages), list[MethodResult | Unfit]()
    for groups, alike in groupby(wanted, lambda method: method.groups):
        own = list(alike)
        mapped = _mapped(work, own[0], given if groups == "ours" else None, only=own)
        for method in own:
            found = mapped if isinstance(mapped, InfeasibleError) else _run(work, method, *mapped)
            if method.pair == OURS:
                return tuple(before), _there(found)
            before.append(found if isinstance(found, MethodResult) else Unfit(method, found))
    raise AssertionError("the asked method is not among those compiled")


def _there(found: MethodResult | InfeasibleError) -> MethodResult:
    """What the asked method gave; it must fit."""
    if isinstance(found, InfeasibleError):
        raise found
    return found


def _mapped(
    work: _Work, method: Method, given: Grouping | None, only: Sequence[Method]
) -> tuple[Mapping, float] | InfeasibleError:
    """The mapping that methods of the same groups share, and each one's part of the seconds."""
    begun = time.perf_counter()
    work.progress.begin(GROUPS[method.groups], len(MAPPING_STAGES))
    try:
        mapping = map_model(
            work.workload,
            work.trace,
            method.chip,
            method.options,
            grouping=given,
            begin=work.progress.step,
            stages=work.stages,
        )
    except InfeasibleError as error:
        return error
    finally:
        work.progress.end()
    return mapping, (time.perf_counter() - begun) / len(only)


def _run(
    work: _Work, method: Method, mapping: Mapping, shared_s: float
) -> MethodResult | InfeasibleError:
    """The program of one method; its slots in the mean over all windows of the score range."""
    begun, options, progress = time.perf_counter(), method.options, work.progress
    progress.begin(method.name, len(PROGRAM_STAGES))
    try:
        compiled = run_mapping(
            work.workload,
            work.trace,
            mapping,
            method.chip,
            options,
            begin=progress.step,
            stages=work.stages,
        )
    except InfeasibleError as error:
        return error
    finally:
        progress.end()
    slots_of = partial(
        count_slots,
        policy=kept_policy(compiled, options.slots),
        bus=options.slots.bus,
        buffer=options.slots.buffer,
    )
    slots = mean_slots(
        compiled.mapping.grouping.for_layers(work.workload.expert_homes),
        routing_matrices(work.workload, work.trace),
        options.score,
        options.shape.together,
        slots_of,
    )
    return MethodResult(method, compiled, slots, shared_s + time.perf_counter() - begun)
