"""The emitted program: one row per instruction, a numpy array per column.

Integers throughout: picoseconds, femtojoules, bytes. Order of effect: (start_ps, id). Every value
is written once, by the instruction whose id it carries, and lives from that instruction's end to
the end of its last reader.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.errors import InputError
from ir.html import table

if TYPE_CHECKING:  # a table is made when one is asked for
    import pyarrow as pa


class Opcode(IntEnum):
    """What an instruction does; docs/formats.md says which columns each one uses."""

    EMBED = 0
    LOAD = 1
    MVM = 2
    ACC = 3
    ACT = 4
    MUL = 5
    ADD = 6
    NORM = 7
    GATE = 8
    TOPK = 9
    ATTN = 10
    COMBINE = 11
    STORE = 12
    XFER = 13
    KV_RD = 14
    KV_WR = 15
    GO_RD = 16
    GO_WR = 17
    SAMPLE = 18
    DIGITAL = 19
    CROSS = 20


UnitKind = Literal["group", "bus", "return", "link", "mesh", "dpu", "mha", "acc", "dram", "d2d"]


@dataclass(frozen=True)
class Unit:
    """Something that does one thing at a time.

    group: the PGs of one stage of an expert group, or of a dense block, that fire together
    (`pgs` of them; `first_pg` is the first), which may be those of other groups too (`circuits`);
    acc: that group's accumulators; bus, return: the
    layer region's broadcast bus and its way back; link: from the digital units to a group's second
    stage; mesh: between regions; dpu, mha: one digital or attention unit, or `units` attention
    units that share the heads of every job; dram: the memory port, which all dies reach; d2d: the
    link from `die` to its neighbour `to`.
    `layer`, `stage` and `group` are -1 where they do not apply. `input_bytes`: size of the input
    buffer in front of a group. `width`: values of the vector that a bus, and the return link beside
    it, is sized for; `lanes`: width of a return link in buses; `columns`, `rows`: cores of the
    region that a bus goes along; `die`: that it is on.
    """

    kind: UnitKind
    name: str
    layer: int = -1
    stage: int = -1
    group: int = -1
    first_pg: int = -1
    pgs: int = 0
    input_bytes: int = 0
    units: int = 1
    width: int = 0
    lanes: int = 0
    columns: int = 0
    rows: int = 0
    die: int = 0
    to: int = -1


def circuits(units: Sequence[Unit]) -> Ints:
    """[units] the first unit that is the same circuits: itself but for units of a stack.

    Groups that have peripheral groups in common compute one at a time, and so do their
    accumulators, which are parts of these.
    """
    out = np.arange(len(units), dtype=np.int64)
    place = {(u.kind, u.layer, u.stage, u.group): i for i, u in enumerate(units)}
    end, first = -1, -1
    for first_pg, i in sorted((u.first_pg, i) for i, u in enumerate(units) if u.kind == "group"):
        unit = units[i]
        first = i if first_pg >= end else first
        end = max(end, first_pg + unit.pgs)
        out[i], owner = first, units[first]
        adder = place.get(("acc", unit.layer, unit.stage, unit.group))
        if adder is not None:
            out[adder] = place.get(("acc", owner.layer, owner.stage, owner.group), adder)
    return out


def stacked(units: Sequence[Unit]) -> npt.NDArray[np.bool_]:
    """[units] whether a group has peripheral groups in common with another one."""
    group = np.array([unit.kind == "group" for unit in units], dtype=np.bool_)
    of = circuits(units)
    return group & (np.bincount(of[group], minlength=len(units))[of] > 1)


def in_common(units: Sequence[Unit]) -> Ints:
    """[units] how many of a group's peripheral groups another group has too, 0 of other units."""
    spans = [slice(u.first_pg, u.first_pg + u.pgs) if u.pgs else slice(0) for u in units]
    users = np.zeros(max((span.stop for span in spans), default=0), dtype=np.int64)
    for span in spans:
        users[span] += 1
    return np.array([np.count_nonzero(users[span] > 1) for span in spans], dtype=np.int64)


@dataclass(frozen=True)
class Buffer:
    """Memory that holds values: `bytes` is its capacity.

    Of the home of `layer`, or of its region on another `die`.
    """

    name: str
    layer: int
    bytes: int
    die: int = 0


@dataclass(frozen=True)
class Inventory:
    """What the mapping uses of the chip: counts for area and static energy.

    PGs of a stack count as experts' where any of its crossbars is a routed expert's. `shared_*`
    counts the shared experts' part of the dense class; switched_crossbars: those behind a
    multiplexer; `bus_bits_per_ns` and
    `return_bits_per_ns` sum over layer regions. kv_bytes, go_bytes: what the caches hold in DRAM
    after the last step. buffer_written_bytes, buffer_read_bytes: what the program's instructions
    write to and read from the buffers of regions, in all.
    """

    expert_pgs: int
    expert_crossbars: int
    dense_pgs: int
    dense_crossbars: int
    shared_pgs: int
    shared_crossbars: int
    cores: int
    bus_bits_per_ns: int
    return_bits_per_ns: int
    moe_bus_bits_per_ns: int
    moe_return_bits_per_ns: int
    buffer_bytes: int
    kv_bytes: int = 0
    go_bytes: int = 0
    buffer_written_bytes: int = 0
    buffer_read_bytes: int = 0
    switched_crossbars: int = 0


