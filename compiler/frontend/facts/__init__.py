"""What is known of a graph before anything is looked for in it."""

from dataclasses import dataclass

from compiler.frontend.facts.axes import Axes
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.products import Products
from compiler.frontend.facts.sizes import Sizes


@dataclass(frozen=True, eq=False)
class Facts:
    """Nodes and constants, shapes for some numbers of tokens, token axes, constant products."""

    graph: Graph
    sizes: Sizes
    axes: Axes
    products: Products
