"""Placement in near-square regions: their shapes, what is in them, where they stand, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.options import PlacementOptions
from compiler.partition import partition
from compiler.placement import Routed, place
from compiler.placement.shelves import Shelves
from compiler.placement.squares import filled, in_rows, place_squares, square_of
from ir.chip import Chip
from ir.errors import InfeasibleError
from ir.mapping import Mapping
from ir.placement import Placement
from ir.verify import verify_mapping
from tests.make import contiguous, random_routing, small_chip, small_workload

SQUARES = PlacementOptions("squares")


def placed(pgs: dict[int, int], chip: Chip) -> Placement:
    """Layers of so many peripheral groups."""
    total = sum(pgs.values())
    starts, spots = np.zeros(0, dtype=np.int64), np.zeros((0, 4, 3), dtype=np.int64)
    return place_squares(Shelves(starts, spots, np.zeros(total, dtype=np.int8), pgs), chip)


def boxes(placement: Placement) -> list[tuple[int, int, int, int]]:
    return [(r.x, r.y, r.width, r.height) for r in placement.regions]


def test_shapes() -> None:
    shapes = {1: (1, 1), 2: (2, 1), 3: (2, 2), 4: (2, 2), 5: (3, 2), 6: (3, 2), 7: (3, 3)}
    assert {n: square_of(n) for n in shapes} == shapes
    for n in range(1, 1000):
        width, height = square_of(n)
        assert width * (height - 1) < n <= width * height  # no row is empty
        assert 0 <= width - height <= 1


def test_a_region_is_filled_from_its_port_outwards() -> None:
    # 9 PGs, 2 to a core: 5 cores of 3 x 2, first the 2 x 2 around the port, then the next column
    x, y = filled(9, 2)
    cores = [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0)]
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [c for c in cores for _ in (0, 1)][:9]


def test_the_first_square_number_of_cores_is_a_square_at_the_port() -> None:
    for side in range(1, 8):
        x, y = filled(60, 1)
        assert max(x[: side * side].max(), y[: side * side].max()) == side - 1


def test_rows_of_regions_go_to_the_right_and_to_the_left_in_turn() -> None:
    # 2 x 2 and 3 x 2 fill a row of 5; then 3 x 3 at the right edge and 1 x 1 to the left of it
    regions, height = in_rows({0: 4, 1: 6, 2: 9, 3: 1}, 5)
    found = [(r.layer, r.x, r.y, r.width, r.height) for r in regions]
    assert found == [(0, 0, 0, 2, 2), (1, 2, 0, 3, 2), (2, 2, 2, 3, 3), (3, 1, 2, 1, 1)]
    assert height == 2 + 3


@pytest.mark.parametrize(
    ("pgs", "mesh"),
    [
        ({0: 16, 1: 16, 2: 16, 3: 16}, (4, 4)),  # 4 cores each: 2 x 8 and 8 x 2 are longer
        ({0: 36, 5: 4}, (3, 4)),  # 3 x 3 and 1 x 1 below it; beside it 4 x 3, no more square
        ({0: 36, 1: 4, 2: 4, 3: 4}, (3, 4)),  # the three 1 x 1 below: 12 cores instead of 6 x 3
        ({0: 3}, (1, 1)),
        ({}, (1, 1)),
    ],
)
def test_an_open_mesh_has_the_fewest_cores_then_is_the_most_square(
    pgs: dict[int, int], mesh: tuple[int, int]
) -> None:
    placement = placed(pgs, small_chip(mesh={"pgs_per_core": 4}))
    assert (placement.mesh_width, placement.mesh_height) == mesh


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.integers(1, 5))
def test_every_layer_has_cores_of_its_own_near_those_of_the_next(
    sizes: list[int], per_core: int
) -> None:
    chip = small_chip(mesh={"pgs_per_core": per_core})
    placement = placed(dict(enumerate(sizes)), chip)
    width, height = placement.mesh_width, placement.mesh_height
    taken = np.zeros((height, width), dtype=np.int64)
    first = 0
    for region, pgs in zip(placement.regions, sizes, strict=True):
        assert min(region.x, region.y) >= 0
        assert region.x + region.width <= width
        assert region.y + region.height <= height
        taken[region.y : region.y + region.height, region.x : region.x + region.width] += 1
        y, x = np.divmod(placement.core[first : first + pgs], width)
        x, y = x - region.x, y - region.y
        assert np.all((x >= 0) & (x < region.width) & (y >= 0) & (y < region.height))
        assert (x[0], y[0]) == (0, 0)
        assert np.all(np.abs(np.diff(x)) + np.abs(np.diff(y)) <= 1)
        alone = placed({0: pgs}, chip)  # what is in a region depends on nothing outside
        assert (y * alone.mesh_width + x).tolist() == alone.core.tolist()
        first += pgs
    assert taken.max() == 1
    assert np.bincount(placement.core).max() <= per_core
    # side by side they are a width apart; at the end of a row a height, and less than a width
    widest, highest = (max(side) for side in zip(*(b[2:] for b in boxes(placement)), strict=True))
    layers = range(len(sizes) - 1)
    assert all(placement.hops_between(n, n + 1) < widest + highest for n in layers)


def test_a_mesh_of_fixed_size_stays_as_it_is() -> None:
    chip = small_chip(mesh={"pgs_per_core": 1, "width": 5, "height": 9})
    placement = placed({0: 4, 1: 6, 2: 9, 3: 1}, chip)
    assert (placement.mesh_width, placement.mesh_height) == (5, 9)
    assert boxes(placement) == [(0, 0, 2, 2), (2, 0, 3, 2), (2, 2, 3, 3), (1, 2, 1, 1)]


def test_a_mesh_too_low_is_refused_with_the_height_that_fits() -> None:
    # the rows of regions are 2 and 3 high: 20 of 20 cores would do, but not as squares
    pgs = {0: 4, 1: 6, 2: 9, 3: 1}
    chip = small_chip(mesh={"pgs_per_core": 1, "width": 5, "height": 4})
    with pytest.raises(InfeasibleError, match=r"mesh: needs 5 x 5 cores of 1 .* 20 groups") as no:
        placed(pgs, chip)
    assert (no.value.demand.value, no.value.supply.value) == (5, 4)
    assert no.value.hint.startswith("set mesh.height to 5 (4 or more may do with --placement cp-")
    placed(pgs, small_chip(mesh={"pgs_per_core": 1, "width": 5, "height": 5}))


def test_a_mesh_narrower_than_a_region_is_refused_whatever_its_height() -> None:
    chip = small_chip(mesh={"pgs_per_core": 1, "width": 2, "height": 99})
    told = "mesh: needs 3 columns of cores for the region of layer 7, has 2 x 99 .*at least 3"
    with pytest.raises(InfeasibleError, match=told) as refused:
        placed({2: 4, 7: 5}, chip)
    assert (refused.value.demand.value, refused.value.unit) == (3, "columns of cores")


def test_it_passes_the_checks_of_a_mapping_and_is_scored_where_the_routing_is_known() -> None:
    # regions of many cores, for which full rows of the mesh are long
    model, chip = small_workload(layers=3, shared=1), small_chip(mesh={"pgs_per_core": 1})
    blocks, grouping = partition(model, chip), contiguous(model, chip.pg.mux)
    routed = Routed(model, random_routing(model, np.zeros(16, dtype=np.int64)), 16)
    assert place(blocks, grouping, chip, SQUARES).certificate is None
    placement, strips = (
        place(blocks, grouping, chip, options, routed=routed)
        for options in (SQUARES, PlacementOptions("in-order"))
    )
    verify_mapping(Mapping(blocks, grouping, placement), model, chip)
    known, baseline = placement.certificate, strips.certificate
    assert known is not None
    assert baseline is not None
    assert placement.solver == "squares"
    assert (known.objective, known.status) == ("packets x hops", "heuristic")
    assert 0 < known.bound <= known.value < baseline.value
