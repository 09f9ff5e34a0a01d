"""cp-sat placements: brute force on 4 x 4 meshes, legality, never worse, refusals."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from compiler.options import PlacementOptions, SolverOptions
from compiler.partition import partition
from compiler.placement import Routed, place
from compiler.placement.cp_sat import place_cp_sat
from compiler.placement.shelves import Shelves
from compiler.placement.traffic import Flow, Traffic, packet_hops
from ir.errors import InfeasibleError, InputError
from ir.mapping import Mapping
from ir.placement import Placement
from ir.verify import verify_mapping
from tests.make import contiguous, random_routing, small_chip, small_workload

FAST = SolverOptions(time_s=2.0)
HASTY = SolverOptions(time_s=0.2)  # what is left unproven is checked all the same
NEVER = np.iinfo(np.int64).max // 8


def random_problem(seed: int, layers: int) -> tuple[Shelves, Traffic]:
    """Up to 4 PGs a layer in groups of 1 to 3, some of them chains."""
    rng = np.random.default_rng(seed)
    flows: list[Flow] = []
    layer_pgs: dict[int, int] = {}
    for layer in range(layers):
        left = int(rng.integers(2, 5))
        layer_pgs[layer] = left
        while left:
            pgs = int(rng.integers(1, min(3, left) + 1))
            chains = ((pgs, 1),) if rng.random() < 0.5 else ((1, pgs),)
            first = flows[-1].first_pg + flows[-1].pgs if flows else 0
            flows.append(Flow(layer, first, pgs, int(rng.integers(10)), chains))
            left -= pgs
    moves = tuple(((n, n + 1), int(rng.integers(1, 10))) for n in range(layers - 1))
    starts = np.array([f.first_pg for f in flows])
    spots, pgs_in_all = np.zeros((len(flows), 4, 3), dtype=np.int64), sum(layer_pgs.values())
    shelves = Shelves(starts, spots, np.zeros(pgs_in_all, dtype=np.int8), layer_pgs)
    return shelves, Traffic(tuple(flows), moves)


def least_inside(flows: tuple[Flow, ...], width: int, height: int, per_core: int) -> int:
    """Every assignment of a layer's PGs to cores that the verifier would accept."""
    pgs, cores = sum(f.pgs for f in flows), width * height
    core = np.indices((cores,) * pgs).reshape(pgs, -1)
    legal = np.ones(core.shape[1], dtype=np.bool_)
    for k in range(cores):
        legal &= (core == k).sum(axis=0) <= per_core
    y, x = np.divmod(core, width)
    total, at = np.zeros(core.shape[1], dtype=np.int64), 0
    for flow in flows:
        own = slice(at, at + flow.pgs)
        total += flow.packets * (x[own].max(axis=0) + y[own].max(axis=0))
        for length, count in flow.chains:
            for i in range(length * count):
                if i % length:
                    steps = np.abs(x[at + i] - x[at + i - 1]) + np.abs(y[at + i] - y[at + i - 1])
                    legal &= steps <= 1
            at += length * count
    return int(np.where(legal, total, NEVER).min())


def least_of_all(traffic: Traffic, layers: int, per_core: int, side: int) -> int:
    """Every rectangle for every layer, everywhere, with the best that fits inside."""
    boxes, costs = [], []
    for layer in range(layers):
        shapes = product(range(1, side + 1), repeat=2)
        flows = traffic.of(layer)
        inside = {(w, h): least_inside(flows, w, h, per_core) for w, h in shapes}
        box = [
            (x, y, w, h)
            for w, h in inside
            for x in range(side - w + 1)
            for y in range(side - h + 1)
        ]
        boxes.append(np.array(box))
        costs.append(np.array([inside[w, h] for _, _, w, h in box]))
    moves = dict(traffic.moves)
    total = np.zeros([1] * layers, dtype=np.int64)
    for a in range(layers):
        total = total + costs[a].reshape([-1 if n == a else 1 for n in range(layers)])
        for b in range(a):
            p, q = boxes[b][:, None, :], boxes[a][None, :, :]
            apart = (p[..., :2] + p[..., 2:] <= q[..., :2]) | (
                q[..., :2] + q[..., 2:] <= p[..., :2]
            )
            far = np.abs(p[..., :2] - q[..., :2]).sum(axis=-1) * moves.get((b, a), 0)
            pair = np.where(apart.any(axis=-1), far, NEVER)
            axes = [len(boxes[n]) if n in (a, b) else 1 for n in range(layers)]
            total = np.minimum(total + pair.reshape(axes), NEVER)
    return int(total.min())


@pytest.mark.parametrize(
    ("seed", "layers", "per_core"),
    [(s, 2, 1 + s % 2) for s in range(12)] + [(s, 3, 1 + s % 2) for s in range(12, 18)],
)
def test_optimum_of_4x4_meshes_is_that_of_brute_force(
    seed: int, layers: int, per_core: int
) -> None:
    shelves, traffic = random_problem(seed, layers)
    chip = small_chip(mesh={"pgs_per_core": per_core, "width": 4, "height": 4})
    placement, bound, deterministic = place_cp_sat(shelves, chip, traffic, FAST)
    value = packet_hops(traffic, placement)
    assert value == bound == least_of_all(traffic, layers, per_core, side=4)
    assert deterministic


