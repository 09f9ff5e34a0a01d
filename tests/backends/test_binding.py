"""What binds a program: worked out by hand on a few instructions, in nanoseconds."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from backends.binding import Binding, binding_lines, bound_by
from backends.bounds import Bounds, Part, lower_bounds
from ir.program import Opcode, Program, Unit, UnitKind
from moexbar.chips.fields import find
from tests.backends.simulate.by_hand import BUS, CHIP, DPU, DPU1, GROUP, UNITS, Job, program
from tests.make import compile_small, small_chip

MHA = len(UNITS)
WITH_ATTENTION = (*UNITS, Unit("mha", "mha0"))


def four_loads() -> Program:
    """Four vectors over one bus, 10 ns each, then a product of the last, 10 ns: 50 ns."""
    return program(
        *(Job(Opcode.LOAD, BUS, 10 * n, 10, dst=(GROUP,), slot=n) for n in range(4)),
        Job(Opcode.MVM, GROUP, 40, 10, reads=(3,), expert=0),
    )


def around_attention() -> Program:
    """Three LOADs, an attention that reads them, three products: 30, 20 and 30 ns."""
    given = program(
        *(Job(Opcode.LOAD, BUS, 10 * n, 10, dst=(GROUP,), slot=n) for n in range(3)),
        Job(Opcode.ATTN, MHA, 30, 20, reads=(0, 1, 2)),
        *(Job(Opcode.MVM, GROUP, 50 + 10 * n, 10, reads=(3,), expert=0) for n in range(3)),
        units=WITH_ATTENTION,
    )
    return replace(given, token=np.where(given.opcode == Opcode.ATTN, -1, given.token))


def test_a_busy_unit_binds_by_its_share_of_the_time() -> None:
    # the bus is busy 40 of 50 ns; the chain of a LOAD and its product takes 20
    (binding,) = bound_by(four_loads(), CHIP)
    assert binding == Binding("bus", ("bus.0",), 40_000, 0.8, "raise bus.transfers_per_slot")
    (line,) = binding_lines([binding])
    assert line == "bound by bus.0: 80.0 % of the time; raise bus.transfers_per_slot"


def test_a_bus_of_fixed_width_is_widened_in_bits() -> None:
    chip = small_chip(bus={"bits_per_ns": 8, "transfers_per_slot": None})
    assert bound_by(four_loads(), chip)[0].change == "raise bus.bits_per_ns"


def test_a_pool_is_as_busy_as_its_units_in_the_mean() -> None:
    # 10 + 10 and 10 ns on two equal units: 30 / 2 = 15 of 20 ns; any job could run on either
    jobs = [Job(Opcode.ADD, DPU, 0, 10), Job(Opcode.ADD, DPU, 10, 10), Job(Opcode.ADD, DPU1, 0, 10)]
    (binding,) = bound_by(program(*jobs), CHIP)
    assert (binding.units, binding.ps, binding.share) == (("dpu",), 15_000, 0.75)
    assert binding.change == "raise digital.dpus"
    own = bound_by(program(*jobs), small_chip(digital={"pgs_per_dpu": 2}))
    assert own[0].change == "lower digital.pgs_per_dpu"
    by_work = bound_by(program(*jobs), small_chip(digital={"dpus": 0}))
    assert by_work[0].change == "raise digital.dpus_per_region"


def test_a_chain_binds_where_every_unit_waits_for_another() -> None:
    # 10 + 10 + 10 ns one after another, on three units that are busy a third of the time each
    given = program(
        Job(Opcode.LOAD, BUS, 0, 10, dst=(GROUP,)),
        Job(Opcode.MVM, GROUP, 10, 10, reads=(0,), expert=0),
        Job(Opcode.ADD, DPU, 20, 10, reads=(1,)),
    )
    (binding,) = bound_by(given, CHIP)
    assert binding == Binding(None, (), 30_000, 1.0, "")
    (line,) = binding_lines([binding])
    assert line == "no unit binds: chains of dependences take 100.0 % of the time"


def test_units_bind_by_turns_between_two_attentions() -> None:
    # 30 ns of the bus, 20 of the attention, 30 of the crossbars: no two of them can overlap, so
    # all 80 ns are bound although no unit is busy for more than 30 of them
    given = around_attention()
    assert [(b.kind, b.ps) for b in bound_by(given, CHIP)] == [
        ("bus", 30_000),
        ("group", 30_000),
        ("mha", 20_000),
    ]
    assert list(binding_lines(bound_by(given, CHIP))) == [
        "bound by bus.0: 37.5 % of the time; raise bus.transfers_per_slot",
        "then by group.0.0.0: 37.5 % of the time; lower pg.mux or mvm.read_ns",
        "then by mha: 25.0 % of the time; raise digital.macs_per_ns",
    ]


def test_what_no_schedule_needs_binds_nobody() -> None:
    # as above, with 20 ns in which nothing runs: the shares add up to 80 of 100 ns
    given = around_attention()
    late = replace(given, start_ps=given.start_ps + 20_000 * (np.arange(len(given)) > 3))
    assert sum(b.share for b in bound_by(late, CHIP)) == pytest.approx(0.8)


def test_crossbars_of_a_dense_matrix_share_nothing() -> None:
    # as around the attention, but no expert runs on the group
    given = around_attention()
    dense = replace(given, expert=np.full(len(given), -1, dtype=np.int32))
    (change,) = [b.change for b in bound_by(dense, CHIP) if b.kind == "group"]
    assert change == "lower mvm.read_ns"


def test_units_of_a_kind_stand_together_and_small_kinds_are_not_said() -> None:
    # 4 x 20 ns of buses, 8 ns of DRAM: of 100 ns
    parts = [Part(Unit("bus", f"bus.{n}", n), f"bus.{n}", 20_000) for n in range(4)]
    parts.append(Part(Unit("dram", "dram"), "dram", 8_000))
    bounds = Bounds(0, 0, "", 88_000, tuple(parts))
    given = program(Job(Opcode.ADD, DPU, 0, 100))
    found = bound_by(given, CHIP, bounds)
    assert [(b.kind, b.ps) for b in found] == [("bus", 80_000), ("dram", 8_000)]
    assert list(binding_lines(found)) == [
        "bound by bus.0, bus.1, bus.2 and 1 more: 80.0 % of the time; raise bus.transfers_per_slot"
    ]


@pytest.mark.parametrize("kind", get_args(UnitKind))
def test_every_kind_of_unit_names_fields_that_a_chip_has(kind: UnitKind) -> None:
    bounds = Bounds(0, 1, "", 0, (Part(Unit(kind, "u"), "u", 1),))
    by_work = small_chip(digital={"dpus": 0, "mha_units": 0})
    one = small_chip(digital={"attention": "polynomial", "pgs_per_dpu": 1})
    for chip in (CHIP, one, by_work):
        (binding,) = bound_by(four_loads(), chip, bounds)
        how, *fields = binding.change.replace(" or ", " ").split()
        assert how in ("raise", "lower")
        for field in fields:
            assert isinstance(find(*field.split(".")), tuple), field


@pytest.mark.parametrize("tokens", [1, 24])
def test_parts_add_up_to_the_bound(tokens: int) -> None:
    done = compile_small(tokens=tokens)
    bounds = lower_bounds(done.program)
    assert sum(part.ps for part in bounds.parts) == bounds.bound_ps
    assert sum(b.ps for b in bound_by(done.program, done.chip)) == bounds.bound_ps


def test_an_empty_program_is_bound_by_nothing() -> None:
    assert bound_by(program(), CHIP) == ()
