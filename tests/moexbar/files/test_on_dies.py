"""Files of a program on several dies: read back as they were, refused where they are damaged."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backends.functional.order import check_order
from backends.perfetto import trace_json
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.program import Opcode, Program
from ir.verify import verify_mapping
from moexbar.dump import dump_stages
from moexbar.files.mapping_file import mapping_json
from moexbar.files.mapping_reader import read_mapping
from moexbar.files.program_file import KEY, read_program, write_program
from tests.dies import JOINED, compiled_on

Found = dict[str, Any]


@pytest.fixture(scope="module", params=["ring of 4", "mesh of 5", "a star"])
def done(request: pytest.FixtureRequest) -> Compiled:
    return compiled_on(JOINED[request.param], 4)


@pytest.fixture(scope="module")
def ring() -> Compiled:
    return compiled_on(JOINED["ring of 4"], 4)


def test_a_mapping_comes_back_with_its_dies(done: Compiled, tmp_path: Path) -> None:
    path, placement = tmp_path / "mapping.json", done.mapping.placement
    path.write_text(json.dumps(mapping_json(done.mapping, done.workload)))
    found = read_mapping(path, done.workload)
    again = found.placement
    assert (again.topology, again.regions) == (placement.topology, placement.regions)
    assert {region.die for region in again.regions} > {0}
    for name in ("core", "pg_start", "spots", "pg_class"):
        assert np.array_equal(getattr(again, name), getattr(placement, name)), name
    assert found.blocks == done.mapping.blocks
    verify_mapping(found, done.workload, done.chip)


def test_a_mapping_on_one_die_does_not_speak_of_dies() -> None:
    from tests.make import map_small, small_chip, small_workload

    workload = small_workload(layers=1)
    text = json.dumps(mapping_json(map_small(workload, small_chip()), workload))
    assert "die" not in text


def test_a_program_comes_back_with_its_links(done: Compiled, tmp_path: Path) -> None:
    path = tmp_path / "program.parquet"
    write_program(done.program, path)
    again = read_program(path)
    assert (again.units, again.buffers) == (done.program.units, done.program.buffers)
    assert [(u.die, u.to) for u in again.units if u.kind == "d2d"] == list(
        done.mapping.placement.topology.links
    )
    for column in fields(Program):
        one, other = getattr(done.program, column.name), getattr(again, column.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other), column.name


def put(path: tuple[Any, ...], value: Any) -> Callable[[Found], None]:
    """A damage: another value there."""

    def damage(found: Found) -> None:
        place: Any = found
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    damage.__name__ = f"{'.'.join(map(str, path))} = {value}"
    return damage


def without_dies(found: Found) -> None:
    del found["dies"]


def meshes_smaller_by_a_row(found: Found) -> None:
    found["mesh"]["height"] -= 1


DAMAGES = [
    put(("regions", 0, "die"), 4),
    put(("regions", -1, "die"), 10**9),
    put(("regions", 0, "die"), -1),
    put(("regions", 0, "die"), "1"),
    put(("regions", 0, "die"), 0.5),
    put(("dies",), []),
    put(("dies",), "four"),
    put(("dies", "count"), 0),
    put(("dies", "count"), 2),
    put(("dies", "count"), 10**9),
    put(("dies", "count"), None),
    put(("dies", "joined"), [[1, 0]]),
    put(("dies", "joined"), [[1, 1]]),
    put(("dies", "joined"), [[0, 4]]),
    put(("dies", "joined"), [[0, 1, 2]]),
    put(("dies", "joined"), [[0, 1], [0, 1]]),
    put(("dies", "joined"), [[2, 3], [0, 1]]),
    put(("dies", "joined"), [0, 1]),
    put(("dies", "joined"), "0-1"),
    put(("dies", "columns"), -1),
    put(("dies", "columns"), 4),  # of a ring
    put(("dies", "columns"), 99),
    put(("pg_core", 0, 0), 10**9),
    without_dies,
    meshes_smaller_by_a_row,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_mapping_is_refused(
    damage: Callable[[Found], None], ring: Compiled, tmp_path: Path
) -> None:
    found = json.loads(json.dumps(mapping_json(ring.mapping, ring.workload)))
    damage(found)
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(found))
    with pytest.raises(
        InputError, match=r"mapping\.json: (regions|dies|pg_core|mesh).*; compile again"
    ):
        read_mapping(path, ring.workload)


def rewritten(program: Program, path: Path, kind: str, **changes: Any) -> Path:
    """A program file with fields of the first unit of a kind changed."""
    write_program(program, path)
    table = pq.read_table(path)
    tables = json.loads(table.schema.metadata[KEY])
    next(unit for unit in tables["units"] if unit["kind"] == kind).update(changes)
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(tables).encode()}), path)
    return path


@pytest.mark.parametrize("value", ["1", 0.5, None, True, [0], 1 << 60], ids=repr)
@pytest.mark.parametrize("name", ["die", "to"])
def test_a_damaged_die_of_a_unit_is_refused(
    name: str, value: Any, ring: Compiled, tmp_path: Path
) -> None:
    path = rewritten(ring.program, tmp_path / "p.parquet", "d2d", **{name: value})
    with pytest.raises(InputError, match=rf"p\.parquet: metadata: units.*\.{name}: found"):
        read_program(path)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [("group", "die", 99), ("dpu", "die", 5), ("d2d", "to", -1), ("d2d", "to", 7)],
)
def test_what_reads_from_a_die_that_is_not_there_is_not_executed(
    kind: str, name: str, value: int, ring: Compiled, tmp_path: Path
) -> None:
    program = read_program(rewritten(ring.program, tmp_path / "p", kind, **{name: value}))
    with pytest.raises(CheckError, match="which is on die"):
        check_order(program, ring.chip.pg.input_buffers)


def test_every_link_has_a_row_in_the_trace(done: Compiled) -> None:
    """A slice for every CROSS on the row of its link, and how much goes over links in all."""
    events = json.loads(trace_json(done.program))["traceEvents"]
    links = {unit.name for unit in done.program.units if unit.kind == "d2d"}
    rows = {
        (e["pid"], e["tid"]): e["args"]["name"]
        for e in events
        if e["ph"] == "M" and e["name"] == "thread_name"
    }
    p = done.program
    crossing = np.flatnonzero(p.opcode == Opcode.CROSS)
    used = {p.units[unit].name for unit in p.unit[crossing].tolist()}
    drawn = [e for e in events if e["ph"] == "X" and rows[e["pid"], e["tid"]] in links]
    assert len(drawn) == len(crossing)
    assert {rows[e["pid"], e["tid"]] for e in drawn} == used
    assert all(e["name"].startswith("CROSS") for e in drawn)
    assert any(e["ph"] == "C" and "d2d" in e["name"] for e in events)


def test_stages_as_text_say_the_die_of_every_region(done: Compiled, tmp_path: Path) -> None:
    dump_stages(tmp_path, done)
    lines = (tmp_path / "2-blocks.txt").read_text().splitlines()
    told = [line for line in lines if line.startswith("region of layer")]
    regions = done.mapping.placement.regions
    assert len(told) == len(regions)
    for line, region in zip(told, regions, strict=True):
        assert line.startswith(f"region of layer {region.layer}:")
        assert line.endswith(f" on die {region.die}")
    program = (tmp_path / "5-program.txt").read_text()
    assert program.count(" CROSS ") == np.count_nonzero(done.program.opcode == Opcode.CROSS)
