"""A MoE layer as found in the graph, before it becomes an operator."""

from dataclasses import dataclass
from typing import Literal

from onnx_ir import Node, Value

from compiler.frontend.facts.graph import name_of
from ir.workload import Clipped, Expert, MoELayer, Proof, Router, Weight


@dataclass(frozen=True, eq=False)
class FoundLayer:
    """From `entry` (the token vectors) to `exit` (the weighted sum): data nodes in order.

    `routers`: other readings of the router, for a proof to choose from. The other fields are those
    of `MoELayer`.
    """

    entry: Value
    exit: Value
    nodes: tuple[Node, ...]
    router: Router
    experts: tuple[Expert, ...]
    shared: tuple[Expert, ...]
    activation: str
    form: str
    weight_on: Literal["output", "input"] = "output"
    notes: tuple[str, ...] = ()
    routers: tuple[Router, ...] = ()
    shared_gates: tuple[Weight | None, ...] = ()
    scale: float = 1.0
    clipped: Clipped | None = None
    proof: Proof = "structure"

    @property
    def last(self) -> Node:
        """The node that makes the exit."""
        return self.nodes[-1]

    def as_operator(self) -> MoELayer:
        """The layer as an operator without a place, for computing what it gives."""
        return MoELayer(
            "moe",
            -1,
            (name_of(self.entry),),
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
            clipped=self.clipped,
            proof=self.proof,
        )
