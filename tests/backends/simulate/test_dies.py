"""Programs on several dies at other speeds: as they would have been compiled."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.simulate import replay
from backends.simulate.retime import retime
from compiler.pipeline import realise
from ir.chip import Chip
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.program import Opcode
from tests.dies import JOINED, compiled_on

CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "latency": {"link": {"latency_ps": 77_000}},
    "no latency": {"link": {"latency_ps": 0}},
    "a wider link": {"link": {"bits_per_ns_per_mm": 64}},
    "a narrower edge": {"link": {"edge_um": 300}},
    "slower hops": {"mesh": {"hop_ps": 31_000}},
    "faster hops, slower links": {"mesh": {"hop_ps": 100}, "link": {"bits_per_ns_per_mm": 3}},
    "energy alone": {"link": {"bit_fj": 1}},
}


def changed(chip: Chip, changes: dict[str, dict[str, Any]]) -> Chip:
    """The chip with fields of its tables changed."""
    parts: dict[str, Any] = {n: replace(getattr(chip, n), **of) for n, of in changes.items()}
    return replace(chip, **parts)


@pytest.fixture(scope="module", params=["ring of 4", "mesh of 9"])
def done(request: pytest.FixtureRequest) -> Compiled:
    return compiled_on(JOINED[request.param], 2, mesh={"pgs_per_core": 1})


@pytest.mark.parametrize("name", CHANGES)
def test_other_links_give_the_times_of_a_new_compilation(name: str, done: Compiled) -> None:
    """Of the same mapping and slots, instruction by instruction."""
    chip = changed(done.chip, CHANGES[name])
    again = realise(done.workload, chip, done.mapping, done.schedule, done.chosen)
    assert np.array_equal(again.program.opcode, done.program.opcode)
    duration, busy = retime(done.program, done.chip, chip)
    assert np.array_equal(duration, again.program.duration_ps)
    assert np.array_equal(busy, again.program.busy_ps)
    crossing = done.program.opcode == Opcode.CROSS
    slower = np.any(duration[crossing] != done.program.duration_ps[crossing])
    assert slower == (name != "energy alone")


def test_some_values_cross_with_hops_of_the_mesh_and_some_without(done: Compiled) -> None:
    """Else the test above would not tell them apart."""
    p = done.program
    crossing = p.opcode == Opcode.CROSS
    assert done.chip.link is not None
    hops = (p.duration_ps - p.busy_ps)[crossing] - done.chip.link.latency_ps
    assert {0} < set(hops.tolist())


def test_dies_joined_otherwise_are_another_program(done: Compiled) -> None:
    """As many as the chip had, in another way; one die alone; but not larger ones."""
    chip, dies = done.chip, done.chip.dies
    assert dies is not None
    larger = replace(chip, dies=replace(dies, area_um2=2 * dies.area_um2))
    assert np.array_equal(retime(done.program, chip, larger)[0], done.program.duration_ps)
    others = {
        "topology": replace(dies, topology="all-to-all"),
        "count": replace(dies, count=dies.count + 1),
        "columns": replace(dies, topology=dies.topology, columns=2),
    }
    for name, other in others.items():
        if name == "columns" and dies.topology != "mesh":
            continue
        with pytest.raises(InputError, match=rf"die\.{name}: .*, the program was made for"):
            retime(done.program, chip, replace(chip, dies=other))
    with pytest.raises(InputError, match=r"die\.topology: None, the program was made for"):
        retime(done.program, chip, replace(chip, dies=None, link=None))


def test_times_hold_and_nothing_could_start_earlier(done: Compiled) -> None:
    replay(done.program, done.chip)


@pytest.mark.parametrize("kind", ["bus", "group", "dpu", "d2d"])
def test_a_unit_that_is_said_to_be_elsewhere_reads_across_dies(done: Compiled, kind: str) -> None:
    """A unit that works, or the far end of a link, on the die after its own."""
    p, dies = done.program, done.mapping.placement.topology.count
    used: list[int] = np.unique(p.unit[np.diff(p.reads.offsets) > 0]).tolist()
    number = next(n for n in used if p.units[n].kind == kind)
    unit = p.units[number]
    end = replace(unit, to=(unit.to + 1) % dies)
    moved = end if kind == "d2d" else replace(unit, die=(unit.die + 1) % dies)
    units = (*p.units[:number], moved, *p.units[number + 1 :])
    with pytest.raises(CheckError, match="on-die"):
        replay(replace(p, units=units), done.chip)
