"""A program under test, with the columns that its checks derive from it."""

from collections.abc import Mapping as ByKey
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np

from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.compiled import Compiled
from ir.crossings import without_crossings
from ir.mapping import DenseOwner, Mapping, RoutedOwner, SharedOwner
from ir.program import Program
from ir.schedule import Schedule
from ir.verify.check import Fault, first
from ir.verify.jobs import JobClasses, job_classes
from ir.verify.matrices import FireGroup, fire_groups, holders, moe_operators, router_holders
from ir.verify.roles import (
    CHAIN,
    KIND,
    Columns,
    Form,
    Role,
    form_of,
    result_opcode,
    roles_by_topk,
    roles_of,
)
from ir.verify.sharing import Sharing, sharing
from ir.verify.streams import Streams, kept_in_buffers, keys_here, may_stream, streams_of
from ir.verify.visits import Visits
from ir.workload import MoELayer, Workload


@dataclass(frozen=True, eq=False)
class ProgramCase:
    """A program, what it was made from, and derived columns: [rows] unless stated.

    The mapping is one that passed its own checks. Columns other than the program's own are to be
    used only after the checks `columns` and `units` have passed.
    """

    compiled: Compiled

    @property
    def whole(self) -> Program:
        """The program under test."""
        return self.compiled.program

    @cached_property
    def program(self) -> Program:
        """The same without its crossings (`ir.crossings`), for all that asks who reads what.

        The checks of `crossings` ask of the whole one where that is.
        """
        return without_crossings(self.whole)

    @property
    def mapping(self) -> Mapping:
        """The mapping it runs on."""
        return self.compiled.mapping

    @property
    def schedule(self) -> Schedule:
        """The slot orders it was made from."""
        return self.compiled.schedule

    @property
    def workload(self) -> Workload:
        """The model."""
        return self.compiled.workload

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.compiled.chip

    @property
    def chosen(self) -> ByKey[int, Bools]:
        """The routing of the window."""
        return self.compiled.chosen

    # -- the workload's side ---------------------------------------------------------------------
    @cached_property
    def visits(self) -> Visits:
        """Every token in every step that works on it."""
        choice = any(op.router.capacity is not None for op in self.moe.values())
        return Visits(self.schedule, choice, timing.reads_in_series(self.chip), self.workload.sides)

    @cached_property
    def moe(self) -> dict[int, MoELayer]:
        """MoE layers by operator number."""
        return moe_operators(self.workload)

    @cached_property
    def form(self) -> Ints:
        """Form of each operator: [operators]."""
        return np.array([form_of(op) for op in self.workload.operators], dtype=np.int64)

    @cached_property
    def region(self) -> Ints:
        """Layer whose region each operator works in: [operators]."""
        layers = [self.workload.operators[i].layer for i in holders(self.workload)]
        return np.array([self.workload.region_of(layer) for layer in layers], dtype=np.int64)

    @cached_property
    def holder(self) -> Ints:
        """Operator that holds the matrix, or experts, that each one works with: [operators]."""
        return np.array(holders(self.workload), dtype=np.int64)

    @cached_property
    def maker(self) -> dict[str, int]:
        """Operator that produces each value."""
        return {v: i for i, op in enumerate(self.workload.operators) for v in op.outputs}

    @cached_property
    def jobs(self) -> JobClasses:
        """The crossbar jobs of the workload."""
        return job_classes(self.workload)

    @cached_property
    def fire_groups(self) -> list[FireGroup]:
        """The fire groups of the mapping."""
        return fire_groups(self.mapping, self.workload)

    @cached_property
    def done_for(self) -> Bools:
        """Whether an operator works on a visit's token: [operators, visits]."""
        newest = np.array([op.newest for op in self.workload.operators], dtype=np.bool_)
        return np.where(newest[:, None], self.visits.newest, self.visits.runs) & self.of_side

    @cached_property
    def of_side(self) -> Bools:
        """Whether an operator's side has a visit's token: [operators, visits]."""
        return np.array([self.visits.of_side[op.side] for op in self.workload.operators])

    @cached_property
    def may_stream(self) -> Bools:
        """Whether an operator may be done query by query in a visit's pass: [operators, visits]."""
        return may_stream(self.workload)[:, None] & keys_here(self.kept_in_buffers, self.visits)

    @cached_property
    def kept_in_buffers(self) -> Bools:
        """Whether an operator's keys and values stay in its region's buffer: [operators]."""
        return kept_in_buffers(self.workload, self.chip, self.schedule.caches)

    # -- the program's side ----------------------------------------------------------------------
    @cached_property
    def opcode(self) -> Ints:
        """Opcodes as int64."""
        return self.program.opcode.astype(np.int64)

    @cached_property
    def end(self) -> Ints:
        """End of each instruction, ps."""
        return self.program.end_ps

    @cached_property
    def reader(self) -> Ints:
        """Row that reads, for each entry of `reads`."""
        return self.program.reads.rows()

    @cached_property
    def read(self) -> Ints:
        """Row that is read, for each entry of `reads`."""
        return self.program.reads.values.astype(np.int64)

    @cached_property
    def step(self) -> Ints:
        """Place of each row's step in the schedule's steps (any, where it names none)."""
        place = np.searchsorted(self.visits.numbers, self.program.step)
        return np.minimum(place, len(self.visits.numbers) - 1)

    @cached_property
    def visit(self) -> Ints:
        """Visit of each row, -1 where it has no token or its token is not in its step."""
        token = self.program.token
        return np.where(token >= 0, self.visits.table[self.step, np.maximum(token, 0)], -1)

    @cached_property
    def of_pass(self) -> Ints:
        """Pass of each row's step and sequence (any sequence, where it has none)."""
        ids = self.visits.sequence_ids
        place = np.minimum(np.searchsorted(ids, self.program.seq), len(ids) - 1)
        return self.step * len(ids) + place

    @cached_property
    def is_mvm(self) -> Bools:
        """Whether a row is an MVM of an operator's job."""
        return np.isin(self.role, [Role.MVM0, Role.MVM1])

    @cached_property
    def unit_kind(self) -> Ints:
        """Kind of each unit, as in KINDS: [units]."""
        return np.array([KIND[unit.kind] for unit in self.program.units], dtype=np.int64)

    @cached_property
    def sharing(self) -> Sharing:
        """Which units, and which fire groups, are the same circuits."""
        return sharing(self.mapping, self.fire_groups, self.program.units)

    @cached_property
    def unit_fire(self) -> Ints:
        """Fire group that each group, acc or link unit serves, -1 for others: [units]."""
        return self.sharing.unit_fire

    @cached_property
    def kind(self) -> Ints:
        """Kind of each row's unit."""
        return self.unit_kind[self.program.unit]

    @cached_property
    def row_form(self) -> Ints:
        """Form of each row's operator."""
        return self.form[self.program.node]

    @cached_property
    def role(self) -> Ints:
        """Role of each row; NONE where its opcode has no place in its operator."""
        columns = Columns(self.opcode, self.program.stage == 1, self.kind, self.row_form)
        made = np.array([result_opcode(op) for op in self.workload.operators], dtype=np.int64)
        role = roles_of(columns, made[self.program.node])
        return roles_by_topk(role, self.reader, self.read)

    @cached_property
    def streams(self) -> Streams:
        """The chains of streamed attention: results for tokens that are of whole sequences else."""
        p = self.program
        mine = (self.role == Role.RESULT) & (self.row_form == Form.SEQUENCE) & (self.visit >= 0)
        mine &= self.may_stream[p.node, self.visit]
        tokens, kept = self.visits.runs & self.of_side, self.kept_in_buffers
        return streams_of(mine, p.node.astype(np.int64), self.visit, tokens, kept, self.visits)

    @cached_property
    def routed(self) -> Bools:
        """MVMs of routed experts, both stages."""
        routed: Bools = self.is_mvm & (self.program.expert >= 0)
        return routed

    @cached_property
    def root(self) -> Ints:
        """The first-stage MVM that a row of a job leads back to, itself for one; -1 for others."""
        rows = np.arange(len(self.program))
        parent = rows.copy()
        has = np.diff(self.program.reads.offsets) > 0
        chain = np.isin(self.role, CHAIN) & has
        parent[chain] = self.read[self.program.reads.offsets[:-1][chain]]
        for _ in range(4):  # MVM, ACC, OUT, MUL, ACT, MUL, IN, MVM, ACC, STORE: 9 steps
            parent = parent[parent]
        return np.where(self.role[parent] == Role.MVM0, parent, -1)

    @cached_property
    def unit_class(self) -> Ints:
        """Job class of each unit's fire group, of expert 0 for expert groups; -1 else: [units]."""
        out = [-1] * (len(self.fire_groups) + 1)  # the last one is for units without a fire group
        for i, g in enumerate(self.fire_groups):
            out[i] = self.jobs.base[g.operator]
            match g.owner:  # after a layer's routed experts come its shared ones, then its router
                case SharedOwner(number):
                    out[i] += self.moe[g.operator].router.experts + number
                case DenseOwner() if g.operator in self.moe:
                    moe = self.moe[g.operator]
                    out[i] += moe.router.experts + len(moe.shared)
                case DenseOwner() | RoutedOwner():
                    pass
                case _:
                    assert_never(g.owner)
        return np.array(out, dtype=np.int64)[self.unit_fire]

    @cached_property
    def unit_routed(self) -> Bools:
        """Whether a unit serves a group of routed experts: [units]."""
        routed = [*(g.group >= 0 for g in self.fire_groups), False]
        return np.array(routed, dtype=np.bool_)[self.unit_fire]

    @cached_property
    def job_class(self) -> Ints:
        """Job class of each row of a job, by the unit (and expert) of its root; -1 for others."""
        root, p = self.root, self.program
        unit, node, expert = p.unit[root], p.node[root], p.expert[root]
        base, holder = np.array(self.jobs.base, dtype=np.int64), self.lender[root]
        known = (root >= 0) & (self.unit_routed[unit] == (expert >= 0))
        known &= self.fire_operator[unit] == holder
        first = self.unit_class[unit] + base[node] - base[holder]
        return np.where(known, first + np.maximum(expert, 0), -1)

    @cached_property
    def lender(self) -> Ints:
        """Operator whose PGs each row may use: that holds its experts, or its matrix if alone."""
        p, groups = self.program, self.fire_groups
        alone = np.array(
            [*(isinstance(g.owner, DenseOwner) for g in groups), False], dtype=np.bool_
        )
        of_matrix = np.array(router_holders(self.workload), dtype=np.int64)
        matrix = alone[self.unit_fire][p.unit]
        return np.where(matrix, of_matrix[p.node], self.holder[p.node])

    @cached_property
    def fire_operator(self) -> Ints:
        """Operator that each unit's fire group belongs to, -1 for others: [units]."""
        operator = [*(g.operator for g in self.fire_groups), -1]
        return np.array(operator, dtype=np.int64)[self.unit_fire]

    @cached_property
    def of_router(self) -> Bools:
        """Whether a row belongs to a router on crossbars."""
        router = [*(job.router for job in self.jobs.classes), False]
        return np.array(router, dtype=np.bool_)[self.job_class]

    @cached_property
    def of_curved(self) -> Bools:
        """Whether a row belongs to an expert of a single matrix that an activation follows."""
        curved = [*(job.curved for job in self.jobs.classes), False]
        return np.array(curved, dtype=np.bool_)[self.job_class]

    def picked(self, layer: int) -> Bools:
        """Pairs of a MoE layer that run: bool [visits, experts].

        Those chosen, of the tokens that run and whose output no cache keeps.
        """
        runs = self.visits.runs & self.visits.scored
        return self.chosen[layer][self.visits.token] & runs[:, None]

    @cached_property
    def passing(self) -> Bools:
        """Whether a visit's token passes itself on, where it is summed: [operators, visits]."""
        out = np.zeros((len(self.workload.operators), len(self.visits)), dtype=np.bool_)
        for index, op in self.moe.items():
            if op.adds_tokens:
                out[index] = self.compiled.passed[op.layer][self.visits.token]
        return out

    @cached_property
    def parts(self) -> Ints:
        """Expert outputs summed for each visit: int64 [operators, visits], 0 but for MoE layers."""
        out = np.zeros((len(self.workload.operators), len(self.visits)), dtype=np.int64)
        for index, op in self.moe.items():
            out[index] = self.picked(op.layer).sum(axis=1) + len(op.shared)
        return out

    def fault(self, mask: Bools, problem: str) -> Fault | None:
        """A fault at the first row of `mask`."""
        at = first(mask)
        return None if at is None else Fault(self.program.name(at), problem)
