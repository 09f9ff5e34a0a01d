"""The exact model of one region: legal layouts from a bad start, and no better than it says."""

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.placement.bounds import inside_bound
from compiler.placement.curves import by_rows
from compiler.placement.layout import Layout, along, by_density, value_of
from compiler.placement.region_model import exact_layout
from compiler.placement.traffic import Flow


def flows_with_chains(seed: int) -> tuple[Flow, ...]:
    rng, flows, first = np.random.default_rng(seed), [], 0
    for _ in range(5):
        chains = ((3, 1), (1, 2)) if rng.random() < 0.6 else ((1, int(rng.integers(1, 4))),)
        pgs = sum(n * m for n, m in chains)
        flows.append(Flow(0, first, pgs, int(rng.integers(1, 20)), chains))
        first += pgs
    return tuple(flows)


@pytest.mark.parametrize("seed", range(5))
def test_chains_stay_neighbours_however_bad_the_start(seed: int) -> None:
    flows, per_core = flows_with_chains(seed), 2
    pgs = sum(f.pgs for f in flows)
    width, height = 4, -(-pgs // (4 * per_core))
    worst_first = by_density(flows)[::-1]
    x, y = along(flows, worst_first, by_rows(width, height), per_core)
    start = Layout(width, height, x, y, value_of(flows, x, y))
    least = inside_bound(flows, per_core, width, height)
    found, bound, deterministic = exact_layout(
        flows, start, least, per_core, SolverOptions(time_s=0.2)
    )
    assert least <= bound <= found.value < start.value
    assert found.value == value_of(flows, found.x, found.y)
    assert deterministic
    assert np.bincount(found.y * width + found.x).max() <= per_core
    for flow in flows:
        at = flow.first_pg
        for length, count in flow.chains:
            for i in range(length * count):
                if i % length:
                    step = np.abs(np.diff(found.x[at + i - 1 : at + i + 1]))
                    step += np.abs(np.diff(found.y[at + i - 1 : at + i + 1]))
                    assert step[0] <= 1
            at += length * count


def test_a_start_at_the_bound_is_kept() -> None:
    flow = (Flow(0, 0, 1, 7, ((1, 1),)),)
    zero = np.zeros(1, dtype=np.int64)
    start = Layout(2, 2, zero, zero, 0)
    assert exact_layout(flow, start, 0, 1, SolverOptions()) == (start, 0, True)
