"""Every kind of corruption is refused, and the message names the instruction that was corrupted."""

import contextlib
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from backends.simulate import Simulation, replay, run
from backends.simulate.kernels import ENTRY, SLOT
from ir.arrays import Bools
from ir.errors import CheckError
from ir.program import TABLES, Lists, Opcode, Program
from tests.make import compile_small, small_chip, small_workload

CHIP = small_chip()


@cache
def base() -> Simulation:
    """Two layers, nine tokens of two sequences, groups of two experts, a shared expert."""
    sequence = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    made = compile_small(small_workload(k=3, shared=1), CHIP, sequence=sequence)
    return replay(made.program, made.chip)


def edited(p: Program, column: str, row: int, value: Any) -> Program:
    """The program with one cell changed."""
    new = getattr(p, column).copy()
    new[row] = value
    return replace(p, **{column: new})


def listed(p: Program, column: str, row: int, values: list[int]) -> Program:
    """The program with one list changed."""
    lists: Lists = getattr(p, column)
    rows = [lists[r].tolist() for r in range(len(lists))]
    rows[row] = values
    at = np.cumsum([0, *(len(r) for r in rows)])
    flat = np.array([v for r in rows for v in r], dtype=np.int32)
    changed: dict[str, Any] = {column: Lists(at, flat)}
    return replace(p, **changed)


def pick(p: Program, mask: np.ndarray, number: int = 0) -> int:
    """The mask's row number `number`: there must be one."""
    return int(np.flatnonzero(mask)[number])


def routed(p: Program) -> Bools:
    """First-stage MVMs of routed experts."""
    mask: Bools = (p.opcode == Opcode.MVM) & (p.expert >= 0) & (p.stage == 0)
    return mask


def held_by(name: str) -> Bools:
    """Rows that start the very moment when their data, unit or entry is there."""
    done = base()
    bound = np.maximum(np.maximum(done.ready_ps, done.free_ps), done.grant_ps)
    alone: dict[str, Bools] = {
        "data": (done.free_ps < bound) & (done.grant_ps < bound),
        "unit": (done.ready_ps < bound) & (done.grant_ps < bound),
        "entry": (done.ready_ps < bound) & (done.free_ps < bound) & (done.why == ENTRY),
    }
    mask: Bools = alone[name] & (bound > 0)
    return mask


Broken = tuple[Program, int, str]


def one_ps_early(bound: str, kind: str) -> Callable[[Program], Broken]:
    """An instruction on a unit of `kind` that waits for `bound` starts a picosecond too early."""

    def corrupt(p: Program) -> Broken:
        on = np.array([u.kind for u in p.units])[p.unit]
        row = pick(p, held_by(bound) & (on == kind), -1)
        return edited(p, "start_ps", row, p.start_ps[row] - 1), row, bound

    return corrupt


def swapped_starts(p: Program) -> Broken:
    mvm = pick(p, routed(p))
    load = int(p.reads[mvm][0])
    times = p.start_ps.copy()
    times[[mvm, load]] = times[[load, mvm]]
    for source in p.reads[load].tolist():  # which the LOAD needs for longer now
        p = in_bytes_of_its_own(p, source)
    return replace(p, start_ps=times), mvm, "data"


def in_bytes_of_its_own(p: Program, row: int) -> Program:
    """With a buffer that is as much larger as the value has bytes, which are at its end."""
    number = int(p.buffer[row])
    buffers = list(p.buffers)
    end = buffers[number].bytes
    buffers[number] = replace(buffers[number], bytes=end + int(p.bytes[row]))
    return edited(replace(p, buffers=tuple(buffers)), "offset", row, end)


def two_on_one_unit(p: Program) -> Broken:
    first, row = (pick(p, p.opcode == Opcode.ATTN, number) for number in (0, 1))
    moved = edited(p, "start_ps", row, int(p.start_ps[first]) + 1)
    return listed(moved, "reads", row, []), row, "unit"


