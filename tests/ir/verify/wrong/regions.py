"""Cores and regions that are not on the mesh, or not where they must be."""

from dataclasses import replace

from ir.compiled import Compiled
from ir.placement import Placement, Region
from tests.ir.verify.wrong.edits import Corrupt, Tables, changed, placed
from tests.ir.verify.wrong.programs import base


def core_beyond_the_mesh(c: Compiled) -> Compiled:
    p: Placement = c.mapping.placement
    return placed(c, core=changed(p.core, 0, p.mesh_width * p.mesh_height))


def region_beyond_the_mesh(c: Compiled) -> Compiled:
    one, other = c.mapping.placement.regions
    return placed(c, regions=(one, replace(other, height=other.height + 1)))


def core_with_too_many_pgs(c: Compiled) -> Compiled:
    # 4 PGs to a core: PG 4 is the first on the second core
    core = c.mapping.placement.core
    return placed(c, core=changed(core, 4, core[0]))


def overlapping_regions(c: Compiled) -> Compiled:
    one, other = c.mapping.placement.regions
    return placed(c, regions=(one, Region(1, 0, other.y - 1, other.width, other.height)))


def pg_outside_its_region(c: Compiled) -> Compiled:
    core = c.mapping.placement.core
    return placed(c, core=changed(core, [0, -1], core[[-1, 0]]))


def column_torn_apart(c: Compiled) -> Compiled:
    # d 20 on 8 rows: PGs 0, 1, 2 are one column; 0 goes to the third core of the same region
    core = c.mapping.placement.core
    return placed(c, core=changed(core, [0, 8], core[[8, 0]]))


def core_before_the_first(c: Compiled) -> Compiled:
    return placed(c, core=changed(c.mapping.placement.core, 0, -1))


def region(name: str, **by: int) -> Corrupt:
    """Fields of the last region changed by so much."""

    def corrupt(c: Compiled) -> Compiled:
        *others, last = c.mapping.placement.regions
        new = {field: getattr(last, field) + more for field, more in by.items()}
        return placed(c, regions=(*others, replace(last, **new)))

    corrupt.__name__ = name
    return corrupt


def region_as_wide_as_none(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, width=0)))


def region_as_high_as_none(c: Compiled) -> Compiled:
    *others, last = c.mapping.placement.regions
    return placed(c, regions=(*others, replace(last, height=0)))


def mesh_that_the_chip_has_not(c: Compiled) -> Compiled:
    """The chip's has another width, or height."""
    place = c.mapping.placement
    mesh = replace(c.chip.mesh, width=place.mesh_width, height=place.mesh_height + 1)
    return replace(c, chip=replace(c.chip, mesh=mesh))


def region_smaller_by_its_last_column(c: Compiled) -> Compiled:
    return _shrunk(c, width=-1)


def region_smaller_by_its_first_column(c: Compiled) -> Compiled:
    return _shrunk(c, x=1, width=-1)


def region_smaller_by_its_first_row(c: Compiled) -> Compiled:
    return _shrunk(c, y=1, height=-1)


def region_smaller_by_its_last_row(c: Compiled) -> Compiled:
    return _shrunk(c, height=-1)


def _shrunk(c: Compiled, **by: int) -> Compiled:
    first, *others = c.mapping.placement.regions
    new = {field: getattr(first, field) + more for field, more in by.items()}
    return placed(c, regions=(replace(first, **new), *others))


TABLES: Tables = [
    (
        base,
        [
            ("mesh", core_beyond_the_mesh),
            ("mesh", core_before_the_first),
            ("mesh", mesh_that_the_chip_has_not),
            ("mesh", region_beyond_the_mesh),
            ("mesh", region("region_left_of_the_mesh", x=-1, width=1)),
            ("mesh", region("region_above_the_mesh", y=-99, height=99)),
            ("mesh", region("region_right_of_the_mesh", width=1)),
            ("mesh", region("region_on_the_die_before_the_first", die=-1)),
            ("mesh", region_as_wide_as_none),
            ("mesh", region_as_high_as_none),
            ("core-capacity", core_with_too_many_pgs),
            ("regions", overlapping_regions),
            ("in-region", pg_outside_its_region),
            ("in-region", region_smaller_by_its_last_column),
            ("in-region", region_smaller_by_its_first_column),
            ("in-region", region_smaller_by_its_first_row),
            ("in-region", region_smaller_by_its_last_row),
            ("column-chains", column_torn_apart),
        ],
    ),
]
