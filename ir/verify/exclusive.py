"""Invariants of shared resources: units do one thing at a time, buffers hold what fits."""

import numpy as np

from ir import timing
from ir.arrays import Array, Bools, Ints
from ir.crossings import die_of
from ir.jit import compiled
from ir.program import Opcode
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, int64
from ir.verify.roles import KIND, READS_OF_CACHES, WRITES_OF_CACHES, Form, Role


def check_pgs(case: ProgramCase) -> Fault | None:
    """No PG is driven twice at once, whichever of a stack's groups drives it."""
    return _overlap(case, case.kind == KIND["group"])


def check_bus(case: ProgramCase) -> Fault | None:
    """A region's bus carries one LOAD at a time."""
    return _overlap(case, case.kind == KIND["bus"])


def check_return_link(case: ProgramCase) -> Fault | None:
    """A region's return link carries one STORE at a time."""
    return _overlap(case, case.kind == KIND["return"])


def check_other_units(case: ProgramCase) -> Fault | None:
    """Digital, attention, accumulator and memory units and all links do one thing at a time."""
    return _overlap(case, ~np.isin(case.kind, [KIND["group"], KIND["bus"], KIND["return"]]))


def _overlap(case: ProgramCase, mask: Bools) -> Fault | None:
    """The first two jobs of one unit whose intervals [start, start + busy) meet.

    Units of a stack are one. What takes no time has to find the unit free as well.
    """
    p = case.program
    rows, circuit = np.flatnonzero(mask), case.sharing.circuit[p.unit]
    rows = rows[np.lexsort((p.busy_ps[rows], p.start_ps[rows], circuit[rows]))]
    one, other = rows[:-1], rows[1:]
    same = circuit[one] == circuit[other]
    at = first(same & (p.start_ps[other] < p.start_ps[one] + p.busy_ps[one]))
    if at is None:
        return None
    until = p.start_ps[one[at]] + p.busy_ps[one[at]]
    problem = f"starts at {p.start_ps[other[at]]} ps, while {p.name(int(one[at]))} runs to {until}"
    return Fault(p.name(int(other[at])), problem)


def check_input_buffers(case: ProgramCase) -> Fault | None:
    """A group's input buffer never holds more vectors than chip.pg.input_buffers.

    A vector is there from the START of the LOAD or XFER that brings it to the end of the last MVM
    of the group that uses it. The groups of a stack have one input buffer.
    """
    p, most = case.program, int(case.sharing.circuit.max(initial=0)) + 1
    filler, group = p.dst.rows(), case.sharing.circuit[p.dst.values]
    entry = np.unique(filler * most + group)  # a vector for several groups of a stack is one
    filler, group = np.divmod(entry, most)
    last = case.end[filler]
    user = np.flatnonzero(case.is_mvm[case.reader])
    wanted = case.read[user] * most + case.sharing.circuit[p.unit[case.reader[user]]]
    sent = np.isin(wanted, entry)
    users = case.reader[user[sent]]
    np.maximum.at(last, np.searchsorted(entry, wanted[sent]), case.end[users])
    fault = _crowded(group, p.start_ps[filler], last, case.chip.pg.input_buffers)
    if fault is None:
        return None
    circuit, time, held = fault
    unit = int(np.flatnonzero(case.sharing.circuit == circuit)[0])
    limit = case.chip.pg.input_buffers
    return Fault(p.units[unit].name, f"holds {held} vectors at {time} ps, expected at most {limit}")


def _crowded(place: Ints, begin: Ints, end: Ints, limit: int) -> tuple[int, int, int] | None:
    """(place, time, how many) where more than `limit` lives [begin, end) first meet in a place."""
    where, time = np.concatenate([place, place]), np.concatenate([begin, end])
    step = np.repeat(np.array([1, -1], dtype=np.int64), len(place))
    order = np.lexsort((step, time, where))  # what ends at a moment makes room for what begins
    held = np.cumsum(step[order])  # every place comes back to 0 before the next
    at = first(held > limit)
    return None if at is None else (int(where[order[at]]), int(time[order[at]]), int(held[at]))


def check_buffer_bytes(case: ProgramCase) -> Fault | None:
    """A value that stands at the digital units has a place inside its region's buffer."""
    p = case.program
    at_dpu = np.isin(case.kind, [KIND[k] for k in ("dpu", "mha", "return", "mesh", "dram")])
    at_dpu |= case.role == Role.OUT
    at_dpu &= case.opcode != Opcode.ACC  # partial sums stay in the unit
    at_dpu &= ~np.isin(case.role, WRITES_OF_CACHES)  # what is written stays in DRAM
    fault = case.fault(at_dpu & (p.buffer < 0), "writes a value without a place in a buffer")
    held = p.buffer >= 0
    fault = fault or case.fault(held & ~_own_buffer(case), "writes to another region's buffer")
    size = np.array([*(b.bytes for b in p.buffers), 0], dtype=np.int64)[p.buffer]
    outside = held & ((p.offset < 0) | (p.offset + p.bytes > size))
    fault = fault or case.fault(outside, "writes beyond its buffer")
    limit = case.chip.memory.region_buffer_bytes
    for buffer in p.buffers if limit else ():
        if buffer.bytes > limit:
            return Fault(buffer.name, f"{buffer.bytes} bytes, the chip has {limit}")
    short = held & (p.bytes < _least_bytes(case))
    return fault or case.fault(short, "takes fewer bytes than its value has")


