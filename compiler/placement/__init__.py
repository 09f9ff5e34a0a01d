"""Put the PGs of every layer on the mesh.

`in-order` is the baseline: layers in strips, PGs in a snake. `squares` gives each layer a region
that depends on that layer alone. `cp-sat` looks for the placement with the least packets x hops and
says how far from the best it can be.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from compiler.options import PlacementOptions, Placer, SolverOptions
from compiler.placement.bounds import placement_bound
from compiler.placement.cp_sat import place_cp_sat
from compiler.placement.fit import check_fits, side_limits
from compiler.placement.in_order import place_in_order
from compiler.placement.shelves import Shelves, number_pgs
from compiler.placement.squares import place_squares
from compiler.placement.traffic import OBJECTIVE, packet_hops, traffic_of
from ir.arrays import Bools
from ir.certificate import Certificate, Status
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import Block, Grouping, Placement
from ir.workload import Workload


@dataclass(frozen=True, eq=False)
class Routed:
    """What a placement is judged by: the model and the routing of the fitted tokens.

    chosen: {MoE layer: bool [tokens, experts]}; of_side: how many of the tokens each side of the
    model has.
    """

    workload: Workload
    chosen: Mapping[int, Bools]
    tokens: int
    of_side: tuple[int, ...] = ()


def place(
    blocks: tuple[Block, ...],
    grouping: Grouping,
    chip: Chip,
    options: PlacementOptions | None = None,
    *,
    routed: Routed | None = None,
    limits: SolverOptions | None = None,
) -> Placement:
    """Place all blocks; packed, ragged tiles share crossbars (`spots`).

    Layers with a stack in common are in one region; stacks that are yet to be chosen are none.

    With `routed` the placement carries a certificate: its packets x hops and a lower bound for all
    placements on the same mesh (on any mesh of as many cores, where the chip leaves it open).
    limits: of the solver. Raises InputError for cp-sat without `routed`, and InfeasibleError where
    the chip has too little room.
    """
    begun, limits = time.perf_counter(), limits or SolverOptions()
    options = options or PlacementOptions()
    solver = options.solver
    stacking = options.stacking
    hosts = stacking.hosts(tuple(sorted({block.layer for block in blocks})))
    shelves = number_pgs(blocks, grouping, chip, pack=options.pack, stacking=stacking)
    check_fits(blocks, chip)
    if routed is None:
        if solver == "cp-sat":
            raise InputError("placement", "cp-sat without a routing trace, expected one to fit")
        return _with_guests(_by_rule(solver, shelves, chip), hosts)
    traffic = traffic_of(
        routed.workload,
        blocks,
        shelves.pg_start,
        grouping,
        chip,
        routed.chosen,
        routed.tokens,
        routed.of_side,
        hosts,
    )
    if solver == "cp-sat":
        placement, bound, deterministic = place_cp_sat(shelves, chip, traffic, limits)
    else:
        placement, deterministic = _by_rule(solver, shelves, chip), True
        bound = placement_bound(traffic, chip.mesh.pgs_per_core, *side_limits(chip, placement))
    certificate = Certificate(
        objective=OBJECTIVE,
        value=packet_hops(traffic, placement),
        bound=bound,
        status="heuristic",
        seconds=time.perf_counter() - begun,
        seed=limits.seed,
        deterministic=deterministic,
    )
    found = replace(placement, certificate=with_status(certificate, solver))
    return _with_guests(found, hosts)


def _by_rule(solver: Placer, shelves: Shelves, chip: Chip) -> Placement:
    """The placement of a solver that knows no traffic."""
    return place_squares(shelves, chip) if solver == "squares" else place_in_order(shelves, chip)


def _with_guests(placement: Placement, hosts: Mapping[int, int]) -> Placement:
    """The placement whose regions say which other layers are in them."""
    guests: dict[int, list[int]] = {}
    for layer, host in sorted(hosts.items()):
        if layer != host:
            guests.setdefault(host, []).append(layer)
    regions = [replace(r, guests=tuple(guests.get(r.layer, ()))) for r in placement.regions]
    return replace(placement, regions=tuple(regions))


def with_status(certificate: Certificate, solver: Placer) -> Certificate:
    """Say what is proven: optimal where the bound is met."""
    searched = solver == "cp-sat"
    status: Status = "feasible" if searched else "heuristic"
    if certificate.value == certificate.bound:
        status = "optimal (solver)" if searched else "optimal (bound)"
    return replace(certificate, status=status)
