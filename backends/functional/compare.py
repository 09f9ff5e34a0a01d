"""An execution against ONNX Runtime: outputs, MoE layers, and the first instruction that is wrong.

Error of a value: max |difference| / max |ONNX Runtime's|, over the whole value.
"""

from dataclasses import dataclass

import numpy as np

from backends.functional.blame import blame
from backends.functional.machine import TOLERANCE, Machine
from backends.functional.reference import itself
from backends.functional.uncached import newest_rows
from ir.arrays import Array, Ints
from ir.errors import CheckError
from ir.onnxdoor.packing import is_packed
from ir.parts import joined_values
from ir.workload import Operator, is_constant


@dataclass(frozen=True)
class Difference:
    """One value: largest difference, and that over the largest magnitude of ONNX Runtime's.

    limit: the most that the latter may be.
    """

    name: str
    layer: int
    absolute: float
    relative: float
    limit: float

    @property
    def right(self) -> bool:
        """Within the tolerance (a value that is not finite is not)."""
        return self.relative <= self.limit


@dataclass(frozen=True)
class Comparison:
    """outputs of the model, results of MoE layers, and of every operator in order.

    culprit: of the first operator with a wrong result, the first in order of effect that made one,
    followed back into its crossbar job; -1 if all is right. near_ties: tokens whose router could
    select either way; rounding_ties: whose result is the model's because a number half way between
    two integers went the other way. runtime: the outputs of ONNX Runtime itself against the
    reference, where that is another (see `reference`). anew: with expert choice in steps, what must
    equal the model run anew on the tokens so far; deviation: how far the rest is from it (see
    `uncached`).
    before: tokens before the window, whose values were the model's own; hidden: tokens that the
    attention mask hides, whose MoE layers' results were the model's own.
    """

    outputs: tuple[Difference, ...]
    layers: tuple[Difference, ...]
    operators: tuple[Difference, ...]
    culprit: int
    near_ties: int
    runtime: tuple[Difference, ...] = ()
    anew: tuple[Difference, ...] = ()
    deviation: tuple[Difference, ...] = ()
    before: int = 0
    hidden: int = 0
    rounding_ties: int = 0

    @property
    def worst(self) -> float:
        """Largest relative error of an output or MoE layer."""
        return max((d.relative for d in (*self.outputs, *self.layers, *self.anew)), default=0.0)

    @property
    def first(self) -> Difference | None:
        """The first operator whose result is wrong."""
        return next((d for d in (*self.operators, *self.anew) if not d.right), None)


def compare(m: Machine) -> Comparison:
    """Hold every operator's results against ONNX Runtime's.

    Raises CheckError where an output of the model is not made for some token.
    """
    operators: list[Difference] = []
    worst: dict[str, Difference] = {}
    culprit, joined = -1, joined_values(m.workload)
    for step in range(m.step + 1):
        for index, op in enumerate(m.workload.operators):
            made = m.made.get((step, index))
            if made is None and is_constant(op):
                continue
            if made is None:
                raise CheckError("execution", op.name, f"no instruction does it in step {step}")
            for name in op.outputs:
                if step < m.step and _is_table(m, name, made):
                    continue  # of all tokens, of which the last come later
                rows, ours, theirs = pair(m, op, name, made, step)
                size = _size(_together(m, joined.get(name), theirs))
                found = _difference(name, op.layer, ours, theirs, TOLERANCE, size)
                operators.append(found)
                worst[name] = max(worst.get(name, found), found, key=lambda d: d.relative)
                if not found.right and culprit < 0:
                    culprit = blame(m, _first_wrong(m, rows, ours, theirs, size))
    outputs = tuple(worst[name] for name in m.workload.outputs if name in worst)
    if not outputs:
        raise CheckError("execution", m.workload.name, "none of its outputs is made by a token")
    layers = tuple(worst[op.outputs[0]] for op in m.workload.moe_layers)
    anew, deviation = _anew(m)
    return Comparison(
        outputs,
        layers,
        tuple(operators),
        culprit,
        len(m.tied),
        _of_runtime(m),
        anew,
        deviation,
        m.before,
        sum(int(mask.sum()) for run in m.runs for mask in run.hidden),
        len(m.rounded),
    )


