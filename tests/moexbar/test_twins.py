"""Two models that compute alike, one that is read and one that is not: never cheaper for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import moexbar as mx
from backends.binding import bound_by
from backends.cost import CostReport, cost
from ir import timing
from ir.program import Opcode
from ir.verify import check_program
from tests.compiler.frontend import models as m
from tests.compiler.frontend.left_digital import UNREAD_BRANCHES, UNREAD_INTEGERS

PREFILL = 8
READ = m.dense_masked()


def compiled(folder: Path, block: m.Ffn, chip: mx.Chip | str = "hermes-mux2") -> mx.Compilation:
    folder.mkdir()
    model, inputs = m.write(folder, [block]), folder / "inputs.npz"
    np.savez(inputs, **m.token_ids(PREFILL, 4))
    return mx.compile(model, chip, inputs=inputs, prefill=PREFILL, baselines="none", least_placed=0)


def figures(done: mx.Compilation) -> CostReport:
    return cost(done.program, done.chip)


@pytest.mark.parametrize("block", [UNREAD_INTEGERS, UNREAD_BRANCHES])
def test_never_cheaper_in_all(block: m.Ffn, tmp_path: Path) -> None:
    """Its area is smaller, without the experts' crossbars; its time or energy must then be more."""
    read, unread = compiled(tmp_path / "read", READ), compiled(tmp_path / "unread", block)
    assert read.compiled.workload.moe_layers
    assert not unread.compiled.workload.moe_layers
    ours, theirs = figures(read), figures(unread)
    assert theirs.time_ps > ours.time_ps or theirs.energy.total_fj > ours.energy.total_fj
    assert "DRAM idle" in theirs.energy.static_fj  # which holds the weights
    assert "DRAM idle" not in ours.energy.static_fj
    assert theirs.macs > ours.macs  # every expert on every token, where the other runs two of four


def test_difference_is_what_the_figures_say(tmp_path: Path) -> None:
    """Of each digital product: its weights are read once, then a MAC for each and every token."""
    done = compiled(tmp_path / "unread", UNREAD_INTEGERS)
    chip, program = done.chip, done.program
    weights = m.D * m.HIDDEN
    products = [op for op in done.compiled.workload.digital() if op.macs]
    assert len(products) == 3 * m.EXPERTS
    rows = np.isin(program.node, [done.compiled.workload.operators.index(op) for op in products])
    rows &= program.opcode == Opcode.DIGITAL
    one = timing.dram(chip, weights), timing.macs(chip, weights * PREFILL)
    work = [timing.digital(chip, op.elements * PREFILL) for op in products]
    wanted = len(products) * sum(c.energy_fj for c in one) + sum(c.energy_fj for c in work)
    assert int(program.energy_fj[rows].sum()) == wanted
    assert int(program.macs[rows].sum()) == 3 * m.EXPERTS * weights * PREFILL
    took = len(products) * sum(c.duration_ps for c in one) + sum(c.duration_ps for c in work)
    assert int(program.duration_ps[rows].sum()) == took


def test_what_binds_is_the_reading_of_weights(tmp_path: Path) -> None:
    """Most of a digital unit's time is that of DRAM, which more such units would not make less.

    384 bytes at half a GB/s are 0.77 us; the mesh, else busiest, is it for 1.84 us in all.
    """
    slow = mx.load_chip("hermes-mux2", {"memory.dram_gb_per_s": 0.5})
    done = compiled(tmp_path / "unread", UNREAD_INTEGERS, slow)
    changes = {b.change for b in bound_by(done.program, done.chip) if b.kind == "dpu"}
    assert changes == {"raise memory.dram_gb_per_s or digital.macs_per_ns"}


def test_verifier_refuses_products_that_cost_nothing(tmp_path: Path) -> None:
    """As the front end left them before: no MACs, no weights read."""
    compiled_ = compiled(tmp_path / "unread", UNREAD_BRANCHES).compiled
    program = compiled_.program
    held = (program.opcode == Opcode.DIGITAL) & (program.macs > 0)
    assert held.any()
    free = replace(program, macs=np.where(held, 0, program.macs))
    assert faults(compiled_, free) == ["macs"]
    less = program.energy_fj - np.where(held, timing.dram(compiled_.chip, 1).energy_fj, 0)
    cheaper = replace(program, energy_fj=less)
    assert faults(compiled_, cheaper) == ["energy"]


def faults(compiled_: mx.Compiled, program: mx.Program) -> list[str]:
    """Names of the checks that a program in place of the compiled one breaks."""
    told = check_program(replace(compiled_, program=program))
    return [name for name, problem in told if problem != "ok"]
