"""Matrix products with a constant matrix: what crossbars can hold."""

import math
import string
from dataclasses import dataclass, replace

import onnx_ir
from onnx_ir import Node, Value

from compiler.frontend.facts.constants import Axis, View, computed, matrices_of, view_of
from compiler.frontend.facts.gathered import gathered, is_single
from compiler.frontend.facts.graph import Graph, axis_attribute, name_of
from compiler.frontend.facts.sizes import Sizes
from ir.onnxdoor.packing import reads_packed

PARTS = ("Split", "Slice", "Gather", "GatherND", "GatherElements")  # what takes rows
MAX_BETWEEN = 64  # values between two products of one expert


@dataclass(frozen=True, eq=False)
class Product:
    """out = data @ matrix (+ bias), `matrix` a view [rows, columns] or [experts, rows, columns].

    `nodes`: the product itself and what adds its bias. `flipped`: computed as matrix^T @ data^T,
    so that the columns come first in `out`. `selected`: the matrices are picked from the stack at
    run time, a single one for all rows where `single`. `members`: one product per expert, whose
    rows are joined in `out`; `bias_index`: which of the stored biases is a member's. `index`: the
    run-time value by which matrices are selected.
    """

    node: Node
    data: Value
    out: Value
    matrix: View
    bias: str | None = None
    nodes: tuple[Node, ...] = ()
    flipped: bool = False
    selected: bool = False
    single: bool = False
    members: tuple["Product", ...] = ()
    bias_index: int | None = None
    index: Value | None = None

    @property
    def columns(self) -> int:
        """Width of the result."""
        return self.matrix.axes[-1].length

    @property
    def stacked(self) -> int | None:
        """Number of matrices where there are several."""
        if self.members:
            return len(self.members)
        return self.matrix.axes[0].length if len(self.matrix.axes) == 3 else None

    def one(self, index: int | None) -> tuple[View, str | None]:
        """Matrix and bias of one of several, or of the only one."""
        if self.members and index is not None:
            return self.members[index].matrix, self.members[index].bias
        if index is None or len(self.matrix.axes) == 2:
            return self.matrix, self.bias
        return self.matrix.at(0, index), self.bias


