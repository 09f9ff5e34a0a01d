"""What can be said about a program before anything moves: every column in range, every unit able.

Each rule is a mask over rows; the first row of it in order of effect (start, id) is named.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ir import timing
from ir.arrays import Bools
from ir.chip import Chip
from ir.crossings import across, die_of
from ir.errors import CheckError
from ir.program import Lists, Opcode, Program

MOST = 1 << 52  # ps (75 minutes), fJ, bytes: far from where 64 bits would not hold a sum

RUNS_ON: dict[str, tuple[Opcode, ...]] = {
    "bus": (Opcode.LOAD,),
    "group": (Opcode.MVM,),
    "acc": (Opcode.ACC,),
    "link": (Opcode.XFER,),
    "mesh": (Opcode.XFER,),
    "return": (Opcode.STORE,),
    "mha": (Opcode.ATTN,),
    "d2d": (Opcode.CROSS,),
    "dram": (Opcode.KV_RD, Opcode.KV_WR, Opcode.GO_RD, Opcode.GO_WR),
    "dpu": (
        Opcode.EMBED,
        Opcode.ACC,
        Opcode.ACT,
        Opcode.MUL,
        Opcode.ADD,
        Opcode.NORM,
        Opcode.GATE,
        Opcode.TOPK,
        Opcode.COMBINE,
        Opcode.SAMPLE,
        Opcode.DIGITAL,
    ),
}


def refuse(rule: str, program: Program, row: int, found: str) -> CheckError:
    """The error that names an instruction: id, opcode, unit, time, rule, found and expected."""
    unit = int(program.unit[row])
    if not (0 <= program.opcode[row] <= max(Opcode) and 0 <= unit < len(program.units)):
        return CheckError(rule, f"#{row} at {program.start_ps[row]} ps", found)
    return CheckError(rule, f"{program.name(row)} at {program.start_ps[row]} ps", found)


def first_row(program: Program, mask: Bools) -> int | None:
    """The row of the mask that comes first in order of effect."""
    rows = np.flatnonzero(mask)
    return int(rows[np.argmin(program.start_ps[rows])]) if len(rows) else None


@dataclass(frozen=True, eq=False)
class _Form:
    """A program under test, its units' columns [units] and a raise for each rule's first row."""

    program: Program
    chip: Chip

    def check(self, rule: str, mask: Bools, column: npt.NDArray[Any], expected: object) -> None:
        """Raise for the first row of `mask`; `column` [rows] holds what was found."""
        row = first_row(self.program, mask)
        if row is not None:
            raise refuse(rule, self.program, row, f"found {column[row]}, expected {expected}")

    def of_units(self, field: str) -> npt.NDArray[Any]:
        """A field of every unit."""
        return np.array([getattr(u, field) for u in self.program.units])

    def lists(self, name: str, lists: Lists, size: int) -> None:
        """Offsets rise from 0 to the number of entries, entries point into their table."""
        at, values = lists.offsets, lists.values
        whole = at[0] == 0 and at[-1] == len(values) and np.all(np.diff(at) >= 0)
        if not whole:
            raise CheckError(name, "program", f"offsets of {name} do not rise from 0 to the end")
        wrong = np.flatnonzero((values < 0) | (values >= size))
        if len(wrong):
            row = int(np.searchsorted(at, wrong[0], side="right")) - 1
            problem = f"found {values[wrong[0]]} in {name}, expected 0 to {size - 1}"
            raise refuse(name, self.program, row, problem)

    def ranges(self) -> None:
        """Numbers point into their tables; nothing is negative that counts something."""
        p = self.program
        tables: dict[str, tuple[npt.NDArray[Any], int, int]] = {
            "opcode": (p.opcode, 0, len(Opcode)),
            "unit": (p.unit, 0, len(p.units)),
            "src": (p.src, -1, len(p.units)),
            "buffer": (p.buffer, -1, len(p.buffers)),
            "node": (p.node, -1, len(p.nodes)),
        }
        for name, (column, low, size) in tables.items():
            self.check(name, (column < low) | (column >= size), column, f"{low} to {size - 1}")
        for name in ("start_ps", "busy_ps", "duration_ps", "bytes", "energy_fj", "macs"):
            column = getattr(p, name)
            self.check(name, (column < 0) | (column > MOST), column, f"0 to {MOST}")
        self.check("offset", (p.offset < -1) | (p.offset > MOST), p.offset, f"-1 to {MOST}")
        self.check("busy_ps", p.busy_ps > p.duration_ps, p.busy_ps, "at most the duration")

    def pools(self) -> None:
        """No more digital, attention and memory units than the chip, or a region of it, has."""
        found: dict[tuple[str, int, int], int] = {}
        pgs: dict[tuple[int, int], int] = {}
        for u in self.program.units:
            key = u.kind, u.layer, u.die
            found[key] = found.get(key, 0) + u.units
            pgs[u.layer, u.die] = pgs.get((u.layer, u.die), 0) + u.pgs
        for (kind, layer, die), count in found.items():
            limit = self._limit(kind, layer, pgs.get((layer, die), 0))
            if limit is not None and count > limit:
                where = f"{kind} units" + (f" of layer {layer}" if layer >= 0 else "")
                problem = f"found {count} units, expected at most {limit}"
                raise CheckError("pool", where, problem)

    def _limit(self, kind: str, layer: int, pgs: int) -> int | None:
        """Most units of a kind that the chip, or its region `layer`, has; None: as it needs."""
        digital, own = self.chip.digital, layer >= 0
        if kind == "dram":
            return 0 if own else 1
        if kind == "mha":
            if digital.shares_mha_units:
                return 0 if own else digital.mha_units
            return (digital.mha_units_per_region or None) if own else 0
        if kind != "dpu":
            return None
        if digital.shares_dpus:
            return 0 if own else digital.dpus
        if own and not digital.dpus_per_region and digital.pgs_per_dpu:
            return max(1, -(-pgs // digital.pgs_per_dpu))
        return (digital.dpus_per_region or None) if own else 0

    def units(self) -> None:
        """Every instruction runs on a unit of a kind that can, of its own layer and stage."""
        p = self.program
        kind = self.of_units("kind")
        able = np.zeros((len(Opcode), len(kind)), dtype=np.bool_)
        for name, opcodes in RUNS_ON.items():
            able[np.ix_(np.array(opcodes), np.flatnonzero(kind == name))] = True
        on = kind[p.unit]
        self.check("unit-kind", ~able[p.opcode, p.unit], on, "a unit that can do it")
        for field, column in (("layer", p.layer), ("stage", p.stage)):
            home = self.of_units(field)[p.unit]
            wrong = (home >= 0) & (home != column)
            if field == "layer":
                wrong &= on != "mesh"  # it belongs to the region that it leaves
            self.check(f"unit-{field}", wrong, column, f"the {field} of its unit")

    def values(self) -> None:
        """A value is written once, by the instruction whose id it carries, and only then read."""
        p = self.program
        own = np.arange(len(p))
        self.check("writes", (p.writes != own) & (p.writes != -1), p.writes, "its own id or -1")
        silent = p.writes[p.reads.values] < 0
        if np.any(silent):
            row = int(p.reads.rows()[np.argmax(silent)])
            problem = f"reads #{p.reads.values[np.argmax(silent)]}, which writes no value"
            raise refuse("reads", p, row, problem)

    def dies(self) -> None:
        """What is read is on the reader's die: a CROSS brought it there."""
        p = self.program
        far = np.flatnonzero(across(p))
        if len(far):
            reader, read = int(p.reads.rows()[far[0]]), int(p.reads.values[far[0]])
            here, there = p.units[int(p.unit[reader])].die, die_of(p)[read]
            problem = f"found {p.name(read)} on die {there}, expected a value on die {here}"
            raise refuse("on-die", p, reader, problem)

    def destinations(self) -> None:
        """LOADs and the XFERs of a link fill input buffers of groups of their layer, each once."""
        p, kind = self.program, self.of_units("kind")
        fills = np.diff(p.dst.offsets) > 0
        able = (p.opcode == Opcode.LOAD) | ((p.opcode == Opcode.XFER) & (kind[p.unit] == "link"))
        wrong = (fills & ~able) | (~fills & (p.opcode == Opcode.LOAD))
        self.check("dst", wrong, np.diff(p.dst.offsets), "groups for a LOAD, none for others")
        row, to = p.dst.rows(), p.dst.values
        group, layer = kind[to] == "group", self.of_units("layer")[to]
        twice = np.zeros(len(to), dtype=np.bool_)
        order = np.lexsort((to, row))
        twice[order[1:]] = (row[order[1:]] == row[order[:-1]]) & (to[order[1:]] == to[order[:-1]])
        bad = ~group | (layer != p.layer[row]) | twice
        entry = self.of_units("input_bytes")[to] // self.chip.pg.input_buffers
        bad |= (p.opcode[row] == Opcode.LOAD) & (p.bytes[row] > entry)
        if np.any(bad):
            at = int(np.argmax(bad))
            name = p.units[int(to[at])].name
            size = f"with room for a vector of {p.bytes[row[at]]} bytes"
            problem = f"found {name}, expected a group of layer {p.layer[row[at]]} {size}, once"
            raise refuse("dst", p, int(row[at]), problem)

    def mvm_time(self) -> None:
        """An MVM takes what ir.timing says, with the switch settling where a group is shared."""
        p = self.program
        for shared, stacked, rows in p.mvm_kinds():
            expected = timing.mvm_ps(self.chip, shared=shared, stacked=stacked)
            for name in ("duration_ps", "busy_ps"):
                column = getattr(p, name)
                self.check("mvm-time", rows & (column != expected), column, f"{expected} ps")

    def places(self) -> None:
        """A value lies inside its buffer, and no buffer is larger than the chip's."""
        p, limit = self.program, self.chip.memory.region_buffer_bytes
        for buffer in p.buffers if limit else ():
            if buffer.bytes > limit:
                problem = f"found {buffer.bytes} bytes, expected at most {limit}"
                raise CheckError("buffer-bytes", buffer.name, problem)
        size = np.array([*(b.bytes for b in p.buffers), 0], dtype=np.int64)[p.buffer]
        outside = (p.buffer >= 0) & ((p.offset < 0) | (p.offset + p.bytes > size))
        self.check("buffer-bytes", outside, p.offset, "a place inside its buffer")


def check_form(program: Program, chip: Chip) -> None:
    """Raise CheckError for the first rule of form that the program breaks."""
    form = _Form(program, chip)
    form.lists("reads", program.reads, len(program))
    form.lists("dst", program.dst, len(program.units))
    form.ranges()
    if not len(program):
        return
    form.pools()
    form.units()
    form.values()
    form.dies()
    form.destinations()
    form.mvm_time()
    form.places()
