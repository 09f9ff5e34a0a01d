"""What is known of a graph before anything is looked for in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from onnx_ir import Value

from compiler.frontend.facts.axes import Axes, TokenAxis
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.patches import Patches, patches_of
from compiler.frontend.facts.products import Products
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.facts.uses import Uses
from ir.sides import Side


@dataclass(frozen=True, eq=False)
class Facts:
    """Nodes and constants, shapes for some numbers of tokens, token axes, constant products.

    patches: where the tokens begin, if not at the model's inputs. sides: of the model, where they
    have different lengths.
    """

    graph: Graph
    sizes: Sizes
    axes: Axes
    products: Products
    patches: Patches | None = None
    sides: tuple[Side, ...] = ()

    @classmethod
    def of(cls, graph: Graph, sides: tuple[Side, ...] = ()) -> "Facts":
        """All that the nodes alone tell."""
        sizes = Sizes.fitting(graph)
        products = Products(graph, sizes)
        patches = patches_of(graph, sizes, products)
        if patches is not None:
            sizes = sizes.at_length(patches.tokens)
        if sides:
            sizes = sizes.of_sides(graph, _tokens(_of(graph, sides), sides))
            products = Products(graph, sizes)
        axes = _axes(graph, sizes, {}, patches, sides)
        counted = sizes.counted_by(_tokens(axes.sides(), sides))
        return cls(graph, counted, axes, products, patches, sides)

    @cached_property
    def uses(self) -> Uses:
        """What every stored tensor is used for."""
        return Uses(self.graph, self.sizes)

    def with_exits(self, entries: Mapping[Value, Value]) -> "Facts":
        """The same, once regions are known that keep tokens apart whatever their nodes do.

        entries: {exit of a region: its entry}. An exit has its tokens where its entry has them, or
        where its shape says, and so have the values after it.
        """
        if not entries:
            return self
        axes: dict[Value, TokenAxis] = {}
        found, known = self, 0
        for leaving, entry in entries.items():
            if found.axes.of(entry) is None and len(axes) > known:  # it follows an exit
                found = self._following(axes)
                known = len(axes)
            axis = found._axis_after(entry, leaving)
            if axis is not None:
                axes[leaving] = axis
        return self._following(axes)

    def _following(self, known: Mapping[Value, TokenAxis]) -> "Facts":
        """The same with the tokens followed anew; known: axes that hold."""
        axes = _axes(self.graph, self.sizes, known, self.patches, self.sides)
        sizes = self.sizes.counted_by(_tokens(axes.sides(), self.sides))
        return replace(self, axes=axes, sizes=sizes)

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
        together = shape[axis] == sizes.tokens_of(entry)[0] * sizes.batch * before.inner
        return replace(before, axis=axis, outer=sizes.batch if together else 1)


def _before_rows(shape: Sequence[int | None], width: int | None, inner: int) -> int | None:
    """The axis before the last ones, those that hold width / inner numbers; None if none does."""
    product = 1
    for axis in range(len(shape) - 2, -1, -1):
        product *= shape[axis + 1] or 0
        if product * inner == width:
            return axis
    return None


def _axes(
    graph: Graph,
    sizes: Sizes,
    known: Mapping[Value, TokenAxis],
    patches: Patches | None,
    sides: Sequence[Side],
) -> Axes:
    """The tokens followed from where they begin; known: axes that hold."""
    begins = () if patches is None else patches.values
    return Axes(graph, sizes, known, begins=begins, sides=_of(graph, sides))


def _tokens(side_of: Mapping[Value, int], sides: Sequence[Side]) -> dict[Value, int]:
    """Tokens of a sequence in each value of a side."""
    return {value: sides[number].tokens for value, number in side_of.items()}


def _of(graph: Graph, sides: Sequence[Side]) -> dict[Value, int]:
    """The side of each input of tokens."""
    side_of = {name: number for number, side in enumerate(sides) for name in side.inputs}
    return {v: side_of[name_of(v)] for v in graph.token_inputs if name_of(v) in side_of}
