"""Values between instructions: each is a row of a batch, found by the id of who wrote it.

Instructions of one kind are computed together, so their values stand together: a batch holds
arrays by name (see `names`) with one row per value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from backends.functional.names import Name
from ir.arrays import Array, Bools, Ints
from ir.errors import CheckError
from ir.mapping import Role
from ir.program import Program


def wrong(program: Program, row: int, problem: str) -> CheckError:
    """The error of an instruction that cannot be carried out."""
    return CheckError("execution", program.name(row), problem)


@dataclass(frozen=True)
class Batch:
    """arrays: [rows, ...] by name; tables: values that are no token's, by name, one per run.

    Of products: biases [rows, columns] that the sums of a role still lack; jobs: how many
    instructions make the added sums of a row together.
    """

    arrays: Mapping[Name, Array]
    tables: Mapping[str, list[Array]] = field(default_factory=dict[str, list[Array]])
    biases: Mapping[Role, Array] = field(default_factory=dict[Role, Array])
    jobs: int = 1


class Values:
    """What every instruction has written so far.

    batch, row: [instructions]; batch -1 = nothing written. row -1: the value holds a whole
    sequence, and a reader takes the row of its own token. sequence: [window tokens].
    """

    def __init__(self, program: Program, sequence: Ints) -> None:
        self.program, self.sequence = program, sequence
        self.batches: list[Batch] = []
        self.batch = np.full(len(program), -1, dtype=np.int64)
        self.row = np.full(len(program), -1, dtype=np.int64)

    def put(self, ids: Ints, rows: Ints, batch: Batch) -> None:
        """`ids` write rows `rows` of a new batch."""
        self.batch[ids], self.row[ids] = len(self.batches), rows
        self.batches.append(batch)

    def of(self, read: int) -> Batch:
        """The batch that `read` wrote to."""
        return self.batches[int(self.batch[read])]

    def edges(self, readers: Ints) -> tuple[Ints, Ints]:
        """(place in `readers`, id read) of everything they read; all of it must be written."""
        place, read = self.reads(readers)
        lost = np.flatnonzero(self.batch[read] < 0)
        if len(lost):
            name = self.program.name(int(read[lost[0]]))
            raise wrong(
                self.program, int(readers[place[lost[0]]]), f"reads {name}, not written before"
            )
        return place, read

    def reads(self, readers: Ints) -> tuple[Ints, Ints]:
        """`edges`, whether or not it is written."""
        offsets = self.program.reads.offsets
        count = offsets[readers + 1] - offsets[readers]
        place = np.repeat(np.arange(len(readers)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return place, self.program.reads.values[offsets[readers][place] + within].astype(np.int64)

    def inputs(self, readers: Ints) -> tuple[Ints, Ints]:
        """`edges` without repeats: one value may be two inputs of an operator."""
        place, read = self.edges(readers)
        both = np.unique(np.stack([place, read]), axis=1)
        return both[0], both[1]

    def holds(self, read: Ints, name: Name) -> Bools:
        """Which of `read` wrote a value of that name."""
        known = [name in b.arrays or name in b.tables for b in self.batches]
        return np.array([*known, False], dtype=np.bool_)[self.batch[read]]

    def table(self, read: int, name: str) -> list[Array] | None:
        """The table of that name that `read` wrote, one per run; None where it wrote rows."""
        return self.of(read).tables.get(name)

    def rows(self, readers: Ints, read: Ints, name: Name, tokens: Ints) -> Array:
        """What each reader takes from what it reads: [readers, ...].

        tokens: whose row each takes where a whole sequence was written.
        """
        row = self.row[read]
        whole = np.flatnonzero(row < 0)
        token = tokens[whole]
        inside = (token >= 0) & (self.sequence[token] == self.program.seq[read[whole]])
        if not np.all(inside):
            at = whole[int(np.argmin(inside))]
            other = self.program.name(int(read[at]))
            raise wrong(self.program, int(readers[at]), f"reads {other}, of another sequence")
        row = np.where(row < 0, tokens, row)
        batch = self.batch[read]
        out: Array | None = None
        for number in np.unique(batch).tolist():
            mine = batch == number
            array = self.batches[number].arrays[name]
            if out is None:
                out = np.zeros((len(read), *array.shape[1:]), dtype=array.dtype)
            elif out.shape[1:] != array.shape[1:]:
                at = int(np.argmax(mine))
                raise wrong(self.program, int(readers[at]), f"reads {str(name)!r} of another size")
            out[mine] = array[row[mine]]
        return np.zeros((0, 0), dtype=np.float32) if out is None else out

    def single(self, readers: Ints, name: Name, times: int = 1) -> Ints:
        """The one id that each reader has a value of that name from: [readers].

        times: how many instructions must have made it together (the adding jobs of one product).
        """
        place, read = self.inputs(readers)
        keep = self.holds(read, name)
        place, read = place[keep], read[keep]
        count = np.bincount(place, minlength=len(readers))
        odd = np.flatnonzero(count != times)
        if len(odd):
            found, at = int(count[odd[0]]), int(readers[odd[0]])
            raise wrong(self.program, at, f"reads {found} values {str(name)!r}, expected {times}")
        first = read[:: max(times, 1)]
        same = (self.batch[read] == np.repeat(self.batch[first], times)) & (
            self.row[read] == np.repeat(self.row[first], times)
        )
        if not np.all(same):
            at = int(readers[place[int(np.argmin(same))]])
            raise wrong(self.program, at, f"reads {str(name)!r} of different jobs")
        return first

    def take(self, readers: Ints, name: Name, times: int = 1) -> Array:
        """Rows [readers, ...] of the value of that name, each from the one id it reads it from."""
        first = self.single(readers, name, times)
        return self.rows(readers, first, name, self.program.token[readers].astype(np.int64))

    def move(self, ids: Ints) -> None:
        """XFER between regions: the value of its token, as it was."""
        place, read = self.edges(ids)
        if len(read) != len(ids) or not np.array_equal(place, np.arange(len(ids))):
            raise wrong(self.program, int(ids[0]), "moves more or less than one value")
        token = self.program.token[ids].astype(np.int64)
        whole = (self.row[read] < 0) & (token >= 0)
        other = whole & (self.sequence[token] != self.program.seq[read])
        if np.any(other):
            raise wrong(self.program, int(ids[int(np.argmax(other))]), "moves another sequence's")
        self.batch[ids] = self.batch[read]
        self.row[ids] = np.where(whole, token, self.row[read])
