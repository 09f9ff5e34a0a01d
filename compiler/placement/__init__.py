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
from compiler.placement.by_die import Placed, by_die, together
from compiler.placement.cp_sat import place_cp_sat
from compiler.placement.fit import check_fits, side_limits
from compiler.placement.in_order import place_in_order
from compiler.placement.shelves import Shelves, number_pgs
from compiler.placement.sites import Sites, on_one_die
from compiler.placement.squares import place_squares
from compiler.placement.traffic import OBJECTIVE, Traffic, packet_hops, traffic_of
from ir.arrays import Bools
from ir.certificate import Certificate, Status
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import Block, Grouping
from ir.placement import Placement
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
    sites: Sites | None = None,
) -> Placement:
    """Place all blocks; packed, ragged tiles share crossbars (`spots`).

    Layers with a stack in common are in one region; stacks that are yet to be chosen are none.
    sites: the regions of a chip of several dies, each of which is placed by itself.

    With `routed` the placement carries a certificate: its packets x hops and a lower bound for all
    placements on the same mesh (on any mesh of as many cores, where the chip leaves it open).
    limits: of the solver. Raises InputError for cp-sat without `routed`, and InfeasibleError where
    the chip has too little room.
    """
    begun, limits = time.perf_counter(), limits or SolverOptions()
    options = options or PlacementOptions()
    solver, stacking = options.solver, options.stacking
    sites = sites or on_one_die(blocks, grouping, stacking)
    shelves = number_pgs(blocks, grouping, chip, pack=options.pack, stacking=stacking, sites=sites)
    check_fits(blocks, chip)
    if routed is None:
        if solver == "cp-sat":
            raise InputError("placement", "cp-sat without a routing trace, expected one to fit")
        placed = [Placed(_by_rule(solver, of, chip)) for of in by_die(shelves, sites)]
        return together(shelves, sites, placed)
    traffic = traffic_of(
        routed.workload,
        blocks,
        shelves.pg_start,
        grouping,
        chip,
        routed.chosen,
        routed.tokens,
        routed.of_side,
        sites,
    )
    placed, first_pg = [], 0
    for of in by_die(shelves, sites):
        here = traffic.among(of.layer_pgs, first_pg)
        placed.append(_place_die(solver, of, chip, here, limits))
        first_pg += len(of.pg_class)
    certificate = Certificate(
        objective=OBJECTIVE,
        value=sum(one.value for one in placed),
        bound=sum(one.bound for one in placed),
        status="heuristic",
        seconds=time.perf_counter() - begun,
        seed=limits.seed,
        deterministic=all(one.deterministic for one in placed),
    )
    found = together(shelves, sites, placed)
    return replace(found, certificate=with_status(certificate, solver))


def _place_die(
    solver: Placer, shelves: Shelves, chip: Chip, traffic: Traffic, limits: SolverOptions
) -> Placed:
    """The regions of one die."""
    if solver == "cp-sat":
        placement, bound, repeats = place_cp_sat(shelves, chip, traffic, limits)
    else:
        placement, repeats = _by_rule(solver, shelves, chip), True
        bound = placement_bound(traffic, chip.mesh.pgs_per_core, *side_limits(chip, placement))
    return Placed(placement, packet_hops(traffic, placement), bound, repeats)


def _by_rule(solver: Placer, shelves: Shelves, chip: Chip) -> Placement:
    """The placement of a solver that knows no traffic."""
    return place_squares(shelves, chip) if solver == "squares" else place_in_order(shelves, chip)


def with_status(certificate: Certificate, solver: Placer) -> Certificate:
    """Say what is proven: optimal where the bound is met."""
    searched = solver == "cp-sat"
    status: Status = "feasible" if searched else "heuristic"
    if certificate.value == certificate.bound:
        status = "optimal (solver)" if searched else "optimal (bound)"
    return replace(certificate, status=status)
