"""What is known of a graph before anything is looked for in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from onnx_ir import Value

from compiler.frontend.facts.axes import Axes, TokenAxis
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.patches import Patches, patches_of
from compiler.frontend.facts.products import Products
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.facts.uses import Uses


@dataclass(frozen=True, eq=False)
class Facts:
    """Nodes and constants, shapes for some numbers of tokens, token axes, constant products.

    patches: where the tokens begin, if not at the model's inputs.
    """

    graph: Graph
    sizes: Sizes
    axes: Axes
    products: Products
    patches: Patches | None = None

    @classmethod
    def of(cls, graph: Graph) -> "Facts":
        """All that the nodes alone tell."""
        sizes = Sizes.fitting(graph)
        products = Products(graph, sizes)
        patches = patches_of(graph, sizes, products)
        if patches is not None:
            sizes = sizes.at_length(patches.tokens)
        begins = () if patches is None else patches.values
        return cls(graph, sizes, Axes(graph, sizes, begins=begins), products, patches)

    @cached_property
    def uses(self) -> Uses:
        """What every stored tensor is used for."""
        return Uses(self.graph, self.sizes)

    def with_exits(self, entries: Mapping[Value, Value]) -> "Facts":
        """The same, once regions are known that keep tokens apart whatever their nodes do.

        entries: {exit of a region: its entry}. An exit has its tokens where its entry has them, or
        where its shape says, and so have the values after it.
        """
        axes: dict[Value, TokenAxis] = {}
        begins = () if self.patches is None else self.patches.values
        found, known = self, 0
        for leaving, entry in entries.items():
            if found.axes.of(entry) is None and len(axes) > known:  # it follows an exit
                found = replace(self, axes=Axes(self.graph, self.sizes, axes, begins=begins))
                known = len(axes)
            axis = found._axis_after(entry, leaving)
            if axis is not None:
                axes[leaving] = axis
        return replace(self, axes=Axes(self.graph, self.sizes, axes, begins=begins))

    def _axis_after(self, entry: Value, leaving: Value) -> TokenAxis | None:
        """The token axis of a region's exit: its rows are as wide as a token's numbers.

        Counted from the back as its entry's is, where that does not tell.
        """
        sizes, before = self.sizes, self.axes.of(entry)
        rank, shape = sizes.rank(entry), sizes.fixed(leaving)
        if before is None or rank is None or shape is None:
            return None
        axis = _before_rows(shape, sizes.per_token(leaving), before.inner)
        axis = max(before.axis + len(shape) - rank, 0) if axis is None else axis
        together = shape[axis] == sizes.tokens[0] * sizes.batch * before.inner
        return TokenAxis(axis, before.inner, sizes.batch if together else 1)


def _before_rows(shape: Sequence[int | None], width: int | None, inner: int) -> int | None:
    """The axis before the last ones, those that hold width / inner numbers; None if none does."""
    product = 1
    for axis in range(len(shape) - 2, -1, -1):
        product *= shape[axis + 1] or 0
        if product * inner == width:
            return axis
    return None
