"""The baseline placement: strips per layer, a snake inside, PGs shared by a group."""

import numpy as np
import pytest

from compiler.options import PlacementOptions
from compiler.partition import partition
from compiler.placement import place
from ir.certificate import Certificate
from ir.errors import InfeasibleError, InputError
from ir.mapping import Grouping, LayerGrouping, RoutedOwner
from tests.make import contiguous, map_small, small_chip, small_workload


def test_a_group_shares_its_peripheral_groups() -> None:
    mapping = map_small(small_workload(layers=1, experts=4), small_chip(pg={"mux": 2}))
    where = {
        (b.owner.expert, b.role): (
            int(mapping.placement.pg_start[i]),
            int(mapping.placement.spots[i, 0, 0]),
        )
        for i, b in enumerate(mapping.blocks)
        if isinstance(b.owner, RoutedOwner)
    }
    for role in ("up", "gate", "down"):
        assert where[0, role][0] == where[1, role][0]  # group (0, 1)
        assert where[0, role][0] != where[2, role][0]  # group (2, 3)
        assert [where[e, role][1] for e in range(4)] == [0, 1, 0, 1]


def test_sharing_halves_the_expert_peripherals() -> None:
    workload = small_workload(layers=1, experts=4)
    alone = map_small(workload, small_chip(pg={"mux": 1})).placement
    shared = map_small(workload, small_chip(pg={"mux": 2})).placement
    assert (alone.pg_class == 0).sum() == 2 * (shared.pg_class == 0).sum()
    assert (alone.pg_class == 1).sum() == (shared.pg_class == 1).sum()


def test_neighbouring_pgs_are_on_neighbouring_cores() -> None:
    placement = map_small(small_workload(layers=2), small_chip(mesh={"pgs_per_core": 2})).placement
    y, x = placement.core // placement.mesh_width, placement.core % placement.mesh_width
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    layer_change = np.array([r.y for r in placement.regions[1:]])
    assert set(steps[~np.isin(y[1:], layer_change)]) <= {0, 1}


def test_no_core_holds_more_than_it_can() -> None:
    placement = map_small(small_workload(), small_chip(mesh={"pgs_per_core": 3})).placement
    assert np.bincount(placement.core).max() <= 3


def test_a_fixed_mesh_that_is_too_small_is_refused_with_the_size_that_fits() -> None:
    chip = small_chip(mesh={"width": 2, "height": 3})
    fits = r"mesh: needs 2 x \d+ cores.*set mesh.height to \d+"
    with pytest.raises(InfeasibleError, match=fits) as refused:
        map_small(small_workload(), chip)
    assert (refused.value.supply.value, refused.value.unit) == (3, "rows of cores")
    assert f"needs 2 x {refused.value.demand.value} cores" in str(refused.value)


def test_a_group_larger_than_mux_is_refused() -> None:
    workload, chip = small_workload(layers=1, experts=4), small_chip(pg={"mux": 2})
    grouping = contiguous(workload, 4)
    behind = "4 crossbars behind each peripheral group"
    with pytest.raises(InfeasibleError, match=behind) as refused:
        place(partition(workload, chip), grouping, chip)
    assert (refused.value.demand.value, refused.value.supply.value) == (4, 2)


def test_groups_of_unequal_size() -> None:
    workload, chip = small_workload(layers=1, experts=4), small_chip(pg={"mux": 3})
    one = LayerGrouping(0, ((0, 1, 3), (2,)), "test", Certificate("slots", 0, 0, "heuristic"))
    placement = place(partition(workload, chip), Grouping((one,)), chip)
    assert placement.spots.max(axis=(0, 1)).tolist() == [2, 0, 0]


def test_unknown_solver() -> None:
    with pytest.raises(InputError, match="placement: 'magic', expected one of in-order"):
        PlacementOptions("magic")  # type: ignore[arg-type]  # what a caller may do all the same
