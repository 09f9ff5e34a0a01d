"""A model of a recipe on several dies: by a solver, or every fire group on a random one."""

from dataclasses import replace

from compiler.dies.areas import areas_of
from compiler.dies.pieces import Pieces, in_model_order
from compiler.fire_groups import fire_groups
from compiler.options import DieOptions, Options
from compiler.pipeline import compile_model, map_model, run_mapping
from compiler.placement import Routed, place
from compiler.trace import routing_matrices
from ir.chip import Chip, Dies
from ir.compiled import Compiled
from ir.mapping import Mapping
from ir.parts import in_parts
from ir.routing import Routing
from ir.sides import on_side
from ir.topology import topology_of
from ir.workload import Workload
from tests.chain.recipe import OnDies
from tests.dies import LARGE, LINK, on_several, random_sites

DEGREE = 30  # links of a die, at most: each joined to all


def compile_on_dies(
    workload: Workload, routing: Routing, chip: Chip, options: Options, dies: OnDies
) -> Compiled:
    """Compile for a chip of several dies; matrices that are large for one are in parts."""
    if dies.solver == "random":
        asked = _dies(dies.area_um2 or LARGE, dies, dies.count)
        return _at_random(workload, routing, chip, options, asked, dies.seed)
    alone = map_model(workload, routing, chip, options)
    large = on_several(chip, Dies(LARGE, count=1))
    area = _area(workload, routing, alone, large, options, dies.count)
    several = on_several(chip, _dies(area, dies, 0))
    placement = replace(options.placement, dies=DieOptions(dies.solver))
    how = replace(options, placement=placement)
    return compile_model(
        in_parts(workload, several), routing, several, how, grouping=alone.grouping
    )


def _dies(area_um2: int, asked: OnDies, count: int) -> Dies:
    return Dies(
        area_um2,
        count=count,
        topology=asked.topology,
        columns=asked.columns,
        table=asked.joined,
    )


def _at_random(
    workload: Workload, routing: Routing, chip: Chip, options: Options, dies: Dies, seed: int
) -> Compiled:
    """Every fire group on a random die."""
    several = on_several(chip, dies)
    workload = in_parts(workload, several)
    alone = map_model(workload, routing, chip, options)
    sites = random_sites(alone.blocks, alone.grouping, topology_of(dies), seed)
    of_side = [
        int(on_side(workload.sides, n, routing.sequence).sum()) for n in range(len(workload.sides))
    ]
    traced = routing_matrices(workload, routing)
    placement = place(
        alone.blocks,
        alone.grouping,
        several,
        options.placement,
        routed=Routed(workload, traced, routing.tokens, tuple(of_side)),
        limits=options.limits,
        sites=sites,
    )
    return run_mapping(workload, routing, replace(alone, placement=placement), several, options)


def _area(
    workload: Workload, routing: Routing, alone: Mapping, chip: Chip, options: Options, count: int
) -> int:
    """um2 of dies of which about `count` hold the model: room for what is on one, and its links."""
    fires, shape = in_model_order(fire_groups(alone.blocks, alone.grouping)), options.shape
    copies = options.placement.dense_copies
    tokens = shape.batch * shape.length
    areas = areas_of(workload, alone.grouping, fires, chip, shape.prefill, tokens, copies)
    chosen = routing_matrices(workload, routing)
    pieces = Pieces(workload, chip, alone.grouping, fires, chosen, routing.tokens)
    problem = pieces.problem(areas, LARGE)
    here = problem.overhead_um2
    most = max(item.area_um2 + here[item.layer] for item in problem.items)
    every = sum(item.area_um2 for item in problem.items) + sum(here.values())
    room = max(most, every * 6 // 5 // count)
    return room + DEGREE * LINK.end_um2
