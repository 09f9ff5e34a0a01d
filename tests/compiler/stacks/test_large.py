"""What problems take that are too large for tables and models of the whole, on small ones.

The sizes from which they count as large are set to nothing, so that every small problem takes the
ways of large ones. What comes out keeps budget, limit and layers, and its bound holds.
"""

from functools import cache

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.stacks import fewest, problem, regions, two_levels
from compiler.stacks.fewest import fewest_stacks
from compiler.stacks.regions import layer_costs
from ir.errors import InfeasibleError
from tests.compiler.stacks.test_brute_force import allowed, best, chosen, drawn, met, rows_of

SMALL = {  # where each size is told
    "no table of all": (problem, "_MOST_ROWS"),
    "no model of all": (two_levels, "_WHOLE_TERMS"),
    "searched first": (two_levels, "_SOON_TERMS"),
    "fewest region by region": (fewest, "MOST_TERMS"),
    "layers matched by rank": (regions, "_MATCHED"),
}


SEEDS = range(200, 220)
least_of = cache(lambda seed: best(drawn(seed)))


@pytest.mark.parametrize("size", SMALL)
def test_stacks_are_allowed_and_the_bound_holds(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 small problems; what is not proven is at most as good as the best of all."""
    room, name = SMALL[size]
    monkeypatch.setattr(room, name, 0)
    if size != "searched first":
        monkeypatch.setattr(two_levels, "_SOON_TERMS", 0)
    found = 0
    for seed in SEEDS:
        drawing = drawn(seed)
        least = least_of(seed)
        if least is None:
            with pytest.raises(InfeasibleError):
                chosen(drawing)
            continue
        try:
            stacking = chosen(drawing)
        except InfeasibleError:
            assert size == "fewest region by region"  # which may miss the only ones there are
            continue
        certificate, stacks = stacking.certificate, rows_of(drawing, stacking)
        assert certificate is not None
        assert allowed(drawing, stacks), seed
        assert met(drawing.busy, stacks) == certificate.value, seed
        assert certificate.bound <= least <= certificate.value, seed
        found += 1
    assert found > 8


def test_layers_of_equal_rank_are_matched_by_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Largest with largest, and so on: the meetings of those pairs, and none of a layer's own."""
    drawing = drawn(7)
    monkeypatch.setattr(regions, "_MATCHED", 0)
    ranked = [
        sorted(np.flatnonzero(drawing.layer == layer), key=lambda row: (-drawing.pgs[row], row))
        for layer in drawing.layers
    ]
    for a, one in enumerate(ranked):
        for b, other in enumerate(ranked):
            pairs = zip(one, other, strict=False) if a != b else ()
            wanted = sum(met(drawing.busy, [[int(i), int(j)]]) for i, j in pairs)
            assert layer_costs(drawing)[a, b] == wanted


def test_without_time_a_model_is_not_asked() -> None:
    """What the search found stays, and is not said to be the same on every machine."""
    for seed in SEEDS:
        drawing = drawn(seed)
        if least_of(seed) is None:
            continue
        found = two_levels.decide(drawing, SolverOptions(time_s=2.0, wall_s=1e-9))
        assert allowed(drawing, found.stacks)
        assert not found.deterministic or int(drawing.pgs.sum()) <= drawing.budget


def test_fewest_of_every_region_are_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As few as where all is one model, or more."""
    for seed in SEEDS:
        drawing = drawn(seed)
        if least_of(seed) is None:
            continue
        few = fewest_stacks(drawing, SolverOptions(time_s=2.0))
        with monkeypatch.context() as patch:
            patch.setattr(fewest, "MOST_TERMS", 0)
            try:
                each = fewest_stacks(drawing, SolverOptions(time_s=2.0))
            except InfeasibleError:
                continue
        for stacks in (few, each):
            assert allowed(drawing, stacks)
