"""Other objectives than slots: costs of slots and broadcasts, by hand and by enumeration."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.grouping import Calibration, Costs, group_layer
from compiler.grouping.bounds import lower_bound
from compiler.grouping.costs import ENERGY, costs_on
from compiler.grouping.local_search import improve
from compiler.grouping.objective import SLOTS, cost, grouping_problem
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, GroupingSolver
from compiler.partition import partition
from ir import timing
from ir.arrays import Span
from ir.errors import InputError
from ir.mapping import RoutedOwner
from moexbar.chips import load_chip
from tests.compiler.grouping.partitions import partitions
from tests.compiler.grouping.test_brute_force import instance
from tests.make import small_chip, small_workload

BOTH = Costs("test", 3, 2)
EXACT: tuple[GroupingSolver, ...] = ("cp-sat", "highs", "scip")


def broadcasts(chosen: np.ndarray, groups: np.ndarray) -> int:
    """One for each token with an expert, one more for every two of its experts in one group."""
    total = 0
    for token in chosen:
        in_group = np.bincount(groups[token])
        total += bool(token.any()) + int((in_group * (in_group - 1) // 2).sum())
    return total


def counted(chosen: np.ndarray, spans: list[Span], groups: np.ndarray, costs: Costs) -> int:
    """The definition, window by window."""
    member = np.eye(groups.max() + 1, dtype=int)[groups]
    return sum(
        costs.slot * int((chosen[a:b] @ member).sum(axis=0).max())
        + costs.broadcast * broadcasts(chosen[a:b], groups)
        for a, b in spans
    )


def test_by_hand() -> None:
    # Three tokens use experts {0, 1}, one uses {2}. Groups {0, 1}{2, 3}: 6 slots and 3 x 2 + 1 = 7
    # broadcasts; {0, 2}{1, 3}: 4 slots (three of 0, one of 2) and 4 broadcasts.
    chosen = np.array([[1, 1, 0, 0]] * 3 + [[0, 0, 1, 0]], dtype=np.bool_)
    problem = grouping_problem(chosen, [(0, 4)], 2, costs=BOTH)
    assert cost(problem, np.array([0, 0, 1, 1])) == 3 * 6 + 2 * 7
    assert cost(problem, np.array([0, 1, 0, 1])) == 3 * 4 + 2 * 4


@pytest.mark.parametrize("costs", [BOTH, Costs("broadcasts", 0, 7), Costs("time", 130, 5)])
def test_every_exact_solver_finds_the_optimum(costs: Costs) -> None:
    for seed in range(24):
        chosen, spans, size, groups = instance(seed)
        every = (np.array(one) for one in partitions(chosen.shape[1], size, groups))
        best = min(counted(chosen, spans, one, costs) for one in every)
        problem = grouping_problem(chosen, spans, size, groups, costs=costs)
        assert lower_bound(problem) <= best
        for solver in EXACT:
            options = GroupingOptions(solver, groups=groups)
            found = group_layer(Calibration(chosen, spans), 0, size, options, costs=costs)
            known = found.certificate
            assert (known.value, known.bound) == (best, best), (seed, solver)
            assert known.value == counted(chosen, spans, found.group_of(), costs)
            assert known.objective == costs.name


def test_the_local_search_keeps_count_of_what_it_pays() -> None:
    for seed in range(24):
        chosen, spans, size, groups = instance(seed)
        problem = grouping_problem(chosen, spans, size, groups, costs=BOTH)
        start = np.array(next(iter(partitions(chosen.shape[1], size, groups))))
        found = improve(problem, start, watch=Watch())
        assert cost(problem, found) <= cost(problem, start)
        assert cost(problem, found) == counted(chosen, spans, found, BOTH)


@pytest.mark.parametrize(
    ("options", "parts"),
    [(GroupingOptions(groups=3, replicas=1), 1), (GroupingOptions(), 2)],
)
def test_not_with_replicas_or_a_worst_part(options: GroupingOptions, parts: int) -> None:
    chosen = np.ones((8, 4), dtype=np.bool_)
    fit = Calibration(chosen, [(0, 4), (4, 8)], parts)
    with pytest.raises(InputError, match="use the objective slots"):
        group_layer(fit, 0, 2, options, costs=BOTH)


def test_another_objective_is_not_minimised_as_slots_for_want_of_its_costs() -> None:
    fit = Calibration(np.ones((8, 4), dtype=np.bool_), [(0, 8)])
    with pytest.raises(InputError, match="objective 'time', but not what a slot and a broadcast"):
        group_layer(fit, 0, 2, GroupingOptions(objective="time"))


def test_a_size_asked_for_counts_instead_of_the_mux() -> None:
    # every token goes to all four experts: in fours one group runs 4 slots a token, in pairs two
    fit = Calibration(np.ones((8, 4), dtype=np.bool_), [(0, 8)])
    assert group_layer(fit, 0, 4, GroupingOptions()).certificate.value == 4 * 8
    assert group_layer(fit, 0, 4, GroupingOptions(size=2)).certificate.value == 2 * 8


def test_costs_of_a_chip() -> None:
    workload = small_workload()
    chip = small_chip(pg={"idle_uw": 1000, "input_buffers": 1})
    blocks = [b for b in partition(workload, chip) if b.layer == 0]
    expert = tuple(b for b in blocks if b.owner == RoutedOwner(0))
    d_model = workload.moe_layers[0].d_model
    pgs = 2 * sum(b.tiles for b in expert)
    load = timing.load(chip, d_model, d_model, timing.square(chip, pgs))
    slot = timing.mvm_ps(chip, shared=True)
    assert costs_on(chip, "slots", d_model, expert, 2) == SLOTS
    time = costs_on(chip, "time", d_model, expert, 2)
    assert (time.slot, time.broadcast) == (slot, load.duration_ps)
    energy = costs_on(chip, "energy", d_model, expert, 2)
    # 1 mW for 1 ps is 1 fJ; two groups, each with a PG for every tile of an expert
    assert energy == Costs(ENERGY, 2 * sum(b.tiles for b in expert) * slot, load.energy_fj)
    gated = replace(chip, pg=replace(chip.pg, wake_fj=100))  # which has them off between two tokens
    assert costs_on(gated, "energy", d_model, expert, 2) == Costs(ENERGY, 0, load.energy_fj)
    with pytest.raises(InputError, match="'power', expected one of slots, time, energy"):
        costs_on(load_chip("hermes"), "power", d_model, expert, 2)
