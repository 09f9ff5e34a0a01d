"""Invariants of the caches and of what steps hand on: written once, read in time, in full."""

from collections.abc import Iterator
from typing import assert_never

import numpy as np

from ir import timing
from ir.arrays import Bools, Ints
from ir.selection import ByCapacity, Capacity
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, first_difference, int64
from ir.verify.dataflow import samples
from ir.verify.moves import Reads, odd_read, parts_of
from ir.verify.operators import results
from ir.verify.roles import READS_OF_CACHES, WRITES_OF_CACHES, Form, Role
from ir.verify.routing import top_k_rows
from ir.verify.visits import Visits
from ir.workload import Attention, Dense, Digital, MoELayer, Router

Wanted = tuple[Role, int, Ints]  # role, operator, bytes in each pass ([passes], -1 = none)


def kept_scores(case: ProgramCase, capacity: Capacity, of_pass: int) -> int:
    """Scores of each expert that a decode step's new token is compared with; 0 without a GO cache.

    All of the sequence's earlier ones where the capacity grows with it, else the best C.
    """
    visits = case.visits
    later = visits.numbers[of_pass // len(visits.sequence_ids)] > 0
    if not later or not visits.schedule.caches.go:
        return 0
    before = int(visits.so_far[of_pass] - visits.count(visits.fresh)[of_pass])
    return before if capacity.constant is None else min(before, capacity.constant)


def cache_bytes(case: ProgramCase) -> tuple[int, int]:
    """(keys, values and inputs; scores and outputs) in DRAM once the last token is in."""
    visits, caches, chip = case.visits, case.schedule.caches, case.chip
    if len(visits.numbers) < 2:
        return 0, 0
    length = visits.so_far[-len(visits.sequence_ids) :]
    tokens, kv, go = int(length.sum()), 0, 0
    for index, op in enumerate(case.workload.operators):
        match op:
            case Attention():
                held = tokens * timing.key_bytes(chip, op.kv_heads, op.head_dim)
                kv += 0 if case.kept_in_buffers[index] else held
            case MoELayer():
                inputs, outputs = _layer_bytes(case, op, length)
                kv += inputs
                go += outputs
            case Dense() | Digital():
                pass
            case _:
                assert_never(op)
    return kv * caches.kv, go * caches.go


def _layer_bytes(case: ProgramCase, op: MoELayer, length: Ints) -> tuple[int, int]:
    """(inputs; scores and outputs) of an MoE layer held for sequences of so many tokens."""
    caches, chip, capacity = case.schedule.caches, case.chip, op.router.capacity
    vectors = int(length.sum()) * -(-op.d_model * chip.mvm.output_bits // 8)
    if timing.reads_in_series(chip):
        size = op.router.experts, op.d_model
        return 0, sum(timing.reference_go_bytes(n, *size) for n in length.tolist())
    if capacity is None:
        return 0, 0
    most = length if capacity.constant is None else np.minimum(length, capacity.constant)
    scores = timing.score_bytes(op.router.experts, int(most.sum()))
    return vectors * (not caches.go), scores + vectors * (not caches.kv)


def _wanted(case: ProgramCase) -> Iterator[Wanted]:
    """Every read and write of a cache that the steps ask for, from the definitions."""
    for index, op in enumerate(case.workload.operators):
        match op:
            case Attention():
                yield from _wanted_keys(case, index, op)
            case MoELayer(router=Router(selection=ByCapacity(capacity=capacity))):
                if not timing.reads_in_series(case.chip):
                    yield from _wanted_of_layer(case, index, op, capacity)
            case Dense() | Digital() | MoELayer():
                pass
            case _:
                assert_never(op)


def _wanted_keys(case: ProgramCase, index: int, op: Attention) -> Iterator[Wanted]:
    visits, caches = case.visits, case.schedule.caches
    if case.kept_in_buffers[index]:
        return
    later, more = _later_and_more(visits)
    fresh, series = visits.count(visits.fresh), timing.reads_in_series(case.chip)
    token = timing.key_bytes(case.chip, op.kv_heads, op.head_dim)
    keys = visits.so_far if series else visits.so_far - fresh
    yield Role.KEYS_RD, index, np.where(later & caches.kv, keys * token, -1)
    yield Role.KEYS_WR, index, np.where(more & caches.kv & (not series), fresh * token, -1)


def _wanted_of_layer(
    case: ProgramCase, index: int, op: MoELayer, capacity: Capacity
) -> Iterator[Wanted]:
    visits, caches = case.visits, case.schedule.caches
    later, more = _later_and_more(visits)
    fresh, vector = visits.count(visits.fresh), -(-op.d_model * case.chip.mvm.output_bits // 8)
    scores = timing.score_bytes(op.router.experts, 1)
    kept = [kept_scores(case, capacity, i) for i in range(visits.passes)]
    again = visits.count(~visits.runs) * vector  # what does not run is scored, and the other way
    past = visits.count(~visits.scored) * vector
    inputs = caches.kv and not caches.go
    yield Role.INPUTS_RD, index, np.where(later & inputs, again, -1)
    yield Role.INPUTS_WR, index, np.where(more & inputs, fresh * vector, -1)
    yield Role.SCORES_RD, index, np.where(later & caches.go, np.array(kept) * scores, -1)
    new = fresh * scores
    if capacity.constant is not None:
        best = np.minimum(fresh, capacity.constant) * scores
        new = np.where(later, new, best)
    yield Role.SCORES_WR, index, np.where(more & caches.go, new, -1)
    outputs = caches.go and not caches.kv
    yield Role.OUTPUTS_RD, index, np.where(later & outputs, past, -1)
    yield Role.OUTPUTS_WR, index, np.where(more & outputs, fresh * vector, -1)


def _later_and_more(visits: Visits) -> tuple[Bools, Bools]:
    """Passes of a step after the first, and those that a step follows: bool [passes] each."""
    number = np.repeat(visits.numbers, len(visits.sequence_ids))
    return number > 0, number < visits.numbers[-1]


def check_caches(case: ProgramCase) -> Fault | None:
    """Caches are read and written once per sequence, operator and step that needs it, in full."""
    p, passes = case.program, case.visits.passes
    if fault := _check_scored(case):
        return fault
    cached = np.isin(case.role, READS_OF_CACHES + WRITES_OF_CACHES)
    rows = np.flatnonzero(cached)
    key = (case.role[rows] * len(p.nodes) + int64(p.node)[rows]) * passes + case.of_pass[rows]
    wanted: dict[int, int] = {}
    for role, index, size in _wanted(case):
        for of_pass in np.flatnonzero(size >= 0).tolist():
            wanted[(int(role) * len(p.nodes) + index) * passes + of_pass] = int(size[of_pass])
    odd = first_difference(key, np.array(sorted(wanted), dtype=np.int64))
    if odd is not None:
        (node, of_pass), missing = divmod(odd[0], passes), odd[1]
        code, index = divmod(node, len(p.nodes))
        name = f"{Role(code).name} of operator {case.workload.operators[index].name}"
        step = case.visits.numbers[of_pass // len(case.visits.sequence_ids)]
        return Fault(name, f"{'missing' if missing else 'not expected'} in step {step}")
    if len(np.unique(key)) < len(key):
        at = int(rows[np.argsort(key, kind="stable")][first(np.diff(np.sort(key)) == 0) or 0])
        return Fault(p.name(at), "is there twice")
    size = np.array([wanted[k] for k in key.tolist()], dtype=np.int64)
    at_row = first(p.bytes[rows] != size)
    if at_row is None:
        return None
    row = int(rows[at_row])
    return Fault(p.name(row), f"carries {p.bytes[row]} bytes, expected {size[at_row]}")


def _check_scored(case: ProgramCase) -> Fault | None:
    """What is scored without running is the experts' vectors alone, in layers of one choice."""
    visits, kinds = case.visits, {op.router.capacity is None for op in case.moe.values()}
    if len(kinds) > 1 and np.any(visits.scored != visits.runs):
        return Fault("schedule", "scores other tokens than run, where layers choose in two ways")
    constant = {name for name, op in case.maker.items() if case.form[op] == Form.CONSTANT}
    for op in case.moe.values():
        others = {*op.inputs, op.scored} - {op.inputs[0]} - constant
        if others and not np.all(visits.runs):
            return Fault(f"layer {op.layer}", "scores vectors again that no cache keeps")
    return None


def check_cache_reads(case: ProgramCase) -> Fault | None:
    """A read waits for all earlier writes of its kind; a write for what it stores, and no more."""
    mine = np.isin(case.role[case.reader], READS_OF_CACHES + WRITES_OF_CACHES)
    out = Reads(parts_of(case))
    _add_reads(case, out)
    _add_writes(case, out)
    return odd_read(out.parts, mine, [out], ", expected what it keeps")


def _add_reads(case: ProgramCase, out: Reads) -> None:
    """What every cache read waits for."""
    p, made = case.program, results(case)
    for read, write in zip(READS_OF_CACHES, WRITES_OF_CACHES, strict=True):
        reads = np.flatnonzero(case.role == read)
        writes = np.flatnonzero(case.role == write)
        same = (p.node[reads][:, None] == p.node[writes]) & (p.seq[reads][:, None] == p.seq[writes])
        r, w = np.nonzero(same & (p.step[reads][:, None] > p.step[writes]))
        out.add("", reads[r], writes[w], case.visit[reads[r]])
    if not timing.reads_in_series(case.chip):
        return
    for row in np.flatnonzero(case.role == Role.KEYS_RD).tolist():
        here = np.flatnonzero((case.visits.of_pass == case.of_pass[row]) & case.visits.runs)
        for name in case.workload.operators[int(p.node[row])].inputs:
            if name in case.maker:
                source = made[case.maker[name], here]
                out.add(name, np.full(len(here), row), source, here)


def _add_writes(case: ProgramCase, out: Reads) -> None:
    """What every cache write stores: the makers of the new tokens' content."""
    p, visits = case.program, case.visits
    made, top = results(case), top_k_rows(case)
    for row in np.flatnonzero(np.isin(case.role, WRITES_OF_CACHES)).tolist():
        index = int(p.node[row])
        fresh = np.flatnonzero((visits.of_pass == case.of_pass[row]) & visits.fresh)
        op, reader = case.workload.operators[index], np.full(len(fresh), row)
        if case.role[row] == Role.SCORES_WR:
            out.add("", reader, top[index, fresh], fresh)
        elif case.role[row] == Role.OUTPUTS_WR:
            out.add("", reader, made[index, fresh], fresh)
        else:
            for name in op.inputs if case.role[row] == Role.KEYS_WR else op.inputs[:1]:
                if name in case.maker:
                    out.add(name, reader, made[case.maker[name], fresh], fresh)


def check_samples(case: ProgramCase) -> Fault | None:
    """Where the schedule says so, every pass ends in one SAMPLE of its newest token's output.

    It is of the model's last operator.
    """
    p, visits = case.program, case.visits
    rows = np.flatnonzero(case.role == Role.SAMPLE)
    wanted = np.full(visits.passes, int(case.schedule.sampled))
    count = np.bincount(case.of_pass[rows], minlength=visits.passes)
    at = first(count != wanted)
    if at is not None:
        return Fault("program", f"{count[at]} SAMPLE instructions for pass {at}, not {wanted[at]}")
    made = results(case)[case.maker[case.workload.outputs[0]]] if len(rows) else visits.step
    row = samples(case)[visits.of_pass[visits.newest]]
    newest = np.flatnonzero(visits.newest)
    for one, visit in zip(row.tolist(), newest.tolist(), strict=True):
        if one >= 0 and (case.visit[one] != visit or p.reads[one].tolist() != [made[visit]]):
            return Fault(p.name(one), "does not read its newest token's output alone")
    other = (case.role == Role.SAMPLE) & (p.node != len(p.nodes) - 1)
    return case.fault(other, "is of another operator than the last")


CACHE_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("caches", "caches are read and written where steps need it", check_caches),
    Check("cache-reads", "caches hand on what they were given", check_cache_reads),
    Check("samples", "steps end in the choice of the next token", check_samples),
)
