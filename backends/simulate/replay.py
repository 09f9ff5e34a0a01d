"""The given times, checked to the picosecond; and the same order with other durations."""

from dataclasses import dataclass, replace

import numpy as np

from backends.simulate import kernels
from backends.simulate.form import check_form, refuse
from backends.simulate.machine import NOTHING, Machine, build, check_rooms, settled
from ir.arrays import Array, Ints
from ir.chip import Chip
from ir.jit import frozen
from ir.program import Program


@dataclass(frozen=True, eq=False)
class Simulation:
    """A program that ran: its times, and what each instruction waited for. All [rows].

    program: with the times of this run, and the energies it was compiled with. ready_ps: all values
    it reads are there, `writer` the last to come; free_ps: its unit has finished the job before,
    `before`; grant_ps: input buffer entries are free (why 1), the slot before has ended (2), its
    bytes are free (3), by the end of `giver`. -1 where there is no such instruction.
    """

    program: Program
    machine: Machine
    ready_ps: Ints
    writer: Array
    free_ps: Ints
    before: Array
    grant_ps: Ints
    giver: Array
    why: Array

    @property
    def late_ps(self) -> Ints:
        """Time between the moment nothing held an instruction back and its start."""
        least = np.maximum(np.maximum(self.ready_ps, self.free_ps), self.grant_ps)
        return self.program.start_ps - least


def replay(program: Program, chip: Chip) -> Simulation:
    """Replay the given times; CheckError names the first instruction that breaks a rule."""
    check_form(program, chip)
    machine = build(program, chip)
    done, _ = _walk(program, machine, rerun=False)
    row = _first_early(done)
    if row is not None:
        raise _early(done, row)
    return done


def run(program: Program, chip: Chip, duration_ps: Ints, busy_ps: Ints) -> Simulation:
    """The same instructions in the same order on the same units, with other durations.

    duration_ps, busy_ps: int64 [rows]; chip: the one that the program was made for. An instruction
    starts as soon as its values are there, its unit has finished the one before it in the given
    order, and what else it needs is free. All of this is maxima and sums, so no time gets shorter
    where a duration gets longer, and with the given durations no start is later than given.
    Raises CheckError for a program that does not replay.
    """
    machine = settled(replay(program, chip).machine, program)
    timed = replace(program, duration_ps=duration_ps, busy_ps=busy_ps)
    done, tangled = _walk(timed, machine, rerun=True)
    if tangled >= 0:  # a value's bytes were given on while it was still read: look again
        check_rooms(done.program, done.program.end_ps)
    return done


def _walk(program: Program, machine: Machine, *, rerun: bool) -> tuple[Simulation, int]:
    start = np.zeros(len(program), dtype=np.int64) if rerun else program.start_ps.copy()
    end = np.zeros(len(program), dtype=np.int64) if rerun else program.end_ps
    m = machine
    ready, writer, free, before, grant, giver, why, tangled = kernels.walk(
        m.order,
        m.unit,
        m.reads.at,
        m.reads.values,
        m.dst.at,
        m.dst.values,
        m.vector,
        m.uses,
        m.lock,
        m.slot,
        m.room_first,
        m.room_count,
        m.room if rerun else frozen(NOTHING, np.int32),
        frozen(program.duration_ps, np.int64),
        frozen(program.busy_ps, np.int64),
        start,
        end,
        rerun,
        m.units,
        m.entries,
        m.locks,
    )
    timed = replace(program, start_ps=start)
    done = Simulation(timed, m, ready, writer, free, before, grant, giver, why)
    return done, int(tangled)


def _first_early(done: Simulation) -> int | None:
    early = np.flatnonzero(done.late_ps[done.machine.order] < 0)
    return int(done.machine.order[early[0]]) if len(early) else None


def _early(done: Simulation, row: int) -> Exception:
    """Why this row may not start yet."""
    p, start = done.program, int(done.program.start_ps[row])
    if start < done.ready_ps[row]:
        other = int(done.writer[row])
        rule, what, until = "data", "reads", done.ready_ps[row]
        held = f"which ends at {p.end_ps[other]} ps"
    elif start < done.free_ps[row]:
        other = int(done.before[row])
        rule, what, until = "unit", "its unit is held by", done.free_ps[row]
        held = f"until {until} ps"
    else:
        other = int(done.giver[row])
        rule, what, until = "entry", "no free entry in an input buffer it fills: held by", 0
        until = done.grant_ps[row]
        held = f"until {until} ps" if until < kernels.NEVER else "whose MVM starts later"
        if done.why[row] == kernels.SLOT:
            rule, what = "lockstep", "slots run one after another, and it is not over for"
            held = f"of slot {p.slot[other]}, which ends at {p.end_ps[other]} ps"
    expected = f"expected a start at {until} ps or later"
    if until >= kernels.NEVER:
        expected = "expected it in the order of effect"
    return refuse(rule, p, row, f"{what} {p.name(other)}, {held}; found {start} ps, {expected}")
