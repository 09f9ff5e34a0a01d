"""What the model computes, as the compiler sees it: operators in order, weights by reference.

A `Workload` is the front end's only output. It never holds a weight's values: a `Weight` says
which initializer of the ONNX file, which expert of a stacked tensor and which of its columns.
Operators are in topological order and cover every node of the graph's computation exactly once.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, assert_never

from ir.account import WeightAccount
from ir.expert import Expert, Weight
from ir.moe_layer import Apart, Dropped, MoELayer, Operator, Proof
from ir.passes import ON_THE_WAY, Passes
from ir.router import Router
from ir.sides import Side

__all__ = [
    "AnyOperator",
    "Apart",
    "Attention",
    "Dense",
    "Digital",
    "DigitalKind",
    "Dropped",
    "Expert",
    "MoELayer",
    "Operator",
    "Proof",
    "Router",
    "Scope",
    "Side",
    "Suspect",
    "Weight",
    "Workload",
    "has_products",
    "homes_of",
    "is_constant",
]

DigitalKind = Literal["embed", "norm", "add", "mul", "act", "other", "join"]
Scope = Literal["token", "sequence", "constant"]
NOTHING_STORED = WeightAccount()


@dataclass(frozen=True)
class Dense(Operator):
    """A constant-weight matrix product on crossbars of class `dense`, one MVM per token."""

    weight: Weight


@dataclass(frozen=True)
class Attention(Operator):
    """Everything between the q, k, v projections and the out-projection; mixes a sequence.

    `key_side`: the side whose tokens have the keys and values, of cross attention another one.
    `queries`: inputs of which nothing but queries is made, so that only their own token needs them.
    `proven`: that it is causal was seen by running it, or is its operator's definition, so that its
    queries may go one by one.
    """

    heads: int
    kv_heads: int
    head_dim: int
    causal: bool
    key_side: int | None = None
    queries: tuple[str, ...] = ()
    proven: bool = False

    @property
    def kept(self) -> tuple[str, ...]:
        """Inputs of which keys and values are made, which later tokens look at."""
        return tuple(name for name in self.inputs if name not in self.queries)


@dataclass(frozen=True)
class Digital(Operator):
    """A connected set of nodes left to the digital units.

    `elements` counts the output elements of all its nodes per token (`scope` token) or in all
    (`scope` constant: it does not depend on the tokens' values; `scope` sequence: it mixes tokens).
    `macs`: multiply-accumulates with matrices that it holds, per token or in all likewise.
    `passes`: what the curve of a kind `act` takes (`ir.passes`). A `join` is of no nodes: it says
    that its inputs side by side are one vector (`ir.parts`).
    `weight_bytes`: of those matrices, read whenever it is used: for every token, every sequence or
    once, as its scope says. `gathered_bytes`: taken per token of stacks, by run-time indices.
    """

    kind: DigitalKind
    scope: Scope
    elements: int
    macs: int = 0
    weight_bytes: int = 0
    gathered_bytes: int = 0
    passes: Passes = ON_THE_WAY


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


def homes_of(operators: Sequence[AnyOperator]) -> tuple[int, ...]:
    """Operator on whose crossbars each one works: [operators].

    Itself, or the first of the dense products with the same matrix, of the MoE layers with the same
    experts.
    """
    first: dict[Hashable, int] = {}
    return tuple(
        index if (held := _held(op)) is None else first.setdefault(held, index)
        for index, op in enumerate(operators)
    )


def _held(op: AnyOperator) -> Hashable | None:
    """What an operator's crossbars hold and are given; of equal ones one set serves all."""
    match op:
        case Dense():
            return op.weight
        case MoELayer():
            return op.experts, op.shared, op.activation, op.d_model
        case Attention() | Digital():
            return None
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
    them. `sides`: where its inputs have sequences of different lengths; else none. `value_shapes`
    is not kept: widths per token stand on the operators.
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
    sides: tuple[Side, ...] = ()

    def __repr__(self) -> str:
        return (
            f"<Workload {self.name}: {self.layers} layers, {len(self.moe_layers)} MoE layers, "
            f"{len(self.operators)} operators>"
        )

    @cached_property
    def moe_layers(self) -> tuple[MoELayer, ...]:
        """The MoE layers in order."""
        return tuple(op for _, op in self._numbered)

    @cached_property
    def _numbered(self) -> tuple[tuple[int, MoELayer], ...]:
        """The MoE layers, each with its number as an operator."""
        return tuple((i, op) for i, op in enumerate(self.operators) if isinstance(op, MoELayer))

    @property
    def layers(self) -> int:
        """Number of decoder layers."""
        return max((op.layer for op in self.operators), default=-1) + 1

    @cached_property
    def homes(self) -> tuple[int, ...]:
        """Operator on whose crossbars each one works: [operators], see `homes_of`."""
        return homes_of(self.operators)

    @cached_property
    def matrix_homes(self) -> tuple[int, ...]:
        """Operator that holds each one's matrix that is no expert's: [operators].

        Of a dense product its home; of an MoE layer, whose router has one, the first layer with the
        same experts and the same router's matrix.
        """
        homes, first = list(self.homes), dict[Hashable, int]()
        for index, op in self._numbered:
            homes[index] = first.setdefault((homes[index], op.router.projection), index)
        return tuple(homes)

    @cached_property
    def expert_homes(self) -> Mapping[int, int]:
        """{MoE layer: the one on whose experts' crossbars it works, itself or one before it}."""
        return {op.layer: self.operators[self.homes[index]].layer for index, op in self._numbered}

    @cached_property
    def regions(self) -> tuple[int, ...]:
        """Layers that have crossbars, ascending: each has a region of the chip."""
        own = (op for i, op in enumerate(self.operators) if self.homes[i] == i)
        return tuple(sorted({max(op.layer, 0) for op in own if has_products(op)}))

    def region_of(self, layer: int) -> int:
        """The region an operator of `layer` works in.

        Its own layer's, or, for a layer without products (a final norm, an embedding), the nearest
        one before it that has some, else the first.
        """
        before = bisect_right(self.regions, layer)
        return self.regions[max(before - 1, 0)] if self.regions else 0

    def region_at(self, index: int) -> int:
        """The region that operator `index` works in: where its matrices are, or its layer's."""
        return self.region_of(self.operators[self.homes[index]].layer)

    def dense(self) -> Iterator[Dense]:
        """Dense matrix products in order."""
        return (op for op in self.operators if isinstance(op, Dense))

    def attentions(self) -> Iterator[Attention]:
        """Attentions in order."""
        return (op for op in self.operators if isinstance(op, Attention))

    @cached_property
    def attentions_by_region(self) -> Mapping[int, tuple[Attention, ...]]:
        """{region: the attentions that work in it, in order}, of regions that have some."""
        found: dict[int, tuple[Attention, ...]] = {}
        for op in self.attentions():
            region = self.region_of(op.layer)
            found[region] = (*found.get(region, ()), op)
        return found

    def digital(self) -> Iterator[Digital]:
        """Digital operators in order."""
        return (op for op in self.operators if isinstance(op, Digital))