class Products:
    """All constant-weight products of a graph, by node and by output value."""

    def __init__(self, graph: Graph, sizes: Sizes) -> None:
        self._graph, self._sizes = graph, sizes
        self.by_node: dict[Node, Product] = {}
        for node in graph.nodes:
            found = self._product(node) if graph.is_data(node) else None
            if found is not None:
                self.by_node[node] = found
        self.by_out = {product.out: product for product in self.by_node.values()}
        for node in graph.nodes:
            if node.op_type == "Concat":
                self._join(node)
        self.bias_nodes = {n: p for p in self.by_node.values() for n in p.nodes if n is not p.node}

    def _join(self, node: Node) -> None:
        """Take products of equal shape whose rows are concatenated as one."""
        members = [self.by_out.get(v) for v in node.inputs if v is not None]
        rank = self._sizes.rank(node.outputs[0]) or 0
        found = [m for m in members if m is not None and m.stacked is None and not m.flipped]
        if len(found) < 2 or len(found) != len(node.inputs) or rank < 2:
            return
        shapes = {m.matrix.shape for m in found}
        alone = all(self._graph.only_reader(m.out) is node for m in found)
        apart = len({m.data for m in found}) == len(found)
        if len(shapes) != 1 or not alone or not apart or axis_attribute(node, 0, rank) == rank - 1:
            return
        if any(self._follows_another(m) for m in found):
            return
        nodes = [*(n for m in found for n in m.nodes), node]
        out = node.outputs[0]
        bias, out, adds = self._picked_bias(out, (len(found), found[0].columns))
        if bias is not None:
            found = [replace(m, bias=bias, bias_index=i) for i, m in enumerate(found)]
            nodes += adds
        joined = Product(
            node, found[0].data, out, found[0].matrix, nodes=tuple(nodes), members=tuple(found)
        )
        for member in found:
            del self.by_node[member.node], self.by_out[member.out]
        self.by_node[node] = self.by_out[joined.out] = joined

    def _follows_another(self, product: Product) -> bool:
        """Whether its rows are what one other product gives, unlike parts of a joined result.

        Such products are the last ones of experts that stand whole beside each other.
        """
        todo, seen = [product.data], {product.data}
        while todo and len(seen) <= MAX_BETWEEN:
            value = todo.pop()
            if value in self.by_out:
                return True
            node = value.producer()
            if node is None or node.op_type in PARTS:
                continue
            fresh = [v for v in self._graph.data_inputs(node) if v not in seen]
            seen.update(fresh)
            todo.extend(fresh)
        return False

    def _product(self, node: Node) -> Product | None:
        if node.op_type == "MatMulNBits":
            return self._packed(node)
        if node.op_type == "Einsum":
            return self._einsum(node)
        if node.op_type not in ("MatMul", "Gemm", "FusedMatMul") or len(node.inputs) < 2:
            return None
        left, right = node.inputs[0], node.inputs[1]
        if left is None or right is None:
            return None
        flipped = left in self._graph.constant
        if not flipped and right not in self._graph.constant:
            return self._picked(node, left, right)
        if flipped and right in self._graph.constant:
            return None
        own, other = ("transA", "transB") if flipped else ("transB", "transA")
        turned = bool(node.attributes.get_int(own, 0)) != flipped
        matrix = left if flipped else right
        view = matrices_of(self._graph, self._sizes, matrix, turned=turned)
        if view is None:
            return None
        view = view.squeezed()
        if len(view.axes) not in (2, 3):
            return None
        view = view.transposed() if turned else view
        if node.op_type != "MatMul" and (
            bool(node.attributes.get_int(other, 0))
            or node.attributes.get_float("alpha", 1.0) != 1.0
        ):
            return None
        return self._with_bias(node, right if flipped else left, view, flipped=flipped)

    def _einsum(self, node: Node) -> Product | None:
        """A sum over one letter of an activation and a constant matrix, or a stack of them."""
        equation = (node.attributes.get_string("equation", "") or "").replace(" ", "")
        terms, arrow, out = equation.partition("->")
        parts = terms.split(",")
        if not arrow or len(parts) != 2 or len(node.inputs) != 2:
            return None
        sides = [v for v in node.inputs if v is not None and v in self._graph.constant]
        if not sides:
            return self._picked_einsum(node, parts, out)
        if len(sides) != 1 or "." in equation:
            return None
        place = 0 if node.inputs[0] is sides[0] else 1
        own, other, data = parts[place], parts[1 - place], node.inputs[1 - place]
        rows = [c for c in own if c in other and c not in out]
        columns = [c for c in own if c in out and c not in other]
        stack = [c for c in own if c in out and c not in (*rows, *columns)]
        if len(own) == 3 and len(columns) == 2:  # every token through every expert: td,edf->tef
            stack, columns = columns[:1], columns[1:]
            if out[-1] != columns[0]:
                stack, columns = columns, stack
        if data is None or len(rows) != 1 or len(columns) != 1:
            return None
        turned = own.index(rows[0]) > own.index(columns[0])
        view = matrices_of(self._graph, self._sizes, sides[0], turned=turned)
        if view is None:
            return None
        if len(view.axes) != len(own) or len(stack) != len(own) - 2:
            return None
        plain = other[-1] == rows[0] and out == other[:-1] + columns[0]
        if not stack and not plain:
            return None
        order = [own.index(c) for c in (*stack, *rows, *columns)]
        view = replace(view, axes=tuple(view.axes[i] for i in order))
        if stack and out.index(stack[0]) == len(out) - 3:  # matrix by matrix, as MatMul gives it
            return self._with_bias(node, data, view, flipped=False)
        return Product(node, data, node.outputs[0], view, None, (node,))

    def _picked_einsum(self, node: Node, parts: list[str], out: str) -> Product | None:
        """Vectors times matrices gathered by ids, one for each of these: td,tkdf->tkf."""
        found = [
            None if v is None else gathered(self._graph, self._sizes, v, turned=own[-1:] not in out)
            for v, own in zip(node.inputs, parts, strict=True)
        ]
        place = 0 if found[0] is not None else 1
        picked, data = found[place], node.inputs[1 - place]
        if picked is None or found[1 - place] is not None or len(picked[0].axes) != 3:
            return None
        own, other, out = self._spelled(node.inputs[place], parts[place], parts[1 - place], out)
        by, ends = own[:-2], own[-2:]
        rows = [c for c in ends if c in other and c not in out]
        columns = [c for c in ends if c in out and c not in other]
        once = all(len(set(term)) == len(term) for term in (own, other, out))
        if data is None or not once or len(rows) != 1 or len(columns) != 1:
            return None
        if not set(other) <= {*by, *rows} or set(out) != {*by, *columns}:
            return None
        view = picked[0] if ends == rows[0] + columns[0] else picked[0].transposed()
        value, bias = node.outputs[0], None
        adds: list[Node] = []
        if out[-1] == columns[0]:
            bias, value, adds = self._picked_bias(value, (view.shape[0], view.shape[2]))
        return Product(node, data, value, view, bias, (node, *adds), selected=True, index=picked[1])

    def _spelled(self, value: Value | None, own: str, other: str, out: str) -> tuple[str, str, str]:
        """Three terms with letters for the axes that `...` stands for, as many as `value` has."""
        letters = [c for c in string.ascii_uppercase if c not in own + other + out]
        many = max((self._sizes.rank(value) or 0) - len(own.replace("...", "")), 0)
        any_, terms = "".join(letters[:many]), (own, other, out)
        own, other, out = (term.replace("...", any_) for term in terms)
        return own, other, out

    def _with_bias(self, node: Node, data: Value, view: View, *, flipped: bool) -> Product | None:
        out, bias = node.outputs[0], None
        nodes: tuple[Node, ...] = (node,)
        given = node.inputs[2] if node.op_type == "Gemm" and len(node.inputs) > 2 else None
        if given is not None:
            bias = self._stored(given)
            if bias is None or node.attributes.get_float("beta", 1.0) != 1.0:
                return None
        adder = self._graph.only_reader(out)
        if bias is None and adder is not None and adder.op_type == "Add" and not flipped:
            other = adder.inputs[1] if adder.inputs[0] is out else adder.inputs[0]
            shape = self._sizes.fixed(other)
            if len(view.axes) == 3:  # one for each matrix of a stack
                same = shape is not None and shape[-3:] == (view.shape[0], 1, view.shape[2])
                bias = self._stored(other, view.shape[0]) if same else None
            elif shape is not None and [d for d in shape if d != 1] == [view.axes[-1].length]:
                bias = self._stored(other)
            if bias is not None:
                out, nodes = adder.outputs[0], (node, adder)
        return Product(node, data, out, view, bias, nodes, flipped)

    def _stored(self, value: Value | None, stacked: int | None = None) -> str | None:
        """The stored tensor that a bias is all of, perhaps through a Cast, or one that nodes make.

        None where it is not constant. stacked: so many biases, along its first axis.
        """
        view = view_of(self._graph, self._sizes, value)
        if view is None or value is None:
            return None
        dims = self._sizes.fixed(self._graph.source.values[view.tensor]) or ()
        whole = math.prod(d or 0 for d in dims) == math.prod(view.shape)
        if whole and (stacked is None or dims[:1] == (stacked,)):
            return view.tensor
        made = computed(self._sizes, value)
        return None if made is None else made.tensor

    def _picked(self, node: Node, left: Value, right: Value) -> Product | None:
        """A product with matrices that are gathered from a stack at run time, one per row."""
        if node.op_type != "MatMul":
            return None
        found = (
            gathered(self._graph, self._sizes, left, turned=True),  # matrix @ column vector
            gathered(self._graph, self._sizes, right),
        )
        turned = found[0] is not None
        picked, data = (found[0], right) if turned else (found[1], left)
        if picked is None or None not in found or len(picked[0].axes) != 3:
            return None
        view = picked[0].transposed() if turned else picked[0]
        index, out = picked[1], node.outputs[0]
        if is_single(self._sizes, left if turned else right):
            one = Product(node, data, out, view, None, (node,), selected=True, single=True)
            return None if turned else replace(one, index=index)
        shape = self._sizes.fixed(data)
        if shape is None or 1 not in shape[-2:]:
            return None
        bias, out, adds = self._picked_bias(out, (view.shape[0], view.shape[2]))
        return Product(node, data, out, view, bias, (node, *adds), selected=True, index=index)

    def _picked_bias(
        self, out: Value, shape: tuple[int, int]
    ) -> tuple[str | None, Value, list[Node]]:
        """The stored biases [experts, columns] gathered and added to `out`, perhaps after a view.

        With the value that they are in and the nodes on the way; (None, `out`, []) without.
        """
        steps: list[Node] = []
        value = out
        while True:
            reader = self._graph.only_reader(value)
            if reader is None or reader.op_type not in ("Squeeze", "Unsqueeze", "Reshape", "Add"):
                return None, out, []
            steps.append(reader)
            if reader.op_type == "Add":
                other = reader.inputs[1] if reader.inputs[0] is value else reader.inputs[0]
                stored = self._biases(other, shape) if other is not None else None
                return (None, out, []) if stored is None else (stored, reader.outputs[0], steps)
            value = reader.outputs[0]

    def _biases(self, value: Value, shape: tuple[int, int]) -> str | None:
        """The tensor of just these biases that a value is gathered from, made by nodes if need be.

        A `Weight` does not say of a bias how its tensor is turned.
        """
        found, node = gathered(self._graph, self._sizes, value), value.producer()
        if found is None or node is None or found[0].shape != shape:
            return None
        if found[0].axes == tuple(Axis(i, n) for i, n in enumerate(shape)) and not found[0].fixed:
            return found[0].tensor
        made = None if node.inputs[0] is None else computed(self._sizes, node.inputs[0])
        return None if made is None or made.shape != shape else made.tensor

    def _packed(self, node: Node) -> Product | None:
        """MatMulNBits: quantised weights packed along K; the matrix has K rows and N columns."""
        data, packed = node.inputs[0], node.inputs[1]
        rows, columns = node.attributes.get_int("K", 0), node.attributes.get_int("N", 0)
        bits = node.attributes.get_int("bits", 4)
        if data is None or packed is None or not rows or not columns:
            return None
        if packed.dtype != onnx_ir.DataType.UINT8 or not reads_packed(node):
            return None
        view = View(name_of(packed), int(bits or 4), (Axis(1, rows), Axis(0, columns)))
        return self._with_bias(node, data, view, flipped=False)
