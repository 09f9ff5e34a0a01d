"""Grouping: which experts share peripheral groups.

Baselines look at the load over all fitted tokens, which hides bursts: `contiguous` (neighbours),
`sorted` (the paper's), `lpt` (greedy, as EPLB), `karmarkar-karp` (differencing). Two look at which
experts fire together, so at transfers: `matching` (pairs, exact) and `co-activation` (greedy). The
others minimise what the chip is paid in, the slots summed over the fitted windows: `local-search`,
and one integer program by `cp-sat`, `highs` or `scip`, started from it. These four also place
replicas and minimise the worst part of the windows (`parts`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import gcd
from types import MappingProxyType

from compiler.grouping.bounds import lower_bound
from compiler.grouping.counted import NEEDS_TOKENS, Counted, counted_problem
from compiler.grouping.cp_sat import group_cp_sat, proven_at_once
from compiler.grouping.exact import MOST_PLACES
from compiler.grouping.mip import group_mip
from compiler.grouping.objective import (
    SLOTS,
    Costs,
    Found,
    GroupingProblem,
    cost,
    grouping_problem,
)
from compiler.grouping.rules import (
    group_co_activation,
    group_contiguous,
    group_karmarkar_karp,
    group_lpt,
    group_matching,
    group_sorted,
)
from compiler.grouping.sample import Calibration, calibration, joined, robust_calibration
from compiler.grouping.score import score, window_slots
from compiler.grouping.split import split_counts, split_pairs
from compiler.grouping.start import first_start, improved_start
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.arrays import Ints
from ir.certificate import PROVEN, Certificate
from ir.errors import InputError
from ir.mapping import LayerGrouping

__all__ = [
    "NEEDS_TOKENS",
    "OBJECTIVE",
    "REPLICATING",
    "ROBUST_OBJECTIVE",
    "SLOTS",
    "SOLVERS",
    "Calibration",
    "Costs",
    "Counted",
    "Job",
    "LayerAnswer",
    "calibration",
    "check_replicas",
    "group_layer",
    "joined",
    "robust_calibration",
    "score",
    "solve_at_once",
    "solve_layer",
    "split_counts",
    "split_pairs",
    "window_slots",
]

OBJECTIVE = SLOTS.name
ROBUST_OBJECTIVE = "sum of window slots of the worst part"
LIMITS = SolverOptions()

Solver = Callable[[GroupingProblem, SolverOptions, Watch], Found]


def _heuristic(rule: Callable[[GroupingProblem], Ints]) -> Solver:
    return lambda problem, *_: Found(rule(problem))


def _group_local_search(problem: GroupingProblem, options: SolverOptions, watch: Watch) -> Found:
    start = improved_start(problem, first_start(problem), options, watch)
    found = start.found(watch)
    return found if found.status in PROVEN else replace(found, status="heuristic")


SOLVERS: Mapping[GroupingSolver, Solver] = MappingProxyType(
    {
        "contiguous": _heuristic(group_contiguous),
        "sorted": _heuristic(group_sorted),
        "lpt": _heuristic(group_lpt),
        "karmarkar-karp": _heuristic(group_karmarkar_karp),
        "matching": _heuristic(group_matching),
        "co-activation": _heuristic(group_co_activation),
        "local-search": _group_local_search,
        "cp-sat": group_cp_sat,
        "highs": partial(group_mip, solver="highs"),
        "scip": partial(group_mip, solver="scip"),
    }
)
REPLICATING: tuple[GroupingSolver, ...] = ("local-search", "cp-sat", "highs", "scip")


@dataclass(frozen=True, eq=False)
class Job:
    """One layer to be grouped: what it is fitted to, and what is asked.

    fit: windows of tokens, or counts alone, which have costs of their own. mux: experts that a
    group of the chip holds, which counts where `options` name no size. costs: what the objective of
    `options` costs on the chip (`compiler.grouping.costs`); InputError where it is another than
    slots and they are not given.
    """

    layer: int
    fit: Calibration | Counted
    mux: int
    options: GroupingOptions
    limits: SolverOptions = LIMITS
    costs: Costs = SLOTS

    def __post_init__(self) -> None:
        if self.options.objective != "slots" and self.costs == SLOTS:
            raise InputError(
                "grouping",
                f"objective {self.options.objective!r}, but not what a slot and a broadcast cost",
                "use objective slots, or give the costs on a chip (compiler.grouping.costs)",
            )

    @property
    def size(self) -> int:
        """Experts in a group at most."""
        return self.options.size or self.mux

    @property
    def experts(self) -> int:
        """Experts to be grouped."""
        counts = self.fit.loads if isinstance(self.fit, Counted) else self.fit.chosen
        return int(counts.shape[1])


@dataclass(frozen=True, eq=False)
class LayerAnswer:
    """The grouping of one layer, and what its solver found on the way to it."""

    grouping: LayerGrouping
    found: Found


def group_layer(
    fit: Calibration,
    layer: int,
    mux: int,
    options: GroupingOptions,
    *,
    limits: SolverOptions = LIMITS,
    costs: Costs = SLOTS,
) -> LayerGrouping:
    """Group the experts of one MoE layer, at most `mux` to a group or as many as `options` say.

    fit: the tokens and windows to fit to, see `Job` for the rest. Groups come out in the order of
    their lowest expert. The certificate's value is counted anew from the answer, its bound holds
    for every grouping.

    Raises InputError for no windows, or a solver that cannot do what is asked (costs of broadcasts
    come without replicas or parts), InfeasibleError where the experts do not fit, and
    KeyboardInterrupt on Ctrl-C (`solve_layer` gives the best until then).
    """
    answer = solve_layer(Job(layer, fit, mux, options, limits, costs))
    if answer.found.interrupted:
        raise KeyboardInterrupt
    return answer.grouping


def solve_layer(job: Job, *, begin: bool = False) -> LayerAnswer:
    """Group as `group_layer` does; return the solver's own answer too, even one cut short.

    begin: as if Ctrl-C came when the search begins, so the answer that it begins with.
    """
    _check_asked(job.options)
    watch, problem = Watch.over(job.limits), _problem(job)
    watch.interrupted = begin
    return _answer(job, problem, SOLVERS[job.options.solver](problem, job.limits, watch), watch)


def solve_at_once(job: Job) -> LayerAnswer | None:
    """The answer of `solve_layer` where it takes an instant, else None.

    Raises KeyboardInterrupt on Ctrl-C.
    """
    if job.options.solver != "cp-sat" or job.experts > MOST_PLACES:
        return None
    _check_asked(job.options)
    watch, problem = Watch.over(job.limits), _problem(job)
    found = proven_at_once(problem, watch)
    if watch.interrupted:
        raise KeyboardInterrupt
    return None if found is None else _answer(job, problem, found, watch)


def _answer(job: Job, problem: GroupingProblem, found: Found, watch: Watch) -> LayerAnswer:
    """What was found as a grouping, its value counted anew."""
    asked, parts = job.options, job.fit.parts
    unit = _unit(job.costs)
    value, bound = cost(problem, found.assignment, found.replicas), lower_bound(problem)
    best = bound if found.bound is None else max(bound, found.bound)
    certificate = Certificate(
        objective=job.costs.name if parts == 1 else ROBUST_OBJECTIVE,
        value=value * unit,
        bound=best * unit,
        status="optimal (bound)" if value == bound else found.status,
        seconds=watch.seconds,
        seed=job.limits.seed,
        deterministic=found.deterministic and not found.interrupted,
    )
    groups = _as_groups(problem, found)
    return LayerAnswer(LayerGrouping(job.layer, groups, asked.solver, certificate), found)


def _problem(job: Job) -> GroupingProblem:
    """What the job decides, counted; raises for a request without an answer."""
    costs, asked = _in_whole_units(job.costs), job.options
    if isinstance(job.fit, Counted):
        return counted_problem(job.fit, job.size, asked, costs)
    return grouping_problem(
        job.fit.chosen,
        job.fit.windows,
        job.size,
        asked.groups,
        replicas=asked.replicas,
        parts=job.fit.parts,
        costs=costs,
    )


def _unit(costs: Costs) -> int:
    """The largest unit that both costs are whole numbers of; solvers count in it."""
    return gcd(costs.slot, costs.broadcast) or 1


def _in_whole_units(costs: Costs) -> Costs:
    unit = _unit(costs)
    return Costs(costs.name, costs.slot // unit, costs.broadcast // unit)


def check_replicas(options: GroupingOptions) -> None:
    """InputError where replicas are asked of a solver that places none."""
    if options.replicas and options.solver not in REPLICATING:
        raise InputError(
            "grouping",
            f"solver {options.solver!r} places no replicas, "
            f"expected one of {', '.join(REPLICATING)}",
        )


def _check_asked(options: GroupingOptions) -> None:
    if options.digital:
        raise InputError(
            "grouping",
            f"{len(options.digital)} digital experts, expected none: groups are of the others",
            "say so to a compilation (compiler.pipeline.map_model)",
        )
    check_replicas(options)


def _as_groups(problem: GroupingProblem, found: Found) -> tuple[tuple[int, ...], ...]:
    """Experts ascending in each group, groups by their lowest expert, empty ones last."""
    held: list[set[int]] = [set() for _ in range(problem.groups)]
    for e, g in [*enumerate(found.assignment.tolist()), *found.replicas]:
        held[g].add(e)
    groups = [tuple(sorted(group)) for group in held]
    return tuple(sorted(groups, key=lambda group: group or (problem.experts,)))
