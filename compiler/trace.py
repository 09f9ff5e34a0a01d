"""What a compilation takes from a routing trace: matrices, the window, calibration windows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from compiler.grouping import Calibration, calibration, robust_calibration, split_counts
from compiler.grouping.sample import SHUFFLES
from compiler.options import Shape
from ir.arrays import Bools, Ints, Span
from ir.errors import InputError
from ir.lengths import in_words
from ir.mapping import Grouping
from ir.routing import Routing, windows
from ir.sides import on_side, positions
from ir.workload import MoELayer, Workload


def no_routing(tokens: int, batch: int = 1) -> Routing:
    """The trace of a model without MoE layers: `batch` sequences, with nothing to be fitted."""
    none = np.zeros(0, dtype=np.int64)
    return Routing(
        layer=none,
        num_experts=none,
        sequence=np.repeat(np.arange(batch), tokens),
        choices=np.zeros((0, batch * tokens, 1), dtype=np.int16),
        source="no MoE layers",
    )


def routing_matrices(workload: Workload, routing: Routing) -> dict[int, Bools]:
    """G of every MoE layer: bool [trace tokens, experts], checked against the model."""
    return {op.layer: _matrix_of(op, routing) for op in workload.moe_layers}


def _matrix_of(op: MoELayer, routing: Routing) -> Bools:
    row = routing.row(op.layer)
    experts = int(routing.num_experts[row])
    if experts != op.router.experts:
        raise InputError(
            routing.source,
            f"layer {op.layer}: {experts} experts, but the model's layer has {op.router.experts}",
            "profile the model again: moexbar profile MODEL --inputs X.npz -o routing.npz",
        )
    return routing.matrix(row)


def passed_tokens(workload: Workload, routing: Routing, tokens: Ints) -> dict[int, Bools]:
    """Of those tokens of the trace, which pass themselves on: by MoE layer, where it says so."""
    if routing.passed is None:
        return {}
    return {
        op.layer: routing.passed[routing.row(op.layer)][tokens]
        for op in workload.moe_layers
        if op.adds_tokens
    }


@dataclass(frozen=True, eq=False)
class Window:
    """The tokens that are compiled: [tokens] place in the trace, sequence, and step of arrival."""

    trace: Ints
    sequence: Ints
    arrival: Ints


def first_window(routing: Routing, score: Span, shape: Shape) -> Window:
    """The first tokens of the first `batch` sequences of the score range that are long enough.

    Without any, a single prefill takes its tokens from as many sequences as it needs.
    """
    start, stop = score
    sequence = routing.sequence[start:stop]
    ids, first, count = np.unique(sequence, return_index=True, return_counts=True)
    enough = np.flatnonzero(count >= shape.length)[: shape.batch]
    single = shape.batch == 1 and not shape.decode and not shape.sides
    if not len(enough) and single and len(sequence) >= shape.prefill:
        trace = np.arange(start, start + shape.prefill)
        return Window(trace, routing.sequence[trace], np.zeros(shape.prefill, dtype=np.int64))
    if len(enough) < shape.batch:
        asked = f"--prefill {shape.asked}" + f" --decode {shape.decode}" * bool(shape.decode)
        raise InputError(
            routing.source,
            f"{len(enough)} sequences of at least {shape.length} tokens in the score range (the "
            f"longest has {int(count.max(initial=0))}), but {asked} --batch {shape.batch} needs "
            f"{shape.batch}",
            "use fewer tokens or sequences, a wider --score or a longer trace",
        )
    position = np.arange(shape.length)
    trace = (start + first[enough][:, None] + position).ravel()
    arrival = np.maximum(position - shape.prefill + 1, 0)
    return Window(trace, np.repeat(ids[enough], shape.length), np.tile(arrival, shape.batch))


def routing_of_window(
    workload: Workload, routing: Routing, traced: Mapping[int, Bools], window: Window
) -> dict[int, Bools]:
    """G of every MoE layer for the window's tokens: bool [tokens, experts].

    Raises InputError where a model has sides and the trace is not of them: the window begins inside
    a sequence, or tokens go to experts that the layer's side does not have.
    """
    chosen = {layer: matrix[window.trace] for layer, matrix in traced.items()}
    if not workload.sides:
        return chosen
    lengths = in_words(tuple(side.tokens for side in workload.sides))
    hint = f"record it with moexbar profile --tokens {lengths}"
    place = positions(routing.sequence)[window.trace]
    if not np.array_equal(place, positions(window.sequence)):
        raise InputError(routing.source, "the window begins inside a sequence", hint)
    for op in workload.moe_layers:
        away = chosen[op.layer].any(axis=1) & ~on_side(workload.sides, op.side, window.sequence)
        if away.any():
            raise InputError(
                routing.source,
                f"layer {op.layer}: token {place[int(np.argmax(away))]} of a sequence goes to "
                f"experts, but the layer's side has {workload.sides[op.side or 0].tokens} tokens",
                hint,
            )
    return chosen


def calibrate(
    chosen: Bools,
    routing: Routing,
    fit: Span,
    window: int,
    *,
    stride: int | None = None,
    shuffles: int | None = None,
    robust: bool = False,
    seed: int = 0,
) -> Calibration:
    """Windows of `window` tokens over the fit range of one layer's matrix, which to fit to.

    Windows that overlap and shuffled sequences generalise better than the few aligned ones; but
    experts choose among a whole sequence, so with expert choice only aligned windows occur: that is
    what None stands for in `stride` and `shuffles`. robust: of each domain by itself, the worst of
    which counts (`compiler.grouping.sample.robust_calibration`). Raises InputError where the range
    has no whole window.
    """
    start, stop = fit
    part, sequence = chosen[start:stop], routing.sequence[start:stop]
    if stride is None and routing.expert_choice:
        stride = window
    if shuffles is None:
        shuffles = 0 if routing.expert_choice else SHUFFLES
    if not robust:
        return calibration(part, sequence, window, stride=stride, shuffles=shuffles, seed=seed)
    domain = None if routing.domain is None else routing.domain[start:stop]
    return robust_calibration(
        part, sequence, window, domain, stride=stride, shuffles=shuffles, seed=seed
    )


def mean_slots(
    grouping: Grouping,
    traced: dict[int, Bools],
    score: Span,
    tokens: int,
    slots_of: Callable[[Ints], int],
) -> float:
    """Slots of a window, all MoE layers together, in the mean over all windows of the score range.

    slots_of: the slots of one window of one layer, from its counts: int64 [tokens, groups].
    """
    start, stop = score
    total, spans = 0, windows(stop - start, tokens)
    for layer in grouping.layers:
        chosen = traced[layer.layer][start:stop]
        for a, b in spans:
            total += slots_of(split_counts(layer, chosen[a:b]))
    return total / len(spans) if spans else 0.0