def set_to(
    column: str,
    mask: Callable[[Program], np.ndarray],
    value: Callable[[Program, int], Any],
    rule: str,
    number: int = 0,
) -> Callable[[Program], Broken]:
    """One cell of the first (or given) row of a mask set to something wrong."""

    def corrupt(p: Program) -> Broken:
        row = pick(p, mask(p), number)
        return edited(p, column, row, value(p, row)), row, rule

    return corrupt


def list_to(
    column: str,
    mask: Callable[[Program], np.ndarray],
    value: Callable[[Program, int], list[int]],
    rule: str,
) -> Callable[[Program], Broken]:
    """One list of the first row of a mask set to something wrong."""

    def corrupt(p: Program) -> Broken:
        row = pick(p, mask(p))
        return listed(p, column, row, value(p, row)), row, rule

    return corrupt


def of(opcode: Opcode) -> Callable[[Program], np.ndarray]:
    return lambda p: p.opcode == opcode


def unit_of(kind: str, layer: int = -1) -> Callable[[Program, int], int]:
    def find(p: Program, row: int) -> int:
        return next(i for i, u in enumerate(p.units) if u.kind == kind and u.layer == layer)

    return find


def busy_pool_member(p: Program) -> Broken:
    """A job moves to the pool's other unit, which is at work at that moment."""
    dpus = [i for i, u in enumerate(p.units) if u.kind == "dpu"]
    for row in np.flatnonzero(np.isin(p.unit, dpus)):
        for other in set(dpus) - {int(p.unit[row])}:
            there = (p.unit == other) & (p.start_ps < p.start_ps[row])
            if np.any(there & (p.start_ps + p.busy_ps > p.start_ps[row])):
                return edited(p, "unit", int(row), other), int(row), "unit"
    raise AssertionError("no two digital units ever work at the same time")


def another_group(p: Program) -> Broken:
    """An MVM fires PGs whose input buffers hold no vector for it."""
    row = pick(p, routed(p))
    filled = set(p.dst[int(p.reads[row][0])].tolist())
    units = enumerate(p.units)
    like = [
        i
        for i, u in units
        if u.kind == "group" and (u.layer, u.stage) == (p.layer[row], 0) and i not in filled
    ]
    return edited(p, "unit", row, like[0]), row, "vector"


def short_mvm(p: Program) -> Broken:
    """The result is there and the unit free a nanosecond before the crossbar can be done."""
    row, less = pick(p, routed(p)), -1000
    quick = edited(p, "duration_ps", row, p.duration_ps[row] + less)
    return edited(quick, "busy_ps", row, p.busy_ps[row] + less), row, "mvm-time"


def value_of_nobody(p: Program) -> Broken:
    """The value that an ATTN reads first is written by nobody; the ATTN alone reads it."""
    row = pick(p, p.opcode == Opcode.ATTN)
    return edited(p, "writes", int(p.reads[row][0]), -1), row, "reads"


def bus_out_of_order(p: Program) -> Broken:
    """Two LOADs of one layer carry each other's slot: the later one goes back in slots."""
    loads = np.flatnonzero((p.opcode == Opcode.LOAD) & (p.slot >= 0) & (p.layer == 1))
    first, last = int(loads[0]), int(loads[-1])
    assert p.slot[first] < p.slot[last]
    slots = p.slot.copy()
    slots[[first, last]] = slots[[last, first]]
    return replace(p, slot=slots), int(loads[1]), "bus-order"


def two_values_in_one_place(p: Program) -> Broken:
    """A value is written where one that is still read lies."""
    end = p.end_ps
    last = end.copy()
    np.maximum.at(last, p.reads.values, end[p.reads.rows()])
    for row in np.flatnonzero((p.buffer >= 0) & (p.bytes > 0)):
        here = (p.buffer == p.buffer[row]) & (p.bytes == p.bytes[row])
        here &= (end < end[row]) & (last > end[row])
        if np.any(here):
            return (
                edited(p, "offset", int(row), p.offset[np.argmax(here)]),
                int(row),
                ("buffer-overlap"),
            )
    raise AssertionError("no two values ever live at the same time")


