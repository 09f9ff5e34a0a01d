"""What the model computes, as the compiler sees it: operators in order, weights by reference.

A `Workload` is the front end's only output. It never holds a weight's values: a `Weight` says
which initializer of the ONNX file, which expert of a stacked tensor and which of its columns.
Operators are in topological order and cover every node of the graph's computation exactly once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, assert_never

from ir.account import WeightAccount
from ir.activation import AnyActivation
from ir.errors import InputError
from ir.selection import (
    ByCapacity,
    ByCombine,
    ByIds,
    ByLogits,
    ByScoresOfIds,
    Capacity,
    Selection,
)

RouterKind = Literal[
    "softmax-topk", "topk-softmax", "sigmoid-topk", "argmax", "expert-choice", "opaque"
]
DigitalKind = Literal["embed", "norm", "add", "mul", "act", "other"]
Scope = Literal["token", "sequence", "constant"]
Proof = Literal["run", "structure", "traced"]
Format = Literal["binary", "ternary"]
NOTHING_STORED = WeightAccount()


@dataclass(frozen=True)
class Weight:
    """A constant matrix y = x @ W, W: [rows, columns], somewhere in the model's tensors.

    The stored tensor is W or its transpose (`transposed`), alone or at `index` of a leading expert
    axis; its columns start, start + step, ... are the matrix (gate and up fused or interleaved in
    one tensor differ in start and step). `bits`: of the stored element type. The stored `bias` may
    have a leading expert axis too, with ours at `bias_index`, else at `index`. `format`: how
    crossbars hold it: `binary` numbers of so many bits, or `ternary`, -1, 0 or 1 times one scale.
    """

    tensor: str
    rows: int
    columns: int
    bits: int = 32
    index: int | None = None
    transposed: bool = False
    start: int = 0
    step: int = 1
    bias: str | None = None
    bias_index: int | None = None
    format: Format = "binary"

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise InputError(
                self.tensor, f"a weight of {self.rows} x {self.columns}, expected at least 1 x 1"
            )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one vector through this matrix."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Expert:
    """One feed-forward expert: down(act(gate(x)) * up(x)), or down(act(up(x))) without a gate."""

    up: Weight
    down: Weight
    gate: Weight | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one token through this expert."""
        return self.up.macs + self.down.macs + (self.gate.macs if self.gate else 0)


@dataclass(frozen=True)
class Router:
    """Who goes where: decided by the model's own nodes, told by the values of `selection`.

    `top_k`: experts of a token at most, None where experts choose. `projection`: the one matrix
    that the layer's input meets first, where there is one; its product is the value `logits`, which
    the rest follows from, so a chip may do it on crossbars. `reads`: the layer's input that this
    matrix multiplies, and no node of the router another vector; '' for the layer's first input, the
    vectors that the experts read.
    """

    kind: RouterKind
    experts: int
    selection: Selection
    top_k: int | None = None
    projection: Weight | None = None
    logits: str = ""
    reads: str = ""
    nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind == "expert-choice") != (self.capacity is not None):
            raise InputError(
                "router",
                f"kind {self.kind!r} with capacity {self.capacity}, expected a "
                "capacity for expert-choice and none otherwise",
            )
        if self.capacity is not None:
            if self.top_k is not None:
                raise InputError("router", f"expert-choice with top-k {self.top_k}, expected none")
        elif not 1 <= (self.top_k or 0) <= self.experts:
            raise InputError(
                "router",
                f"top-k {self.top_k} of {self.experts} experts, expected 1 <= k <= {self.experts}",
            )

    @property
    def capacity(self) -> Capacity | None:
        """Tokens that each expert takes, where experts choose tokens; None where tokens choose."""
        return self.selection.capacity if isinstance(self.selection, ByCapacity) else None

    @property
    def exposed(self) -> tuple[str, ...]:
        """The values that tell the selection: what must be recorded of a run."""
        match self.selection:
            case ByIds(ids, gates):
                return (ids,) if gates is None else (ids, gates)
            case ByScoresOfIds(ids, scores):
                return (ids, scores)
            case ByLogits(logits):
                return (logits,)
            case ByCombine(combine, gates):
                return (combine,) if gates is None else (combine, gates)
            case ByCapacity(scores):
                return (scores,)
            case _:
                assert_never(self.selection)


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
    """Router, experts and their weighted sum; `width` is d_model.

    `nodes` holds every node of the layer, the router's included. `shared` experts see every token
    and are added to the routed sum. `weight_on` says where the gate weight multiplies.

    The layer's output is scale * sum_e gate_e * expert_e(x) + sum_s sigmoid(x @ w_s) * shared_s(x),
    where `shared_gates` holds the w_s [d_model, 1] (None, or no entry: the factor is 1). `proof`:
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

    def __post_init__(self) -> None:
        shapes = {
            (e.up.rows, e.up.columns, e.down.rows, e.down.columns, e.gate is None)
            for e in self.experts
        }
        if len(shapes) != 1:
            raise InputError(self.name, f"experts of {len(shapes)} different shapes, expected one")
        if len(self.experts) != self.router.experts:
            raise InputError(
                self.name,
                f"{len(self.experts)} experts, but the router has {self.router.experts} outputs",
            )

    @property
    def d_model(self) -> int:
        """Width of a token vector."""
        return self.experts[0].up.rows

    @property
    def d_expert(self) -> int:
        """Hidden width of one expert."""
        return self.experts[0].up.columns

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
    number goes. `value_shapes` is not kept: widths per token stand on the operators.
    """

    name: str
    sha256: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: tuple[AnyOperator, ...]
    notes: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    account: WeightAccount = NOTHING_STORED

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
