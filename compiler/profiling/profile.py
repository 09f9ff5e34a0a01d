"""Run the model with its router outputs exposed, and record which experts each token goes to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import numpy as np
import numpy.typing as npt

from compiler.frontend.facts.graph import Graph
from compiler.profiling.arriving import cached_routing, expert_choices
from compiler.profiling.feeds import Feeds, Say, load_inputs
from compiler.profiling.recorder import recorder, with_reason
from ir.arrays import Array, Bools
from ir.errors import InputError
from ir.onnxdoor.load import Source
from ir.onnxdoor.processes.session import Runtime, at_hand
from ir.onnxdoor.ternary import open_as
from ir.routing import Routing
from ir.selection import ByCapacity, ByCombine, ByIds, ByLogits, ByScoresOfIds
from ir.semantics import combine_weights, from_logits, of_experts, own_weight
from ir.sides import on_side
from ir.workload import MoELayer, Workload

__all__ = ["load_inputs", "profile"]

Progress = Callable[[str], object]
Picked = tuple[npt.NDArray[np.int16], npt.NDArray[np.float32] | None]


def _silent(_: str) -> None:
    """Tell nobody."""


def profile(
    model: Path | str | Source,
    workload: Workload,
    inputs: Mapping[str, Array],
    progress: Progress | None = None,
    sequences: int | None = None,
    tokens: int | None = None,
    batch: int | None = None,
    say: Say | None = None,
    decode: int = 0,
    runtime: Runtime | None = None,
) -> Routing:
    """The routing of every MoE layer for the given inputs (first axis = sequences).

    batch: sequences run together; by default what the file was exported for, else one. Experts
    that choose tokens choose within a sequence, so there one runs at a time. `progress` is called
    with a label after each sequence. sequences: only the first so many; tokens: only the first so
    many of each, of which the last `decode` come one at a time (for expert choice that changes the
    routing: see `arriving`). `say` is told which inputs were made up. runtime: the child process
    that runs the model, one of its own if there is none. A model with packed weights is run by its
    definition, as an execution is.
    Raises InputError for a model without MoE layers, a missing input, a failed run.
    """
    layers, path = workload.moe_layers, model.path if isinstance(model, Source) else model
    if not layers:
        raise InputError(str(path), "no MoE layer was recognised", "there is nothing to profile")
    by_experts = expert_choices(layers)
    if by_experts and len(by_experts) != len(layers):
        raise InputError(str(path), "token-choice and expert-choice layers in one model")
    source = open_as(model, workload)
    together = 1 if by_experts else batch or 1
    feeds = Feeds(Graph.of(source), workload, inputs, tokens, together)
    count = min(feeds.sequences, sequences or feeds.sequences)
    if by_experts and decode:
        if tokens is None:
            raise InputError(str(path), "decode steps without a length", "say how many tokens")
        return cached_routing(source, workload, inputs, (tokens, decode), count, progress, runtime)
    wanted = list(dict.fromkeys(name for layer in layers for name in layer.router.exposed))
    groups = feeds.groups(count)
    tell, advance = say or _silent, progress or _silent
    for line in _told(feeds, groups, count):
        tell(line)
    found, lengths = list[dict[str, Array]](), list[int]()
    hidden = list[tuple[Bools, ...]]()
    with at_hand(runtime) as opened, recorder(source, workload, wanted, opened) as record:
        for some in record.parts(groups):
            fed = [feeds.of(group) for group in some]
            try:
                found += record.run(fed)
            except InputError as error:
                raise with_reason(error, workload, some[0].start) from error
            for group, given in zip(some, fed, strict=True):
                lengths += [feeds.length(given)] * len(group)
                hidden.append(feeds.hidden(given))
                for sequence in group:
                    advance(f"sequence {sequence + 1} of {count}")
    if by_experts:
        return _expert_choice(str(path), layers, by_experts, found)
    routing = _token_choice(str(path), workload, found, groups, lengths)
    return _without(routing, workload, hidden, tell)


def _told(feeds: Feeds, groups: Sequence[range], count: int) -> Iterator[str]:
    """What of the inputs is made up or left out."""
    if feeds.made:
        yield f"made up inputs that were not given: {', '.join(feeds.made)}"
    if feeds.left_out:
        yield f"left out the last {feeds.left_out} rows: they fill no sequence"
    if groups[-1].stop < count:
        last, together = count - groups[-1].stop, len(groups[0])
        yield f"left out the last {last} sequences: {together} run together"


def _without(
    routing: Routing, workload: Workload, hidden: list[tuple[Bools, ...]], say: Say
) -> Routing:
    """The trace in which tokens that the attention mask hides go to no expert.

    hidden: of each run, and of each side of the model.
    """
    count = sum(int(mask.sum()) for masks in hidden for mask in masks)
    if not count or routing.choices is None:
        return routing
    say(f"{count} tokens that the attention mask hides are not routed")
    sides = [np.concatenate([m.ravel() for m in masks]) for masks in zip(*hidden, strict=True)]
    taken = np.ones((*routing.choices.shape[:2], 1), dtype=np.bool_)
    for row, op in zip(taken[..., 0], workload.moe_layers, strict=True):
        row[on_side(workload.sides, op.side, routing.sequence)] &= ~sides[op.side or 0]
    weights = None if routing.weights is None else routing.weights * taken
    passed = None if routing.passed is None else routing.passed & taken[..., 0]
    choices = np.where(taken, routing.choices, -1)
    return replace(routing, choices=choices, weights=weights, passed=passed)


def _token_choice(
    path: str,
    workload: Workload,
    found: list[dict[str, Array]],
    groups: Sequence[range],
    lengths: list[int],
) -> Routing:
    """Choices and weights of all layers, ranked by weight, padded to the widest top-k.

    groups: the sequences of each run; lengths: tokens of each sequence, the longest side's. Tokens
    that a layer's side does not have go to no expert.
    """
    layers, sequence = workload.moe_layers, np.repeat(np.arange(len(lengths)), lengths)
    has = [on_side(workload.sides, layer.side, sequence) for layer in layers]
    counts = [np.bincount(sequence[own], minlength=len(lengths)) for own in has]
    runs = [
        [(v, int(n[g.start : g.stop].sum())) for v, g in zip(found, groups, strict=True)]
        for n in counts
    ]
    per_layer = [
        [_picked(path, layer, values, n) for values, n in own]
        for layer, own in zip(layers, runs, strict=True)
    ]
    width = max(layer.router.top_k or 0 for layer in layers)
    total = sum(lengths)
    choices = np.full((len(layers), total, width), -1, dtype=np.int16)
    weights = np.zeros(choices.shape, dtype=np.float32)
    known = True
    for row, (layer, parts) in enumerate(zip(layers, per_layer, strict=True)):
        ids = np.concatenate([i for i, _ in parts])
        if len(ids) != has[row].sum():
            raise InputError(
                path, f"layer {layer.layer}: {len(ids)} routed tokens, expected {has[row].sum()}"
            )
        choices[row, has[row], : ids.shape[1]] = ids
        gates = [g for _, g in parts if g is not None]
        known = known and len(gates) == len(parts)
        if gates and known:
            weights[row, has[row], : ids.shape[1]] = np.concatenate(gates)
    return Routing(
        layer=np.array([layer.layer for layer in layers], dtype=np.int64),
        num_experts=np.array([layer.router.experts for layer in layers], dtype=np.int64),
        sequence=sequence.astype(np.int64),
        choices=choices,
        weights=weights if known else None,
        passed=_passed(layers, runs, has) if any(layer.adds_tokens for layer in layers) else None,
        source=path,
    )


def _passed(
    layers: tuple[MoELayer, ...],
    runs: list[list[tuple[dict[str, Array], int]]],
    has: list[Bools],
) -> Bools:
    """Tokens that are passed on, with a weight that is not 0: [layers, N].

    runs: of each layer its values, and how many tokens they are of; has: [N] those of its side.
    """
    out = np.zeros((len(layers), len(has[0])), dtype=np.bool_)
    for row, layer, own, mine in zip(out, layers, runs, has, strict=True):
        each = [
            own_weight(layer, combine_weights(layer.router, values, tokens), values)
            for values, tokens in own
        ]
        row[mine] = np.concatenate(each) != 0
    return out


def _picked(path: str, layer: MoELayer, values: Mapping[str, Array], tokens: int) -> Picked:
    """One run's ids [tokens, k] and gate weights, highest weight first."""
    router, k = layer.router, layer.router.top_k or 1
    gates: Array | None
    match router.selection:
        case ByIds(name, weights):
            ids = values[name].reshape(-1, k)
            gates = None if weights is None else values[weights].reshape(-1, k)
        case ByScoresOfIds(name, scores):
            ids, wide = values[name].reshape(-1, k), values[scores].reshape(-1, router.outputs)
            gates = np.take_along_axis(wide, ids.astype(np.int64), axis=1)
        case ByLogits(name):
            ids, gates = from_logits(router, values[name].reshape(-1, router.experts))
        case ByCombine():
            return _nonzero(path, layer, values, tokens)
        case ByCapacity():
            raise InputError(path, f"layer {layer.layer}: experts choose, expected tokens to")
        case _:
            assert_never(router.selection)
    if ids.size and (ids.min() < 0 or ids.max() >= router.outputs):
        raise InputError(
            path,
            f"layer {layer.layer}: expert {int(ids.max())} selected, expected 0 to "
            f"{router.outputs - 1}",
        )
    ids = ids.astype(np.int64) - router.idle[0]
    ids = np.where((ids >= 0) & (ids < router.experts), ids, -1)  # an idle output is no work
    if gates is None:
        return ids.astype(np.int16), None
    ids = np.where(gates != 0, ids, -1)  # nor is a weight of exactly 0
    gates = np.where(ids >= 0, gates, 0)
    order = np.argsort(np.where(ids < 0, np.inf, -gates), axis=1, kind="stable")
    return (
        np.take_along_axis(ids, order, axis=1).astype(np.int16),
        np.take_along_axis(gates, order, axis=1).astype(np.float32),
    )


