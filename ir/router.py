"""Who goes where: the router of a MoE layer."""

from dataclasses import dataclass
from typing import Literal, assert_never

from ir.errors import InputError
from ir.expert import Weight
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


@dataclass(frozen=True)
class Router:
    """Who goes where: decided by the model's own nodes, told by the values of `selection`.

    `top_k`: outputs that a token gets, None where experts choose. `idle`: outputs before and after
    those of the experts that stand for no expert (zero-computation experts); what they give, the
    layer says. `projection`: the one matrix
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
    idle: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if min(self.idle) < 0 or (any(self.idle) and self.kind == "expert-choice"):
            raise InputError(
                "router",
                f"{self.idle} idle outputs before and after the experts', kind {self.kind!r}, "
                "expected 0 or more, and none for expert-choice",
            )
        if (self.kind == "expert-choice") != (self.capacity is not None):
            raise InputError(
                "router",
                f"kind {self.kind!r} with capacity {self.capacity}, expected a "
                "capacity for expert-choice and none otherwise",
            )
        if self.capacity is not None:
            if self.top_k is not None:
                raise InputError("router", f"expert-choice with top-k {self.top_k}, expected none")
        elif not 1 <= (self.top_k or 0) <= self.outputs:
            raise InputError(
                "router",
                f"top-k {self.top_k} of {self.outputs} experts, expected 1 <= k <= {self.outputs}",
            )

    @property
    def outputs(self) -> int:
        """Numbers that a router scores: one for each expert, and the idle ones."""
        return self.idle[0] + self.experts + self.idle[1]

    @property
    def idle_outputs(self) -> tuple[int, ...]:
        """Numbers of the outputs that stand for no expert."""
        first = self.idle[0] + self.experts
        return (*range(self.idle[0]), *range(first, self.outputs))

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
