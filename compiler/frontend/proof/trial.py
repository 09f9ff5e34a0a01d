"""The trial of one anchor's candidate layers: their region run, and held against what each says.

`ir.semantics` computes what a layer as it was read would give, with the ids and weights
that the region's own router selected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, assert_never

import numpy as np

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.moe.idle import constant_expert
from compiler.frontend.moe.unreadable import Unreadable
from compiler.frontend.proof.cutout import Cutout
from compiler.frontend.proof.reach import far_sizes
from ir.activation import rounds
from ir.arrays import Array, largest
from ir.errors import LoadRefusedError, RunRefusedError
from ir.onnxdoor.processes.session import LoadedModel, Runtime
from ir.onnxdoor.weights import StoredMatrices
from ir.selection import ByCapacity, ByCombine, ByIds, ByLogits, ByScoresOfIds
from ir.semantics import combine_weights, own_weight, picked, places, routed_sum, shared_sum
from ir.workload import Dropped, Router

MAX_IDLE = 4  # idle outputs of which some may pass the token on and others not
MANY_TOKENS = 512  # at most, to fill experts that count their tokens
SEEDS = 4  # inputs tried until every expert has a token
_LOOSE, _TIGHT = 3e-2, 3e-4  # relative to the largest element: packed weights, others
_PACKED = ("MatMulNBits", "QMoE")
_EXACT = 2e-5  # what adding up in another order does at most, in 32 bits


class CannotRunError(Exception):
    """The region could not be run, even on an input that gives every expert a token.

    running: ONNX Runtime took it, but failed on every input.
    """

    def __init__(self, reason: str, *, running: bool = False) -> None:
        """Carry the runtime's reason."""
        super().__init__(reason)
        self.running = running


@dataclass(frozen=True, eq=False)
class _Run:
    """Values of the region for one input x [tokens, d]."""

    x: Array
    values: Mapping[str, Array]


