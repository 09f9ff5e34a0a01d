"""What the model says: ONNX Runtime's run of all of it, or, where that is not it, its definition.

ONNX Runtime multiplies packed weights (QMoE, MatMulNBits) by activations that it rounds to 8 bits
itself. There the reference goes operator by operator with the matrices unpacked, in float32. A
model of 16 bits is run with 32, in which the rounding does not depend on what else is asked for,
and products of integers as the nodes that they were opened as.

Expert choice step by step is another function than the model run anew on the grown sequence: a
newcomer takes the place of an earlier token there, whose output then changes. The reference is what
the caches mean: a token is routed once, when it arrives, against the scores so far, and no value of
it is ever revised (`by_arrival`).
"""

from collections.abc import Sequence

import numpy as np

from backends.functional.runs import Run
from ir.arrays import Array, Bools, Ints
from ir.errors import InputError
from ir.onnxdoor.definition import Values, by_definition, layer_sum, operator_values
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.packing import is_packed
from ir.onnxdoor.ternary import open_as
from ir.onnxdoor.weights import StoredMatrices
from ir.parts import whole
from ir.selection import ByCapacity, Capacity
from ir.semantics import Matrices
from ir.workload import AnyOperator, MoELayer, Router, Workload


def reference(
    nodes: Nodes, workload: Workload, runs: Sequence[Run], arrival: Ints
) -> list[dict[str, Array]]:
    """The model's inputs and every operator's outputs, by name, for each run.

    arrival: [window tokens] step in which each token comes.
    """
    joins = [op for op in workload.digital() if op.kind == "join"]
    width = {name: op.width for op in workload.operators for name in op.outputs}
    found = _of_model(nodes, whole(workload), runs, arrival)
    for values in found:
        for op in joins:
            widths = [width[name] for name in op.inputs]
            parts = np.split(values[op.outputs[0]], np.cumsum(widths)[:-1], axis=-1)
            values |= dict(zip(op.inputs, parts, strict=True))
    return found


def _of_model(
    nodes: Nodes, workload: Workload, runs: Sequence[Run], arrival: Ints
) -> list[dict[str, Array]]:
    """The same of the model as it is stored."""
    steps = any(arrival[run.tokens].any() for run in runs)
    if steps and any(op.router.capacity is not None for op in workload.moe_layers):
        return [by_arrival(nodes, workload, run, arrival) for run in runs]
    if is_packed(nodes.source.graph):
        matrices = StoredMatrices(nodes.source)
        return [by_definition(nodes, workload, run.feeds, matrices) for run in runs]
    return by_onnx_runtime(nodes, workload, runs)


def by_onnx_runtime(
    nodes: Nodes, workload: Workload, runs: Sequence[Run]
) -> list[dict[str, Array]]:
    """The whole model on each run: its inputs and outputs; every operator's from a second run.

    The model's outputs come from a run without the others, as a user would have it.
    """
    inner = [n for op in workload.operators for n in op.outputs if n not in workload.outputs]
    found: list[dict[str, Array]] = [dict(run.feeds) for run in runs]
    for names in (list(workload.outputs), list(dict.fromkeys(inner))):
        for values, more in zip(found, whole_model(nodes, names, runs), strict=True):
            values |= more
    return found


def itself(nodes: Nodes, workload: Workload, runs: Sequence[Run]) -> list[dict[str, Array]] | None:
    """The outputs that ONNX Runtime gives for the file as it is, for each run.

    None where it gives no others than the reference, or cannot run the file (bfloat16, and some in
    float16).
    """
    source, names = nodes.source, list(workload.outputs)
    if not source.widened and not source.rewritten:
        return whole_model(nodes, names, runs) if is_packed(source.graph) else None
    stored = Nodes(open_as(source.path, workload, as_it_is=True), nodes.runtime)
    kinds = {v.name: v.dtype for v in stored.source.graph.inputs}
    own = [
        Run(
            {n: a.astype(kind.numpy()) if (kind := kinds[n]) else a for n, a in run.feeds.items()},
            run.tokens,
        )
        for run in runs
    ]
    try:
        return whole_model(stored, names, own)
    except InputError:
        return None


