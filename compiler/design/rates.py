"""How fast a design is: the longest path of tokens through its stations, without a program.

A prefill takes as long as its last token needs, behind all that its units have to do before. A
decode step takes a token's own way, or what the busiest unit has to do of a step, whichever is
longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compiler.design.choices import Values
from compiler.design.floor import Floor
from compiler.design.flow import Nodes
from compiler.design.kernels import Kernel
from compiler.design.model import Model
from ir.arrays import Ints


class Stations(Protocol):
    """Stations that tokens go through, of a model or of a blend of its designs."""

    @property
    def floor(self) -> Floor:
        """The tokens, and where all is."""

    @property
    def before(self) -> tuple[Nodes, ...]:
        """The stations before each."""

    @property
    def order(self) -> tuple[int, ...]:
        """The stations, each after those before it."""

    def kernel(self, station: int, values: Values) -> Kernel:
        """A station under the values of its decisions."""


@dataclass(frozen=True)
class Step:
    """Of a path: a station, the token that comes to it, and the one that leaves it."""

    station: int
    first: int
    last: int


@dataclass(frozen=True)
class Rate:
    """What a design takes: time_ps of a prefill, or of one decode step; path: what it is made of.

    unit: the station whose work alone a decode step takes, without a path. window_ps: of the
    prefill, or of all steps, of which time_ps is a part, rounded down.
    """

    time_ps: int
    path: tuple[Step, ...]
    window_ps: int
    unit: int | None = None


def rate(model: Stations, values: Values) -> Rate:
    """Time of the window's prefill, or of one of its decode steps."""
    return _pace(model, values) if model.floor.tokens.decode else _prefill(model, values)


def spans(model: Model, values: Values) -> dict[int, int]:
    """How long the crossbars of each region are in use: from the first token to the last, ps."""
    come, left = _times(model, values)
    found: dict[int, int] = {}
    for node, station in enumerate(model.stations):
        if station.unit == "group" and not station.whole:
            span = int(left[node].max() - come[node].min())
            found[station.region] = max(found.get(station.region, 0), span)
    return found


def _times(model: Stations, values: Values) -> tuple[dict[int, Ints], dict[int, Ints]]:
    """When tokens come to each station and leave it: [tokens] each."""
    left: dict[int, Ints] = {}
    come: dict[int, Ints] = {}
    for node in model.order:
        come[node] = _latest(model, left, node)
        left[node] = model.kernel(node, values).run(come[node])
    return come, left


def _prefill(model: Stations, values: Values) -> Rate:
    come, left = _times(model, values)
    last = max(left, key=lambda node: int(left[node].max()))
    path = _path(model, values, come, left, last)
    time_ps = int(left[last].max())
    return Rate(time_ps, path, time_ps)


def _latest(model: Stations, left: Mapping[int, Ints], node: int) -> Ints:
    """When tokens come to a station: [tokens]."""
    from_where = [left[b] for b in model.before[node]]
    none: Ints = np.zeros(len(model.floor.tokens), dtype=np.int64)
    return np.max(from_where, axis=0) if from_where else none


def _path(
    model: Stations, values: Values, come: Mapping[int, Ints], left: Mapping[int, Ints], node: int
) -> tuple[Step, ...]:
    """The longest path to the last token of a station, from its start."""
    token, path = int(np.argmax(left[node])), list[Step]()
    while True:
        first = model.kernel(node, values).waited_for(come[node], token)
        path.append(Step(node, first, token))
        token = first
        found = [b for b in model.before[node] if left[b][token] == come[node][token]]
        if not found:
            return tuple(reversed(path))
        node = found[0]


def _pace(model: Stations, values: Values) -> Rate:
    """The larger of a token's own way and the work of the busiest unit, of a step."""
    tokens, alone = model.floor.tokens, dict[int, Ints]()
    for node in model.order:
        alone[node] = _latest(model, alone, node) + model.kernel(node, values).alone
    ends = np.stack([alone[node] for node in model.order])
    of_sequence = np.bincount(tokens.sequence, ends.max(axis=0))
    chain = int(of_sequence.max())
    works = {node: model.kernel(node, values).work_ps for node in model.order}
    unit = max(works, key=works.__getitem__)
    if works[unit] > chain:
        return Rate(works[unit] // tokens.decode, (), works[unit], unit)
    mine = np.flatnonzero(tokens.sequence == np.argmax(of_sequence))
    path = [step for t in mine.tolist() for step in _alone(model, values, alone, ends, t)]
    return Rate(chain // tokens.decode, tuple(path), chain)


def _alone(
    model: Stations, values: Values, alone: Mapping[int, Ints], ends: Ints, token: int
) -> tuple[Step, ...]:
    """The longest way of one token."""
    node, path = model.order[int(np.argmax(ends[:, token]))], list[Step]()
    while True:
        path.append(Step(node, token, token))
        come = alone[node][token] - model.kernel(node, values).alone[token]
        found = [b for b in model.before[node] if alone[b][token] == come]
        if not found:
            return tuple(reversed(path))
        node = found[0]
