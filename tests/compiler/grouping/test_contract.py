"""What every grouping solver promises, whatever it optimises."""

import numpy as np
import pytest

from compiler.grouping import OBJECTIVE, SOLVERS, Calibration, group_layer
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.arrays import Span
from ir.errors import InputError
from ir.routing import windows

QUICK = SolverOptions(time_s=0.3)
# (experts, mux, groups): even, pairs, experts no multiple of mux, more groups than needed,
# no sharing, everything in one group, mux larger than the layer, an odd mux
SHAPES = [
    (8, 2, None),
    (8, 4, None),
    (10, 4, None),
    (7, 2, None),
    (8, 4, 5),
    (6, 1, None),
    (6, 6, None),
    (6, 9, None),
    (9, 3, None),
    (1, 2, None),
]


def trace(experts: int, tokens: int = 96, k: int = 2, seed: int = 0) -> np.ndarray:
    """Make a trace [tokens, experts]: k distinct experts per token, skewed, and drifting."""
    random = np.random.default_rng(seed)
    chosen = np.zeros((tokens, experts), dtype=np.bool_)
    for t in range(tokens):
        heat = random.gumbel(size=experts) + 2 * np.cos(np.arange(experts) + t / 20)
        chosen[t, np.argsort(-heat)[: min(k, experts)]] = True
    return chosen


def slots_by_counting(
    chosen: np.ndarray, spans: list[Span], groups: tuple[tuple[int, ...], ...]
) -> int:
    """Count the objective one token at a time, without the code under test."""
    total = 0
    for start, stop in spans:
        load = [0] * len(groups)
        for t in range(start, stop):
            for g, group in enumerate(groups):
                load[g] += sum(bool(chosen[t, e]) for e in group)
        total += max(load)
    return total


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("experts", "mux", "groups"), SHAPES)
def test_contract(solver: GroupingSolver, experts: int, mux: int, groups: int | None) -> None:
    chosen = trace(experts, seed=experts)
    spans = windows(len(chosen), 24, 12)  # overlapping
    fit, options = Calibration(chosen, spans), GroupingOptions(solver, groups=groups)
    if solver == "matching" and mux != 2:
        with pytest.raises(InputError, match=r"expected pairs \(mux 2\)"):
            group_layer(fit, 3, mux, options, limits=QUICK)
        return
    found = group_layer(fit, 3, mux, options, limits=QUICK)
    assert sorted(e for group in found.groups for e in group) == list(range(experts))
    assert len(found.groups) == (groups or -(-experts // mux))
    assert all(1 <= len(group) <= mux for group in found.groups)
    assert (found.layer, found.solver) == (3, solver)
    certificate = found.certificate
    assert certificate.objective == OBJECTIVE
    assert certificate.value == slots_by_counting(chosen, spans, found.groups)
    assert certificate.bound <= certificate.value
    assert (certificate.bound == certificate.value) == certificate.proven
    if solver in ("highs", "scip") and not certificate.deterministic:
        return  # their limit is a clock; one that cut them short is said to
    assert certificate.deterministic
    again = group_layer(fit, 3, mux, options, limits=QUICK)
    assert again.groups == found.groups
    assert again.certificate.bound == certificate.bound


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mux", [2, 4])
def test_cp_sat_is_never_worse_than_a_baseline(seed: int, mux: int) -> None:
    chosen = trace(16, seed=seed)
    fit = Calibration(chosen, windows(len(chosen), 16))
    value = {
        solver: group_layer(fit, 0, mux, GroupingOptions(solver), limits=QUICK).certificate.value
        for solver in SOLVERS
        if mux == 2 or solver != "matching"
    }
    assert value["cp-sat"] == min(value.values())


def test_cp_sat_sees_bursts_that_the_total_hides() -> None:
    # Window 0: experts 0 and 1 take 4 pairs each; window 1: 2 and 3 do. All totals are 4, so by
    # load any pairing is as good as another; (0 1)(2 3) costs 8 + 8, the others 4 + 4.
    chosen = np.zeros((8, 4), dtype=np.bool_)
    chosen[:4, :2] = True
    chosen[4:, 2:] = True
    fit = Calibration(chosen, [(0, 4), (4, 8)])
    worst = group_layer(fit, 0, 2, GroupingOptions("contiguous")).certificate
    best = group_layer(fit, 0, 2, GroupingOptions("cp-sat")).certificate
    assert worst.value == 16
    assert (best.value, best.bound, best.status) == (8, 8, "optimal (bound)")


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "matching"])
def test_mux_one_costs_the_hottest_expert_and_is_proven(solver: GroupingSolver) -> None:
    chosen = trace(6)
    spans = windows(len(chosen), 32)
    certificate = group_layer(Calibration(chosen, spans), 0, 1, GroupingOptions(solver)).certificate
    hottest = sum(int(chosen[a:b].sum(axis=0).max()) for a, b in spans)
    assert (certificate.value, certificate.status) == (hottest, "optimal (bound)")


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "matching"])
def test_one_group_costs_every_pair_and_is_proven(solver: GroupingSolver) -> None:
    fit = Calibration(trace(6), [(0, 96)])  # 96 tokens x 2 experts, all behind one PG
    certificate = group_layer(fit, 0, 8, GroupingOptions(solver)).certificate
    assert (certificate.value, certificate.status) == (192, "optimal (bound)")


@pytest.mark.parametrize("solver", SOLVERS)
def test_experts_without_load(solver: GroupingSolver) -> None:
    chosen = trace(8)
    chosen[:, [2, 5]] = False
    options = GroupingOptions(solver)
    found = group_layer(Calibration(chosen, [(0, 96)]), 0, 2, options, limits=QUICK)
    assert found.experts == 8
    nothing = Calibration(np.zeros_like(chosen), [(0, 96)])
    idle = group_layer(nothing, 0, 2, options).certificate
    assert (idle.value, idle.bound, idle.status) == (0, 0, "optimal (bound)")


def test_unknown_solver_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'lptt', expected one of contiguous, sorted, lpt, karm"):
        GroupingOptions("lptt")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spans", "mux", "groups", "message"),
    [
        ([], 2, None, "no window"),
        ([(0, 97)], 2, None, "window 0 to 97"),
        ([(-1, 8)], 2, None, "window -1 to 8"),
        ([(8, 8)], 2, None, "window 8 to 8"),
        ([(0, 8)], 0, None, "mux 0"),
        ([(0, 8)], 2, 9, "9 groups for 8 experts"),
    ],
)
def test_requests_without_an_answer(
    spans: list[Span], mux: int, groups: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        group_layer(Calibration(trace(8), spans), 0, mux, GroupingOptions("lpt", groups=groups))


def test_no_experts_at_all() -> None:
    fit = Calibration(np.zeros((8, 0), dtype=np.bool_), [(0, 8)])
    with pytest.raises(InputError, match="0 experts"):
        group_layer(fit, 0, 2, GroupingOptions("lpt"))
