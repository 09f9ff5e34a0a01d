"""What is known of a graph before anything is looked for in it."""

from dataclasses import dataclass

from compiler.frontend.axes import Axes
from compiler.frontend.graph import Graph
from compiler.frontend.products import Products
from compiler.frontend.sizes import Sizes


@dataclass(frozen=True, eq=False)
class Facts:
    """Nodes and constants, shapes for some numbers of tokens, token axes, constant products."""

    graph: Graph
    sizes: Sizes
    axes: Axes
    products: Products
