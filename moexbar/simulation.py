"""A compiled program simulated, and what that tells, as plain data."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from backends.binding import Binding
from backends.simulate import Simulation, Waits, kind_uses, replay, retime, run, scale, unit_uses
from ir.chip import Chip
from ir.compiled import Executable
from ir.program import Opcode, Program
from moexbar.chips import load_chip
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.program_file import read_program

Mode = Literal["replay", "run"]


def simulate(
    executable: Executable | Path | str,
    chip: Chip | str | None = None,
    scale: Mapping[str, float] = MappingProxyType({}),
) -> Simulation:
    """Replay a compiled program, or run it in the same order at other speeds.

    executable: compiled, or the folder of `moexbar compile`. chip: another than it was compiled
    for; scale: {opcode: factor} of durations; with neither the given times are checked. Raises
    CheckError naming the instruction where a program is illegal.
    """
    if isinstance(executable, Executable):
        program, own = executable.program, executable.chip
    else:
        folder = Path(executable)
        program, own = read_program(folder / "program.parquet"), read_folder_chip(folder)
    other = own if chip is None else chip if isinstance(chip, Chip) else load_chip(chip)
    factors = {Opcode[name.upper()]: Fraction(factor) for name, factor in scale.items()}
    mode: Mode = "run" if factors or chip is not None else "replay"
    return simulate_program(program, own, other, mode, factors)


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


def simulation_json(
    done: Simulation,
    given: Program,
    chip: Chip,
    mode: Mode,
    bindings: Sequence[Binding],
    top: int,
) -> dict[str, Any]:
    """Times, how busy kinds of units and the `top` busiest were, and which of them bind."""
    uses = unit_uses(done.program)
    return {
        "mode": mode,
        "chip": chip.name,
        "instructions": len(given),
        "makespan_ns": done.program.makespan_ps / 1000,
        "given_makespan_ns": given.makespan_ps / 1000,
        "kinds": [
            {
                "kind": k.kind,
                "units": k.units,
                "jobs": k.jobs,
                "busy_ns": k.busy_ps / 1000,
                "share": k.share,
                "busiest": k.busiest.name,
                "busiest_share": k.busiest.share,
            }
            for k in kind_uses(uses)
        ],
        "units": [
            {"unit": u.name, "jobs": u.jobs, "busy_ns": u.busy_ps / 1000, "share": u.share}
            for u in uses[:top]
        ],
        "bound_by": [
            {
                "kind": b.kind,
                "units": list(b.units),
                "ns": b.ps / 1000,
                "share": b.share,
                "change": b.change,
            }
            for b in bindings
        ],
    }


def waits_json(done: Simulation, given: Program, top: int) -> dict[str, Any]:
    """Waiting by cause and opcode, and the `top` pairs of who waited longest for whom."""
    found = Waits(done)
    return {
        "waits": [
            {
                "cause": t.cause,
                "opcode": t.opcode,
                "waits": t.waits,
                "total_ns": t.total_ps / 1000,
                "longest_ns": t.longest_ps / 1000,
                "longest_id": t.longest,
                "longest_name": given.name(t.longest),
            }
            for t in found.totals()
        ],
        "pairs": [
            {
                "unit": p.unit,
                "cause": p.cause,
                "holder": p.holder,
                "waiter": p.waiter,
                "waits": p.waits,
                "total_ns": p.total_ps / 1000,
            }
            for p in found.pairs()[:top]
        ],
    }
