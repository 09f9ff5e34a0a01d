"""The step of a model that has experts: an MoE layer, and what every step has."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ir.activation import AnyActivation, usual
from ir.arrays import Bools, Ints
from ir.errors import InputError
from ir.expert import Expert, Weight
from ir.passes import Passes, passes_of
from ir.router import Router
from ir.selection import ByIds, ByScoresOfIds

Proof = Literal["run", "structure", "traced"]
Apart = Literal["nothing", "outputs", "inputs"]
Dropped = Literal["nothing", "token", "weighted token"]


@dataclass(frozen=True)
class Operator:
    """What every step of the model has; `ir.workload.AnyOperator` is one of its kinds.

    `layer` is the decoder layer (0-based; -1 before the first, e.g. the embedding), `inputs` and
    `outputs` are ONNX value names, `nodes` the ONNX nodes it stands for. `width` is the number of
    elements of its (first) output per token. `newest`: done for the newest token of each sequence
    only (a language model's head, where nothing but the next token is asked for). `side`: the one
    of `Workload.sides` whose tokens it is done for; None: all, as where there are no sides.
    """

    name: str
    layer: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[str, ...]
    width: int
    newest: bool = field(default=False, kw_only=True)
    side: int | None = field(default=None, kw_only=True)

    @property
    def runs(self) -> frozenset[str]:
        """The nodes that give its outputs from its inputs."""
        return frozenset(self.nodes)


@dataclass(frozen=True)
class MoELayer(Operator):
    """Router, experts and their weighted sum; `width` is d_out, d_model of most.

    Experts may have hidden widths of their own; all else of their shapes is the same.
    `nodes` holds every node of the layer, the router's included. `shared` experts see every token
    and are added to the routed sum. `weight_on` says where the gate weight multiplies.

    The layer's output is scale * (sum_e gate_e * expert_e(x) + own * x) + sum_s sigmoid(x @ w_s) *
    shared_s(x), where `shared_gates` holds the w_s [d_model, 1] (None, or no entry: the factor is
    1), and own (see `ir.semantics`) comes of `passing`: idle outputs of the router that pass the
    token on, weighted by the gate (identity experts; the other idle ones give nothing), and of
    `dropped`: what a token becomes that no expert takes a pair of (its experts are full): nothing,
    the token itself, or that times its gate. `apart`: what stands side by side, one for each of a
    token's k experts in the order of the router's ids (JetMoE's attention): their `outputs`, which
    are not summed, or the `inputs`, of which each expert reads its own. `proof`:
    `run` = the model's own nodes gave this output on random inputs; `structure` = read from the
    graph alone; `traced` = only for inputs that give every expert a token, because the export
    recorded one input's routing.
    """

    router: Router
    experts: tuple[Expert, ...]
    activation: AnyActivation
    form: str
    shared: tuple[Expert, ...] = ()
    weight_on: Literal["output", "input"] = "output"
    shared_gates: tuple[Weight | None, ...] = ()
    scale: float = 1.0
    proof: Proof = "structure"
    passing: tuple[int, ...] = ()
    dropped: Dropped = "nothing"
    apart: Apart = "nothing"

    def __post_init__(self) -> None:
        if not set(self.passing) <= set(self.router.idle_outputs):
            raise InputError(
                self.name,
                f"router outputs {self.passing} pass the token on, but its idle outputs are "
                f"{self.router.idle_outputs}",
            )
        shapes = {(e.up.rows, e.last.columns, e.down is None, e.gate is None) for e in self.experts}
        if len(shapes) != 1:
            raise InputError(self.name, f"experts of {len(shapes)} different shapes, expected one")
        self._check_results()
        if len(self.experts) != self.router.experts:
            raise InputError(
                self.name,
                f"{len(self.experts)} experts, but the router has {self.router.experts} outputs",
            )

    def _check_results(self) -> None:
        """What is added must be as wide, and what caches keep as wide as the token."""
        if any((e.last.columns, e.down is None) != (self.d_out, self.single) for e in self.shared):
            raise InputError(self.name, "shared experts of another shape than the routed ones")
        alone = self.single and not self.shared and not self.router.idle_outputs
        told = isinstance(self.router.selection, ByIds | ByScoresOfIds)
        if self.apart != "nothing" and not (alone and told):
            raise InputError(
                self.name,
                f"{self.apart} apart, expected experts of one matrix, no shared or idle ones, and "
                "a router that tells ids",
            )
        kept = self.adds_tokens or self.router.capacity is not None
        if kept and self.d_out != self.d_model:
            raise InputError(
                self.name,
                f"vectors of {self.d_model} become {self.d_out}, expected as many where the token "
                "passes itself on, or experts choose",
            )

    @property
    def ternary(self) -> tuple[Literal["routed", "shared"], ...]:
        """Which experts have ternary weights: the routed ones, shared ones (all that there are)."""
        kinds: dict[Literal["routed", "shared"], tuple[Expert, ...]] = {
            "routed": self.experts,
            "shared": self.shared,
        }
        return tuple(
            kind
            for kind, experts in kinds.items()
            if experts and all(w.format == "ternary" for e in experts for w in e.weights)
        )

    @property
    def d_model(self) -> int:
        """Width of a token vector."""
        return self.experts[0].up.rows * (self.places if self.apart == "inputs" else 1)

    @property
    def d_expert(self) -> int:
        """Hidden width of the widest expert; of a single matrix, the width of what it gives."""
        return max(self.hidden_widths)

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Hidden width of every expert, in order."""
        return tuple(expert.up.columns for expert in self.experts)

    @property
    def d_out(self) -> int:
        """Width of the layer's output."""
        return self.d_result * (self.places if self.apart == "outputs" else 1)

    @property
    def d_result(self) -> int:
        """Width of what one expert gives."""
        return self.experts[0].last.columns

    @property
    def places(self) -> int:
        """Experts of a token that chooses them."""
        return self.router.top_k or 1

    @property
    def single(self) -> bool:
        """Whether its experts are single matrices, so that there is one stage."""
        return self.experts[0].down is None

    @property
    def curved(self) -> bool:
        """Whether what a single matrix gives goes through an activation."""
        return self.single and self.activation != usual("identity")

    @property
    def passes(self) -> Passes:
        """What its activation takes for each vector."""
        return passes_of(self.activation)

    @property
    def runs(self) -> frozenset[str]:
        """Its nodes, and those of the router where another layer has them."""
        return frozenset((*self.nodes, *self.router.nodes))

    @property
    def adds_tokens(self) -> bool:
        """Whether the layer adds some tokens themselves to their sums."""
        return bool(self.passing) or self.dropped != "nothing"

    def passes_on(self, experts: Ints) -> Bools:
        """Whether tokens may pass themselves on, by how many experts each has: bool like `experts`.

        Where there are outputs that do, a token of fewer experts than its top-k may have one of
        them, or an output that gives nothing, or a gate of 0; a dropped token has none at all.
        """
        most = self.router.top_k or 0 if self.passing else 1
        return np.asarray((experts < most) & self.adds_tokens)

    @property
    def scored(self) -> str:
        """The input that the router's matrix multiplies: the experts' vectors or one beside."""
        return self.router.reads or self.inputs[0]

    @property
    def scored_width(self) -> int:
        """Width of the vectors that the router scores."""
        matrix = self.router.projection
        return self.d_model if matrix is None else matrix.rows

    @property
    def weights_outputs(self) -> bool:
        """Whether the router gives its experts other weights than 1."""
        match self.router.selection:
            case ByIds(gates=None):
                return False
            case _:
                return True

    @property
    def score_products(self) -> int:
        """Products of one score of the router: none where its choice comes with the inputs."""
        return 0 if self.apart == "inputs" else self.scored_width

    def gate_inputs(self, *, on_crossbars: bool) -> tuple[str, ...]:
        """The inputs that a GATE reads; on_crossbars: beside the product with the router's matrix.

        The experts' vectors only where its router scores them, shared experts have gates or the
        layer gives out more than its result, which may be made of them.
        """
        if self.gated_shared or self.outputs[1:]:
            return self.inputs
        unread = {self.inputs[0]} if self.router.reads else set[str]()
        unread |= {self.scored} if on_crossbars else set()
        return tuple(name for name in self.inputs if name not in unread)

    @property
    def gated_shared(self) -> int:
        """Shared experts whose output is multiplied by a gate of their own."""
        return sum(gate is not None for gate in self.shared_gates)

    @property
    def gated(self) -> bool:
        """Whether the experts have a gate matrix beside the up matrix."""
        return self.experts[0].gate is not None
