"""The state of one emission: what the emitters so far have made, and who goes first."""

from collections.abc import Mapping as ByKey
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from compiler.emit.stream import Stream
from compiler.emit.units import Units, buffer_sites
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.mapping import Mapping
from ir.program import UnitKind
from ir.schedule import Schedule, Step
from ir.sides import on_side
from ir.timing import Extent
from ir.workload import Workload

Kept = Literal["keys", "inputs", "scores", "outputs"]  # what the caches hold


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
class Sent:
    """The LOADs of a value in a region in this step.

    loads: the n-th of each token, [window tokens] each, -1 = none. uses: how often each matrix has
    taken a token's, by the operator that holds it and its shared expert: [window tokens] each.
    """

    loads: list[Ints] = field(default_factory=list)
    uses: dict[tuple[int, int], Ints] = field(default_factory=dict)


@dataclass
class Context:
    """The state of one emission.

    step: the one being emitted; values, moved, sent and ranks are of this step. kept: what the
    steps so far wrote into caches, by operator, sequence and kind; sampled: the SAMPLEs of the step
    before, which each token's sequence goes on from; last_load: the last LOAD of each MoE layer on
    each die, which the next step's follow on the bus. sent: what went over a region's bus, by
    value, region, die and how many numbers of it. unit_of: units by group number; paths: hops and
    mesh ports of a group's unit. passed: see `ir.compiled.Compiled`; sides: the window tokens of
    each. carried: values on other dies than their region's home, by name, region and die: ids
    [window tokens].
    """

    workload: Workload
    mapping: Mapping
    schedule: Schedule
    chip: Chip
    units: Units
    passed: ByKey[int, Bools]
    step: Step
    sampled: Value | None = None
    stream: Stream = field(default_factory=Stream)
    values: dict[str, Value] = field(default_factory=dict)
    moved: dict[tuple[str, int], Ints] = field(default_factory=dict)
    carried: dict[tuple[str, int, int], Ints] = field(default_factory=dict)
    sent: dict[tuple[str, int, int, int], Sent] = field(default_factory=dict)
    ranks: dict[int, Ints] = field(default_factory=dict)
    kept: dict[tuple[int, int, Kept], list[int]] = field(default_factory=dict)
    last_load: dict[tuple[int, int], int] = field(default_factory=dict)
    chains: dict[tuple[int, int], int] = field(default_factory=dict)
    unit_of: dict[tuple[UnitKind, int, int], Ints] = field(default_factory=dict)
    paths: dict[int, tuple[int, int]] = field(default_factory=dict)
    sides: dict[int | None, Bools] = field(default_factory=dict)

    def begin(self, step: Step) -> None:
        """Go on to a step: of the values so far only the tables and masks remain."""
        self.step, self.stream.step = step, step.number
        self.values = {name: v for name, v in self.values.items() if v.layer == -1}
        self.moved, self.carried, self.sent, self.ranks = {}, {}, {}, {}

    @property
    def last_step(self) -> bool:
        """Whether no step follows."""
        return self.step.number == self.schedule.steps[-1].number

    @property
    def tokens(self) -> int:
        """Tokens in the window."""
        return self.schedule.tokens

    def by_sequence(self, tokens: Ints) -> list[Ints]:
        """`tokens`, which are ascending, sequence by sequence."""
        edges = np.flatnonzero(np.diff(self.schedule.sequence[tokens])) + 1
        return np.split(tokens, edges) if len(tokens) else []

    def spread(self, tokens: Ints, ids: Ints) -> Ints:
        """Ids [window tokens] of the rows made for `tokens`, -1 for others."""
        out = np.full(self.tokens, -1, dtype=np.int64)
        out[tokens] = ids
        return out

    def on_side(self, side: int | None) -> Bools:
        """[window tokens]: whether a side of the model has the token."""
        if side not in self.sides:
            self.sides[side] = on_side(self.workload.sides, side, self.schedule.sequence)
        return self.sides[side]

    def of_side(self, side: int | None, tokens: Ints) -> Ints:
        """Those of `tokens` that a side of the model has."""
        return tokens[self.on_side(side)[tokens]]

    def so_far(self, sequence: int, side: int | None = None) -> int:
        """Tokens of a sequence that have arrived, those that a side of the model has."""
        here = (self.schedule.sequence == sequence) & self.on_side(side)
        return int(np.count_nonzero(here & self.schedule.so_far(self.step.number)))

    def turn(self, slot: Ints | int) -> Ints | int:
        """Priority of a turn on a shared PG: by slot, step after step."""
        return self.step.number * self._most_slots + slot

    @cached_property
    def _most_slots(self) -> int:
        orders = (order.order for step in self.schedule.steps for order in step.layers)
        return max((order.slots for order in orders), default=0)

    @property
    def first_rank(self) -> int:
        """Rank of the step's whole-sequence work; its tokens' come after."""
        return self.step.number * (self.tokens + 1)

    def rank(self, layer: int) -> Ints:
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

    def bytes_of(self, values: int) -> int:
        """Bytes of a vector of results."""
        return -(-values * self.chip.mvm.output_bits // 8)

    @cached_property
    def extents(self) -> dict[tuple[int, int], Extent]:
        """How large each region is, by layer and die."""
        pgs = self.units.region_pgs()
        every = [(n, r) for r in self.mapping.placement.regions for n in r.layers]
        return {(n, r.die): Extent(r.width, r.height, pgs.get((n, r.die), 0)) for n, r in every}

    @cached_property
    def buffers(self) -> dict[tuple[int, int], int]:
        """The buffer of each region, by layer and die: see `buffer_sites`."""
        every = buffer_sites(self.workload, self.mapping.placement)
        return {site: number for number, site in enumerate(every)}
