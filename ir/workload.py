"""What the model computes, as the compiler sees it: operators in order, weights by reference.

A `Workload` is the front end's only output. It never holds a weight's values: a `Weight` says
which initializer of the ONNX file, which expert of a stacked tensor and which of its columns.
Operators are in topological order and cover every node of the graph's computation exactly once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, assert_never

import numpy as np

from ir.account import WeightAccount
from ir.activation import AnyActivation, usual
from ir.arrays import Bools, Ints
from ir.errors import InputError
from ir.expert import Expert, Weight
from ir.router import Router

__all__ = [
    "AnyOperator",
    "Attention",
    "Dense",
    "Digital",
    "DigitalKind",
    "Expert",
    "MoELayer",
    "Operator",
    "Proof",
    "Router",
    "Scope",
    "Suspect",
    "Weight",
    "Workload",
    "has_products",
    "is_constant",
]

DigitalKind = Literal["embed", "norm", "add", "mul", "act", "other"]
Scope = Literal["token", "sequence", "constant"]
Proof = Literal["run", "structure", "traced"]
NOTHING_STORED = WeightAccount()


@dataclass(frozen=True)
class Operator:
    """What every step of the model has; `AnyOperator` is one of its kinds.

    `layer` is the decoder layer (0-based; -1 before the first, e.g. the embedding), `inputs` and
    `outputs` are ONNX value names, `nodes` the ONNX nodes it stands for. `width` is the number of
    elements of its (first) output per token. `newest`: done for the newest token of each sequence
    only (a language model's head, where nothing but the next token is asked for).
    """

    name: str
    layer: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[str, ...]
    width: int
    newest: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Dense(Operator):
    """A constant-weight matrix product on crossbars of class `dense`, one MVM per token."""

    weight: Weight


@dataclass(frozen=True)
class Attention(Operator):
    """Everything between the q, k, v projections and the out-projection; mixes a sequence."""

    heads: int
    kv_heads: int
    head_dim: int
    causal: bool


@dataclass(frozen=True)
class Digital(Operator):
    """A connected set of nodes left to the digital units.

    `elements` counts the output elements of all its nodes per token (`scope` token) or in all
    (`scope` constant: it does not depend on the tokens' values; `scope` sequence: it mixes tokens).
    `macs`: multiply-accumulates with matrices that it holds, per token or in all likewise.
    `weight_bytes`: of those matrices, read whenever it is used: for every token, every sequence or
    once, as its scope says. `gathered_bytes`: taken per token of stacks, by run-time indices.
    """

    kind: DigitalKind
    scope: Scope
    elements: int
    macs: int = 0
    weight_bytes: int = 0
    gathered_bytes: int = 0


@dataclass(frozen=True)
class MoELayer(Operator):
    """Router, experts and their weighted sum; `width` is d_out, d_model of most.

    Experts may have hidden widths of their own; all else of their shapes is the same.
    `nodes` holds every node of the layer, the router's included. `shared` experts see every token
    and are added to the routed sum. `weight_on` says where the gate weight multiplies.

    The layer's output is scale * sum_e gate_e * expert_e(x) + sum_s sigmoid(x @ w_s) * shared_s(x),
    where `shared_gates` holds the w_s [d_model, 1] (None, or no entry: the factor is 1). `passing`:
    idle outputs of the router that pass the token on, weighted by the gate (identity experts); the
    other idle ones give nothing. `proof`:
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
        kept = bool(self.passing) or self.router.capacity is not None
        if kept and self.d_out != self.d_model:
            raise InputError(
                self.name,
                f"vectors of {self.d_model} become {self.d_out}, expected as many where the token "
                "passes itself on, or experts choose",
            )

    @property
    def d_model(self) -> int:
        """Width of a token vector."""
        return self.experts[0].up.rows

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
        return self.experts[0].last.columns

    @property
    def single(self) -> bool:
        """Whether its experts are single matrices, so that there is one stage."""
        return self.experts[0].down is None

    @property
    def curved(self) -> bool:
        """Whether what a single matrix gives goes through an activation."""
        return self.single and self.activation != usual("identity")

    def passes_on(self, experts: Ints) -> Bools:
        """Whether tokens pass themselves on, by how many experts each has: bool like `experts`.

        Where there are outputs that do, a token of fewer experts than its top-k has one of them.
        """
        return np.asarray((experts < (self.router.top_k or 0)) & bool(self.passing))

    @property
    def scored(self) -> str:
        """The input that the router's matrix multiplies: the experts' vectors or one beside."""
        return self.router.reads or self.inputs[0]

    @property
    def scored_width(self) -> int:
        """Width of the vectors that the router scores."""
        matrix = self.router.projection
        return self.d_model if matrix is None else matrix.rows

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


AnyOperator = Dense | Attention | Digital | MoELayer


def is_constant(op: AnyOperator) -> bool:
    """Whether an operator gives the same for whatever tokens: it may depend on their number."""
    match op:
        case Digital():
            return op.scope == "constant"
        case Dense() | Attention() | MoELayer():
            return False
        case _:
            assert_never(op)


def has_products(op: AnyOperator) -> bool:
    """Whether an operator has products with constant weights, which stand on crossbars."""
    match op:
        case Dense() | MoELayer():
            return True
        case Attention() | Digital():
            return False
        case _:
            assert_never(op)


@dataclass(frozen=True)
class Suspect:
    """A selection that looks like a router but whose MoE layer was not recognised.

    traced: experts are missing, as in an export that recorded the routing of one input.
    """

    node: str
    op_type: str
    reason: str
    traced: bool = False


@dataclass(frozen=True, repr=False)
class Workload:
    """A model ready to be mapped.

    `sha256` is the model file's digest; `notes` are findings for the user (suspected MoE layers
    that were not recognised, operators left digital and why); `account` is where every stored
    number goes. `patches`: tokens that are made of each image, where the input has no axis of
    them. `value_shapes` is not kept: widths per token stand on the operators.
    """

    name: str
    sha256: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: tuple[AnyOperator, ...]
    notes: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    account: WeightAccount = NOTHING_STORED
    patches: int | None = None

    def __repr__(self) -> str:
        return (
            f"<Workload {self.name}: {self.layers} layers, {len(self.moe_layers)} MoE layers, "
            f"{len(self.operators)} operators>"
        )

    @cached_property
    def moe_layers(self) -> tuple[MoELayer, ...]:
        """The MoE layers in order."""
        return tuple(op for op in self.operators if isinstance(op, MoELayer))

    @property
    def layers(self) -> int:
        """Number of decoder layers."""
        return max((op.layer for op in self.operators), default=-1) + 1

    @cached_property
    def regions(self) -> tuple[int, ...]:
        """Layers that have products on crossbars, ascending: each has a region of the chip."""
        return tuple(sorted({max(op.layer, 0) for op in self.operators if has_products(op)}))

    def region_of(self, layer: int) -> int:
        """The region an operator of `layer` works in.

        Its own layer's, or, for a layer without products (a final norm, an embedding), the nearest
        one before it that has some, else the first.
        """
        before = [region for region in self.regions if region <= layer]
        return before[-1] if before else min(self.regions, default=0)

    def dense(self) -> Iterator[Dense]:
        """Dense matrix products in order."""
        return (op for op in self.operators if isinstance(op, Dense))

    def attentions(self) -> Iterator[Attention]:
        """Attentions in order."""
        return (op for op in self.operators if isinstance(op, Attention))

    def digital(self) -> Iterator[Digital]:
        """Digital operators in order."""
        return (op for op in self.operators if isinstance(op, Digital))
