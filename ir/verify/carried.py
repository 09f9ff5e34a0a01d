"""What broadcasts on a region's bus and crossings between dies must cost, and MVMs give."""

import numpy as np

from ir import timing
from ir.arrays import Ints
from ir.links import bus_width
from ir.timing import Cost
from ir.verify.case import ProgramCase
from ir.verify.roles import Role

NOTHING = Cost(0, 0, 0)  # of what is of no job or link: the checks `jobs` and `opcode-unit` say so


def crossing_cost(case: ProgramCase, node: int, values: int, unit: int) -> Cost:
    """Over a link, from and to the port of the operator's region where that is on these dies."""
    link, placement, layer = (
        case.program.units[unit],
        case.mapping.placement,
        int(case.region[node]),
    )
    if link.kind != "d2d":
        return NOTHING
    dies = {region.die for region in placement.regions if layer in region.layers}
    before, after = (
        placement.hops_to_die_port(layer, die) if die in dies else 0 for die in (link.die, link.to)
    )
    return timing.cross(case.chip, values, before, after)


def load_cost(case: ProgramCase, node: int, die: int) -> Cost:
    """Of a dense product's vector over the bus of its region on a die."""
    layer = int(case.region[node])
    values = case.jobs.classes[case.jobs.base[node]].first[0].rows
    extent = extent_of(case, layer, die)
    return timing.load(case.chip, values, bus_width(case.workload, layer), extent)


def extent_of(case: ProgramCase, layer: int, die: int) -> timing.Extent:
    """Size of a layer's region on a die: its rectangle, and the PGs of its fire groups there."""
    placement = case.mapping.placement
    region = placement.region(layer, die)
    here = (g for g in case.fire_groups if g.layer == layer)
    pgs = sum(g.pgs for g in here if placement.die_of(g.first_pg) == die)
    return timing.Extent(region.width, region.height, pgs)


def bytes_of_sums(case: ProgramCase) -> Ints:
    """Bytes of what each MVM gives, all columns of its stage; 0 of other rows: int64 [rows]."""
    columns = [
        [sum(weight.columns for weight in job.weights(stage)) for stage in (0, 1)]
        for job in case.jobs.classes
    ]
    of_class = np.array([*columns, [0, 0]], dtype=np.int64)  # the last one: of no job
    values = of_class[case.job_class, (case.role == Role.MVM1).astype(np.int64)]
    bits = np.where(case.is_mvm, values, 0) * case.chip.mvm.output_bits
    out: Ints = -(-bits // 8)
    return out
