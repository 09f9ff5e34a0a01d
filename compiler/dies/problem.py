"""What must be on one die, what is sent from one to another, and what a die has room for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ir.arrays import Ints
from ir.certificate import Certificate
from ir.errors import Amount, InfeasibleError, InputError


@dataclass(frozen=True)
class Item:
    """What must be on one die: fire groups, or a layer's home (digital and attention units)."""

    layer: int
    area_um2: int


@dataclass(frozen=True)
class Flow:
    """Bytes from one item to another: they go over every link of the route between their dies."""

    source: int
    target: int
    bytes: int


@dataclass(frozen=True)
class Cast:
    """Values that are sent to several items, over every link of the tree to their dies once.

    bytes: of a value, times how many of them go to exactly these targets.
    """

    source: int
    targets: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, eq=False)
class Nets:
    """All that is sent, flows being casts to one target: net n goes from source[n].

    Its targets are member[start[n]:start[n + 1]], other items than its source, each once and
    ascending; bytes [nets], all above 0. Nets of the same source and targets are one.
    """

    source: Ints
    start: Ints
    member: Ints
    bytes: Ints

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def owner(self) -> Ints:
        """The net of each member: int64 [members]."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))


@dataclass(frozen=True)
class Problem:
    """Items that go to dies of equal room.

    overhead_um2: of each layer, what it takes on every die with an item of it: bus, return link,
    digital units. capacity_um2: of each die, link interfaces already taken off. Raises InputError
    for numbers that make no sense.
    """

    items: tuple[Item, ...]
    overhead_um2: Mapping[int, int]
    capacity_um2: int
    flows: tuple[Flow, ...]
    casts: tuple[Cast, ...]

    def __post_init__(self) -> None:
        for i, item in enumerate(self.items):
            if item.area_um2 < 0:
                raise InputError("dies", f"item {i}: {item.area_um2} um2, expected at least 0")
        for layer in {item.layer for item in self.items}:
            if self.overhead_um2.get(layer, 0) < 0:
                raise InputError("dies", f"layer {layer}: an overhead below 0")
        for source, targets, size in self._sent:
            named = (source, *targets)
            if named and not 0 <= min(named) <= max(named) < len(self.items):
                raise InputError("dies", f"{named} are sent to, expected items that there are")
            if size < 0:
                raise InputError("dies", f"{size} bytes are sent, expected at least 0")

    @property
    def _sent(self) -> list[tuple[int, tuple[int, ...], int]]:
        flows = [(flow.source, (flow.target,), flow.bytes) for flow in self.flows]
        return flows + [(cast.source, cast.targets, cast.bytes) for cast in self.casts]

    @cached_property
    def area(self) -> Ints:
        """Area of each item, um2: int64 [items]."""
        return np.array([item.area_um2 for item in self.items], dtype=np.int64)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """Layers that have items, ascending."""
        return tuple(sorted({item.layer for item in self.items}))

    @cached_property
    def layer(self) -> Ints:
        """Place of each item's layer in `layers`: int64 [items]."""
        row = {layer: n for n, layer in enumerate(self.layers)}
        return np.array([row[item.layer] for item in self.items], dtype=np.int64)

    @cached_property
    def overhead(self) -> Ints:
        """Overhead of each of `layers`, um2: int64 [layers]."""
        return np.array([self.overhead_um2.get(of, 0) for of in self.layers], dtype=np.int64)

    @cached_property
    def nets(self) -> Nets:
        """All that is sent between different items."""
        merged: dict[tuple[int, tuple[int, ...]], int] = {}
        for source, targets, size in self._sent:
            key = source, tuple(sorted(set(targets) - {source}))
            if key[1] and size:
                merged[key] = merged.get(key, 0) + size
        lengths = [len(targets) for _, targets in merged]
        return Nets(
            np.array([source for source, _ in merged], dtype=np.int64),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.array([t for _, targets in merged for t in targets], dtype=np.int64),
            np.array(list(merged.values()), dtype=np.int64),
        )

    @cached_property
    def order(self) -> Ints:
        """Items layer by layer, of each in the given order: int64 [items]."""
        return np.argsort(self.layer, kind="stable")

    def taken(self, die: Ints, dies: int) -> Ints:
        """Area taken on each die, overheads included, um2: int64 [dies]."""
        out = np.zeros(dies, dtype=np.int64)
        np.add.at(out, die, self.area)
        there = np.unique(die * max(1, len(self.layers)) + self.layer)
        where, layer = np.divmod(there, max(1, len(self.layers)))
        np.add.at(out, where, self.overhead[layer])
        return out

    def fits(self, die: Ints, dies: int) -> bool:
        """Whether every item is on one of `dies` dies, and every die has room for its items."""
        if not len(self.items):
            return True
        if die.shape != (len(self.items),) or not 0 <= die.min() <= die.max() < dies:
            return False
        return bool((self.taken(die, dies) <= self.capacity_um2).all())

    def check_items(self) -> None:
        """Raise InfeasibleError where an item is larger than a die with nothing else on it."""
        if not len(self.items):
            return
        alone = self.area + self.overhead[self.layer]
        worst = int(alone.argmax())
        if alone[worst] > self.capacity_um2:
            need = int(alone[worst])
            raise InfeasibleError(
                "area of a die",
                Amount(
                    need, f"{need} um2 for item {worst} (layer {self.items[worst].layer}) alone"
                ),
                Amount(self.capacity_um2, f"{self.capacity_um2} um2"),
                "um2",
                "take larger dies, or split what must be on one die",
            )


@dataclass(frozen=True, eq=False)
class Assigned:
    """The die of every item, int64 [items], and what is proven of its byte-links.

    byte_links: sum over flows and casts of bytes x links. solver: the one whose answer it is.
    """

    die: Ints
    byte_links: int
    certificate: Certificate
    solver: str