@dataclass(frozen=True, eq=False)
class Lists:
    """A column of lists in compressed form: row i is values[offsets[i]:offsets[i + 1]]."""

    offsets: Ints
    values: npt.NDArray[np.int32]

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self) -> Ints:
        """The row of every entry of `values`."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def renamed(self, names: Ints) -> "Lists":
        """The lists with names[v] for every v, ascending, each name once."""
        key = np.unique(self.rows() * len(names) + names[self.values])
        row, value = np.divmod(key, max(len(names), 1))
        offsets = np.searchsorted(row, np.arange(len(self) + 1))
        return Lists(offsets.astype(np.int64), value.astype(np.int32))


TABLES = (
    "units",
    "buffers",
    "nodes",
    "inventory",
    "lockstep",
)  # the fields of Program that are no columns


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """A timed instruction stream with the tables its columns point into.

    opcode uint8; step, seq, token: int32 (token = index in the window, -1 = all or none); layer,
    stage, expert, replica, slot: int32, -1 where they do not apply; unit: row of `units`; src: the
    unit the data comes from or -1; dst: the units it goes to; bytes moved; start, duration and busy
    time (busy <= duration: a pipelined unit takes its next job after `busy_ps`); energy; macs:
    multiply-accumulates it stands for; reads: ids of the instructions whose values are used;
    writes: own id, or -1 for no value; buffer and offset of the value in bytes (-1: held in the
    unit's own input or output buffer); node: row of `nodes`. lockstep: layers in which a slot's
    first-stage MVMs wait until all of the slot before have ended (one token at a time), each
    operator's for its own.
    """

    opcode: npt.NDArray[np.uint8]
    step: npt.NDArray[np.int32]
    seq: npt.NDArray[np.int32]
    token: npt.NDArray[np.int32]
    layer: npt.NDArray[np.int32]
    stage: npt.NDArray[np.int32]
    expert: npt.NDArray[np.int32]
    replica: npt.NDArray[np.int32]
    slot: npt.NDArray[np.int32]
    unit: npt.NDArray[np.int32]
    src: npt.NDArray[np.int32]
    dst: Lists
    bytes: Ints
    start_ps: Ints
    duration_ps: Ints
    busy_ps: Ints
    energy_fj: Ints
    macs: Ints
    reads: Lists
    writes: npt.NDArray[np.int32]
    buffer: npt.NDArray[np.int32]
    offset: Ints
    node: npt.NDArray[np.int32]
    units: tuple[Unit, ...]
    buffers: tuple[Buffer, ...]
    nodes: tuple[tuple[str, ...], ...]
    inventory: Inventory
    lockstep: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for column in fields(self):
            if column.name in TABLES:
                continue
            rows = len(getattr(self, column.name))
            if rows != len(self):
                raise InputError("program", f"column {column.name}: {rows} rows, not {len(self)}")

    def __len__(self) -> int:
        return len(self.opcode)

    def __repr__(self) -> str:
        return (
            f"<Program: {len(self)} instructions on {len(self.units)} units, "
            f"{self.makespan_ps / 1e6:.2f} us>"
        )

    def _repr_html_(self) -> str:
        """For a notebook: what the instructions of each opcode take."""
        rows: list[tuple[object, ...]] = []
        for opcode in Opcode:
            mine = self.opcode == opcode
            if mine.any():
                busy, energy = self.busy_ps[mine].sum(), self.energy_fj[mine].sum()
                many = f"{np.count_nonzero(mine):,}"
                rows.append((opcode.name, many, f"{busy / 1e6:,.2f}", f"{energy / 1e9:,.3f}"))
        columns = ("opcode", "instructions", "units busy, us", "dynamic energy, uJ")
        return table(repr(self)[1:-1], columns, rows, "program.to_pandas() has every instruction")

    def to_arrow(self) -> "pa.Table":
        """A table of one row per instruction, units and opcodes by name (see `ir.tables`)."""
        from ir.tables import program_table

        return program_table(self)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        from ir.tables import to_pandas

        return to_pandas(self.to_arrow())

    @property
    def end_ps(self) -> Ints:
        """End of every instruction."""
        return self.start_ps + self.duration_ps

    @property
    def makespan_ps(self) -> int:
        """Time from 0 to the last end."""
        return int(self.end_ps.max(initial=0))

    def mvm_kinds(self) -> Iterator[tuple[bool, bool, npt.NDArray[np.bool_]]]:
        """(of a routed expert, of a stack, [rows] which MVMs are), as `ir.timing.mvm_ps` asks."""
        mvm, expert = self.opcode == Opcode.MVM, self.expert >= 0
        behind = stacked(self.units)[self.unit]
        for shared, of_stack in product((False, True), repeat=2):
            yield shared, of_stack, mvm & (expert == shared) & (behind == of_stack)

    def name(self, row: int) -> str:
        """A short name for messages: `#17 MVM layer 1 token 3 expert 5 on group1.0.2`."""
        where = [f"layer {self.layer[row]}"] if self.layer[row] >= 0 else []
        where += [f"token {self.token[row]}"] if self.token[row] >= 0 else []
        where += [f"expert {self.expert[row]}"] if self.expert[row] >= 0 else []
        unit = self.units[int(self.unit[row])].name
        return " ".join([f"#{row}", Opcode(int(self.opcode[row])).name, *where, "on", unit])
