"""An operator as its emitter meets it: where its inputs come from, which region it is in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
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
    """An operator in the step that is being emitted; index: its place in the workload.

    away: the die that it is done on, where that is not the home of its region.
    """

    ctx: Context
    index: int
    op: Op_co
    away: int | None = None

    @property
    def home_die(self) -> int:
        """The die of the region's home, which whole vectors are on."""
        return self.ctx.mapping.placement.region(self.region).die

    @property
    def die(self) -> int:
        """The die that is worked on."""
        return self.home_die if self.away is None else self.away

    def on(self, die: int) -> "At[Op_co]":
        """The same on one of the dies that the region is on."""
        return self if die == self.die else replace(self, away=die)

    @property
    def buffer(self) -> int:
        """The buffer of the region on this die."""
        return self.ctx.buffers[self.region, self.die]

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
        """First of the digital units that serve the region on this die."""
        return self.unit("dpu")

    def unit(self, kind: UnitKind) -> int:
        """The (first) unit of a kind that serves the region on this die."""
        return self.ctx.units.serving(kind, self.region, self.die)

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

    def by_die(self, stage: int, group: Ints) -> Iterator[tuple[int, Ints]]:
        """Each die that any of these groups is on, ascending, and which of the rows: indices."""
        dies = self.ctx.units.dies[self.groups("group", stage, group)]
        for die in np.unique(dies).tolist():
            yield die, np.flatnonzero(dies == die)

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

    def fetch(self, name: str, tokens: Ints | None = None) -> Ints:
        """Producers [window tokens] of a value in the region's home, moved there from elsewhere.

        tokens: whose vectors are asked for; None: of all tokens of the step. A model input is there
        once the token before it is chosen; -1 where nothing has to be.
        """
        ctx, value = self.ctx, self.ctx.values.get(name)
        if value is None and name in ctx.workload.inputs:
            name, value = "sampled", ctx.sampled
        if value is None:
            return np.full(ctx.tokens, -1, dtype=np.int64)
        if value.layer in (-1, self.region):
            return value.ids
        key = name, self.region
        there = ctx.moved.setdefault(key, np.full(ctx.tokens, -1, dtype=np.int64))
        rows = ctx.step.rows if tokens is None else tokens
        new = rows[(value.ids[rows] >= 0) & (there[rows] < 0)]
        if len(new):
            there[new] = self._move(value, new)
        return there

    def width_of(self, name: str) -> int:
        """Numbers in the vector of a value that is fetched; of a model input, of its choice.

        0 where nothing is fetched.
        """
        value = self.ctx.values.get(name, self.ctx.sampled)
        return 0 if value is None else value.width

    def _move(self, value: Value, tokens: Ints) -> Ints:
        """XFER of these tokens' vectors over the mesh, from region port to region port: [rows].

        Where the regions are on different dies, to the port of the first one, and over links from
        there.
        """
        ctx, placed = self.ctx, self.ctx.mapping.placement
        source = placed.region(value.layer).die
        waits = (self.region, self.home_die) if source == self.home_die else (value.layer, source)
        ids = ctx.stream.append(
            Opcode.XFER,
            ctx.units.serving("mesh", value.layer, source),
            timing.xfer(ctx.chip, value.width, placed.hops_between(value.layer, self.region)),
            self.tag(tokens),
            rows=len(tokens),
            reads=[value.ids[tokens]],
            buffer=ctx.buffers[waits],
        )
        return self.cross(tokens, ids, value.width, source, self.home_die)

    def cross(self, tokens: Ints, ids: Ints, values: int, source: int, target: int) -> Ints:
        """Vectors of `values` from one die to another, link by link: who has them there, [rows].

        tokens, ids: [rows] of which token each is, and who made it.
        """
        way = pairwise(self.ctx.mapping.placement.topology.route(source, target))
        for here, there in way:
            ids = self._cross_link(tokens, ids, values, here, there)
        return ids

    def carry(self, name: str, ids: Ints, values: int, tokens: Ints) -> Ints:
        """A value of the region's home on this die: ids [window tokens], of `tokens` at least.

        ids: [window tokens] who made it. What several dies need goes over each link once.
        """
        if self.die == self.home_die:
            return ids
        ctx, key = self.ctx, (name, self.region, self.die)
        known = ctx.carried.setdefault(key, np.full(ctx.tokens, -1, dtype=np.int64))
        new = np.unique(tokens[(known[tokens] < 0) & (ids[tokens] >= 0)])
        if len(new):
            before = int(ctx.mapping.placement.topology.before[self.home_die, self.die])
            source = replace(self, away=before).carry(name, ids, values, new)
            known[new] = self._cross_link(new, source[new], values, before, self.die)
        return known

    def _cross_link(self, tokens: Ints, ids: Ints, values: int, here: int, there: int) -> Ints:
        """CROSS of vectors to a neighbouring die; where the region is there too, to its buffer.

        From the port of the region to that of the die, and the other way round, over the mesh.
        """
        ctx, placed = self.ctx, self.ctx.mapping.placement
        hops = [
            placed.hops_to_die_port(self.region, die) if (self.region, die) in ctx.buffers else 0
            for die in (here, there)
        ]
        return ctx.stream.append(
            Opcode.CROSS,
            ctx.units.links[here, there],
            timing.cross(ctx.chip, values, *hops),
            self.tag(tokens),
            rows=len(tokens),
            reads=[ids],
            buffer=ctx.buffers.get((self.region, there), -1),
        )
