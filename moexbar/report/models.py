"""What `moexbar model` tells: what is recognised in an ONNX model, and what is not and why."""

from dataclasses import dataclass, field
from typing import Literal

from ir.router import RouterKind
from ir.workload import DigitalKind, Proof, Scope
from moexbar.report.plain import OPTIONAL, Document
from moexbar.report.weights import WeightsRow


@dataclass(frozen=True)
class CapacityRow:
    """How many tokens an expert takes, where experts choose.

    constant: always so many; null: by the formula numerator x tokens / denominator.
    numerator: of the formula.
    denominator: of the formula.
    minimum: at least so many.
    """

    constant: int | None
    numerator: int
    denominator: int
    minimum: int


@dataclass(frozen=True)
class MoeRow:
    """One MoE layer.

    name: in the model.
    layer: decoder layer.
    experts: routed experts.
    top_k: experts of a token; null where experts choose tokens.
    capacity: tokens of an expert; null where tokens choose experts.
    router: kind of it.
    d_model: width of a token's vector.
    d_expert: width of an expert's hidden layer, the widest expert's where they differ.
    gated: whether experts have a gate beside their up projection.
    activation: of the experts.
    shared_experts: that every token goes to.
    shared_gated: whether one of them has a gate of its own.
    scale: of the experts' sum.
    weight_on: where the gates are multiplied in.
    form: how the layer is written in the file.
    proof: how sure the reading is.
    hidden_widths: width of every expert's hidden layer; only where they differ.
    ternary: experts whose weights are -1, 0 or 1 times a scale; only where some are.
    """

    name: str
    layer: int
    experts: int
    top_k: int | None
    capacity: CapacityRow | None
    router: RouterKind
    d_model: int
    d_expert: int
    gated: bool
    activation: str
    shared_experts: int
    shared_gated: bool
    scale: float
    weight_on: Literal["output", "input"]
    form: str
    proof: Proof
    hidden_widths: tuple[int, ...] | None = field(default=None, metadata=OPTIONAL)
    ternary: tuple[Literal["routed", "shared"], ...] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class SuspectRow:
    """A selection that looks like a router and whose layer was not read.

    node: of the graph.
    operator: its type.
    reason: why the layer was not read.
    traced: whether the file holds one input's run of it.
    """

    node: str
    operator: str
    reason: str
    traced: bool


@dataclass(frozen=True)
class AttentionRow:
    """One attention.

    name: in the model.
    layer: decoder layer.
    heads: of queries.
    kv_heads: of keys and values.
    head_dim: width of a head.
    causal: whether tokens see only those before them.
    """

    name: str
    layer: int
    heads: int
    kv_heads: int
    head_dim: int
    causal: bool


@dataclass(frozen=True)
class DenseRow:
    """One dense matrix.

    name: of its operator.
    layer: decoder layer; -1 outside all.
    rows: inputs.
    columns: outputs.
    bits: of a weight.
    tensor: name in the file.
    """

    name: str
    layer: int
    rows: int
    columns: int
    bits: int
    tensor: str


@dataclass(frozen=True)
class DigitalRow:
    """One operation on digital units.

    name: in the model.
    layer: decoder layer; -1 outside all.
    kind: what it does.
    scope: what it is done for: each token, a sequence, or once.
    elements: of a result.
    nodes: of the ONNX graph that it stands for.
    """

    name: str
    layer: int
    kind: DigitalKind
    scope: Scope
    elements: int
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class ModelReport(Document):
    """What the compiler sees in a model: `moexbar model --json`.

    model: name of the file, without the ending.
    sha256: of the file.
    inputs: of the graph.
    outputs: of the graph.
    layers: decoder layers.
    moe_layers: that were read.
    suspected: that were not, and why.
    attention: of each layer.
    dense: matrices on crossbars outside the routed experts.
    digital: all other operations.
    decode: whether the model can go on token by token: as written, as derived, or not.
    decode_reason: why.
    notes: what else there is to say.
    weights: where the numbers that the file stores go.
    """

    model: str
    sha256: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: int
    moe_layers: tuple[MoeRow, ...]
    suspected: tuple[SuspectRow, ...]
    attention: tuple[AttentionRow, ...]
    dense: tuple[DenseRow, ...]
    digital: tuple[DigitalRow, ...]
    decode: Literal["native", "derived", "no"]
    decode_reason: str
    notes: tuple[str, ...]
    weights: WeightsRow
