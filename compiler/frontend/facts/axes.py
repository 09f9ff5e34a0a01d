"""Where the tokens are: the token axis of every value, and whether a node keeps tokens apart.

A value that depends on the tokens has a token axis, or none when it mixes them. `inner` counts the
rows each token takes on that axis (k experts per token flattened into [tokens * k, d] has inner k).
A node is `token` if row t of its outputs depends on row t of its inputs only, `sequence` if it
mixes rows, `constant` if it does not depend on what the tokens are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx_ir import Node, Value

from compiler.frontend.facts.graph import Graph, axis_attribute
from compiler.frontend.facts.inputs import token_axis_of_input
from compiler.frontend.facts.kinds import ALONG, NORMS, REDUCTIONS
from compiler.frontend.facts.shape_rules import ELEMENTWISE
from compiler.frontend.facts.sizes import Sizes
from ir.workload import Scope


@dataclass(frozen=True)
class TokenAxis:
    """The tokens are on axis `axis`, each taking `inner` consecutive entries of it.

    outer: sequences that follow one another on that axis; 1 where they have an axis of their own.
    side: whose tokens they are, where sides of the model have different lengths.
    """

    axis: int
    inner: int = 1
    outer: int = 1
    side: int | None = None

    def at(self, axis: int) -> "TokenAxis":
        """The same tokens on another axis."""
        return TokenAxis(axis, self.inner, self.outer, self.side)


class Axes:
    """Token axes of all data values and the scope of every node."""

    def __init__(
        self,
        graph: Graph,
        sizes: Sizes,
        known: Mapping[Value, TokenAxis] | None = None,
        *,
        begins: Sequence[Value] = (),
        sides: Mapping[Value, int] | None = None,
    ) -> None:
        """Follow the tokens through `graph`; `known`: axes found in another way, which hold.

        begins: values [batch, tokens, width] where they begin, if not at the model's inputs. sides:
        the side of each input of tokens, where their lengths differ.
        """
        self._graph, self._sizes = graph, sizes
        self._known = dict.fromkeys(begins, TokenAxis(1)) | dict(known or {})
        self._axis: dict[Value, TokenAxis | None] = {
            v: TokenAxis(token_axis_of_input(v), side=(sides or {}).get(v))
            if not begins and sizes.rank(v) != 0
            else None
            for v in graph.token_inputs
        }
        self._scope: dict[Node, Scope] = {}
        for node in graph.nodes:
            self._visit(node)

    def of(self, value: Value | None) -> TokenAxis | None:
        """The token axis of a data value; None if it has none or is not a data value."""
        return self._axis.get(value) if value is not None else None

    def sides(self) -> dict[Value, int]:
        """The side whose tokens are in each value, where that is known."""
        known = {v: axis.side for v, axis in self._axis.items() if axis is not None}
        return {v: side for v, side in known.items() if side is not None}

    def sides_of(self, values: Iterable[Value]) -> list[int]:
        """The side of each of the values whose tokens are known."""
        known = [self._axis.get(value) for value in values]
        return [axis.side for axis in known if axis is not None and axis.side is not None]

    def scope(self, node: Node) -> Scope:
        """`token`, `sequence` or `constant`."""
        return self._scope[node]

    def _visit(self, node: Node) -> None:
        data = self._graph.data_inputs(node)
        if not data:
            self._scope[node] = "constant"
            return
        mixed = [v for v in data if self._axis.get(v) is None]
        beside = node.op_type in ELEMENTWISE and len(mixed) < len(data)
        found = None if mixed and not beside else self._rule(node)
        apart = found is not None
        if found is None:
            found = self._kept(node)
        self._scope[node] = "token" if apart else "sequence"
        for value in node.outputs:
            fits = found is None or self._fits(value, found)
            self._axis[value] = self._known.get(value, found if fits else None)

    def _fits(self, value: Value, axis: TokenAxis) -> bool:
        rank = self._sizes.rank(value)
        return rank is None or 0 <= axis.axis < rank

    def _rule(self, node: Node) -> TokenAxis | None:
        """The outputs' token axis if the node keeps tokens apart, else None."""
        kind = node.op_type
        if kind in ELEMENTWISE:
            return self._broadcast(node)
        if kind in ALONG:
            return self._along(node)
        if kind in NORMS:
            return self._norm(node)
        if kind in REDUCTIONS:
            return self._reduced(node)
        rule = _RULES.get(kind)
        return rule(self, node) if rule is not None else None

    def _broadcast(self, node: Node) -> TokenAxis | None:
        """Right-aligned axes; every data input must have its tokens at the same place.

        One that is made of all tokens, such as a scale, must be the same for each of them.
        """
        out_rank = self._sizes.rank(node.outputs[0])
        places: set[TokenAxis] = set()
        of_all: list[Value] = []
        for value in self._graph.data_inputs(node):
            axis, rank = self._axis[value], self._sizes.rank(value)
            if axis is None:
                of_all.append(value)
            elif rank is None:
                return None
            else:
                places.add(axis.at(rank - axis.axis))
        if len(places) != 1 or out_rank is None:
            return None
        back = places.pop()
        for value in of_all:
            shape = self._sizes.fixed(value)
            if shape is None or (len(shape) >= back.axis and shape[-back.axis] != 1):
                return None
        return back.at(out_rank - back.axis)

    def _along(self, node: Node) -> TokenAxis | None:
        rank = self._sizes.rank(node.inputs[0])
        if rank is None:
            return None
        default = {"CumSum": 0, "ArgMax": 0, "ArgMin": 0, "GatherElements": 0}.get(node.op_type, -1)
        if node.op_type == "ScatterElements":
            default = 0
        axis = axis_attribute(node, default, rank)
        if node.op_type == "CumSum":
            given = self._sizes.numbers(node.inputs[1])
            if given is None:
                return None
            axis = given[0] % rank
        places = {self._axis[v] for v in self._graph.data_inputs(node)}
        token = places.pop() if len(places) == 1 else None
        if token is None or token.axis == axis:
            return None
        if node.op_type.startswith("Arg") and not node.attributes.get_int("keepdims", 1):
            return token.at(token.axis - (token.axis > axis))
        return token

    def _norm(self, node: Node) -> TokenAxis | None:
        rank = self._sizes.rank(node.inputs[0])
        token = self._broadcast(node)
        if rank is None or token is None:
            return None
        return token if token.axis < axis_attribute(node, -1, rank) else None

    def _reduced(self, node: Node) -> TokenAxis | None:
        rank, token = self._sizes.rank(node.inputs[0]), self.of(node.inputs[0])
        if rank is None or token is None:
            return None
        axes: list[int] | None = list(node.attributes.get_ints("axes", ()) or ()) or None
        if len(node.inputs) > 1 and node.inputs[1] is not None:
            axes = self._sizes.numbers(node.inputs[1])
        if not axes:
            return token if node.attributes.get_int("noop_with_empty_axes", 0) else None
        gone = {a % rank for a in axes}
        if token.axis in gone:
            return None
        keep = node.attributes.get_int("keepdims", 1)
        return token if keep else token.at(token.axis - sum(a < token.axis for a in gone))

    def _transpose(self, node: Node) -> TokenAxis | None:
        token, rank = self.of(node.inputs[0]), self._sizes.rank(node.inputs[0])
        if token is None or rank is None:
            return None
        order = list(node.attributes.get_ints("perm", ()) or range(rank)[::-1])
        return token.at(order.index(token.axis)) if token.axis in order else None

    def _reshape(self, node: Node) -> TokenAxis | None:
        """The axis whose entries still belong to one token each: equal elements after it."""
        token = self.of(node.inputs[0])
        before, after = self._sizes.shape(node.inputs[0]), self._sizes.shape(node.outputs[0])
        if token is None or before is None or after is None:
            return None
        tail = before[token.axis + 1 :]
        if np.any(tail < 0):
            return None
        stride = token.inner * np.prod(tail, axis=0)
        known, batch = np.all(before[token.axis] > 0), self._sizes.batch
        length = before[token.axis] // (token.inner * token.outer) if known else None
        for axis in range(len(after)):
            rest = after[axis + 1 :]
            if np.any(rest <= 0) or (length is not None and np.any(after[axis] < 0)):
                continue
            inner, left = np.divmod(stride, np.prod(rest, axis=0))
            if np.any(left) or np.any(inner != inner.flat[0]) or inner.flat[0] < 1:
                continue
            for outer in (token.outer,) if length is None else (1, batch):
                if length is None or np.array_equal(after[axis], outer * length * inner):
                    return replace(token.at(axis), inner=int(inner.flat[0]), outer=outer)
        return None

    def _matmul(self, node: Node) -> TokenAxis | None:
        """Rows of the first operand, columns of the second; the summed axis must hold no tokens."""
        left, right = node.inputs[0], node.inputs[1]
        out_rank = self._sizes.rank(node.outputs[0])
        ranks = self._sizes.rank(left), self._sizes.rank(right)
        if out_rank is None or ranks[0] is None or ranks[1] is None:
            return None
        flip = (
            bool(node.attributes.get_int("transA", 0)),
            bool(node.attributes.get_int("transB", 0)),
        )
        backs: set[TokenAxis] = set()
        for value, rank, summed, turned in (
            (left, ranks[0], 1, flip[0]),
            (right, ranks[1], 2, flip[1]),
        ):
            token = self.of(value)
            if token is None:
                continue  # no data
            back = rank - token.axis
            if turned and back <= 2:
                back = 3 - back
            if back == summed or (rank == 1 and back == 1):
                return None
            backs.add(token.at(back))
        if len(backs) != 1:
            return None
        rows = backs.pop()
        both = left in self._graph.data and right in self._graph.data
        return None if both and rows.axis <= 2 else rows.at(out_rank - rows.axis)

    def _gather(self, node: Node) -> TokenAxis | None:
        data, index = node.inputs[0], node.inputs[1]
        rank, index_rank = self._sizes.rank(data), self._sizes.rank(index)
        if rank is None or index_rank is None:
            return None
        axis = axis_attribute(node, 0, rank)
        if data not in self._graph.data:
            token = self.of(index)
            return None if token is None else token.at(axis + token.axis)
        token = self.of(data)
        if index in self._graph.data or token is None or token.axis == axis:
            return None
        return token.at(token.axis + (index_rank - 1) * (token.axis > axis))

    def _cut(self, node: Node) -> TokenAxis | None:
        """Slice, Split, Concat, Pad, Expand, Tile: fine while the token axis stays as it is."""
        places = {self._axis[v] for v in self._graph.data_inputs(node)}
        token = places.pop() if len(places) == 1 else None
        before = self._sizes.shape(self._graph.data_inputs(node)[0])
        after = self._sizes.shape(node.outputs[0])
        if token is None or before is None or after is None:
            return None
        axis = token.axis + len(after) - len(before)
        if not np.array_equal(before[token.axis], after[axis]):
            return None
        along = node.op_type in ("Split", "Concat") and axis_attribute(node, 0, len(after)) == axis
        if along:
            return None
        return token.at(axis)

    def _squeeze(self, node: Node) -> TokenAxis | None:
        token = self.of(node.inputs[0])
        rank, after = self._sizes.rank(node.inputs[0]), self._sizes.rank(node.outputs[0])
        if token is None or rank is None or after is None:
            return None
        axes = self._sizes.numbers(node.inputs[1]) if len(node.inputs) > 1 else None
        axes = axes if axes is not None else list(node.attributes.get_ints("axes", ()) or ())
        if node.op_type == "Unsqueeze":
            new = {a % after for a in axes}
            kept = [a for a in range(after) if a not in new]
            return token.at(kept[token.axis])
        if not axes:
            return self._reshape(node)
        gone = {a % rank for a in axes}
        if token.axis in gone:
            return None
        return token.at(token.axis - sum(a < token.axis for a in gone))

    def _like_first(self, node: Node) -> TokenAxis | None:
        return self.of(node.inputs[0])

    def _one_hot(self, node: Node) -> TokenAxis | None:
        rank, token = self._sizes.rank(node.outputs[0]), self.of(node.inputs[0])
        if rank is None or token is None:
            return None
        new = axis_attribute(node, -1, rank)
        return token.at(token.axis + (token.axis >= new))

    def _kept(self, node: Node) -> TokenAxis | None:
        """The token axis of a node that mixes tokens, where one can still be told."""
        if node.op_type in ("MatMul", "FusedMatMul"):
            token, rank = self.of(node.inputs[0]), self._sizes.rank(node.inputs[0])
            out = self._sizes.rank(node.outputs[0])
            if token is not None and rank is not None and out is not None:
                back = rank - token.axis
                return token.at(out - back) if back >= 2 else None
        before = self._sizes.shape(node.inputs[0]) if node.inputs else None
        after = self._sizes.shape(node.outputs[0])
        token = self.of(node.inputs[0]) if node.inputs else None
        if token is None or before is None or after is None or len(before) != len(after):
            return None
        same = np.array_equal(before[token.axis], after[token.axis])
        return token if same and np.all(before[token.axis] > 0) else None


_RULES = {
    "Transpose": Axes._transpose,
    "Reshape": Axes._reshape,
    "Flatten": Axes._reshape,
    "MatMul": Axes._matmul,
    "Gemm": Axes._matmul,
    "FusedMatMul": Axes._matmul,
    "Gather": Axes._gather,
    "Slice": Axes._cut,
    "Split": Axes._cut,
    "Concat": Axes._cut,
    "Pad": Axes._cut,
    "Expand": Axes._cut,
    "Tile": Axes._cut,
    "Squeeze": Axes._squeeze,
    "Unsqueeze": Axes._squeeze,
    "MatMulNBits": Axes._like_first,
    "MoE": Axes._like_first,
    "QMoE": Axes._like_first,
    "OneHot": Axes._one_hot,
    "RotaryEmbedding": Axes._like_first,
}
