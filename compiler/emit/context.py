"""What every emitter needs: where values come from, which region they are in, who goes first."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from compiler.emit.stream import Stream, Tag
from compiler.emit.units import Units
from ir import timing
from ir.chip import Chip
from ir.mapping import Mapping
from ir.program import Opcode, UnitKind
from ir.schedule import Schedule
from ir.timing import Cost
from ir.workload import Operator, Workload

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Value:
    """Who produced a value: ids [tokens].

    layer: region that holds it; -1 for one that is no token's vector (a table, a mask), whose ids
    are all the same.
    """

    ids: Ints
    layer: int
    width: int


@dataclass
class Context:
    """The state of one emission."""

    workload: Workload
    mapping: Mapping
    schedule: Schedule
    chip: Chip
    units: Units
    stream: Stream = field(default_factory=Stream)
    values: dict[str, Value] = field(default_factory=dict)
    moved: dict[tuple[str, int], Ints] = field(default_factory=dict)
    loads: dict[tuple[str, int], Ints] = field(default_factory=dict)
    ranks: dict[int, Ints] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens in the window."""
        return self.schedule.tokens

    @property
    def every_token(self) -> Ints:
        """Indices of the window's tokens."""
        return np.arange(self.tokens)

    def sequences(self) -> list[Ints]:
        """Token indices of each sequence in the window."""
        ids = np.unique(self.schedule.sequence)
        return [np.flatnonzero(self.schedule.sequence == s) for s in ids]

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

        Lowest rank first, then the earlier operator; whole-sequence work goes before all tokens.
        """
        layer = self.region(self.workload.operators[index])
        priority = (self._rank(layer)[token] + 1) * len(self.workload.operators) + index
        seq = self.schedule.sequence[token]
        return Tag(index, layer, priority, token, seq, stage, expert, slot=slot)

    def whole_tag(self, index: int, seq: Ints | int = -1) -> Tag:
        """Tag of work on a whole sequence, or on all."""
        return Tag(index, self.region(self.workload.operators[index]), index, seq=seq)

    def _rank(self, layer: int) -> Ints:
        """Order in which the layer wants its tokens: by first slot in its MoE layer."""
        if layer not in self.ranks:
            first = np.full(self.tokens, np.iinfo(np.int64).max)
            for order in self.schedule.layers:
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
        known, place = np.unique(group, return_inverse=True)
        units = [self.units.number(kind, layer, stage, int(g)) for g in known]
        return np.asarray(units, dtype=np.int64)[place]

    def costs_by_hops(
        self, layer: int, stage: int, group: Ints, cost: Callable[[int], Cost]
    ) -> list[Cost]:
        """Cost of each row [rows] by the hops between its group and the region's port."""
        known, place = np.unique(group, return_inverse=True)
        units = [self.units.table[self.units.number("group", layer, stage, int(g))] for g in known]
        hops = [self.mapping.placement.hops_to_port(layer, u.first_pg, u.pgs) for u in units]
        costs = [cost(n) for n in hops]
        return [costs[i] for i in place.tolist()]

    def produce(self, op: Operator, ids: Ints, *, layer: int) -> None:
        """Record who makes an operator's outputs."""
        for name in op.outputs:
            self.values[name] = Value(ids, layer, op.width)

    def fetch(self, name: str, layer: int, index: int) -> Ints:
        """Producers [tokens] of a value in region `layer`, moved there if it is elsewhere.

        -1 where nothing produces it (a model input or a constant).
        """
        value = self.values.get(name)
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
        return self.stream.append(
            Opcode.XFER,
            self.units.number("mesh", value.layer),
            timing.xfer(self.chip, value.width, hops),
            self.tag(index, self.every_token),
            rows=self.tokens,
            reads=[value.ids],
            buffer=layer,
        )
