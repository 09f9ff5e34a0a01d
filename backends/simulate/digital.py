"""What digital work and sums take on a chip of other speeds, by what explains the old times.

How large a job is a program says in part: the bytes of its value, its MACs. The rest is read off
its duration: an operation of one opcode is so many element-wise passes over so many values, each a
base time and a time for each value (`ir.timing`), after what matrices from DRAM take. What explains
the old duration to the picosecond is timed anew. Where several do and the new times are not the
same, none is taken.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from backends.simulate.alike import alike
from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import VALUES_PER_PACKET, Chip
from ir.passes import Passes
from ir.program import Opcode, Program
from ir.timing import Cost
from ir.timing.cost import job

Work = Callable[[Chip], Cost]
PASSES = tuple(Passes(smooth, products) for smooth in range(3) for products in range(4))
MOST_LEVELS = 40  # of a tree
HOLDING = (Opcode.EMBED, Opcode.MUL, Opcode.ADD, Opcode.DIGITAL, Opcode.NORM, Opcode.ACT)
TIMED = (*HOLDING, Opcode.TOPK, Opcode.COMBINE, Opcode.GATE, Opcode.ACC)


@dataclass(frozen=True)
class Job:
    """What a program says of an instruction; whole: of a whole sequence; reads: values it reads."""

    opcode: Opcode
    bytes: int
    macs: int
    duration_ps: int
    busy_ps: int
    whole: bool
    reads: int


def timed_anew(program: Program, old: Chip, new: Chip) -> tuple[Bools, Ints, Ints]:
    """Rows whose work is known, and their duration and busy time [those rows] on the new chip."""
    rows = np.flatnonzero(np.isin(program.opcode, TIMED))
    columns = (
        program.opcode[rows],
        program.bytes[rows],
        program.macs[rows],
        program.duration_ps[rows],
        program.busy_ps[rows],
        program.token[rows] < 0,
        np.diff(program.reads.offsets)[rows],
    )
    first, which = alike(columns)
    kinds = zip(*(column[first].tolist() for column in columns), strict=True)
    found = [_again(Job(Opcode(opcode), *said), old, new) for opcode, *said in kinds]
    both = np.array([(-1, -1) if cost is None else cost for cost in found], dtype=np.int64)
    both = both.reshape(-1, 2)[which]
    known = np.zeros(len(program), dtype=np.bool_)
    known[rows] = both[:, 0] >= 0
    both = both[both[:, 0] >= 0]
    return known, both[:, 0], both[:, 1]


def _again(given: Job, old: Chip, new: Chip) -> tuple[int, int] | None:
    """Duration and busy time on the new chip of the works that explain the old ones, if alike."""
    if given.whole and given.opcode in HOLDING and not given.duration_ps:
        return 0, 0  # tables and masks come with the program
    found = set()
    for work in _works(given, old):
        known = work(old)
        if (known.duration_ps, known.busy_ps) == (given.duration_ps, given.busy_ps):
            cost = work(new)
            found.add((cost.duration_ps, cost.busy_ps))
    return found.pop() if len(found) == 1 else None


def _works(given: Job, old: Chip) -> Iterator[Work]:
    """What the job may be."""
    values = given.bytes * 8 // old.mvm.output_bits
    match given.opcode:
        case Opcode.ACT:
            for passes in PASSES:
                yield partial(_act, values, passes)
        case Opcode.NORM:
            yield from _holding(given, old, partial(_norm, values))
        case Opcode.TOPK:
            yield from _chosen(given, old)
        case Opcode.COMBINE:
            yield from _passes(values, given.duration_ps, old)
        case Opcode.GATE:
            for gates in range(given.bytes // 2 + 1):  # of shared experts; scores are of two bytes
                yield partial(_gate, given.bytes // 2 - gates, given.macs)
            yield partial(timing.macs, count=given.macs)
        case Opcode.ACC:
            yield from _sums(given, old)
        case _:
            yield from _holding(given, old, partial(timing.add, values=values))
            if not given.macs:
                yield from _once(given.duration_ps, 1, old)


def _act(values: int, passes: Passes, chip: Chip) -> Cost:
    return timing.act(chip, values, passes)


def _norm(values: int, chip: Chip) -> Cost:
    return timing.norm(chip, values)


def _gate(scores: int, macs: int, chip: Chip) -> Cost:
    """Scores from crossbars taken over, after the gates of shared experts."""
    work, gates = timing.digital(chip, scores), timing.macs(chip, macs)
    return job(work.duration_ps + gates.duration_ps, 0)


def _holding(given: Job, old: Chip, work: Work) -> Iterator[Work]:
    """The work of an operator, which holds matrices from DRAM where it has MACs."""
    data = 0
    if given.macs:
        rest = given.duration_ps - timing.with_products(old, work(old), given.macs, 0).duration_ps
        data = max(0, rest) * old.memory.dram_mb_per_s // 10**6
    yield lambda chip: timing.with_products(chip, work(chip), given.macs, data)


def _times(work: Work, times: int, chip: Chip) -> Cost:
    return job(times * work(chip).duration_ps, 0)


def _passes(values: int, ps: int, old: Chip) -> Iterator[Work]:
    """As many element-wise passes over `values` as take so long."""
    once = timing.add(old, values).duration_ps
    if once and not ps % once:
        yield partial(_times, partial(timing.add, values=values), ps // once)


def _once(ps: int, times: int, old: Chip) -> Iterator[Work]:
    """`times` passes over as many values as take so long."""
    over = ps // max(1, times) - old.digital.add_base_ps
    if old.digital.add_ps and over >= 0:
        values = over * VALUES_PER_PACKET // old.digital.add_ps
        yield partial(_times, partial(timing.add, values=values), times)


def _chosen(given: Job, old: Chip) -> Iterator[Work]:
    """Token choice: a pass for each chosen expert, of 4 bytes. Expert choice: one for each expert.

    Over the scores that it reads; with scores kept from before one pass over all of them.
    """
    if not given.whole:
        yield from _once(given.duration_ps, given.bytes // 4, old)
        return
    yield from _passes(given.reads, given.duration_ps, old)
    yield from _once(given.duration_ps, 1, old)


def _sums(given: Job, old: Chip) -> Iterator[Work]:
    """Sums of some row tiles, with a bias or without, over a tile's outputs of some cells each.

    In a tree of as many levels as those of the most tiles that have so many.
    """
    columns, how = old.crossbar.columns, old.accumulate
    in_tree = how.where == "pg" and how.order == "tree"
    for values in {columns // cells for cells in range(1, columns + 1)}:
        for bias in (False, True):
            one, two = (_sum(old, rows, values, bias).duration_ps for rows in (1, 2))
            if two > one:
                steps = (given.duration_ps - one) // (two - one)
                rows = 1 << min(steps, MOST_LEVELS) if in_tree else 1 + steps
                yield partial(_sum, rows=rows, values=values, bias=bias)


def _sum(chip: Chip, rows: int, values: int, bias: bool) -> Cost:
    return timing.accumulate(chip, rows, 1, values, bias=bias)