def whole_model(nodes: Nodes, names: Sequence[str], runs: Sequence[Run]) -> list[dict[str, Array]]:
    """Values of those names from ONNX Runtime's run of the model, for each run."""
    if not names:
        return [{} for _ in runs]
    model = nodes.runtime.load(with_outputs(nodes.source, names), str(nodes.source.path))
    found = [model.run(run.feeds, names) for run in runs]
    model.drop()
    return found


def by_arrival(nodes: Nodes, workload: Workload, run: Run, arrival: Ints) -> dict[str, Array]:
    """Expert choice step by step, without any cache: every token's values as it arrives.

    Each step computes every operator on all tokens of the window and keeps the rows of those that
    arrive in it (later ones are not looked at by a causal model, earlier ones stand). MoE layers
    and dense products go by their definitions, other operators by their own nodes.
    """
    values: Values = dict(run.feeds)
    arrive(nodes, StoredMatrices(nodes.source), workload.operators, run, arrival, values)
    return values


def arrive(
    nodes: Nodes,
    matrices: Matrices,
    operators: Sequence[AnyOperator],
    run: Run,
    arrival: Ints,
    values: Values,
    first: int = 0,
) -> None:
    """Put into `values` what the operators give for the tokens that arrive from step `first` on.

    In order; rows of tokens that have arrived before stand.
    """
    step = arrival[run.tokens]
    scores: dict[str, Array] = {}
    for number in range(first, int(step.max(initial=0)) + 1):
        fresh = step == number
        for op in operators:
            fed = {name: values[name] for name in op.inputs}
            match op:
                case MoELayer(router=Router(selection=ByCapacity(name, capacity))):
                    told = nodes.run(op, fed, [name])[name]
                    told = told.reshape(*fresh.shape, op.router.experts).astype(np.float32)
                    scores[op.name] = np.where(fresh[..., None], told, scores.get(op.name, told))
                    weights = _on_arrival(scores[op.name], step, number, capacity)
                    result = layer_sum(nodes, matrices, op, fed, weights)
                    found = {op.outputs[0]: result}
                case _:
                    found = operator_values(nodes, matrices, op, fed, fed)
            for name, array in found.items():
                old = values.get(name) if number else None
                values[name] = array if old is None else _renew(run, fresh, old, array)


def _on_arrival(scores: Array, step: Ints, number: int, capacity: Capacity) -> Array:
    """Weights of the tokens that arrive in step `number`, 0 = not taken: [sequences, length, E].

    The prefill's tokens come together; a later one is taken by an expert that has scored fewer than
    its capacity of the tokens before as high or higher.
    """
    weights = np.zeros(scores.shape, dtype=np.float32)
    for seq, place in zip(*np.nonzero(step == number), strict=True):
        so_far = int((step[seq] <= number).sum())
        room, mine = capacity.of(so_far), scores[seq, place]
        if number:
            better = (scores[seq, :place] >= mine).sum(axis=0)
        else:
            better = (scores[seq, :so_far] > mine).sum(axis=0)
            better += (scores[seq, :place] == mine).sum(axis=0)
        weights[seq, place] = np.where(better < room, mine, 0)
    return weights


def _renew(run: Run, fresh: Bools, old: Array, new: Array) -> Array:
    """`old` with the rows of the fresh tokens from `new`; all of it where it has no such rows."""
    shape = run.row_shape(new.shape)
    if shape is None or old.shape != new.shape:
        return new
    rows = old.reshape(run.tokens.size, *shape).copy()
    rows[fresh.ravel()] = new.reshape(rows.shape)[fresh.ravel()]
    return rows.reshape(old.shape)
