"""Staircases of boxes counted one by one, curves, and bounds below every layout."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from compiler.placement.bounds import covered, inside_bound
from compiler.placement.curves import CURVES, by_hooks
from compiler.placement.layout import BOX_SHAPES, BoxShape, box_fit, by_density, lay_out, value_of
from compiler.placement.traffic import Flow


@pytest.mark.parametrize(("width", "height"), [(5, 5), (3, 6), (1, 4), (7, 2)])
def test_most_cores_under_boxes(width: int, height: int) -> None:
    for hops, boxes in product(range(width + height - 1), (1, 2, 3)):
        corners = [(x, min(hops - x, height - 1)) for x in range(min(hops + 1, width))]
        most = 0
        for chosen in combinations_with_replacement(corners, boxes):
            cells = {
                (x, y) for right, down in chosen for x in range(right + 1) for y in range(down + 1)
            }
            most = max(most, len(cells))
        assert covered(np.array([hops]), boxes, width, height)[0] >= most
        if hops + 2 <= min(width, height):  # not clipped: met exactly
            assert covered(np.array([hops]), boxes, width, height)[0] == most


@pytest.mark.parametrize("curve", CURVES)
def test_curves_go_from_core_to_neighbouring_core(curve: object) -> None:
    assert callable(curve)
    for width, height in product(range(1, 7), repeat=2):
        x, y = curve(width, height)
        assert len({*zip(x.tolist(), y.tolist(), strict=True)}) == width * height
        assert (x[0], y[0]) == (0, 0)
        assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()


def test_hooks_fill_squares_first() -> None:
    x, y = by_hooks(5, 3)
    for n in (1, 2, 3):
        assert x[: n * n].max() == y[: n * n].max() == n - 1


def flows_of(rng: np.random.Generator, count: int) -> tuple[Flow, ...]:
    flows, first = [], 0
    for _ in range(count):
        chains = ((int(rng.integers(1, 4)), int(rng.integers(1, 3))),)
        pgs = sum(n * m for n, m in chains)
        flows.append(Flow(0, first, pgs, int(rng.integers(10)), chains))
        first += pgs
    return tuple(flows)


def test_no_layout_is_below_the_bound() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        flows = flows_of(rng, int(rng.integers(1, 8)))
        per_core, width = int(rng.integers(1, 4)), int(rng.integers(1, 6))
        cores = -(-sum(f.pgs for f in flows) // per_core)
        layout = lay_out(flows, width, -(-cores // width), per_core)
        at_least = inside_bound(flows, per_core, layout.width, layout.height)
        assert inside_bound(flows, per_core, 99, 99) <= at_least <= layout.value


def test_one_group_on_nine_cores_is_a_square() -> None:
    # 9 PGs on cores of one: 3 x 3, so 2 + 2 hops; 5 packets
    flow = (Flow(0, 0, 9, 5, ((1, 9),)),)
    assert inside_bound(flow, 1, 9, 9) == lay_out(flow, 3, 3, 1).value == 20


@pytest.mark.parametrize("shape", BOX_SHAPES)
def test_boxes_keep_chains_whole_or_give_up(shape: BoxShape) -> None:
    # two chains of 2 fit 2 cores of 3 PGs, but a third finds one PG's room on each
    two, three = ((Flow(0, 0, 2 * n, 1, ((2, n),)),) for n in (2, 3))
    found = box_fit(two, by_density(two), 2, 1, 3, shape)
    assert found is not None
    assert found[0].tolist() == [1, 1, 0, 0]  # the far core first: its hop is paid for anyway
    assert value_of(two, *found) == 1
    assert box_fit(three, by_density(three), 2, 1, 3, shape) is None
