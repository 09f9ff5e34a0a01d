"""Layers of equal form that have the same matrices, as of a universal transformer."""

from dataclasses import dataclass, field

from tests.chain.forms import block_of
from tests.chain.recipe import Layer
from tests.compiler.frontend import models as m


@dataclass
class Tied(m.Graph):
    """written: the matrices of each kind of layer, in order; left: what a layer takes of them yet.

    own: shapes of which every layer has its own; layer: the kind that is being written, if it is
    tied.
    """

    layer: Layer | None = None
    own: tuple[tuple[int, ...], ...] = ()
    written: dict[Layer, list[str]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def weight(self, *shape: int, scale: float | None = None) -> str:
        """As of any graph, or that of the layer before of this kind."""
        if self.layer is None or shape in self.own:
            return super().weight(*shape, scale=scale)
        if self.left:
            return self.left.pop(0)
        self.written[self.layer].append(super().weight(*shape, scale=scale))
        return self.written[self.layer][-1]


def again(layer: Layer, tied: str) -> m.Ffn:
    """The block of a layer, with the matrices of the one before of equal form.

    tied: see Model. A matrix that is as large as a router's is a layer's own as well.
    """

    def block(g: m.Graph, x: str) -> str:
        assert isinstance(g, Tied)
        g.layer, g.left = layer, list(g.written.setdefault(layer, []))
        g.own = () if tied == "all" else ((g.d, layer.experts), (layer.experts,))
        out = block_of(layer)(g, x)
        assert not g.left
        g.layer = None
        return out

    return block
