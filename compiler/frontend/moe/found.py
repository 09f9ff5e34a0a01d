"""A MoE layer as found in the graph, before it becomes an operator."""

from dataclasses import dataclass
from typing import Literal

from onnx_ir import Node, Value

from compiler.frontend.facts.graph import name_of
from ir.activation import AnyActivation
from ir.workload import Apart, Dropped, Expert, MoELayer, Proof, Router, Weight

Evidence = Literal["numbered", "graph order", "hit loop"]
_IN_ORDER = (
    "which router output belongs to which expert is not written in the graph; taken in graph order"
)
RECORDED = (
    "the export recorded the routing of one input: block i serves the i-th expert that was hit, so "
    "it is right only for inputs that give every expert a token"
)


@dataclass(frozen=True, eq=False)
class FoundLayer:
    """From `entry` (the token vectors) to `exit` (the weighted sum): data nodes in order.

    beside: what the router reads beside the entry, as a pre-gated one does. selection: the node
    that picks the experts. evidence: how we know which expert is which router output: `numbered` in
    the graph, taken in `graph order`, or not at all in a `hit loop`, whose block i serves the i-th
    expert that was hit. remarks: on the operator, where the layer is one. routers: other readings
    of the router, for a proof to choose from. keeps: the graph puts something else for some tokens
    than what experts make of them: the token itself. lent: nodes of another layer, which has the
    same router, that this one's are fed by too. The other fields are those of `MoELayer`.
    """

    entry: Value
    exit: Value
    nodes: tuple[Node, ...]
    selection: Node
    router: Router
    experts: tuple[Expert, ...]
    shared: tuple[Expert, ...]
    activation: AnyActivation
    form: str
    weight_on: Literal["output", "input"] = "output"
    evidence: Evidence = "numbered"
    remarks: tuple[str, ...] = ()
    routers: tuple[Router, ...] = ()
    beside: tuple[Value, ...] = ()
    shared_gates: tuple[Weight | None, ...] = ()
    scale: float = 1.0
    proof: Proof = "structure"
    passing: tuple[int, ...] = ()
    dropped: Dropped = "nothing"
    apart: Apart = "nothing"
    keeps: bool = False
    lent: tuple[Node, ...] = ()

    @property
    def entries(self) -> tuple[Value, ...]:
        """All that the layer reads: the token vectors first."""
        return (self.entry, *self.beside)

    @property
    def last(self) -> Node:
        """The node that makes the exit."""
        return self.nodes[-1]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the workload is told of it."""
        if self.proof == "traced" or self.evidence == "hit loop":
            return (*self.remarks, f"node {self.nodes[0].name!r}: {RECORDED}")
        if self.proof == "structure" and self.evidence == "graph order":
            return (*self.remarks, f"node {self.selection.name!r}: {_IN_ORDER}")
        return self.remarks

    def as_operator(self) -> MoELayer:
        """The layer as an operator without a place, for computing what it gives."""
        return MoELayer(
            "moe",
            -1,
            tuple(name_of(v) for v in self.entries),
            (name_of(self.exit),),
            (),
            0,
            router=self.router,
            experts=self.experts,
            activation=self.activation,
            form=self.form,
            shared=self.shared,
            weight_on=self.weight_on,
            shared_gates=self.shared_gates,
            scale=self.scale,
            proof=self.proof,
            passing=self.passing,
            apart=self.apart,
            dropped=self.dropped,
        )
