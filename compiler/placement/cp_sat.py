"""Placement by traffic: regions near what they talk to, and busy groups near their region's port.

What happens inside a region depends on its shape alone, so every layer is laid out by itself for
each shape it may take; then CP-SAT puts the regions on the mesh. On small meshes all shapes are
offered and refined where the plan would use them, until the plan is proven; on large ones a plan in
strips is improved a few regions at a time. Never worse than in order.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from compiler.options import SolverOptions
from compiler.placement.bounds import placement_bound
from compiler.placement.fit import layer_cores, side_limits, too_small
from compiler.placement.floorplan import Floor, Plan, Shape, plan_by_cp_sat, plan_value
from compiler.placement.in_order import place_in_order
from compiler.placement.inside import Inside
from compiler.placement.shelves import Shelves
from compiler.placement.strips import moves_value, plan_in_strips
from compiler.placement.traffic import Traffic, packet_hops
from ir.chip import Chip
from ir.errors import InfeasibleError
from ir.placement import Placement

_SMALL_MESH = 256  # cores; up to it all meshes and shapes are offered at once, if few enough
_REGIONS_AT_ONCE = 8
_SHAPES_AT_ONCE = 1000
_LONGEST_TO_SHORTEST = 4  # sides of large regions and of a mesh that is to be chosen
_FREE = 3  # regions that a step of the neighbourhood search moves
_ROUNDS = 30
_REFINEMENTS = 40


def place_cp_sat(
    shelves: Shelves, chip: Chip, traffic: Traffic, options: SolverOptions
) -> tuple[Placement, int, bool]:
    """Placement with the least packets x hops found, its bound, and whether it repeats.

    A mesh that is to be chosen has at most as many cores as that of in order. Raises
    InfeasibleError where no plan of the regions is found.
    """
    cores, mesh = sum(layer_cores(shelves, chip).values()), chip.mesh
    if mesh.width and cores > mesh.width * mesh.height:
        raise too_small(shelves, chip)
    in_order = _in_order(shelves, chip)
    a_region = replace(options, time_s=options.time_s / 4)
    inside = Inside(traffic, chip.mesh.pgs_per_core, a_region)
    meshes = _meshes(chip, in_order, inside.cores())
    start = _first_plan(inside, traffic, meshes, in_order, fixed=bool(chip.mesh.width))
    plan = start
    if _few(meshes, inside.cores()):
        shapes = _every_shape(inside.cores(), meshes, start)
        if sum(map(len, shapes.values())) <= _SHAPES_AT_ONCE:
            plan = _proven_plan(inside, traffic, meshes, start, shapes, options)
    if plan is None:
        raise too_small(shelves, chip)
    if plan.value > plan.bound:
        better = _improved_plan(inside, traffic, meshes, plan, options)
        repeats = plan.deterministic and better.deterministic
        plan = replace(min(plan, better, key=_value), bound=plan.bound, deterministic=repeats)
    placement = _placement(shelves, inside, plan)
    value = packet_hops(traffic, placement)
    if in_order is not None and packet_hops(traffic, in_order) <= value:
        placement, value = replace(in_order, solver="cp-sat"), packet_hops(traffic, in_order)
    least = placement_bound(traffic, chip.mesh.pgs_per_core, *side_limits(chip, in_order))
    return placement, min(value, max(plan.bound, least)), plan.deterministic


def _in_order(shelves: Shelves, chip: Chip) -> Placement | None:
    """The baseline, if a mesh of fixed size has room for its strips."""
    try:
        return place_in_order(shelves, chip)
    except InfeasibleError:
        return None


def _few(meshes: Sequence[Shape], layers: Collection[int]) -> bool:
    """Whether all meshes are small and all regions can be moved at once."""
    return max(w * h for w, h in meshes) <= _SMALL_MESH and len(layers) <= _REGIONS_AT_ONCE


def _meshes(chip: Chip, in_order: Placement | None, cores: dict[int, int]) -> tuple[Shape, ...]:
    """Meshes to choose from: the chip's, or all that have no more cores than in order."""
    if chip.mesh.width or in_order is None:
        return ((chip.mesh.width, chip.mesh.height),)
    limit = in_order.mesh_width * in_order.mesh_height
    own = (in_order.mesh_width, in_order.mesh_height)
    if limit <= _SMALL_MESH:
        widths = range(1, limit + 1)
    else:
        least = math.isqrt(limit // _LONGEST_TO_SHORTEST) + 1
        widths = range(least, limit // least + 1)
    every = {(w, limit // w) for w in widths} | {own}
    return tuple(m for m in sorted(every) if m[0] * m[1] >= sum(cores.values()))


def _first_plan(
    inside: Inside,
    traffic: Traffic,
    meshes: Sequence[Shape],
    in_order: Placement | None,
    *,
    fixed: bool,
) -> Plan | None:
    """The better of in-order's regions and the best plan in strips."""
    plans: list[Plan] = []
    found = plan_in_strips(inside.cores(), traffic.moves, inside.guess, meshes, smaller=not fixed)
    if found is not None:
        plans.append(found)
    if in_order is not None:
        plans.append(Plan((in_order.mesh_width, in_order.mesh_height), in_order.regions, 0))
    return min((_valued(inside, traffic, plan) for plan in plans), key=_value, default=None)


def _valued(inside: Inside, traffic: Traffic, plan: Plan) -> Plan:
    value = sum(inside.value(r.layer, (r.width, r.height)) for r in plan.regions)
    return replace(plan, value=value + moves_value(traffic.moves, plan.regions))


def _value(plan: Plan) -> int:
    return plan.value


def _proven_plan(
    inside: Inside,
    traffic: Traffic,
    meshes: tuple[Shape, ...],
    start: Plan | None,
    shapes: Mapping[int, Sequence[Shape]],
    options: SolverOptions,
) -> Plan | None:
    """Plan with the bounds of all shapes as their costs; make exact those it uses; repeat.

    What the last of these plans costs at least, every placement does.
    """
    optimistic = None
    for _ in range(_REFINEMENTS):
        costs = {n: {s: inside.bound(n, s) for s in some} for n, some in shapes.items()}
        floor = Floor(meshes, costs, traffic.moves)
        hint = start and replace(start, value=plan_value(floor, start.regions), bound=0)
        optimistic = plan_by_cp_sat(floor, hint, options)
        if optimistic is None:
            return start
        used = [(r.layer, (r.width, r.height)) for r in optimistic.regions]
        refined = sum(inside.refine(*use) for use in used)
        if not refined or optimistic.bound < optimistic.value:
            break
    plans = [_valued(inside, traffic, plan) for plan in (start, optimistic) if plan is not None]
    return optimistic and replace(
        min(plans, key=_value),
        bound=optimistic.bound,
        deterministic=optimistic.deterministic and inside.deterministic,
    )


def _every_shape(
    cores: dict[int, int], meshes: Sequence[Shape], start: Plan | None
) -> dict[int, list[Shape]]:
    """All rectangles that hold a layer and leave enough of some mesh for the others."""
    total, room = sum(cores.values()), max(w * h for w, h in meshes)
    shapes = {
        layer: {
            (w, h)
            for mesh in meshes
            for w in range(1, mesh[0] + 1)
            for h in range(-(-need // w), mesh[1] + 1)
            if w * h <= room - (total - need)
        }
        for layer, need in cores.items()
    }
    for r in start.regions if start else ():
        shapes[r.layer].add((r.width, r.height))
    return {layer: sorted(some) for layer, some in shapes.items()}


def _improved_plan(
    inside: Inside,
    traffic: Traffic,
    meshes: tuple[Shape, ...],
    start: Plan,
    options: SolverOptions,
) -> Plan:
    """All regions at once where they are few, else by large-neighbourhood search.

    The search moves a few regions near each other at a time, all others fixed.
    """
    layers = sorted(inside.flows)
    few = len(layers) <= _REGIONS_AT_ONCE
    floor = _tight_floor(inside, traffic, meshes if few else (start.mesh,), start)
    if few:
        plan = plan_by_cp_sat(floor, start, options) or start
        repeats = plan.deterministic
    else:
        plan, repeats = _neighbourhood_search(floor, start, options)
    for r in plan.regions:
        inside.refine(r.layer, (r.width, r.height))
    return replace(
        _valued(inside, traffic, plan), bound=0, deterministic=repeats and inside.deterministic
    )


def _tight_floor(inside: Inside, traffic: Traffic, meshes: tuple[Shape, ...], start: Plan) -> Floor:
    """Rectangles that are no larger than they must be, and those of `start`."""
    limit = (max(w for w, _ in meshes), max(h for _, h in meshes))
    shapes = {layer: _tight_shapes(need, limit) for layer, need in inside.cores().items()}
    for r in start.regions:
        shapes[r.layer].add((r.width, r.height))
    costs = {
        layer: {s: inside.value(layer, s) for s in sorted(some)} for layer, some in shapes.items()
    }
    return Floor(tuple(sorted({*meshes, start.mesh})), costs, traffic.moves)


def _neighbourhood_search(floor: Floor, plan: Plan, options: SolverOptions) -> tuple[Plan, bool]:
    """The plan after a fixed number of steps, and whether all of them repeat."""
    step = replace(options, time_s=options.time_s / 4)
    layers, rng, repeats = sorted(floor.shapes), np.random.default_rng(options.seed), True
    for _ in range(_ROUNDS):
        near = _nearest(plan, layers[int(rng.integers(len(layers)))], _FREE)
        plan = plan_by_cp_sat(floor, plan, step, free=near) or plan
        repeats = repeats and plan.deterministic
    return plan, repeats


def _tight_shapes(need: int, mesh: Shape) -> set[Shape]:
    """Rectangles of which neither side can be shorter, not too long for their width."""
    tight = {(w, -(-need // w)) for w in range(1, min(need, mesh[0]) + 1)}
    return {
        (w, h)
        for w, h in tight
        if h <= mesh[1] and (w == 1 or (w - 1) * h < need) and _not_long(w, h)
    }


def _not_long(width: int, height: int) -> bool:
    short, long = sorted((width, height))
    return long <= _LONGEST_TO_SHORTEST * short + 2


def _nearest(plan: Plan, layer: int, count: int) -> list[int]:
    """The regions whose centres are nearest to that of `layer`, itself first."""
    at = {r.layer: (2 * r.x + r.width, 2 * r.y + r.height) for r in plan.regions}
    x, y = at[layer]
    return sorted(at, key=lambda n: (abs(at[n][0] - x) + abs(at[n][1] - y), n))[:count]


def _placement(shelves: Shelves, inside: Inside, plan: Plan) -> Placement:
    core = np.zeros(len(shelves.pg_class), dtype=np.int64)
    for r in plan.regions:
        layout, first = inside.layout(r.layer, (r.width, r.height)), inside.flows[r.layer][0]
        here = slice(first.first_pg, first.first_pg + len(layout.x))
        core[here] = (r.y + layout.y) * plan.mesh[0] + r.x + layout.x
    return Placement(
        mesh_width=plan.mesh[0],
        mesh_height=plan.mesh[1],
        regions=tuple(sorted(plan.regions, key=lambda r: r.layer)),
        pg_start=shelves.pg_start,
        spots=shelves.spots,
        core=core,
        pg_class=shelves.pg_class,
        solver="cp-sat",
    )
