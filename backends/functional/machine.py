"""The state of one execution, and how operators that are the model's own nodes are carried out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar, assert_never

import numpy as np

from backends.functional.crossbars import Crossbars
from backends.functional.names import Name
from backends.functional.rounding import as_the_model_rounds, tokens_changed
from backends.functional.runs import Run
from backends.functional.traced import Traced
from backends.functional.values import Batch, Values, wrong
from ir.arrays import Array, Bools, Ints
from ir.chip import Chip
from ir.errors import CheckError
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.weights import StoredMatrices
from ir.program import Opcode, Program
from ir.workload import Attention, Digital, Operator, Workload, is_constant

TOLERANCE = 1e-4  # largest error that is rounding, of a value's largest magnitude

OWN_NODES = (
    Opcode.EMBED,
    Opcode.NORM,
    Opcode.ADD,
    Opcode.MUL,
    Opcode.ACT,
    Opcode.DIGITAL,
    Opcode.ATTN,
)


@dataclass
class StreamRows:
    """What the jobs so far of a streamed attention have read of each input.

    rows: [window tokens, ...] by value; tables: those that are no token's, one per run.
    """

    rows: dict[str, Array] = field(default_factory=dict[str, Array])
    tables: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])


@dataclass
class Machine:
    """What an execution knows and what it has computed so far.

    whole: what ONNX Runtime says of every value, per run. Only its shapes and element types are
    used, except where two experts' scores are as good as equal. told: by MoE operator, what its
    router says of those vectors; tied: (operator, token) that it decided. halves: those in which an
    expert rounds a number that is half way between two; rounded: those in which that, or a number
    that an operator quantises, went the other way, so that the result is the model's.
    job: [instructions] the MVM whose product a crossbar job's instruction carries on, -1 = none.
    made: (step, operator) -> [window tokens] who wrote its result, -1 = nobody. arrival: [window
    tokens] the step in which each comes. again: see `uncached`. fixed: routers say what they say
    of the model's own vectors, however far ours are from them. covers: the tokens of an instruction
    that stands for a whole sequence. before: the last so many window tokens come before the
    program's in their sequence; their rows are those of `whole`. traced: see `Case`. streams, jobs:
    of streamed attention what its jobs have read, and the last job of each (operator, sequence).
    """

    program: Program
    workload: Workload
    chip: Chip
    crossbars: Crossbars
    nodes: Nodes
    runs: Sequence[Run]
    whole: Sequence[dict[str, Array]]
    values: Values
    matrices: StoredMatrices
    job: Ints
    arrival: Ints
    again: Sequence[Sequence[Run]] = ()
    fixed: bool = False
    before: int = 0
    traced: Traced | None = None
    step: int = 0
    made: dict[tuple[int, int], Ints] = field(default_factory=dict)
    covers: dict[int, Ints] = field(default_factory=dict)
    streams: dict[int, StreamRows] = field(default_factory=dict)
    jobs: dict[tuple[int, int], int] = field(default_factory=dict)
    told: dict[int, dict[Name, Array]] = field(default_factory=dict)
    tied: set[tuple[int, int]] = field(default_factory=set)
    halves: set[tuple[int, int]] = field(default_factory=set)
    rounded: set[tuple[int, int]] = field(default_factory=set)

    @property
    def tokens(self) -> int:
        """Tokens in the window, and before it."""
        return len(self.values.sequence)

    @cached_property
    def side_of(self) -> dict[str, int | None]:
        """The side of each value that operators make, or that says what tokens are."""
        made = {name: op.side for op in self.workload.operators for name in op.outputs}
        sides = enumerate(self.workload.sides)
        return made | {name: number for number, side in sides for name in side.inputs}

    @cached_property
    def _runs_of(self) -> dict[int | None, Sequence[Run]]:
        cut: dict[int | None, Sequence[Run]] = {None: self.runs}
        for number, side in enumerate(self.workload.sides):
            cut[number] = [run.first(side.tokens) for run in self.runs]
        return cut

    def runs_of(self, side: int | None) -> Sequence[Run]:
        """The runs with the tokens of a side of the model; None: all."""
        return self._runs_of[side]

    def hidden(self, side: int | None) -> Bools:
        """Window tokens of a side that the attention mask hides: no expert has to take them."""
        out = np.zeros(self.tokens, dtype=np.bool_)
        for run in self.runs_of(side):
            if run.hidden:
                out[run.tokens] = run.hidden[side or 0]
        return out

    def so_far(self, sequence: int, side: int | None = None) -> Ints:
        """Tokens of a sequence that have arrived, among those that are executed, of a side."""
        cells = self.cells_of(side)
        mine = cells[self.values.sequence[cells] == sequence]
        return np.asarray(mine[self.arrival[mine] <= self.step])

    @property
    def cells(self) -> Ints:
        """The program's tokens in the runs: all, or those of the prefill."""
        return self.cells_of(None)

    def cells_of(self, side: int | None) -> Ints:
        """Those of them that a side of the model has."""
        found = np.sort(np.concatenate([run.tokens.ravel() for run in self.runs_of(side)]))
        return found[found < self.tokens - self.before]

    def row_shape(self, name: str) -> tuple[int, ...] | None:
        """Shape per token of a value, the same in every run; None where it is no row per token.

        A run of one token has no axis to tell by, so it follows longer ones.
        """
        every = [
            (run, (run.feeds if name in run.feeds else found)[name].shape)
            for run, found in zip(self.runs_of(self.side_of.get(name)), self.whole, strict=True)
        ]
        longer = [(run, shape) for run, shape in every if run.tokens.size > 1] or every
        shapes = {run.row_shape(shape) for run, shape in longer}
        shape = shapes.pop() if len(shapes) == 1 else None
        if shape is None:
            return None
        fits = all(math.prod(other) == run.tokens.size * math.prod(shape) for run, other in every)
        return shape if fits else None

    def to_rows(self, name: str, found: Sequence[Array]) -> Array | None:
        """Arrays of a value, one per run, as rows [window tokens, ...]; None: not row by row."""
        shape = self.row_shape(name)
        if shape is None:
            return None
        rows = np.zeros((self.tokens, *shape), dtype=found[0].dtype)
        for run, array in zip(self.runs_of(self.side_of.get(name)), found, strict=True):
            rows[run.tokens.ravel()] = array.reshape(run.tokens.size, *shape)
        return rows


