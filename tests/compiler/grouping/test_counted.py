"""Groups by counts alone: the largest group load, exact on small layers, its bound true."""

from itertools import permutations

import numpy as np
import pytest

from compiler.grouping import Counted, Job, LayerAnswer, solve_layer
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.errors import InfeasibleError, InputError


def solved(
    counts: object, size: int, solver: GroupingSolver, groups: int | None = None, replicas: int = 0
) -> LayerAnswer:
    fit = Counted(np.atleast_2d(np.array(counts, dtype=np.int64)))
    options = GroupingOptions(solver, groups, replicas=replicas)
    return solve_layer(Job(3, fit, size, options, SolverOptions(time_s=1.0), fit.costs))


def least(counts: np.ndarray, size: int) -> int:
    """By trying all: the least sum over steps of the largest group load; full groups alone."""
    every = permutations(range(counts.shape[1]))
    loads = (counts[:, list(order)].reshape(len(counts), -1, size).sum(axis=2) for order in every)
    return min(int(load.max(axis=1).sum()) for load in loads)


def test_one_step_by_hand() -> None:
    """9 + 1, 7 + 3 and 6 + 4 are even; 30 over 3 groups is at least 10."""
    answer = solved([9, 7, 6, 4, 3, 1], 2, "cp-sat")
    known = answer.grouping.certificate
    assert answer.grouping.groups == ((0, 5), (1, 4), (2, 3))
    assert (known.objective, known.value, known.bound) == ("largest group load", 10, 10)
    assert known.status == "optimal (bound)"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("steps", "experts", "size"), [(1, 6, 2), (1, 6, 3), (3, 6, 2), (2, 8, 4)])
def test_cp_sat_is_exact_and_no_bound_lies(steps: int, experts: int, size: int, seed: int) -> None:
    counts = np.random.default_rng(seed).geometric(0.002, size=(steps, experts))
    best = least(counts, size)
    exact = solved(counts, size, "cp-sat").grouping.certificate
    assert (exact.value, exact.proven) == (best, True)
    for solver in ("lpt", "karmarkar-karp", "local-search"):
        known = solved(counts, size, solver).grouping.certificate
        assert known.bound <= best <= known.value


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_one_step_are_optimal_by_the_bound(seed: int) -> None:
    """The i-th hottest with the i-th coldest; an odd number leaves one alone."""
    counts = np.random.default_rng(seed).geometric(0.01, size=(1, 25 + seed % 2))
    known = solved(counts, 2, "sorted").grouping.certificate
    assert known.status == "optimal (bound)"


def test_steps_are_summed_and_not_lumped() -> None:
    """Experts 0, 1 are hot in step 0, and 2, 3 in step 1: together all are equal.

    0 with 1 would take 20 + 20, 0 with 2 takes 10 + 10.
    """
    answer = solved([[10, 10, 0, 0], [0, 0, 10, 10]], 2, "cp-sat")
    known = answer.grouping.certificate
    assert {0, 1} not in map(set, answer.grouping.groups)
    assert (known.value, known.proven) == (20, True)
    assert known.objective == "largest group load of each step, summed"


def test_replicas_share_the_load_of_their_expert() -> None:
    """40 and 4 x 5: two groups of 3. With a copy of expert 0 each group has 20 + 2 x 5 = 30."""
    alone = solved([40, 5, 5, 5, 5], 3, "cp-sat").grouping.certificate
    assert alone.value == 45  # 40 + 5 against 3 x 5
    answer = solved([40, 5, 5, 5, 5], 3, "cp-sat", replicas=1)
    assert answer.grouping.certificate.value == 30
    assert answer.grouping.copies()[0] == (0, 1)


@pytest.mark.parametrize("solver", ["matching", "co-activation"])
def test_what_needs_tokens_is_refused(solver: GroupingSolver) -> None:
    with pytest.raises(InputError, match=f"solver '{solver}' looks at experts of one token, which"):
        solved([1, 2, 3, 4], 2, solver)


def test_room_is_checked_as_for_traces() -> None:
    with pytest.raises(InfeasibleError, match="needs 4"):
        solved([1, 2, 3, 4], 2, "lpt", groups=1)


def test_nothing_counted_is_no_load() -> None:
    known = solved([0, 0, 0, 0], 2, "cp-sat").grouping.certificate
    assert (known.value, known.gap, known.proven) == (0, 0.0, True)