def _is_table(m: Machine, name: str, made: Ints) -> bool:
    """Whether a value is no row per token, but one array (such as all keys, head by head)."""
    return m.values.table(int(made[made >= 0][0]), name) is not None


def _anew(m: Machine) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
    """The newest tokens of each step against the model run anew: must be equal; may differ."""
    parts = {} if is_packed(m.nodes.source.graph) else newest_rows(m, m.again)
    layer = {n: op.layer for op in m.workload.operators for n in op.outputs}
    out: dict[bool, list[Difference]] = {True: [], False: []}
    for (name, equal), rows in parts.items():
        ours, theirs = (np.concatenate(part) for part in zip(*rows, strict=True))
        limit = TOLERANCE if equal else float("inf")
        out[equal].append(_difference(name, layer[name], ours, theirs, limit))
    return tuple(out[True]), tuple(out[False])


def _of_runtime(m: Machine) -> tuple[Difference, ...]:
    """ONNX Runtime's outputs against the reference, where that is another."""
    own = None if m.again else itself(m.nodes, m.workload, m.runs)
    if own is None:  # with expert choice in steps the whole model is another function: see `_anew`
        return ()
    layer = max((op.layer for op in m.workload.operators), default=-1)
    out: list[Difference] = []
    for name in m.workload.outputs:
        theirs, ours = (np.concatenate([v[name].ravel() for v in w]) for w in (own, m.whole))
        out.append(_difference(name, layer, theirs, ours, TOLERANCE))
    return tuple(out)


def pair(m: Machine, op: Operator, name: str, made: Ints, step: int) -> tuple[Ints, Array, Array]:
    """Who made a value, row by row, ours and ONNX Runtime's rows; a table is one row of its maker.

    An operator on the newest tokens is compared for those.
    """
    theirs = [found[name] for found in m.whole]
    cells = np.flatnonzero(made >= 0)
    own = m.cells_of(op.side)
    lost = np.setdiff1d(own[m.arrival[own] == step], cells)
    if len(lost) and not op.newest:
        raise CheckError("execution", op.name, f"nothing makes {name!r} for token {lost[0]}")
    table = m.values.table(int(made[cells[0]]), name)
    if table is not None:
        ours, other = (np.concatenate([a.ravel() for a in t])[None] for t in (table, theirs))
        return made[cells[:1]], ours, other
    ours = m.values.rows(made[cells], made[cells], name, cells).reshape(len(cells), -1)
    rows = m.to_rows(name, theirs)
    other = np.zeros_like(ours) if rows is None else rows[cells].reshape(len(cells), -1)
    return made[cells], ours, other


def _together(m: Machine, joined: str | None, theirs: Array) -> Array:
    """The values whose magnitude an error is held against: ONNX Runtime's, `theirs`.

    joined: what a part of a matrix gives a part of. Then those of all of it: its own may be a few
    numbers that are all small beside the others.
    """
    if joined is None:
        return theirs
    return np.concatenate([found[joined].ravel() for found in m.whole])


def _difference(
    name: str, layer: int, ours: Array, theirs: Array, limit: float, size: float | None = None
) -> Difference:
    """size: the magnitude that errors are held against, if not the largest of `theirs`."""
    if not ours.size:
        return Difference(name, layer, 0.0, 0.0, limit)
    distance = float(_distance(ours, theirs).max())
    size = _size(theirs) if size is None else size
    relative = distance / size if size else (0.0 if distance == 0 else float("inf"))
    return Difference(name, layer, distance, relative, limit)


def _size(theirs: Array) -> float:
    """The largest magnitude of the elements that are numbers."""
    finite = theirs[np.isfinite(theirs)].astype(np.float64)
    return float(np.abs(finite).max(initial=0.0))


def _distance(ours: Array, theirs: Array) -> Array:
    """|difference| of each element, infinite where only one of the two is a number."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        out = np.abs(a - b)
    return np.where(same, 0.0, np.where(np.isfinite(out), out, np.inf))


def _first_wrong(m: Machine, made: Ints, ours: Array, theirs: Array, size: float) -> int:
    """Who, in order of effect, first made a row that is off by more than TOLERANCE x size."""
    off = (_distance(ours, theirs) > TOLERANCE * size).any(axis=1)
    rows = np.unique(made[off])
    return int(rows[np.lexsort((rows, m.program.start_ps[rows]))[0]])