class Trial:
    """One anchor's candidate layers and the runs of their region."""

    def __init__(self, facts: Facts, runtime: Runtime, layers: Sequence[FoundLayer]) -> None:
        """Cut the region out and load it; CannotRunError where ONNX Runtime refuses it."""
        self._sizes, self._layers = facts.sizes, layers
        self._matrices = StoredMatrices(facts.graph.source)
        self._entry = layers[0].entry
        self._routers = list(dict.fromkeys([r for f in layers for r in (f.router, *f.routers)]))
        self._base = replace(layers[-1])
        exposed = [name for router in self._routers for name in router.exposed]
        self._outputs = list(dict.fromkeys([*(name_of(f.exit) for f in layers), *exposed]))
        self._facts, self._runtime = facts, runtime
        self._cut, self._model = self._load(unpacked=False)

    def _load(self, *, unpacked: bool) -> tuple[Cutout, LoadedModel]:
        cut = Cutout(self._facts, self._layers[0], self._outputs, unpacked=unpacked)
        where = f"the region of node {self._layers[0].last.name!r}"
        try:
            return cut, self._runtime.load(cut.model, where)
        except LoadRefusedError as error:
            raise CannotRunError(error.problem) from error

    def verdict(self) -> FoundLayer:
        """The layer that the region computes on every input tried, or on those that hit all."""
        try:
            layer = self._decide()
            if layer.proof == "run":
                self._reach(layer)
            return layer
        finally:
            self._model.drop()

    def _reach(self, layer: FoundLayer) -> None:
        """Unreadable where the layer is another far from where its inputs were drawn.

        A limit (a clip, a saturation) is met at the model's own range or beyond it. Packed weights
        are unpacked here: what rounding does to a vector grows with it.
        """
        if self._tolerance(layer) == _LOOSE:
            self._model.drop()
            self._cut, self._model = self._load(unpacked=True)
        for size in far_sizes(self._facts, self._entry):
            run = self._tried(0, spread=1.0, sample=0, size=size)
            error = None if run is None else self._error(layer, run, finite_only=True)
            limit = _LOOSE if rounds(layer.activation) else _TIGHT
            if error is not None and error >= limit:
                raise Unreadable(
                    f"the region computes {layer.activation.text} experts for small vectors only: "
                    f"for elements of size {size:.3g} it is off by {error:.2g}",
                    self._base.last,
                )

    def _decide(self) -> FoundLayer:
        first = self._first()
        found, error = self._match([first])
        if found is None:
            width = self._base.experts[0].last.columns
            constant = constant_expert(self._facts, self._base.nodes, width)
            if constant is not None:
                raise Unreadable(
                    "an expert gives a constant vector, times its weight: such a layer is not read",
                    constant,
                )
            raise Unreadable(
                f"the region does not compute the layer that its structure suggests (relative "
                f"difference {error:.2g})",
                self._base.last,
            )
        few = self._tried(SEEDS, spread=0.05, sample=0)
        many = self._tried(SEEDS + 1, spread=1.0, sample=1)
        full = self._overflowing()
        runs = [first, *(run for run in (few, many, full) if run is not None)]
        whole = self._match(runs)[0] if few is not None else None
        if whole is not None:
            return replace(whole, proof="run")
        if few is not None and found.evidence != "hit loop":
            raise Unreadable(
                "the region computes the layer for some inputs only: tokens may be dropped above a "
                "capacity",
                self._base.last,
            )
        return replace(found, proof="traced")

    def _overflowing(self) -> _Run | None:
        """Of a layer that counts its tokens: a run of so many alike that experts may be full."""
        lengths = self._sizes.tokens
        counts = any(node.op_type == "CumSum" for node in self._layers[0].nodes)
        if not counts or len(lengths) < 2:
            return None
        sample = int(np.argmax(np.where(lengths <= MANY_TOKENS, lengths, 0)))
        return self._tried(SEEDS + 2, spread=0.05, sample=sample)

    def _first(self) -> _Run:
        """A run that gives every expert a token, if one is found; the first reason if none runs."""
        last, problems = None, list[CannotRunError]()
        for seed in range(SEEDS):
            try:
                last = self._run(seed, spread=1.0, sample=0)
            except CannotRunError as error:
                problems.append(error)
            else:
                if self._hits_all(last):
                    break
        if last is None:
            raise problems[0]
        return last

    def _tried(self, seed: int, spread: float, sample: int, size: float = 1.0) -> _Run | None:
        """One run; None where it fails."""
        try:
            return self._run(seed, spread, sample, size)
        except CannotRunError:
            return None

    def _run(self, seed: int, spread: float, sample: int, size: float = 1.0) -> _Run:
        """One run, or CannotRunError. spread: how far tokens lie apart; size: of their elements."""
        sample = min(sample, len(self._sizes.tokens) - 1)
        shape = self._sizes.shape(self._entry)
        if shape is None or np.any(shape[:, sample] < 0):
            raise CannotRunError(f"the shape of {name_of(self._entry)!r} is not known")
        dims = tuple(int(d) for d in shape[:, sample])
        if 0 in dims:
            raise CannotRunError(f"{name_of(self._entry)!r} has no tokens")
        random = np.random.default_rng(seed)
        vectors = random.standard_normal(dims) * spread
        if spread < 1:
            vectors = vectors + random.standard_normal(dims[-1])
        x = (size * vectors).astype(self._cut.kinds[name_of(self._entry)].numpy())
        beside = self._beside(random, size, sample)
        feeds = {name_of(self._entry): x, **beside, **self._cut.feeds(sample)}
        try:
            values = self._model.run(feeds, self._outputs)
        except RunRefusedError as error:
            raise CannotRunError(error.problem, running=True) from error
        width = self._base.as_operator().d_model
        return _Run(x.reshape(-1, width).astype(np.float32), values)

    def _beside(self, random: np.random.Generator, size: float, sample: int) -> dict[str, Array]:
        """What the router reads beside the entry: vectors, or ids of experts that differ."""
        made: dict[str, Array] = {}
        for value in self._layers[0].beside:
            shape, kind = self._sizes.shape(value), self._cut.kinds[name_of(value)]
            if shape is None or np.any(shape[:, sample] < 0):
                raise CannotRunError(f"the shape of {name_of(value)!r} is not known")
            dims = tuple(int(d) for d in shape[:, sample])
            drawn: Array = size * random.standard_normal(dims)
            if kind.is_integer():
                experts, k = self._routers[0].outputs, self._routers[0].top_k or 1
                ranked = random.random((drawn.size // k, experts)).argsort(axis=1)
                drawn = ranked[:, :k].reshape(dims)
            made[name_of(value)] = drawn.astype(kind.numpy())
        return made

    def _hits_all(self, run: _Run) -> bool:
        router = self._routers[0]
        if router.kind == "expert-choice":
            return True
        return bool(picked(router, run.values, len(run.x)).any(axis=0).all())

    def _match(self, runs: Sequence[_Run]) -> tuple[FoundLayer | None, float]:
        """The first reading that agrees with all runs: outermost exit, then other hypotheses.

        And its error in the first run, or the least there. One that agrees to the last digits goes
        before one that is merely within the tolerance (a gate of 0.9997 on the other side).
        """
        best, near = np.inf, None
        for layer in self._hypotheses():
            error = self._error(layer, runs[0])
            error = np.inf if error is None else error
            best = min(best, error)
            limit = self._tolerance(layer)
            if error >= limit or (near is not None and error >= _EXACT):
                continue
            if all(self._agrees(layer, r) for r in runs[1:]):
                if error < _EXACT or limit == _LOOSE:
                    return layer, error
                near = layer, error
        return (None, float(best)) if near is None else near

    def _hypotheses(self) -> Iterator[FoundLayer]:
        """Every exit as read; then with another router value or weight site."""
        yield from self._layers
        for router in self._routers:
            for site in _sites(self._base):
                for layer in self._layers:
                    tried = self._with_own_gates(layer, router)
                    if tried is None:
                        continue
                    for passing, dropped in _own(tried, keeps=layer.keeps):
                        yield replace(
                            layer,
                            router=tried,
                            weight_on=site,
                            passing=passing,
                            dropped=dropped,
                        )

    def _with_own_gates(self, layer: FoundLayer, router: Router) -> Router | None:
        """Another reading of the router, times the gates that the layer's exit moved on over.

        None where that reading already has weights in their place.
        """
        own, base = layer.router.selection, self._base.router.selection
        if router is layer.router or own == base or not isinstance(own, ByIds):
            return router
        match router.selection:
            case ByCombine(combine, None):
                return replace(router, selection=ByCombine(combine, own.gates))
            case ByIds() | ByScoresOfIds() | ByLogits() | ByCombine() | ByCapacity():
                return None
            case _:
                assert_never(router.selection)

    def _agrees(self, layer: FoundLayer, run: _Run) -> bool:
        error = self._error(layer, run)
        return error is None or error < self._tolerance(layer)

    def _error(self, layer: FoundLayer, run: _Run, *, finite_only: bool = False) -> float | None:
        """Largest difference at the layer's exit, over the largest element there.

        None where both are zero, which says nothing: few tokens, whose experts' relu passes none.
        finite_only: of the tokens that the region gives numbers for, None where it gives
        none (an exponential overflows).
        """
        found, operator = run.values[name_of(layer.exit)].astype(np.float32), layer.as_operator()
        if found.size != run.x.shape[0] * operator.d_out:
            return np.inf
        try:
            combine = combine_weights(layer.router, run.values, len(run.x))
            at = places(operator, run.values, len(run.x))
        except (ValueError, IndexError, KeyError):
            return np.inf
        with np.errstate(all="ignore"):
            own = own_weight(operator, combine, run.values)
            wanted = routed_sum(self._matrices, operator, run.x, combine, own, at)
            wanted += shared_sum(self._matrices, operator, run.x)
        found = found.reshape(wanted.shape)
        if finite_only:
            finite = np.isfinite(found).all(axis=1)
            found, wanted = found[finite], wanted[finite]
            if not len(found):
                return None
        most = largest(found)
        if most < 1e-12 and largest(wanted) < 1e-12:
            return None
        if not np.isfinite(most) or most < 1e-12:
            return np.inf
        difference = largest(found - wanted) / most
        return difference if np.isfinite(difference) else np.inf

    def _tolerance(self, layer: FoundLayer) -> float:
        """Loose for packed weights, by which ONNX Runtime multiplies rounded activations.

        A loose one does not tell a gate of 0.999 on the input from one on the output. Weights that
        nodes make of few bits are multiplied as they are.
        """
        packed = any(node.op_type in _PACKED for node in layer.nodes)
        return _LOOSE if packed else _TIGHT


def _sites(layer: FoundLayer) -> tuple[Literal["output", "input"], ...]:
    """Where the gates may multiply: for a single matrix it is all the same."""
    return ("output",) if layer.experts[0].down is None else ("output", "input")


def _own(router: Router, *, keeps: bool) -> Iterator[tuple[tuple[int, ...], Dropped]]:
    """Which tokens may be added themselves: those of idle outputs, and those of no expert."""
    for passing in _passing(router):
        yield passing, "nothing"
    if keeps and router.top_k is not None:
        yield router.idle_outputs, "token"
        match router.selection:
            case ByCombine(gates=str()):
                yield router.idle_outputs, "weighted token"
            case _:
                pass


def _passing(router: Router) -> Iterator[tuple[int, ...]]:
    """Which idle outputs of a router may pass the token on: all, none, or some of a few."""
    outputs = router.idle_outputs
    yield outputs
    if outputs:
        yield ()
    for count in range(1, len(outputs)) if len(outputs) <= MAX_IDLE else ():
        yield from combinations(outputs, count)
