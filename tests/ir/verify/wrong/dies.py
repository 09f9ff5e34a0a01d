"""Regions, cores, units and links that are on another die than they must be."""

from dataclasses import replace

from ir.compiled import Compiled
from ir.topology import Topology
from tests.ir.verify.wrong.edits import Tables, changed, edited, placed, with_counted, with_unit
from tests.ir.verify.wrong.find import block, first_kind
from tests.ir.verify.wrong.programs import on_dies


def region_on_a_die_that_is_not_there(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, die=4)))


def core_beyond_the_last_die(c: Compiled) -> Compiled:
    p = c.mapping.placement
    cores = p.mesh_width * p.mesh_height * 4
    return placed(c, core=changed(p.core, 0, cores))


def region_on_another_die(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, die=(last.die + 1) % 4)))


def region_twice(c: Compiled) -> Compiled:
    """A second one of its layer on its die."""
    place = c.mapping.placement
    spare = replace(place.regions[-1], x=0, y=place.mesh_height - 1, width=1, height=1)
    return placed(c, regions=(*place.regions, spare))


def regions_of_a_die_overlap(c: Compiled) -> Compiled:
    """The second of a die begins where the first one does."""
    regions = list(c.mapping.placement.regions)
    for at, one in enumerate(regions):
        for other in regions[:at]:
            if one.die == other.die:
                regions[at] = replace(one, y=other.y)
                return placed(c, regions=tuple(regions))
    raise AssertionError("none")


def pg_on_another_die(c: Compiled) -> Compiled:
    """The last PG of a fire group at the same place of the next die."""
    p = c.mapping.placement
    cores = p.mesh_width * p.mesh_height
    unit = next(u for u in c.program.units if u.kind == "group" and u.pgs > 1)
    last = unit.first_pg + unit.pgs - 1
    return placed(c, core=changed(p.core, last, (p.core[last] + cores) % (4 * cores)))


def group_over_two_dies(c: Compiled) -> Compiled:
    """An expert group's gate where its up is not: it changes places with another's."""
    p = c.mapping.placement
    start = p.pg_start
    gate = block(c.mapping, "gate", 0)
    for expert in (2, 3):
        other = block(c.mapping, "gate", expert)
        if p.die_of(start[gate]) != p.die_of(start[other]):
            return placed(c, pg_start=changed(start, [gate, other], start[[other, gate]]))
    raise AssertionError("all on one die")


def a_link_too_few(c: Compiled) -> Compiled:
    """What the last one did the one before does."""
    p = c.program
    *units, last = p.units
    assert last.kind == units[-1].kind == "d2d"
    c = edited(c, "unit", p.unit == len(units), len(units) - 1)
    return replace(c, program=replace(c.program, units=tuple(units)))


def a_link_too_many(c: Compiled) -> Compiled:
    # 0 and 2 are opposite each other on the ring
    spare = replace(c.program.units[-1], name="d2d.0.2", die=0, to=2)
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def a_link_twice(c: Compiled) -> Compiled:
    spare = replace(c.program.units[-1], name="spare")
    return replace(c, program=replace(c.program, units=(*c.program.units, spare)))


def link_the_other_way(c: Compiled) -> Compiled:
    at = first_kind(c, "d2d")
    unit = c.program.units[at]
    return with_unit(c, at, die=unit.to, to=unit.die)


def on_another_die(c: Compiled, at: int) -> Compiled:
    """A unit on the die after its own."""
    return with_unit(c, at, die=(c.program.units[at].die + 1) % 4)


def group_on_another_die(c: Compiled) -> Compiled:
    return on_another_die(c, first_kind(c, "group"))


def group_of_the_first_pgs_on_another_die(c: Compiled) -> Compiled:
    units = enumerate(c.program.units)
    return on_another_die(c, next(i for i, u in units if u.kind == "group" and u.first_pg == 0))


def adders_on_another_die(c: Compiled) -> Compiled:
    return on_another_die(c, first_kind(c, "acc"))


def way_to_a_second_stage_on_another_die(c: Compiled) -> Compiled:
    return on_another_die(c, first_kind(c, "link"))


def dies_joined_otherwise(c: Compiled) -> Compiled:
    return placed(c, topology=Topology(4, ((0, 1), (0, 2), (0, 3))))


def bus_on_another_die(c: Compiled) -> Compiled:
    # one on which the layer has no region, or has two busses then
    return on_another_die(c, first_kind(c, "bus"))


def digital_unit_on_another_die(c: Compiled) -> Compiled:
    return on_another_die(c, first_kind(c, "dpu"))


def attention_on_another_die(c: Compiled) -> Compiled:
    return on_another_die(c, first_kind(c, "mha"))


def inventory_without_a_bus_of_a_die(c: Compiled) -> Compiled:
    return with_counted(c, "bus_bits_per_ns", -1)


TABLES: Tables = [
    (
        on_dies,
        [
            ("mesh", region_on_a_die_that_is_not_there),
            ("mesh", core_beyond_the_last_die),
            ("regions", region_on_another_die),
            ("regions", region_twice),
            ("regions", regions_of_a_die_overlap),
            ("in-region", pg_on_another_die),
            ("in-region", group_over_two_dies),
            ("links", a_link_too_few),
            ("links", a_link_too_many),
            ("links", a_link_twice),
            ("links", link_the_other_way),
            ("links", group_on_another_die),
            ("links", group_of_the_first_pgs_on_another_die),
            ("links", adders_on_another_die),
            ("links", way_to_a_second_stage_on_another_die),
            ("links", dies_joined_otherwise),
            ("units", bus_on_another_die),
            ("units", digital_unit_on_another_die),
            ("units", attention_on_another_die),
            ("inventory", inventory_without_a_bus_of_a_die),
        ],
    ),
]