def _own_buffer(case: ProgramCase) -> Bools:
    """Whether a row's buffer is that of its region on the die where its value is: [rows].

    A vector that is moved to a region on another die waits in the region that it comes from.
    """
    p, place = case.whole, case.mapping.placement
    layer = np.array([*(b.layer for b in p.buffers), -1], dtype=np.int64)[p.buffer]
    die = np.array([*(b.die for b in p.buffers), -1], dtype=np.int64)[p.buffer]
    home = {n: region.die for region in reversed(place.regions) for n in region.layers}
    homes = np.array([home.get(n, 0) for n in range(max(home, default=0) + 1)], dtype=np.int64)
    own = int64(p.layer)
    source = np.array([unit.layer for unit in p.units], dtype=np.int64)[p.unit]
    leaves = (case.role == Role.MOVE) & (homes[own] != homes[source])
    own = np.where(leaves, source, own)
    where = die_of(p)
    there: Bools = (layer == own) & ((die == where) | (where < 0))
    return there


def _least_bytes(case: ProgramCase) -> Ints:
    """Bytes each row's value needs at least: its operator's width for each token it stands for."""
    width = np.array([op.width for op in case.workload.operators], dtype=np.int64)
    values = width[case.program.node]
    whole = (case.role == Role.RESULT) & (case.row_form == Form.SEQUENCE)  # of a stream's job below
    by_side = case.visits.running
    place = {side: at for at, side in enumerate(by_side)}
    side = np.array([place[op.side] for op in case.workload.operators], dtype=np.int64)
    running = np.stack(list(by_side.values()))[side[case.program.node], case.of_pass]
    values = np.where(whole, values * running, values)
    streamed = case.streams.mine
    values = np.where(streamed, width[case.program.node] * case.streams.asked, values)
    hidden = np.isin(case.role, [Role.OUT, Role.SCALE, Role.ACT, Role.MUL])
    classes = case.jobs.classes
    per_class = np.array([*(c.hidden for c in classes), 0], dtype=np.int64)
    gated = np.array([*(c.gated for c in classes), False], dtype=np.bool_)
    between = per_class[case.job_class] * np.where(
        np.isin(case.role, [Role.OUT, Role.SCALE]) & gated[case.job_class], 2, 1
    )
    values = np.where(hidden, between, values)
    results = np.array([*(c.results for c in classes), 0], dtype=np.int64)
    values = np.where(case.role == Role.STORE, results[case.job_class], values)
    values[case.role == Role.SAMPLE] = timing.SAMPLE_VALUES
    said = np.isin(case.role, [Role.MOVE, Role.CROSS, *READS_OF_CACHES])  # by `bytes`, `caches`
    said |= case.role == Role.TOPK  # an expert may choose none of a short sequence's tokens
    values[said] = 0
    least: Ints = -(-values * case.chip.mvm.output_bits // 8)
    least[case.role == Role.GATE] = timing.score_bytes(1, 1)  # scores have a format of their own
    return least


def check_buffer_overlap(case: ProgramCase) -> Fault | None:
    """Values that live at the same time never share a byte of a buffer.

    A value lives from its writer's end to the end of its last reader. One that lives no time is
    written all the same, before what begins at that moment. Where values begin or stop cuts a
    buffer into pieces; a piece has one holder at a time.
    """
    p = case.whole
    last = case.end.copy()
    np.maximum.at(last, p.reads.values, case.end[p.reads.rows()])
    rows = np.flatnonzero(p.buffer >= 0)
    rows = rows[np.lexsort((last[rows] > case.end[rows], case.end[rows]))]
    low, high = p.offset[rows], (p.offset + p.bytes)[rows]
    pieces = _numbered(np.tile(int64(p.buffer[rows]), 2), np.concatenate([low, high]))
    one, other = _clash(pieces[: len(rows)], pieces[len(rows) :], case.end[rows], last[rows])
    if one < 0:
        return None
    name = p.name(int(rows[other]))
    problem = f"takes bytes {low[one]} to {high[one] - 1}, where {name} lives"
    return Fault(p.name(int(rows[one])), problem)


def _numbered(place: Ints, at: Ints) -> Ints:
    """Which of all different (place, at) each is, in their order."""
    order = np.lexsort((at, place))
    new = (np.diff(place[order]) != 0) | (np.diff(at[order]) != 0)
    number = np.zeros(len(at), dtype=np.int64)
    number[order[1:]] = np.cumsum(new)
    return number


@compiled
def _clash(low: Array, high: Array, begin: Array, last: Array) -> tuple[int, int]:
    """The first value of which a piece [low, high) has a holder that still lives, and which; or -1.

    Values in the order of their begins.
    """
    holder = np.full(2 * len(low), -1)
    for value in range(len(low)):
        for piece in range(low[value], high[value]):
            other = holder[piece]
            if other >= 0 and last[other] > begin[value]:
                return value, other
            holder[piece] = value
    return -1, -1


RESOURCE_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("pg-once", "no PG is driven twice at once", check_pgs),
    Check("bus", "one LOAD at a time on a region's bus", check_bus),
    Check("return-link", "one STORE at a time on a region's return link", check_return_link),
    Check("unit-once", "no other unit does two things at once", check_other_units),
    Check("input-buffers", "no input buffer holds more than it can", check_input_buffers),
    Check("buffer-bytes", "every value has its place inside a buffer", check_buffer_bytes),
    Check("buffer-overlap", "living values never share a byte", check_buffer_overlap),
)
