"""Stacks chosen where the best are known, by rule, and from what cannot be stacked."""

import numpy as np
import pytest

from compiler.options import SolverOptions, StackSolver
from compiler.stacks import OBJECTIVE, Candidate, check_given, choose_stacks
from ir.arrays import Ints
from ir.errors import InfeasibleError, InputError
from ir.stacks import Member, Stacking

LIMITS = SolverOptions(time_s=2.0)


def layers_of(count: int, pgs: tuple[int, ...], depth: int = 1) -> tuple[Candidate, ...]:
    """Layers with fire groups of these PGs each."""
    return tuple(
        Candidate(Member(layer, 0, group), size, depth)
        for layer in range(count)
        for group, size in enumerate(pgs)
    )


def one_at_a_time(layers: int, groups: int, bins: int) -> Ints:
    """Each layer computes in `bins` bins of 10 ps, from its own number on."""
    busy = np.zeros((layers, groups, layers + bins), dtype=np.int64)
    for layer in range(layers):
        busy[layer, :, layer : layer + bins] = 10
    return busy.reshape(layers * groups, -1)


def choose(
    candidates: tuple[Candidate, ...], busy: Ints, solver: StackSolver = "cp-sat", **asked: int
) -> Stacking:
    given = {"limit": 2, "budget": sum(c.pgs for c in candidates), "layers_together": 2, **asked}
    return choose_stacks(candidates, busy, 10, solver=solver, limits=LIMITS, **given)


def value(stacking: Stacking) -> int:
    assert stacking.certificate is not None
    return stacking.certificate.value


def test_a_wave_is_stacked_without_meetings_where_neighbours_meet() -> None:
    # Six layers, each at work in two bins, from its own on. Neighbours (0 1)(2 3)(4 5) share a bin:
    # two stacks of each region meet for 10 ps. Three apart, (0 3)(1 4)(2 5), none do.
    candidates, busy = layers_of(6, (4, 2)), one_at_a_time(6, 2, 2)
    half = {"budget": 18}
    uniform = choose(candidates, busy, "uniform", **half)
    apart = choose(candidates, busy, "apart", **half)
    best = choose(candidates, busy, "cp-sat", **half)
    assert [value(of) for of in (uniform, apart, best)] == [60, 0, 0]
    assert uniform.stacks[:2] == (
        (Member(0, 0, 0), Member(1, 0, 0)),
        (Member(0, 0, 1), Member(1, 0, 1)),
    )
    assert apart.hosts(tuple(range(6))) == {0: 0, 1: 1, 2: 2, 3: 0, 4: 1, 5: 2}
    assert best.certificate is not None
    assert (best.certificate.objective, best.certificate.status) == (OBJECTIVE, "optimal (bound)")
    assert best.solver == "cp-sat"


def test_fire_groups_of_one_layer_that_never_meet_need_no_other_layer() -> None:
    # one layer: two stages that work in turn, and a third fire group that works with both
    candidates = layers_of(1, (3, 3, 1))
    busy = np.array([[10, 0], [0, 10], [10, 10]])
    stacking = choose(candidates, busy, budget=4, layers_together=1)
    assert stacking.stacks == ((Member(0, 0, 0), Member(0, 0, 1)),)
    assert value(stacking) == 0


def test_what_the_budget_has_left_goes_to_peripheral_groups_of_their_own() -> None:
    # 4 + 4 + 1 + 1 PGs and a budget of 9: two must share, the large or the small ones, though none
    # meet. The small ones are given theirs first, so the large ones are left: 4 + 1 + 1.
    candidates, busy = layers_of(2, (4, 1)), one_at_a_time(2, 2, 1)
    assert choose(candidates, busy, budget=9).stacks == ((Member(0, 0, 0), Member(1, 0, 0)),)
    assert choose(candidates, busy, budget=10).stacks == ()
    assert choose(candidates, busy, "none", budget=10).stacks == ()


def test_baselines_by_rank_keep_the_limit() -> None:
    # depth 2 each: of three layers two fit a limit of 4, the third stays alone
    candidates, busy = layers_of(3, (2, 5), depth=2), one_at_a_time(3, 2, 1)
    stacking = choose(candidates, busy, "uniform", limit=4, layers_together=3)
    assert stacking.stacks == (
        (Member(0, 0, 0), Member(1, 0, 0)),
        (Member(0, 0, 1), Member(1, 0, 1)),
    )
    # four layers in regions of at most three: two regions, of even and of odd layers
    apart = choose(layers_of(4, (1,)), one_at_a_time(4, 1, 1), "apart", layers_together=3)
    assert apart.hosts(tuple(range(4))) == {0: 0, 1: 1, 2: 0, 3: 1}


def test_a_budget_that_cannot_be_met_says_what_would_do() -> None:
    # six of 4 PGs, two behind each at most: 12 at least, 8 with three
    candidates, busy = layers_of(6, (4,)), one_at_a_time(6, 1, 1)
    with pytest.raises(InfeasibleError) as raised:
        choose(candidates, busy, budget=8, layers_together=6)
    assert (raised.value.demand.value, raised.value.supply.value) == (12, 8)
    assert str(raised.value) == (
        "peripheral groups: needs 12 in the smallest stacks found, of at most 2 crossbars behind "
        "each and 6 layers together, has a budget of 8; raise the budget to 12, or the limit to 3 "
        "crossbars behind each"
    )
    with pytest.raises(InfeasibleError, match="needs 24 with the stacks of solver 'none'"):
        choose(candidates, busy, "none", budget=8)
    with pytest.raises(InfeasibleError, match="needs 3 for layer 0 stage 0 group 0 alone, has a"):
        choose(layers_of(1, (1,), depth=3), busy[:1])


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"limit": 0}, "limit: 0, expected at least 1"),
        ({"budget": -1}, "budget: -1, expected at least 0"),
        ({"layers_together": 0}, "layers_together: 0, expected at least 1"),
    ],
    ids=str,
)
def test_numbers_that_make_no_sense(asked: dict[str, int], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        choose(layers_of(2, (1,)), one_at_a_time(2, 1, 1), "cp-sat", **asked)


def test_tables_that_make_no_sense() -> None:
    two, busy = layers_of(2, (1,)), one_at_a_time(2, 1, 1)
    with pytest.raises(
        InputError, match=r"busy: shape \(1, 3\), expected a row .* of 2 candidates"
    ):
        choose(two, busy[:1])
    with pytest.raises(InputError, match="busy: expected 0 to 10 ps in every bin"):
        choose(two, busy + 1)
    with pytest.raises(InputError, match="candidates: one comes twice"):
        choose((two[0], two[0]), busy)
    with pytest.raises(InputError, match="layer 0 stage 0 group 0: 0 PGs of depth 1"):
        choose(layers_of(1, (0,)), busy[:1])
    with pytest.raises(InputError, match="solver 'best', expected one of cp-sat"):
        choose(two, busy, "best")  # type: ignore[arg-type]


def test_given_stacks_are_held_against_the_fire_groups() -> None:
    two = layers_of(2, (1,), depth=2)
    stacking = Stacking(((two[0].member, two[1].member),))
    assert check_given(stacking, two, limit=4) is stacking
    with pytest.raises(InfeasibleError, match=r"needs 4 for stack 0 of f\.json, has a limit of 3"):
        check_given(stacking, two, limit=3, where="f.json")
    with pytest.raises(InputError, match="stacks: stack 0: layer 1 stage 0 group 0, expected one"):
        check_given(stacking, two[:1], limit=4)