@cache
def serial() -> Simulation:
    """One token at a time."""
    made = compile_small(small_workload(k=3), CHIP, lockstep=True)
    return replay(made.program, made.chip)


def out_of_lockstep(p: Program) -> Broken:
    """A slot begins before the one before it has ended (of the serial program)."""
    done = serial()
    p, bound = done.program, np.maximum(done.ready_ps, done.free_ps)
    row = pick(p, (done.why == SLOT) & (done.grant_ps == p.start_ps) & (bound < p.start_ps))
    return edited(p, "start_ps", row, p.start_ps[row] - 1), row, "lockstep"


KINDS: dict[str, Callable[[Program], Broken]] = {
    "a LOAD and its MVM change places in time": swapped_starts,
    "read before it is written": one_ps_early("data", "dpu"),
    "two jobs of a group overlap": one_ps_early("unit", "group"),
    "two LOADs overlap on the bus": one_ps_early("unit", "bus"),
    "two STOREs overlap on the return link": one_ps_early("unit", "return"),
    "two jobs of a digital unit overlap": one_ps_early("unit", "dpu"),
    "two jobs of an attention unit overlap": two_on_one_unit,
    "a vector more than the input buffer holds": one_ps_early("entry", "bus"),
    "a digital unit of the pool that is busy": busy_pool_member,
    "an MVM on a group without its vector": another_group,
    "an MVM that is too short": short_mvm,
    "an MVM whose unit is free too soon": set_to(
        "busy_ps", routed, lambda p, r: p.busy_ps[r] - 1000, "mvm-time"
    ),
    "an MVM that is too long": set_to(
        "duration_ps", routed, lambda p, r: p.duration_ps[r] + 1, "mvm-time", -1
    ),
    "a negative start": set_to("start_ps", of(Opcode.LOAD), lambda p, r: -1, "start_ps"),
    "a negative duration": set_to("duration_ps", of(Opcode.ACT), lambda p, r: -5, "duration_ps"),
    "a negative energy": set_to("energy_fj", of(Opcode.ACC), lambda p, r: -1, "energy_fj"),
    "busy longer than its duration": set_to(
        "busy_ps", of(Opcode.STORE), lambda p, r: p.duration_ps[r] + 1, "busy_ps"
    ),
    "an opcode that does not exist": set_to("opcode", of(Opcode.NORM), lambda p, r: 99, "opcode"),
    "a unit that does not exist": set_to(
        "unit", of(Opcode.NORM), lambda p, r: len(p.units), "unit"
    ),
    "a LOAD on a digital unit": set_to("unit", of(Opcode.LOAD), unit_of("dpu"), "unit-kind"),
    "a NORM on the attention unit": set_to("unit", of(Opcode.NORM), unit_of("mha"), "unit-kind"),
    "the bus of another region": set_to(
        "unit",
        lambda p: (p.opcode == Opcode.LOAD) & (p.layer == 1),
        unit_of("bus", 0),
        "unit-layer",
    ),
    "a value that another wrote": set_to("writes", of(Opcode.MUL), lambda p, r: r - 1, "writes"),
    "a value that nobody writes": value_of_nobody,
    "a read id beyond the program": list_to("reads", routed, lambda p, r: [len(p)], "reads"),
    "a negative read id": list_to("reads", of(Opcode.ADD), lambda p, r: [-2], "reads"),
    "a value that reads itself": list_to("reads", of(Opcode.GATE), lambda p, r: [r], "data"),
    "a destination beyond the units": list_to(
        "dst", of(Opcode.LOAD), lambda p, r: [len(p.units)], "dst"
    ),
    "a LOAD to a unit without an input buffer": list_to(
        "dst", of(Opcode.LOAD), lambda p, r: [int(p.unit[r])], "dst"
    ),
    "a LOAD that fills a group twice": list_to(
        "dst", of(Opcode.LOAD), lambda p, r: [*p.dst[r].tolist(), int(p.dst[r][0])], "dst"
    ),
    "a LOAD to nowhere": list_to("dst", of(Opcode.LOAD), lambda p, r: [], "dst"),
    "a vector larger than its entry": set_to(
        "bytes", of(Opcode.LOAD), lambda p, r: p.bytes[r] + 1, "dst"
    ),
    "LOADs out of slot order": bus_out_of_order,
    "a token before the last one is done, one at a time": out_of_lockstep,
    "a value beyond its buffer": set_to(
        "offset", of(Opcode.COMBINE), lambda p, r: p.buffers[p.buffer[r]].bytes, "buffer-bytes"
    ),
    "a value without a place": set_to(
        "offset", of(Opcode.COMBINE), lambda p, r: -1, "buffer-bytes"
    ),
    "a place whose end wraps round in 64 bits": set_to(
        "offset", of(Opcode.COMBINE), lambda p, r: 2**63 - 1, "offset"
    ),
    "two values in one place": two_values_in_one_place,
}


