"""What every emitter needs: where values come from, which region they are in, who goes first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compiler.emit.stream import Costs, Stream, Tag
from compiler.emit.units import Units
from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.links import bus_width, return_lanes
from ir.mapping import Mapping
from ir.program import Opcode, UnitKind
from ir.schedule import Schedule, Step
from ir.timing import Cost
from ir.workload import Operator, Workload


@dataclass(frozen=True, eq=False)
class Value:
    """Who produced a value in this step: ids [window tokens], -1 for tokens not in the step.

    layer: region that holds it; -1 for one that is no token's vector (a table, a mask), whose ids
    are all the same and serve every step.
    """

    ids: Ints
    layer: int
    width: int


@dataclass
class Context:
    """The state of one emission.

    step: the one being emitted; values, moved, loads and ranks are of this step. kept: what the
    steps so far wrote into caches, by operator, sequence and kind; sampled: the
    SAMPLEs of the step before, which each token's sequence goes on from; last_load: the last
    LOAD of each MoE layer, which the next step's follow on the bus. unit_of: units by group
    number; paths: hops and mesh ports of a group's unit.
    """

    workload: Workload
    mapping: Mapping
    schedule: Schedule
    chip: Chip
    units: Units
    step: Step
    sampled: Value | None = None
    stream: Stream = field(default_factory=Stream)
    values: dict[str, Value] = field(default_factory=dict)
    moved: dict[tuple[str, int], Ints] = field(default_factory=dict)
    loads: dict[tuple[str, int, bool], Ints] = field(default_factory=dict)
    ranks: dict[int, Ints] = field(default_factory=dict)
    kept: dict[tuple[int, int, str], list[int]] = field(default_factory=dict)
    last_load: dict[int, int] = field(default_factory=dict)
    unit_of: dict[tuple[UnitKind, int, int], Ints] = field(default_factory=dict)
    paths: dict[int, tuple[int, int]] = field(default_factory=dict)

    def begin(self, step: Step) -> None:
        """Go on to a step: of the values so far only the tables and masks remain."""
        self.step, self.stream.step = step, step.number
        self.values = {name: v for name, v in self.values.items() if v.layer == -1}
        self.moved, self.loads, self.ranks = {}, {}, {}

    @property
    def tokens(self) -> int:
        """Tokens in the window."""
        return self.schedule.tokens

    def rows_of(self, op: Operator) -> Ints:
        """Tokens of this step that an operator works on."""
        if not op.newest:
            return self.step.rows
        parts = self.by_sequence(self.step.rows)
        return np.array([part[-1] for part in parts], dtype=np.int64)

    def by_sequence(self, tokens: Ints) -> list[Ints]:
        """`tokens`, which are ascending, sequence by sequence."""
        edges = np.flatnonzero(np.diff(self.schedule.sequence[tokens])) + 1
        return np.split(tokens, edges) if len(tokens) else []

    def spread(self, tokens: Ints, ids: Ints) -> Ints:
        """Ids [window tokens] of the rows made for `tokens`, -1 for others."""
        out = np.full(self.tokens, -1, dtype=np.int64)
        out[tokens] = ids
        return out

    def so_far(self, sequence: int) -> int:
        """Tokens of a sequence that have arrived."""
        here = self.schedule.sequence == sequence
        return int(np.count_nonzero(here & self.schedule.so_far(self.step.number)))

    def tag(
        self,
        index: int,
        token: Ints,
        *,
        stage: int = -1,
        expert: Ints | int = -1,
        slot: Ints | int = -1,
    ) -> Tag:
        """Tag of operator `index`'s instructions for `token` [rows].

        Earlier steps first, then lowest rank, then the earlier operator; whole-sequence work goes
        before all tokens.
        """
        layer = self.region(self.workload.operators[index])
        rank = self._first_rank + self._rank(layer)[token] + 1
        priority = rank * len(self.workload.operators) + index
        seq = self.schedule.sequence[token]
        return Tag(index, layer, priority, token, seq, stage, expert, slot=slot)

    def whole_tag(self, index: int, seq: Ints | int = -1) -> Tag:
        """Tag of work on a whole sequence, or on all."""
        priority = self._first_rank * len(self.workload.operators) + index
        return Tag(index, self.region(self.workload.operators[index]), priority, seq=seq)

    def turn(self, slot: Ints | int) -> Ints | int:
        """Priority of a turn on a shared PG: by slot, step after step."""
        return self.step.number * self._most_slots + slot

    @cached_property
    def _most_slots(self) -> int:
        orders = (order.order for step in self.schedule.steps for order in step.layers)
        return max((order.slots for order in orders), default=0)

    @property
    def _first_rank(self) -> int:
        return self.step.number * (self.tokens + 1)

    def _rank(self, layer: int) -> Ints:
        """Order in which the layer wants its tokens: by first slot in its MoE layer."""
        if layer not in self.ranks:
            first = np.full(self.tokens, np.iinfo(np.int64).max)
            for order in self.step.layers:
                if order.layer == layer:
                    np.minimum.at(first, order.token, order.slot)
            rank = np.empty(self.tokens, dtype=np.int64)
            rank[np.argsort(first, kind="stable")] = np.arange(self.tokens)
            self.ranks[layer] = rank
        return self.ranks[layer]

    def region(self, op: Operator) -> int:
        """The region an operator works in."""
        return self.workload.region_of(op.layer)

    def bytes_of(self, values: int) -> int:
        """Bytes of a vector of results."""
        return -(-values * self.chip.mvm.output_bits // 8)

    def groups(self, kind: UnitKind, layer: int, stage: int, group: Ints) -> Ints:
        """Unit of each row's group number."""
        key = (kind, layer, stage)
        if key not in self.unit_of:
            mine = [k for k in self.units.numbers if k[:3] == key]
            table = np.full(max(k[3] for k in mine) + 1, -1, dtype=np.int64)
            for k in mine:
                table[k[3]] = self.units.numbers[k]
            self.unit_of[key] = table
        return self.unit_of[key][group]

    def costs_by_path(
        self, layer: int, stage: int, group: Ints, cost: Callable[[int, int], Cost]
    ) -> Costs:
        """Cost of each row by the hops from its group to the region's port, and its mesh ports.

        cost: of (hops, mesh ports of the group).
        """
        unit, placed = self.groups("group", layer, stage, group), self.mapping.placement
        known, place = np.unique(unit, return_inverse=True)
        for u in [n for n in known.tolist() if n not in self.paths]:
            at = self.units.table[u]
            hops = placed.hops_to_port(layer, at.first_pg, at.pgs)
            self.paths[u] = hops, placed.ports(at.first_pg, at.pgs)
        return Costs([cost(*self.paths[u]) for u in known.tolist()], place)

    @cached_property
    def links(self) -> dict[int, tuple[int, int]]:
        """(bus width, lanes of the return link) of each region."""
        work = self.workload
        return {
            layer: (bus_width(work, layer), return_lanes(work, layer, self.chip))
            for layer in work.regions
        }

    def produce(self, op: Operator, ids: Ints, *, layer: int) -> None:
        """Record who makes an operator's outputs: ids [window tokens]."""
        for name in op.outputs:
            self.values[name] = Value(ids, layer, op.width)

    def fetch(self, name: str, layer: int, index: int) -> Ints:
        """Producers [window tokens] of a value in region `layer`, moved there if it is elsewhere.

        A model input is there once the token before it is chosen; -1 where nothing has to be.
        """
        value = self.values.get(name)
        if value is None and name in self.workload.inputs:
            name, value = "sampled", self.sampled
        if value is None:
            return np.full(self.tokens, -1, dtype=np.int64)
        if value.layer in (-1, layer):
            return value.ids
        if (name, layer) not in self.moved:
            self.moved[name, layer] = self._move(value, layer, index)
        return self.moved[name, layer]

    def _move(self, value: Value, layer: int, index: int) -> Ints:
        """XFER of every token's vector over the mesh, from region port to region port."""
        hops = self.mapping.placement.hops_between(value.layer, layer)
        tokens = self.step.rows[value.ids[self.step.rows] >= 0]
        ids = self.stream.append(
            Opcode.XFER,
            self.units.number("mesh", value.layer),
            timing.xfer(self.chip, value.width, hops),
            self.tag(index, tokens),
            rows=len(tokens),
            reads=[value.ids[tokens]],
            buffer=layer,
        )
        return self.spread(tokens, ids)
