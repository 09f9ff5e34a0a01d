"""An operator as its emitter meets it: where its inputs come from, which region it is in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from compiler.emit.context import Context, Value
from compiler.emit.stream import Costs, Tag
from ir import timing
from ir.arrays import Ints
from ir.program import Opcode, UnitKind
from ir.timing import Cost
from ir.workload import Operator

Op_co = TypeVar("Op_co", bound=Operator, covariant=True)


@dataclass(frozen=True, eq=False)
class At(Generic[Op_co]):
    """An operator in the step that is being emitted; index: its place in the workload."""

    ctx: Context
    index: int
    op: Op_co

    @cached_property
    def region(self) -> int:
        """The region that the operator works in."""
        return self.ctx.workload.region_at(self.index)

    @property
    def home(self) -> int:
        """Operator on whose crossbars it works."""
        return self.ctx.workload.homes[self.index]

    @property
    def layer(self) -> int:
        """The layer whose order of tokens it takes: its own where that has experts."""
        work, layer = self.ctx.workload, self.op.layer
        return layer if layer in work.expert_homes else work.region_of(layer)

    @property
    def dpu(self) -> int:
        """First of the digital units that serve the region."""
        return self.ctx.units.dpu(self.region)

    @property
    def rows(self) -> Ints:
        """Tokens of this step that the operator works on."""
        rows = self.ctx.of_side(self.op.side, self.ctx.step.rows)
        if not self.op.newest:
            return rows
        return np.array([part[-1] for part in self.ctx.by_sequence(rows)], dtype=np.int64)

    @property
    def scored(self) -> Ints:
        """Tokens of this step that the operator's router scores."""
        return self.ctx.of_side(self.op.side, self.ctx.step.scored)

    @property
    def read_rows(self) -> Ints:
        """Tokens of this step whose vectors work on whole sequences reads, those of all sides."""
        return self.rows if self.op.newest else self.ctx.step.rows

    def tag(
        self,
        token: Ints,
        *,
        stage: int = -1,
        expert: Ints | int = -1,
        slot: Ints | int = -1,
    ) -> Tag:
        """Tag of the operator's instructions for `token` [rows].

        Earlier steps first, then lowest rank, then the earlier operator; whole-sequence work goes
        before all tokens.
        """
        rank = self.ctx.first_rank + self.ctx.rank(self.layer)[token] + 1
        seq = self.ctx.schedule.sequence[token]
        priority = rank * len(self.ctx.workload.operators) + self.index
        return Tag(self.index, self.region, priority, token, seq, stage, expert, slot=slot)

    def whole_tag(self, seq: Ints | int = -1) -> Tag:
        """Tag of work on a whole sequence, or on all."""
        priority = self.ctx.first_rank * len(self.ctx.workload.operators) + self.index
        return Tag(self.index, self.region, priority, seq=seq)

    def groups(self, kind: UnitKind, stage: int, group: Ints) -> Ints:
        """Unit of each row's group number."""
        ctx = self.ctx
        key = (kind, self.region, stage)
        if key not in ctx.unit_of:
            mine = ctx.units.of_stage[key]
            table = np.full(max(mine) + 1, -1, dtype=np.int64)
            table[list(mine)] = list(mine.values())
            ctx.unit_of[key] = table
        return ctx.unit_of[key][group]

    def costs_by_path(self, stage: int, group: Ints, cost: Callable[[int, int], Cost]) -> Costs:
        """Cost of each row by the hops from its group to the region's port, and its mesh ports.

        cost: of (hops, mesh ports of the group).
        """
        ctx, placed = self.ctx, self.ctx.mapping.placement
        known, place = np.unique(self.groups("group", stage, group), return_inverse=True)
        for number in [n for n in known.tolist() if n not in ctx.paths]:
            unit = ctx.units.table[number]
            hops = placed.hops_to_port(self.region, unit.first_pg, unit.pgs)
            ctx.paths[number] = hops, placed.ports(unit.first_pg, unit.pgs)
        paths = [ctx.paths[number] for number in known.tolist()]
        of_path = {path: cost(*path) for path in dict.fromkeys(paths)}
        return Costs([of_path[path] for path in paths], place)

    def produce(self, ids: Ints, *, held: bool = True) -> None:
        """Record who makes the operator's outputs: ids [window tokens].

        held: in the operator's region; a table or a mask is in none.
        """
        for name in self.op.outputs:
            self.ctx.values[name] = Value(ids, self.region if held else -1, self.op.width)

    def fetch(self, name: str) -> Ints:
        """Producers [window tokens] of a value in the region, moved there if it is elsewhere.

        A model input is there once the token before it is chosen; -1 where nothing has to be.
        """
        ctx, value = self.ctx, self.ctx.values.get(name)
        if value is None and name in ctx.workload.inputs:
            name, value = "sampled", ctx.sampled
        if value is None:
            return np.full(ctx.tokens, -1, dtype=np.int64)
        if value.layer in (-1, self.region):
            return value.ids
        if (name, self.region) not in ctx.moved:
            ctx.moved[name, self.region] = self._move(value)
        return ctx.moved[name, self.region]

    def _move(self, value: Value) -> Ints:
        """XFER of every token's vector over the mesh, from region port to region port."""
        ctx = self.ctx
        hops = ctx.mapping.placement.hops_between(value.layer, self.region)
        tokens = ctx.step.rows[value.ids[ctx.step.rows] >= 0]
        ids = ctx.stream.append(
            Opcode.XFER,
            ctx.units.number("mesh", value.layer),
            timing.xfer(ctx.chip, value.width, hops),
            self.tag(tokens),
            rows=len(tokens),
            reads=[value.ids[tokens]],
            buffer=self.region,
        )
        return ctx.spread(tokens, ids)
