"""A MoE layer as found in the graph, before it becomes an operator."""

from dataclasses import dataclass
from typing import Literal

from onnx_ir import Node, Value

from ir.workload import Clipped, Expert, Proof, Router, Weight


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