def both(
    workload: dict[str, Any], chip: dict[str, Any], options: SolverOptions = HASTY
) -> tuple[Placement, Placement]:
    """In-order and cp-sat placements; every check of the mapping has passed."""
    model, target = small_workload(**workload), small_chip(**chip)
    blocks, grouping = partition(model, target), contiguous(model, target.pg.mux)
    routed = Routed(model, random_routing(model, np.zeros(64, dtype=np.int64)), 64)
    placements = [
        place(blocks, grouping, target, PlacementOptions(solver), routed=routed, limits=options)
        for solver in ("in-order", "cp-sat")
    ]
    for placement in placements:
        verify_mapping(Mapping(blocks, grouping, placement), model, target)
    return placements[0], placements[1]


@pytest.mark.parametrize(
    ("workload", "chip"),
    [
        ({"layers": 1}, {}),
        ({"layers": 3, "shared": 1}, {"mesh": {"pgs_per_core": 16}}),
        ({"layers": 2, "experts": 8}, {"pg": {"mux": 4}}),
        ({"layers": 2}, {"mesh": {"pgs_per_core": 1}}),  # long chains, many cores
        ({"layers": 2, "widths": (9, 21)}, {"mesh": {"pgs_per_core": 2}}),  # chains of 2 and 3
        ({"layers": 10, "experts": 2}, {"mesh": {"pgs_per_core": 4}}),  # searched in parts
        ({"layers": 2}, {"mesh": {"pgs_per_core": 8}, "accumulate": {"where": "dpu"}}),
        ({"layers": 2}, {"mesh": {"pgs_per_core": 8, "width": 9, "height": 9}}),
    ],
)
def test_legal_and_never_worse_than_in_order(
    workload: dict[str, Any], chip: dict[str, Any]
) -> None:
    before, after = both(workload, chip)
    old, new = before.certificate, after.certificate
    assert old is not None
    assert new is not None
    assert new.bound <= new.value < old.value
    assert old.bound <= new.value  # both bounds hold for both
    cores = (p.mesh_width * p.mesh_height for p in (after, before))
    assert next(cores) <= next(cores)


def test_the_same_placement_again() -> None:
    one, two = (both({"layers": 3}, {"mesh": {"pgs_per_core": 8}})[1] for _ in range(2))
    assert one.regions == two.regions
    assert one.core.tolist() == two.core.tolist()


def test_a_mesh_too_low_for_strips_may_do() -> None:
    # one row of exactly as many cores as the layers' regions take side by side: in order would
    # give each layer a row of its own
    model = small_workload(layers=2, d=8, f=8)
    small = {"pgs_per_core": 8, "width": 4, "height": 4}
    chip = small_chip(mesh=small)
    blocks, grouping = partition(model, chip), contiguous(model, 2)
    routed = Routed(model, random_routing(model, np.zeros(8, dtype=np.int64)), 8)
    cores = place(blocks, grouping, chip, PlacementOptions("cp-sat"), routed=routed, limits=FAST)
    needed = [r.width * r.height for r in cores.regions]
    tight = small_chip(mesh={**small, "width": sum(needed), "height": 1})
    wide = place(blocks, grouping, tight, PlacementOptions("cp-sat"), routed=routed, limits=FAST)
    assert {r.height for r in wide.regions} == {1}
    with pytest.raises(InfeasibleError, match="mesh"):
        place(blocks, grouping, tight, PlacementOptions("in-order"), routed=routed)


def test_a_matrix_larger_than_the_chip_is_named() -> None:
    # layer 0's q: 20 x 20 weights on crossbars of 8 x 4 are 3 x 5 tiles; 2 x 1 cores hold 4 PGs
    model, chip = small_workload(), small_chip(mesh={"pgs_per_core": 2, "width": 2, "height": 1})
    where = r"peripheral groups for layer 0 dense q0: needs 15 \(3 x 5 tiles.*has 4 .*at least 4"
    with pytest.raises(InfeasibleError, match=where) as refused:
        place(partition(model, chip), contiguous(model, 2), chip)
    short = refused.value
    assert (short.demand.value, short.supply.value, short.unit) == (15, 4, "peripheral groups")


def test_a_mesh_too_small_for_all_is_refused_with_the_height_that_fits() -> None:
    model, chip = small_workload(), small_chip(mesh={"width": 5, "height": 2})
    blocks, grouping = partition(model, chip), contiguous(model, 2)
    routed = Routed(model, random_routing(model, np.zeros(8, dtype=np.int64)), 8)
    with pytest.raises(InfeasibleError) as refused:
        place(blocks, grouping, chip, PlacementOptions("cp-sat"), routed=routed)
    assert (refused.value.resource, refused.value.supply.value) == ("mesh", 2)
    height = refused.value.demand.value
    assert refused.value.hint.startswith(f"set mesh.height to {height}")
    enough = small_chip(mesh={"width": 5, "height": height})
    place(blocks, grouping, enough, PlacementOptions("cp-sat"), routed=routed, limits=HASTY)


def test_cp_sat_needs_a_routing() -> None:
    model, chip = small_workload(), small_chip()
    with pytest.raises(InputError, match="cp-sat without a routing trace"):
        place(partition(model, chip), contiguous(model, 2), chip, PlacementOptions("cp-sat"))