Op_co = TypeVar("Op_co", bound=Operator, covariant=True)


@dataclass(frozen=True, eq=False)
class At(Generic[Op_co]):
    """An operator that is carried out; index: its place in the workload."""

    m: Machine
    index: int
    op: Op_co

    def record(self, ids: Ints) -> None:
        """`ids` made the operator's results for their tokens, or for whole sequences."""
        m, p = self.m, self.m.program
        none = np.full(m.tokens, -1, dtype=np.int64)
        made = m.made.setdefault((m.step, self.index), none)
        for row in ids.tolist():
            token, seq = int(p.token[row]), int(p.seq[row])
            cells = np.array([token]) if token >= 0 else m.so_far(seq, self.op.side)
            if token < 0:
                m.covers[row] = cells
            if np.any(made[cells] >= 0):
                other = p.name(int(made[cells].max()))
                raise wrong(p, row, f"does what {other} did")
            made[cells] = row


def run_nodes(at: At[Digital | Attention], ids: Ints) -> None:
    """A digital or attention operator: its nodes, on what its instructions read."""
    m, op = at.m, at.op
    constant = is_constant(op)
    if m.step and constant:
        return  # made for all steps in the first
    if not len(ids):
        raise CheckError("execution", op.name, "no instruction does it")
    if constant:
        if len(ids) != 1:
            raise CheckError("execution", op.name, f"{len(ids)} instructions, expected 1")
        feeds = _feeds_of_constant(at, ids)
    else:
        feeds = gather(m, ids, op.inputs)
        at.record(ids)
    found = [_made(m, op, fed) for fed in feeds]
    if not constant:
        found = rounded(at, feeds, found)
    arrays: dict[Name, Array] = {}
    tables: dict[str, list[Array]] = {}
    for name in op.outputs:
        per_run = [values[name] for values in found]
        rows = None if constant else m.to_rows(name, per_run)
        if rows is None:
            tables[name] = per_run
        else:
            arrays[name] = rows
    m.values.put(ids, m.program.token[ids].astype(np.int64), Batch(arrays, tables))


def _made(m: Machine, op: Digital | Attention, fed: dict[str, Array]) -> dict[str, Array]:
    """What an operator gives for its inputs, of one run: by its nodes; a join has none."""
    match op:
        case Digital(kind="join"):
            parts = [fed[name] for name in op.inputs]
            return {op.outputs[0]: np.concatenate(parts, axis=-1)}
        case Digital() | Attention():
            return m.nodes.run(op, fed, op.outputs)
        case _:
            assert_never(op)


def rounded(
    at: At[Digital | Attention], feeds: list[dict[str, Array]], found: list[dict[str, Array]]
) -> list[dict[str, Array]]:
    """What an operator gave for its feeds, of each run, with numbers half way as the model has."""
    m = at.m
    if not m.nodes.rounds(at.op):
        return found
    runs = m.runs_of(at.op.side)
    every = zip(runs, feeds, found, m.whole, strict=True)
    taken = [as_the_model_rounds(*parts, TOLERANCE) for parts in every]
    for run, made, kept in zip(runs, found, taken, strict=True):
        changed = tokens_changed(run, made, kept, TOLERANCE)
        m.rounded |= {(at.index, token) for token in changed.tolist()}
    return taken


