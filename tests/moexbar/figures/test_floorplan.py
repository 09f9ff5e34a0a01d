"""Dies from above: use and traffic by hand, and against the hops that the compiler counts."""

from dataclasses import replace

import numpy as np
import pytest

from ir.compiled import Compiled
from ir.placement import Placement, Region
from ir.program import Buffer, Opcode, Unit
from ir.topology import ONE_DIE
from moexbar.figures.cores import Field, core_use, field_of, placement_of
from moexbar.figures.figure import Shown
from moexbar.figures.floorplan import floorplan
from moexbar.figures.traffic import EAST, NORTH, SOUTH, WEST, traffic, ways
from moexbar.files.mapping_file import mapping_json
from moexbar.report.mapped import MappingFile
from moexbar.report.plain import as_json
from moexbar.report.reading import typed
from tests.dies import JOINED, compiled_on
from tests.make import compile_small
from tests.moexbar.figures.by_hand import program

REGIONS = (Region(0, 0, 0, 3, 1), Region(1, 0, 1, 3, 2))  # of a mesh of 3 x 3


def placed(core: list[int]) -> Placement:
    """Peripheral groups on these cores of one die of 3 x 3."""
    pgs = np.array(core, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    return Placement(3, 3, REGIONS, none, none, pgs, np.zeros(len(core), dtype=np.int8), "", None)


def test_a_core_is_as_busy_as_its_peripheral_groups() -> None:
    """PG 0 and 1 on core 0, PG 2 on core 4; unit a has 0 and 1, b has 1 and 2 (a stack)."""
    units = [
        Unit("group", "a", layer=0, stage=0, group=0, first_pg=0, pgs=2),
        Unit("group", "b", layer=1, stage=0, group=0, first_pg=1, pgs=2),
    ]
    made = program(units, [{"unit": "a", "duration_ps": 10}, {"unit": "b", "duration_ps": 4}])
    groups, busy = core_use(made, placed([0, 0, 4]))
    assert groups.tolist() == [2, 0, 0, 0, 1, 0, 0, 0, 0]
    assert busy.tolist() == [10 + (10 + 4), 0, 0, 0, 4, 0, 0, 0, 0]


def test_the_ways_of_xfers_by_hand() -> None:
    """Layer 1's group on cores 4 = (1, 1) and 8 = (2, 2), its port (0, 1); layer 0's port (0, 0).

    Out of the group: 3 bytes from (2, 2) along row 2 west, then north. Into it: 5 bytes from (0, 1)
    east to (2, 1), then south. Between regions: 7 bytes from (0, 0) south to (0, 1).
    """
    units = [
        Unit("group", "g", layer=1, stage=1, group=0, first_pg=0, pgs=2),
        Unit("link", "l", layer=1, stage=1, group=0),
        Unit("mesh", "m", layer=0),
    ]
    xfer = {"opcode": Opcode.XFER, "duration_ps": 1}
    made = program(
        units,
        [
            {**xfer, "unit": "l", "bytes": 3, "src": "g"},
            {**xfer, "unit": "l", "bytes": 5, "dst": ("g",)},
            {**xfer, "unit": "m", "bytes": 7, "buffer": 1},
        ],
    )
    made = replace(made, buffers=(Buffer("b0", 0, 9), Buffer("b1", 1, 9)))
    found = traffic(made, placed([4, 8]))
    over = found.over_link[:, 0]
    assert over[WEST].tolist() == [[0, 0, 0], [0, 0, 0], [0, 3, 3]]
    assert over[NORTH].tolist() == [[0, 0, 0], [0, 0, 0], [3, 0, 0]]
    assert over[EAST].tolist() == [[0, 0, 0], [5, 5, 0], [0, 0, 0]]
    assert over[SOUTH].tolist() == [[7, 0, 0], [0, 0, 5], [0, 0, 0]]
    assert found.through[0].tolist() == [[7, 0, 0], [7 + 3 + 5, 5, 5], [3, 3, 3 + 5]]
    assert found.between == {}


@pytest.mark.parametrize("dies", [None, "two", "mesh of 5", "ring of 4"])
def test_bytes_over_links_are_bytes_times_hops(dies: str | None) -> None:
    """As the compiler counts hops, on one die and on several."""
    done = compile_small() if dies is None else compiled_on(JOINED[dies])
    placement, made = done.mapping.placement, done.program
    found = traffic(made, placement)
    by_way = sum(way.hops * sent for way, sent in ways(made, placement))
    assert found.over_link.sum() == by_way == expected_hops(done)
    sent = made.bytes[made.opcode == Opcode.CROSS].sum()
    assert sum(found.between.values()) == sent


def expected_hops(done: Compiled) -> int:
    """Sum of bytes x hops over XFERs, by `Placement`."""
    made, placement = done.program, done.mapping.placement
    groups = {(u.layer, u.stage, u.group): u for u in made.units if u.kind == "group"}
    total = 0
    for row in np.flatnonzero(made.opcode == Opcode.XFER).tolist():
        unit = made.units[made.unit[row]]
        if unit.kind == "link":
            group = groups[unit.layer, unit.stage, unit.group]
            hops = placement.hops_to_port(unit.layer, group.first_pg, group.pgs)
        else:
            buffer = made.buffers[made.buffer[row]]
            away = unit.die != placement.region(unit.layer).die
            if away or buffer.layer == unit.layer:  # to the port of the die
                hops = placement.hops_to_die_port(unit.layer, unit.die)
            else:
                hops = placement.hops_between(unit.layer, buffer.layer)
        total += hops * int(made.bytes[row])
    return total


def test_the_file_of_a_mapping_has_the_same_ways() -> None:
    done = compiled_on(JOINED["mesh of 5"])
    written = typed(MappingFile, as_json(mapping_json(done.mapping, done.workload)), "mapping.json")
    read, given = placement_of(written), done.mapping.placement
    assert read.core.tolist() == given.core.tolist()
    assert (read.regions, read.topology) == (given.regions, given.topology)


def test_cores_are_taken_together_where_there_are_many() -> None:
    """5 x 4 cores in blocks of 2: the last column of blocks is one core wide."""
    field = Field(5, 4, ONE_DIE, 1, side=2)
    first = [0 + 1 + 5 + 6, 2 + 3 + 7 + 8, 4 + 9]
    second = [10 + 11 + 15 + 16, 12 + 13 + 17 + 18, 14 + 19]
    assert field.blocks(np.arange(20.0)).tolist() == first + second
    die, x, y = (column.tolist() for column in field.cells())
    assert (die, x, y) == ([0] * 6, [0, 2, 4] * 2, [0] * 3 + [2] * 3)


def test_a_picture_has_a_bounded_number_of_cells() -> None:
    field = field_of(replace(placed([0]), mesh_width=1000, mesh_height=700))
    assert field.side == 8  # 7 would leave 143 x 100
    assert len(field.cells()[0]) == 125 * 88


def test_two_pictures_with_every_region(shown: Shown) -> None:
    use, moved = floorplan(shown)
    assert shown.mapping is not None
    for figure in (use, moved):
        names = figure.spec["layer"][2]["data"]["values"]
        assert len(names) == len(shown.mapping.regions)
    assert floorplan(replace(shown, mapping=None)) == ()
    assert floorplan(replace(shown, program=None)) == ()