@pytest.mark.parametrize("kind", KINDS)
def test_refused_by_name(kind: str) -> None:
    program, row, rule = KINDS[kind](base().program)
    with pytest.raises(CheckError) as refused:
        replay(program, CHIP)
    assert refused.value.check == rule
    assert refused.value.culprit.startswith(f"#{row} ")
    assert f"at {program.start_ps[row]} ps" in refused.value.culprit


COLUMNS = [f.name for f in fields(Program) if f.name not in (*TABLES, "reads", "dst")]


@pytest.mark.parametrize("column", COLUMNS)
def test_any_number_anywhere_is_refused_or_legal(column: str) -> None:
    # never a crash: not an index error, an overflow or an endless loop
    rng, p = np.random.default_rng(len(column)), base().program
    limits = np.iinfo(getattr(p, column).dtype)
    for value in [limits.min, limits.max, limits.max // 2, -2, -1, 0, 1, 2, 50] * 2:
        if value < limits.min:
            continue
        wrong = edited(p, column, int(rng.integers(len(p))), value)
        with contextlib.suppress(CheckError):
            done = replay(wrong, CHIP)
            assert np.all(done.late_ps >= 0)
            run(wrong, CHIP, wrong.duration_ps, wrong.busy_ps)


def test_there_are_more_than_twenty_kinds() -> None:
    assert len(KINDS) > 20


def test_the_message_says_what_was_found_and_expected() -> None:
    program, row, _ = one_ps_early("unit", "group")(base().program)
    p, free = base().program, base().free_ps[row]
    before = p.name(int(base().before[row]))
    with pytest.raises(CheckError) as refused:
        replay(program, CHIP)
    assert str(refused.value) == (
        f"check unit: {p.name(row)} at {free - 1} ps: its unit is held by {before}, until {free} "
        f"ps; found {free - 1} ps, expected a start at {free} ps or later"
    )


def test_more_digital_units_than_the_chip_has() -> None:
    with pytest.raises(CheckError, match="dpu units: found 2 units, expected at most 1"):
        replay(base().program, small_chip(digital={"dpus": 1}))


def test_a_buffer_larger_than_the_chip_s() -> None:
    with pytest.raises(CheckError, match=r"check buffer-bytes: buffer.0: found \d+ bytes"):
        replay(base().program, small_chip(memory={"region_buffer_bytes": 10}))


def test_an_input_buffer_with_fewer_entries_than_the_program_was_made_for() -> None:
    with pytest.raises(CheckError, match="check entry"):
        replay(base().program, small_chip(pg={"input_buffers": 1}))
