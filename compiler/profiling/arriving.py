"""Expert choice step by step: the routing of tokens that arrive one at a time.

A token is routed once, when it arrives, against the scores recorded so far; what was routed before
stays, and so do outputs, keys and values (docs/model.md, section Caches). The uncached model on the
grown sequence routes differently from the second MoE layer on, so its routing cannot be used: here
the model's own nodes run between the MoE layers, and every layer's output is put together from the
outputs recorded so far and the new tokens' by the layer's definition.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir

from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.definition import Definition
from ir.onnxdoor.extract import extract, with_outputs
from ir.onnxdoor.load import Source
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.packing import is_packed
from ir.onnxdoor.processes.session import LoadedModel, Runtime, at_hand
from ir.onnxdoor.weights import StoredMatrices
from ir.routing import Routing, top_tokens
from ir.selection import ByCapacity, Capacity
from ir.semantics import routed_sum, shared_sum
from ir.workload import MoELayer, Workload

Lengths = tuple[int, int]  # tokens of a sequence in all, and those of them that come one at a time


def expert_choices(layers: Iterable[MoELayer]) -> list[ByCapacity]:
    """The selections of the layers in which experts choose tokens, in order."""
    selections = (layer.router.selection for layer in layers)
    return [chosen for chosen in selections if isinstance(chosen, ByCapacity)]


def cached_routing(
    source: Source,
    workload: Workload,
    inputs: Mapping[str, Array],
    lengths: Lengths,
    sequences: int,
    progress: Callable[[str], object] | None = None,
    runtime: Runtime | None = None,
) -> Routing:
    """Scores and capacities of every layer for sequences of which the last tokens come one by one.

    Every MoE layer must be one in which experts choose.
    inputs: one array per model input, of which the first `sequences` are run. One session per MoE
    layer, each of which runs the layers before it again: quadratic in the number of layers, meant
    for models small enough to be run.
    """
    layers, (tokens, decode) = workload.moe_layers, lengths
    graph = Graph.of(source)
    lengths_run = range(tokens - decode, tokens + 1)
    grown = {n: Feeds(graph, workload, inputs, n, each=tokens) for n in lengths_run}
    scores = np.zeros(
        (len(layers), sequences * tokens, max(op.router.experts for op in layers)),
        dtype=np.float32,
    )
    one = range(1)
    with at_hand(runtime) as opened:
        ends = [grown[tokens - decode].of(one), grown[tokens].of(one)]
        chain = _Chain.load(source, workload, opened, ends)
        for sequence in range(sequences):
            caches = [_Cache() for _ in layers]
            for length in lengths_run:
                chain.advance(grown[length].of(range(sequence, sequence + 1)), caches, length)
            rows = slice(sequence * tokens, (sequence + 1) * tokens)
            for at, (op, cache) in enumerate(zip(layers, caches, strict=True)):
                scores[at, rows, : op.router.experts] = cache.scores
            if progress is not None:
                progress(f"sequence {sequence + 1} of {sequences}, {decode} steps")
    capacity = [[chosen.capacity.of(n) for n in grown] for chosen in chain.selections]
    return Routing(
        layer=np.array([op.layer for op in layers], dtype=np.int64),
        num_experts=np.array([op.router.experts for op in layers], dtype=np.int64),
        sequence=np.repeat(np.arange(sequences), tokens),
        scores=scores,
        capacity=np.array(capacity, dtype=np.int64),
        decode=decode,
        source=str(source.path),
    )


@dataclass
class _Cache:
    """What one layer keeps of one sequence: scores [tokens, experts] and outputs [tokens, d]."""

    scores: Array = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    outputs: Array = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))


@dataclass(frozen=True)
class _Chain:
    """The model cut before its MoE layers: part l gives layer l's input from the outputs before it.

    shapes: of each layer's output, with -1 for its tokens.
    """

    layers: tuple[MoELayer, ...]
    selections: tuple[ByCapacity, ...]
    parts: tuple[LoadedModel | Definition, ...]
    matrices: StoredMatrices
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def load(
        cls, source: Source, workload: Workload, runtime: Runtime, ends: list[dict[str, Array]]
    ) -> "_Chain":
        """Cut and load the parts; `ends`: inputs of the shortest and the longest run.

        The whole model is run on both, to see which axis of its outputs is the tokens'.
        """
        layers, where = workload.moe_layers, str(source.path)
        names, selections = [op.outputs[0] for op in layers], tuple(expert_choices(layers))
        packed = Definition(Nodes(source, runtime), workload) if is_packed(source.graph) else None
        whole = packed or runtime.load(with_outputs(source, names), where)
        short, long = (whole.run(feeds, names) for feeds in ends)
        shapes, parts = [], []
        for at, (op, chosen) in enumerate(zip(layers, selections, strict=True)):
            sizes = zip(short[names[at]].shape, long[names[at]].shape, strict=True)
            shape = tuple(n if n == more else -1 for n, more in sizes)
            if shape.count(-1) != 1:
                raise InputError(where, f"layer {op.layer}: output of shape {shape}, no token axis")
            shapes.append(shape)
            given = {n: _kind(a) for n, a in ends[0].items()}
            given |= {n: _kind(short[n]) for n in names[:at]}
            wanted = [op.inputs[0], chosen.scores]
            parts.append(packed or runtime.load(extract(source, given, wanted), where))
        return cls(layers, selections, tuple(parts), StoredMatrices(source), tuple(shapes))

    def advance(self, feeds: dict[str, Array], caches: list[_Cache], length: int) -> None:
        """Take in the tokens up to `length` that the caches do not have yet."""
        values = dict(feeds)
        for op, chosen, part, cache, shape in zip(
            self.layers, self.selections, self.parts, caches, self.shapes, strict=True
        ):
            found = part.run(values, [op.inputs[0], chosen.scores])
            x = found[op.inputs[0]].reshape(length, op.d_model).astype(np.float32)
            scores = found[chosen.scores].reshape(length, op.router.experts)
            new = len(cache.scores)
            cache.scores = np.concatenate(
                [cache.scores.reshape(new, op.router.experts), scores[new:].astype(np.float32)]
            )
            combine = _admitted(chosen.capacity, cache.scores, new)
            out = routed_sum(self.matrices, op, x[new:], combine)
            out += shared_sum(self.matrices, op, x[new:])
            cache.outputs = np.concatenate([cache.outputs.reshape(new, op.d_model), out])
            kind = found[op.inputs[0]].dtype
            values[op.outputs[0]] = cache.outputs.reshape(shape).astype(kind)


def _admitted(capacity: Capacity, scores: Array, new: int) -> Array:
    """Gate weights of the tokens from `new` on: [new tokens, experts], 0 = not chosen.

    The prefill's tokens come together, every later one alone.
    """
    room = capacity.of(len(scores))
    rooms = np.array([0, room] if new else [room], dtype=np.int64)
    chosen = top_tokens(scores, np.zeros(len(scores), dtype=np.int64), rooms)
    return np.where(chosen, scores, 0.0)[new:].astype(np.float32)


def _kind(array: Array) -> onnx_ir.DataType:
    """Element type of a value that is fed: files need not declare it."""
    return onnx_ir.DataType.from_numpy(array.dtype)
