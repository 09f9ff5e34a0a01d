"""Why a part of the graph is not what it looked like."""

from onnx_ir import Node


class Unreadable(Exception):  # noqa: N818 (a reason, caught and turned into a note)
    """Why a region is no MoE layer of a known form; `node` is where it shows.

    traced: experts are missing, as in an export that recorded the routing of one input. final: no
    larger region of the same selection is one either, as it has the same in it.
    """

    def __init__(
        self, reason: str, node: Node | None = None, *, traced: bool = False, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.node, self.traced, self.final = node, traced, final

    @property
    def located(self) -> str:
        """The reason, and where it shows if that is known."""
        return str(self) if self.node is None else f"{self} (at node {self.node.name!r})"
