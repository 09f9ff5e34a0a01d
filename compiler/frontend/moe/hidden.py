"""What the down projection reads, as a product of functions of one or two products' columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import slice_cuts
from compiler.frontend.facts.graph import axis_attribute
from compiler.frontend.facts.products import Product
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.formula import MOVES, FormulaReader, number_of
from compiler.frontend.moe.unreadable import Unreadable
from ir.formula import ITSELF, Formula

Nearest = Mapping[Value, frozenset[Product] | None]


@dataclass(frozen=True)
class Cut:
    """The columns start, start + step, ... of a product."""

    start: int
    step: int
    length: int


@dataclass(frozen=True, eq=False)
class Side:
    """One factor of the hidden vector: a function of the columns of a product; `cut` None = all."""

    product: Product
    cut: Cut | None
    formula: Formula


Source = tuple[Product, Cut | None]


class Hidden:
    """Reads the value that a down projection multiplies back to the products it comes from."""

    def __init__(self, facts: Facts, near: Nearest, ups: Sequence[Product]) -> None:
        """ups: the products that it comes from; near: of every value."""
        self._facts, self._near = facts, near
        self._by_out = {p.out: p for p in ups}
        self._sources: dict[Value, frozenset[Source]] = {}

    def parts(self, end: Value) -> tuple[list[Side], Formula]:
        """The factors, and the function of their product where that is quantised."""
        joint, rounded = end, False
        while len(self.sources(joint)) == 2:
            node = joint.producer()
            reads = [v for v in node.inputs if v is not None] if node is not None else []
            inner = [v for v in reads if self.sources(v)]
            if node is None or len(inner) != 1:
                break
            rounded = rounded or node.op_type == "QuantizeLinear"
            joint = inner[0]
        if not rounded:
            return self.sides(end), ITSELF
        reader = FormulaReader(
            self._facts.graph,
            self._facts.sizes,
            lambda v: len(self.sources(v)) == 2,
            lambda v: v is joint,
        )
        return self.sides(joint), reader.product([end])

    def sides(self, end: Value) -> list[Side]:
        """The factors, by the order of their products and columns; one or two.

        Raises Unreadable, which names the nodes of an activation that is no known function.
        """
        found = self.sources(end)
        if len(found) > 2:
            raise Unreadable(f"{len(found)} parts of matrix products meet before the down product")
        scale, factors = self._factors(end)
        grouped: dict[Source, list[Value]] = {}
        for value in factors:
            for source in self.sources(value):
                grouped.setdefault(source, []).append(value)
        order = self._facts.graph.order
        ordered = sorted(grouped, key=lambda s: (order[s[0].node], s[1].start if s[1] else 0))
        last = ordered[-1]
        return [
            Side(*source, self._formula(source, grouped[source], scale if source == last else 1.0))
            for source in ordered
        ]

    def sources(self, value: Value) -> frozenset[Source]:
        """The products, or columns of them, that a value is computed from element by element."""
        if value not in self._sources:
            self._sources[value] = self._traced(value)
        return self._sources[value]

    def _traced(self, value: Value) -> frozenset[Source]:
        if value in self._by_out:
            return frozenset([(self._by_out[value], None)])
        node = value.producer()
        if node is None or value not in self._facts.graph.data or not self._near.get(value):
            return frozenset()
        found = frozenset[Source]()
        for read in self._facts.graph.data_inputs(node):
            found |= self.sources(read)
        cut = cut_of(self._facts.sizes, node, value)
        if cut is None or len(found) != 1:
            return found
        ((product, before),) = found
        if before is not None:
            if cut == Cut(0, 1, before.length):
                return found
            raise Unreadable("columns of columns of a matrix are taken", node)
        whole = cut == Cut(0, 1, product.columns)
        start = cut.start % product.columns if product.columns else cut.start
        return frozenset([(product, None if whole else Cut(start, cut.step, cut.length))])

    def _factors(self, value: Value) -> tuple[float, list[Value]]:
        """A number and values of at most one source each, whose product `value` is."""
        if len(self.sources(value)) < 2:
            return 1.0, [value]
        node = value.producer()
        reads = [v for v in node.inputs if v is not None] if node is not None else []
        inner = [v for v in reads if self.sources(v)]
        if node is not None and node.op_type == "Mul" and len(inner) == len(reads) == 2:
            (left, some), (right, others) = self._factors(reads[0]), self._factors(reads[1])
            return left * right, [*some, *others]
        if node is not None and len(inner) == 1:
            scale, factors = self._factors(inner[0])
            return scale * self._scale(node, inner[0]), factors
        words = "up and gate do not meet in a product"
        raise Unreadable(words, node)

    def _scale(self, node: Node, inner: Value) -> float:
        """What a node with one operand from the products multiplies it by: a number, or rows."""
        others = [v for v in node.inputs if v is not None and v is not inner]
        if node.op_type in MOVES or node.op_type == "Cast":
            return 1.0
        if node.op_type == "Neg":
            return -1.0
        number = number_of(self._facts.sizes, others[0]) if len(others) == 1 else None
        divides = node.op_type == "Div" and node.inputs[0] is inner
        if number and (node.op_type == "Mul" or divides):
            return 1 / number if divides else number
        vectors = [v for v in others if v in self._facts.graph.constant and number is None]
        if node.op_type in ("Mul", "Div") and not vectors:
            return 1.0  # a weight of whole rows, which a proof finds out about
        raise Unreadable(f"{node.op_type} follows the product of gate and up", node)

    def _formula(self, source: Source, factors: Sequence[Value], scale: float) -> Formula:
        product, cut = source

        def is_source(value: Value) -> bool:
            if cut is None:
                return value is product.out
            node = value.producer()
            return node is not None and cut_of(self._facts.sizes, node, value) is not None

        reader = FormulaReader(
            self._facts.graph, self._facts.sizes, lambda v: source in self.sources(v), is_source
        )
        try:
            return reader.product(factors, scale)
        except Unreadable as error:
            kinds = dict.fromkeys(n.op_type for n in self._between(factors))
            raise Unreadable(
                f"the expert's activation of nodes [{', '.join(kinds)}] is no curve that is known: "
                f"{error}",
                error.node,
            ) from error

    def _between(self, ends: Sequence[Value]) -> list[Node]:
        """The nodes from the products to `ends`, in order.

        Those that move or convert values are left out where there are others.
        """
        found: set[Node] = set()
        todo = list(ends)
        while todo:
            value = todo.pop()
            node = value.producer()
            if node is None or node in found or value in self._by_out or not self.sources(value):
                continue
            found.add(node)
            todo.extend(self._facts.graph.data_inputs(node))
        kept = [n for n in found if n.op_type not in (*MOVES, "Cast")]
        return sorted(kept or found, key=self._facts.graph.order.__getitem__)


def cut_of(sizes: Sizes, node: Node, value: Value) -> Cut | None:
    """The entries of the last axis that a Split or Slice takes; None where it takes another axis.

    Raises Unreadable where they are not known.
    """
    rank = sizes.rank(node.inputs[0]) or 0 if node.inputs else 0
    length = (sizes.fixed(value) or (None,))[-1]
    if node.op_type == "Split" and axis_attribute(node, 0, rank) == rank - 1:
        lengths = [(sizes.fixed(v) or (None,))[-1] for v in node.outputs]
        before = lengths[: list(node.outputs).index(value)]
        if length is None or None in before:
            raise Unreadable("a Split of unknown lengths", node)
        return Cut(sum(n or 0 for n in before), 1, length)
    if node.op_type == "Slice":
        cuts = slice_cuts(sizes, node, rank) if rank else None
        if cuts is None or rank - 1 not in cuts:
            return None
        if length is None:
            raise Unreadable("a Slice of unknown length", node)
        start, step = cuts[rank - 1]
        return Cut(start, step, length)
    return None
