"""Tables of one row per token and expert, or per expert with its count, as a trace or as counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ir.arrays import Array, Floats, Ints, Singles
from ir.errors import InputError
from ir.load import Load
from ir.routing import Routing
from moexbar.files.traces.own import check_cells, check_experts, from_ids
from moexbar.files.traces.reading import Reading, raise_it
from moexbar.files.traces.rows import EXPECTED, at, integers, read_columns


@dataclass(frozen=True, eq=False)
class _Table:
    """Columns of a file, how to read it, and the most bytes that its array may take."""

    where: str
    columns: Mapping[str, Floats]
    reading: Reading
    most: int

    def whole(self, name: str, *, missing: int | None = None) -> Ints:
        """A column as whole numbers; zeros where there is no such column."""
        if name not in self.columns:
            return np.zeros(len(self.columns["layer"]), dtype=np.int64)
        return integers(self.where, name, self.columns[name], missing=missing)

    def at_least_0(self, name: str) -> Ints:
        """The same of numbers that are never negative."""
        found = self.whole(name)
        if np.any(found < 0):
            row = int(np.argmax(found < 0))
            raise InputError(self.where, f"{at(name, row)}: {found[row]}, expected at least 0")
        return found


def read_table(path: Path, reading: Reading) -> Routing | Load:
    """Read a table: with a column token a trace, with a column count load counts."""
    where = str(path)
    if reading.axes is not None:
        raise InputError("--axes", f"{reading.axes}, but {where} is a table", "leave it out")
    columns = read_columns(path, reading.limits)
    if ("token" in columns) == ("count" in columns):
        problem = "both token and count" if "token" in columns else "neither token nor count"
        raise InputError(where, f"columns {', '.join(columns)}: {problem}, expected {EXPECTED}")
    most = reading.limits.archive.bytes_of(path.stat().st_size)
    table = _Table(where, columns, reading, most)
    return _trace(table) if "token" in columns else _counts(table)


def _experts(table: _Table, expert: Ints) -> int:
    """Experts of every layer: as said, or one more than the highest id."""
    experts = table.reading.experts
    if experts is None:
        experts = max(int(expert.max(initial=-1)) + 1, 1)
    wrong = (expert < -1) | (expert >= experts)
    if np.any(wrong):
        row = int(np.argmax(wrong))
        raise InputError(
            table.where, f"{at('expert', row)}: {expert[row]}, expected -1 or 0 to {experts - 1}"
        )
    check_experts(table.where, np.array([experts]), table.reading.limits)
    if table.reading.experts is None:
        table.reading.say(from_ids(table.where, experts))
    return experts


def _counts(table: _Table) -> Load:
    layers, layer = np.unique(table.at_least_0("layer"), return_inverse=True)
    expert, count = table.at_least_0("expert"), table.at_least_0("count")
    experts = _experts(table, expert)
    steps, step = np.unique(table.whole("step"), return_inverse=True)
    shape = (len(steps), len(layers), experts)
    _refuse_sparse(table, shape, 8)
    place = np.ravel_multi_index((step, layer, expert), shape)
    what = "step, layer and expert" if len(steps) > 1 else "layer and expert"
    _refuse_twice(table.where, place, what, np.arange(len(place)))
    counts = np.zeros(shape, dtype=np.int64)
    counts.reshape(-1)[place] = count
    return Load(layers, counts, table.where)


def _trace(table: _Table) -> Routing:
    layers, layer = np.unique(table.at_least_0("layer"), return_inverse=True)
    token, sequence = _tokens(table)
    expert = table.whole("expert", missing=-1)
    experts = _experts(table, expert)
    num_experts = np.full(len(layers), experts, dtype=np.int64)
    check_cells(table.where, len(sequence), num_experts, table.reading.limits)
    cell = layer * len(sequence) + token
    row = np.flatnonzero(expert >= 0)  # the others say that the token is there
    _refuse_twice(table.where, cell[row] * experts + expert[row], "layer, token and expert", row)
    row = row[np.lexsort((_order(table, row), cell[row]))]
    place = _places(cell[row])
    shape = (len(layers), len(sequence), int(place.max(initial=0)) + 1)
    _refuse_sparse(table, shape, 2)
    choices = np.full(shape, -1, dtype=np.int16)
    choices.reshape(-1, shape[2])[cell[row], place] = expert[row]
    weights: Singles | None = None
    if "gate" in table.columns and not np.all(np.isnan(table.columns["gate"])):
        weights = np.zeros(shape, dtype=np.float32)
        gates = _gates(table.where, table.columns["gate"], row)
        weights.reshape(-1, shape[2])[cell[row], place] = gates
    return Routing(layers, num_experts, sequence, choices, weights, source=table.where)


def _tokens(table: _Table) -> tuple[Ints, Ints]:
    """The place of each row's token among all, and the sequence of each token: [rows], [tokens].

    Tokens come by sequence, then by number; a number may stand in several sequences.
    """
    numbers, of_number = np.unique(table.whole("token"), return_inverse=True)
    sequences, of_sequence = np.unique(table.whole("sequence"), return_inverse=True)
    keys, token = np.unique(of_sequence * len(numbers) + of_number, return_inverse=True)
    return token, sequences[keys // len(numbers)]


def _places(cell: Ints) -> Ints:
    """The how-manieth of its cell each entry is, of cells in ascending order."""
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    return np.arange(len(cell)) - np.repeat(first, np.diff(first, append=len(cell)))


def _order(table: _Table, row: Ints) -> Array:
    """What the experts of a token are ordered by: rank, else falling gate, else as they stand."""
    if "rank" in table.columns:
        return table.whole("rank")[row]
    if "gate" in table.columns:
        return -np.nan_to_num(table.columns["gate"][row])
    return row


def _gates(where: str, gate: Array, row: Ints) -> Array:
    with np.errstate(over="ignore"):  # an overflow becomes inf
        gate = gate.astype(np.float32)
    bad = ~np.isfinite(gate[row])
    if np.any(bad):
        first = int(row[bad].min())
        raise InputError(where, f"{at('gate', first)}: {gate[first]}, expected a finite number")
    return gate[row]


def _refuse_twice(where: str, key: Ints, what: str, rows: Ints) -> None:
    """Refuse rows that say the same thing twice, naming the first that repeats another."""
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(np.diff(key[order]) == 0)
    if len(again):
        pick = again[np.argmin(order[again + 1])]
        earlier, later = (int(rows[order[i]]) + 1 for i in (pick, pick + 1))
        raise InputError(where, f"rows {earlier} and {later}: the same {what} twice, expected once")


def _refuse_sparse(table: _Table, shape: tuple[int, int, int], itemsize: int) -> None:
    """Refuse a few rows that would make a huge array."""
    needed = shape[0] * shape[1] * shape[2] * itemsize
    if needed > table.most:
        raise InputError(
            table.where,
            f"an array of {' x '.join(str(n) for n in shape)} needs {needed} bytes, "
            f"limit {table.most}",
            raise_it("bytes", needed, "use fewer rows"),
        )
