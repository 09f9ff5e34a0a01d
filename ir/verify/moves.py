"""What goes between regions: which part of which value a MOVE brings, and who must read which.

A value that is used in another region than its maker's goes there over the mesh: one MOVE for each
token, and for each name where its maker gives several. What works on several tokens reads all of
those MOVEs, even where one instruction made the whole: each brings its own token's part.
"""

from dataclasses import dataclass, field

import numpy as np

from ir.arrays import Bools, Ints
from ir.verify.case import ProgramCase
from ir.verify.check import Fault, first_uneven, int64
from ir.verify.roles import Form, Role

END = np.iinfo(np.int64).max  # more than any key


def moved_from(case: ProgramCase) -> Ints:
    """The row that made the value: for a MOVE the one it moves, else itself."""
    source: Ints = np.arange(len(case.program))
    moves = np.flatnonzero((case.role == Role.MOVE) & (np.diff(case.program.reads.offsets) == 1))
    source[moves] = case.read[case.program.reads.offsets[moves]]
    return source


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of values that a program's MOVEs bring.

    keys: (source, region, visit) of each part as one number, ascending, and END behind them, so
    that a search always finds an entry; rows: the first MOVE that brings it. first: the row itself,
    of a MOVE the first that brings the same part, [rows].
    """

    case: ProgramCase
    keys: Ints
    rows: Ints
    first: Ints

    def read_as(self, reader: Ints, source: Ints, visit: Ints) -> Ints:
        """The row by which each reader has its visit's part of what `source` made.

        In the source's own region that is the source, and where no MOVE brings the part. A constant
        is everywhere.
        """
        layer = self.case.program.layer
        to = int64(layer[reader])
        far = to != layer[source]
        far &= self.case.row_form[source] != Form.CONSTANT
        if not far.any():
            return source
        key = _key(self.case, source, to, visit)
        place = np.searchsorted(self.keys, key)
        return np.where(far & (self.keys[place] == key), self.rows[place], source)


def parts_of(case: ProgramCase) -> Parts:
    """The parts that a program's MOVEs bring."""
    moves = np.flatnonzero(case.role == Role.MOVE)
    layer = int64(case.program.layer)[moves]
    key = _key(case, moved_from(case)[moves], layer, case.visit[moves])
    keys, at, which = np.unique(key, return_index=True, return_inverse=True)
    first: Ints = np.arange(len(case.program))
    first[moves] = moves[at][which]
    return Parts(case, np.append(keys, END), np.append(moves[at], -1), first)


def _key(case: ProgramCase, source: Ints, layer: Ints, visit: Ints) -> Ints:
    regions = int(case.program.layer.max(initial=0)) + 2
    key: Ints = (source * regions + layer + 1) * (len(case.visits) + 1) + visit + 1
    return key


@dataclass(frozen=True, eq=False)
class Reads:
    """Reads that a program must have: keys reader * rows + row read, by the name of the value."""

    parts: Parts
    of_name: dict[str, list[Ints]] = field(default_factory=dict[str, list[Ints]])

    def add(self, name: str, reader: Ints, source: Ints, visit: Ints) -> None:
        """Readers of what sources made for visits; where reader or source is -1 there is none."""
        there = (reader >= 0) & (source >= 0)
        reader, source, visit = reader[there], source[there], visit[there]
        keys = reader * len(self.parts.case.program) + self.parts.read_as(reader, source, visit)
        self.of_name.setdefault(name, []).append(keys)

    def keys(self) -> Ints:
        """All of them: a value of the own region once, a part for each name that was moved."""
        none, case = np.zeros(0, dtype=np.int64), self.parts.case
        names = [np.unique(np.concatenate(keys)) for keys in self.of_name.values()]
        every = np.concatenate([none, *names])
        moved = case.role[every % len(case.program)] == Role.MOVE
        return np.concatenate([np.unique(every[~moved]), every[moved]])


def odd_read(parts: Parts, entries: Bools, expected: list[Reads], wanted: str = "") -> Fault | None:
    """The first of some entries of the program's `reads` that is not expected, or that is missing.

    wanted: what the reader was to read, in words.
    """
    case, rows = parts.case, len(parts.case.program)
    pairs = np.unique(case.reader[entries] * rows + case.read[entries])
    found = pairs - pairs % rows + parts.first[pairs % rows]
    odd = first_uneven(found, np.concatenate([reads.keys() for reads in expected]))
    if odd is None:
        return None
    (reader, read), missing = divmod(odd[0], rows), odd[1]
    problem = f"{'does not read' if missing else 'reads'} {case.program.name(read)}"
    return Fault(case.program.name(reader), f"{problem}{wanted}")