def _nonzero(path: str, layer: MoELayer, values: Mapping[str, Array], tokens: int) -> Picked:
    """Ids and weights of the experts whose combine weight is not 0, -1 for places left free."""
    router, k = layer.router, layer.router.top_k or 1
    combine = of_experts(router, combine_weights(router, values, tokens))
    count = int((combine != 0).sum(axis=1).max(initial=0))
    if count > k:
        raise InputError(path, f"layer {layer.layer}: {count} experts for one token, expected {k}")
    ids = np.argsort(-np.abs(combine), axis=1, kind="stable")[:, :k]
    gates = np.take_along_axis(combine, ids, axis=1)
    return np.where(gates != 0, ids, -1).astype(np.int16), gates


def _expert_choice(
    path: str,
    layers: tuple[MoELayer, ...],
    selections: list[ByCapacity],
    found: list[dict[str, Array]],
) -> Routing:
    """Scores of all layers [layers, tokens, experts], and each layer's capacity per sequence."""
    experts = max(layer.router.experts for layer in layers)
    lengths = [values[selections[0].scores].size // layers[0].router.experts for values in found]
    if len(set(lengths)) != 1:
        raise InputError(path, "expert choice with sequences of different lengths")
    scores = np.zeros((len(layers), sum(lengths), experts), dtype=np.float32)
    capacity = np.zeros(len(layers), dtype=np.int64)
    for row, (layer, selection) in enumerate(zip(layers, selections, strict=True)):
        width = layer.router.experts
        parts = [values[selection.scores].reshape(-1, width) for values in found]
        scores[row, :, :width] = np.concatenate(parts)
        capacity[row] = selection.capacity.of(lengths[0])
    return Routing(
        layer=np.array([layer.layer for layer in layers], dtype=np.int64),
        num_experts=np.array([layer.router.experts for layer in layers], dtype=np.int64),
        sequence=np.repeat(np.arange(len(lengths)), lengths).astype(np.int64),
        scores=scores,
        capacity=capacity,
        source=path,
    )
