"""Columns that grow: how the emitters append instructions, many rows at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ir.arrays import Bools, Floats, Ints
from ir.program import Lists, Opcode
from ir.timing import Cost

Pairs = tuple[Ints, Ints]  # (row, value)

COLUMNS = (
    "opcode",
    "step",
    "seq",
    "token",
    "layer",
    "stage",
    "expert",
    "replica",
    "slot",
    "unit",
    "src",
    "bytes",
    "duration_ps",
    "busy_ps",
    "energy_fj",
    "macs",
    "node",
    "priority",
    "buffer",
)
LISTS = ("reads", "dst", "after", "chained")


@dataclass(frozen=True, eq=False)
class Tag:
    """What instructions belong to: one value for all rows, or one per row; -1 = does not apply.

    node: operator of the workload; priority: the lower, the earlier it is taken.
    """

    node: int
    layer: int
    priority: Ints | int
    token: Ints | int = -1
    seq: Ints | int = -1
    stage: int = -1
    expert: Ints | int = -1
    replica: Ints | int = -1
    slot: Ints | int = -1

    def repeated(self, times: int) -> "Tag":
        """The tag of `times` copies of its rows, one copy of all of them after another."""

        def tiled(value: Ints | int) -> Ints | int:
            return value if isinstance(value, int) else np.tile(value, times)

        return replace(
            self,
            priority=tiled(self.priority),
            token=tiled(self.token),
            seq=tiled(self.seq),
            expert=tiled(self.expert),
            replica=tiled(self.replica),
            slot=tiled(self.slot),
        )


@dataclass(frozen=True, eq=False)
class Costs:
    """The cost of each row [rows]: `kinds[which]`."""

    kinds: Sequence[Cost]
    which: Ints


@dataclass(frozen=True, eq=False)
class Draft:
    """Instructions before they have times: the columns of a Program, and what orders them.

    columns: one int64 array per name in COLUMNS; `unit` is the first of a pool of equal units.
    reads, dst: as in Program. after: instructions that must have ENDED first; chained: instructions
    that must have STARTED first (an in-order bus); both are the schedule's wishes, not data.
    last_reader: this MVM is the last to use its group's input buffer entry. lockstep: as in
    Program; `after` says the same, MVM by MVM.
    """

    columns: dict[str, Ints]
    reads: Lists
    dst: Lists
    after: Lists
    chained: Lists
    last_reader: Bools
    lockstep: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.columns["opcode"])

    def scaled(self, factors: Floats) -> "Draft":
        """The same with the times of every opcode multiplied by its factor [opcodes], in whole ps.

        What an instruction takes of energy stays.
        """
        each = factors[self.columns["opcode"]]
        times = {
            name: np.rint(each * self.columns[name]).astype(np.int64)
            for name in ("duration_ps", "busy_ps")
        }
        return replace(self, columns=self.columns | times)


@dataclass
class Stream:
    """The draft under construction; `append` returns the ids of the rows it added.

    step: the step that the rows belong to.
    """

    count: int = 0
    step: int = 0
    chunks: list[tuple[int, dict[str, Ints | int]]] = field(default_factory=list)
    lists: dict[str, list[Pairs]] = field(default_factory=lambda: {c: [] for c in LISTS})
    last: list[Ints] = field(default_factory=list)
    lockstep: set[int] = field(default_factory=set)

    def append(
        self,
        opcode: Opcode,
        unit: Ints | int,
        cost: Cost | Costs,
        tag: Tag,
        *,
        rows: int,
        reads: Sequence[Ints] = (),
        size: Ints | int | None = None,
        macs: Ints | int = 0,
        src: Ints | int = -1,
        buffer: int = -1,
    ) -> Ints:
        """Add `rows` instructions; every column is one value or [rows].

        cost: one for all rows or one per row. reads: arrays [rows] of instruction ids, -1 = none.
        size: bytes of the value written, where they are not the bytes moved (`cost.bytes`).
        """
        ids = np.arange(self.count, self.count + rows, dtype=np.int64)
        values = vars(tag) | _costs(cost)
        values |= {"opcode": int(opcode), "unit": unit, "macs": macs, "src": src, "buffer": buffer}
        values["step"] = self.step
        if size is not None:
            values["bytes"] = size
        self.chunks.append((rows, values))
        self.count += rows
        if reads:
            sources = np.concatenate([np.broadcast_to(source, (rows,)) for source in reads])
            self.link("reads", np.tile(ids, len(reads)), sources)
        return ids

    def link(self, name: str, rows: Ints, values: Ints) -> None:
        """Add entries to a list column of LISTS; negative values are none."""
        keep = values >= 0
        if bool(np.any(keep)):
            self.lists[name].append((rows[keep], values[keep]))

    def mark_last_readers(self, rows: Ints) -> None:
        """These instructions free their group's input buffer entry when they end."""
        self.last.append(rows)

    def finish(self) -> Draft:
        """The draft; list entries keep the order in which they were linked."""
        empty = np.zeros(0, dtype=np.int64)
        columns = {name: np.empty(self.count, dtype=np.int64) for name in COLUMNS}
        at = 0
        for rows, values in self.chunks:
            for name, column in columns.items():
                column[at : at + rows] = values[name]
            at += rows
        last = np.zeros(self.count, dtype=np.bool_)
        last[np.concatenate([*self.last, empty])] = True
        lists = {name: _compress(pairs, self.count) for name, pairs in self.lists.items()}
        in_turn = tuple(sorted(self.lockstep))
        return Draft(columns, **lists, last_reader=last, lockstep=in_turn)


def _costs(cost: Cost | Costs) -> dict[str, Ints | int]:
    names = ("duration_ps", "busy_ps", "energy_fj", "bytes")
    if isinstance(cost, Cost):
        return {name: getattr(cost, name) for name in names}
    table = np.array([[getattr(c, n) for n in names] for c in cost.kinds], dtype=np.int64)
    return dict(zip(names, table.reshape(-1, len(names)).T[:, cost.which], strict=True))


def _compress(pairs: list[Pairs], rows: int) -> Lists:
    if not pairs:
        return Lists(np.zeros(rows + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))
    row = np.concatenate([p[0] for p in pairs])
    value = np.concatenate([p[1] for p in pairs])
    order = np.argsort(row, kind="stable")
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=rows), out=offsets[1:])
    return Lists(offsets, value[order].astype(np.int32))