def _feeds_of_constant(at: At[Operator], ids: Ints) -> list[dict[str, Array]]:
    """Other constants as read; of a token's vector it uses the shape at most, so zeros do."""
    m = at.m
    _, read = m.values.edges(ids)
    out: list[dict[str, Array]] = [{} for _ in m.runs]
    for name in at.op.inputs:
        mine = read[m.values.holds(read, name)]
        table = m.values.table(int(mine[0]), name) if len(mine) else None
        for place, (run, whole) in enumerate(zip(m.runs, m.whole, strict=True)):
            if name in m.workload.inputs:
                out[place][name] = run.feeds[name]
            else:
                out[place][name] = table[place] if table else np.zeros_like(whole[name])
    return out


def gather(m: Machine, ids: Ints, names: Sequence[str]) -> list[dict[str, Array]]:
    """The inputs of an operator's nodes, one dict per run, from what its instructions read.

    Tokens that no instruction stands for are zeros, as nothing reads their results; those before
    the window are as the model has them, as its attention looks at them.
    """
    out: list[dict[str, Array]] = [{} for _ in m.runs]
    place, read = m.values.inputs(ids)
    for name in names:
        if name in m.workload.inputs:
            for fed, run in zip(out, m.runs, strict=True):
                fed[name] = run.feeds[name]
            continue
        mine = m.values.holds(read, name)
        lacking = np.flatnonzero(np.bincount(place[mine], minlength=len(ids)) == 0)
        if len(lacking):
            raise wrong(m.program, int(ids[lacking[0]]), f"reads no value {name!r}")
        table = m.values.table(int(read[mine][0]), name)
        if table is None:
            rows = _rows(m, name, ids[place[mine]], read[mine])
            own = m.to_rows(name, [found[name] for found in m.whole]) if m.before else None
            if own is not None:
                rows[m.tokens - m.before :] = own[m.tokens - m.before :].reshape(
                    m.before, *rows.shape[1:]
                )
            for fed, run, whole in zip(out, m.runs_of(m.side_of[name]), m.whole, strict=True):
                fed[name] = rows[run.tokens.ravel()].reshape(whole[name].shape)
        else:
            for fed, found in zip(out, table, strict=True):
                fed[name] = found
    return out


def _rows(m: Machine, name: str, readers: Ints, read: Ints) -> Array:
    """A value's rows [window tokens, ...] as the readers take them, each for its own token.

    A reader that stands for a whole sequence takes a row for each of its tokens.
    """
    p, sequence = m.program, m.values.sequence
    token = p.token[readers].astype(np.int64)
    token = np.where(token >= 0, token, p.token[read])
    whole = np.flatnonzero(token < 0)  # a whole sequence from a whole sequence
    spread = [m.covers[int(read[i])] for i in whole.tolist()]
    readers = np.concatenate([np.delete(readers, whole), _repeat(readers[whole], spread)])
    read = np.concatenate([np.delete(read, whole), _repeat(read[whole], spread)])
    token = np.concatenate([np.delete(token, whole), *spread])
    copies = np.stack([token, readers, m.values.batch[read], m.values.row[read]])
    once = np.unique(copies, axis=1, return_index=True)[1]  # one moved for each value of its maker
    token, readers, read = token[once], readers[once], read[once]
    order = np.argsort(token, kind="stable")
    twice = np.flatnonzero(token[order][1:] == token[order][:-1])
    if len(twice):
        at = order[int(twice[0]) + 1]
        raise wrong(p, int(readers[at]), f"reads {name!r} of token {token[at]} once more")
    of_all = p.token[readers] < 0
    alien = of_all & (sequence[token] != p.seq[readers])
    if np.any(alien):
        at = int(np.argmax(alien))
        raise wrong(p, int(readers[at]), f"reads {name!r} of token {token[at]}, another sequence's")
    for row in np.unique(readers[of_all]).tolist():
        wanted = m.so_far(int(p.seq[row]), m.side_of[name])
        missing = np.setdiff1d(wanted, token[readers == row])
        if len(missing):
            raise wrong(p, row, f"does not read {name!r} of token {missing[0]}")
    found = m.values.rows(readers, read, name, token)
    rows = np.zeros((m.tokens, *found.shape[1:]), dtype=found.dtype)
    rows[token] = found
    return rows


def _repeat(ids: Ints, spread: list[Ints]) -> Ints:
    """Each id once for every token of its sequence."""
    return np.repeat(ids, [len(tokens) for tokens in spread])
