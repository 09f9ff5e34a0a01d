"""A compiled program simulated, and what that tells."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from backends.binding import Binding
from backends.simulate import Simulation, Waits, kind_uses, replay, retime, run, scale, unit_uses
from ir.chip import Chip
from ir.compiled import Executable
from ir.errors import InputError
from ir.program import Opcode, Program
from moexbar.arguments import check, shown
from moexbar.chips import load_chip
from moexbar.chips.sheet import change_rows
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.output import read_output
from moexbar.files.program_file import read_program
from moexbar.report.programs import (
    BindingRow,
    KindRow,
    SimulateReport,
    UnitRow,
    WaitedRow,
    WaitRow,
)

Mode = Literal["replay", "run"]


def simulate(
    executable: Executable | Path | str,
    chip: Chip | str | None = None,
    scale: Mapping[str, float] = MappingProxyType({}),
    *,
    unchecked: bool = False,
) -> Simulation:
    """Replay a compiled program, or run it in the same order at other speeds.

    executable: compiled, or the folder of `moexbar compile`. chip: another than it was compiled
    for, its open sizes as in the program; scale: {opcode: factor} of durations; with neither the
    given times are checked. unchecked: files of the folder may have been changed since they were
    written. Raises CheckError naming the instruction where a program is illegal.
    """
    kinds = "an Executable or the folder of `moexbar compile`"
    check("executable", executable, (Executable, Path, str), kinds)
    if isinstance(executable, Executable):
        program, own = executable.program, executable.chip
    else:
        folder = read_output(Path(executable), ("compile",), unchecked=unchecked)
        program = read_program(folder.file("program.parquet"))
        own = read_folder_chip(folder.file("report.json"))
    other = own if chip is None else chip if isinstance(chip, Chip) else load_chip(chip)
    other = other.sized_as(own)
    factors = _factors(scale)
    mode: Mode = "run" if factors or chip is not None else "replay"
    return simulate_program(program, own, other, mode, factors)


def _factors(scale: Mapping[str, float]) -> dict[Opcode, Fraction]:
    """Factors by opcode; InputError for what is none."""
    check("scale", scale, Mapping, 'factors by opcode, such as {"MVM": 2.0}')
    for name, factor in scale.items():
        if str(name).upper() not in Opcode.__members__:
            known = ", ".join(op.name for op in Opcode)
            raise InputError("scale", f"no opcode {shown(name)}, expected one of {known}")
        if not isinstance(factor, Real) or not 0 <= factor <= 1000:
            raise InputError("scale", f"{name}: {shown(factor)}, expected a number from 0 to 1000")
    return {Opcode[name.upper()]: Fraction(float(factor)) for name, factor in scale.items()}


def simulate_program(
    program: Program, own: Chip, other: Chip, mode: Mode, factors: Mapping[Opcode, Fraction]
) -> Simulation:
    """Replay a program made for `own` on `other`, or run it there in the same order.

    factors: of the durations of some opcodes, where it is run. Raises CheckError where it is
    illegal, InputError where its durations on `other` are not known.
    """
    if mode == "replay":
        return replay(program, other)
    duration, busy = retime(program, own, other)
    return run(program, own, *scale(program, duration, busy, factors))


def simulation_report(
    done: Simulation,
    given: Program,
    own: Chip,
    other: Chip,
    mode: Mode,
    bindings: Sequence[Binding],
    top: int,
) -> SimulateReport:
    """Times, how busy kinds of units and the `top` busiest were, and which of them bind."""
    uses = unit_uses(done.program)
    return SimulateReport(
        mode=mode,
        chip=other.name,
        changes=change_rows(other),
        instructions=len(given),
        makespan_ns=done.program.makespan_ps / 1000,
        given_makespan_ns=given.makespan_ps / 1000,
        energies_as_compiled=mode == "run" and other != own,
        kinds=tuple(
            KindRow(
                k.kind, k.units, k.jobs, k.busy_ps / 1000, k.share, k.busiest.name, k.busiest.share
            )
            for k in kind_uses(uses)
        ),
        units=tuple(UnitRow(u.name, u.jobs, u.busy_ps / 1000, u.share) for u in uses[:top]),
        bound_by=tuple(
            BindingRow(b.kind, b.units, b.ps / 1000, b.share, b.change) for b in bindings
        ),
    )


def with_waits(
    report: SimulateReport, done: Simulation, given: Program, top: int
) -> SimulateReport:
    """The report with waits by cause and opcode, and the `top` pairs of who waited longest."""
    found = Waits(done)
    waits = tuple(
        WaitRow(
            cause=t.cause,
            opcode=t.opcode,
            waits=t.waits,
            total_ns=t.total_ps / 1000,
            longest_ns=t.longest_ps / 1000,
            longest_id=t.longest,
            longest_name=given.name(t.longest),
        )
        for t in found.totals()
    )
    pairs = tuple(
        WaitedRow(p.unit, p.cause, p.holder, p.waiter, p.waits, p.total_ps / 1000)
        for p in found.pairs()[:top]
    )
    return replace(report, waits=waits, pairs=pairs)
