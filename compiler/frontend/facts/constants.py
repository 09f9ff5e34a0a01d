"""Follow a constant back to the initialiser that stores it, without reading it.

The operations that only rearrange a tensor (Transpose, Slice, Split, Gather of one index, Squeeze,
Unsqueeze, Reshape by ones, Cast, Identity, DequantizeLinear) are kept as a description of which
rows, columns and entry of the stored tensor a value is. What other nodes make of stored tensors
(weights times a scale for each block) is a tensor of its own, computed where it is needed.
"""

import math
from dataclasses import dataclass, replace

from onnx_ir import DataType, Node, Value

from compiler.frontend.facts.graph import Graph, axis_attribute, name_of
from compiler.frontend.facts.sizes import Sizes
from ir.onnxdoor.computed import made_of, origin
from ir.onnxdoor.subgraphs import subgraphs
from ir.onnxdoor.widen import as_stored
from ir.workload import Weight

_SAME = ("Cast", "Identity", "DequantizeLinear", "CastLike")
_NO_WEIGHTS = (DataType.INT64, DataType.INT32, DataType.BOOL, DataType.STRING)


@dataclass(frozen=True)
class Axis:
    """One axis of a view: entries start, start + step, ... of axis `stored` of the tensor.

    `stored` None: an axis of length 1 that the stored tensor does not have. part: not all entries.
    """

    stored: int | None
    length: int
    start: int = 0
    step: int = 1
    part: bool = False


@dataclass(frozen=True)
class View:
    """A constant value as a part of a stored tensor; `fixed` = (stored axis, index) pairs.

    `tensor` may be the name of a constant that nodes make; `bits` are then those of the largest
    tensor that it is made of.
    """

    tensor: str
    bits: int
    axes: tuple[Axis, ...]
    fixed: tuple[tuple[int, int], ...] = ()
    nodes: tuple[Node, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(axis.length for axis in self.axes)

    def at(self, position: int, index: int) -> "View":
        """The entry `index` along the axis at `position`, which disappears."""
        axis = self.axes[position]
        rest = self.axes[:position] + self.axes[position + 1 :]
        if axis.stored is None:
            return replace(self, axes=rest)
        stored = axis.start + axis.step * (index + axis.length if index < 0 else index)
        return replace(self, axes=rest, fixed=(*self.fixed, (axis.stored, stored)))

    def cut(self, position: int, start: int, length: int, step: int = 1) -> "View":
        """Entries start, start + step, ... along the axis at `position`."""
        axis = self.axes[position]
        part = Axis(
            axis.stored,
            length,
            axis.start + axis.step * start,
            axis.step * step,
            axis.part or length != axis.length,
        )
        return replace(self, axes=(*self.axes[:position], part, *self.axes[position + 1 :]))

    def squeezed(self) -> "View":
        """Without the axes of length 1 that are no matrix axis (all but the last two)."""
        lead = tuple(a for a in self.axes[:-2] if a.length != 1)
        gone = tuple(
            (a.stored, a.start) for a in self.axes[:-2] if a.length == 1 and a.stored is not None
        )
        return replace(self, axes=lead + self.axes[-2:], fixed=self.fixed + gone)

    def transposed(self) -> "View":
        """With its last two axes exchanged."""
        return replace(self, axes=(*self.axes[:-2], self.axes[-1], self.axes[-2]))


def view_of(graph: Graph, sizes: Sizes, value: Value | None) -> View | None:
    """The view that `value` is, or None where it is no constant that is stored or can be computed.

    It is that of one stored tensor or, past a node that does more than rearrange it, of what that
    node makes.
    """
    if value is None or value not in graph.constant:
        return None
    if value.is_initializer():
        tensor = value.const_value
        if tensor is None:
            return None
        axes = tuple(Axis(i, int(d)) for i, d in enumerate(tensor.shape.numpy()))
        return View(name_of(value), int(as_stored(tensor).dtype.bitwidth), axes)
    node = value.producer()
    if node is None or node.domain not in ("", "ai.onnx"):
        return None
    before = view_of(graph, sizes, node.inputs[0]) if node.inputs else None
    after = None if before is None else _step(graph, sizes, node, value, before)
    if after is not None:
        return replace(after, nodes=(*after.nodes, node))
    return computed(sizes, value)


def matrices_of(
    graph: Graph, sizes: Sizes, value: Value | None, *, turned: bool = False
) -> View | None:
    """The view that a constant is, such that `Weight` can say its matrix or those of its stack.

    Where it cannot (rows cut out of a tensor), what the last node makes is a tensor of its own.
    turned: it is multiplied by with its last two axes exchanged.
    """
    view = view_of(graph, sizes, value)
    if view is None or value is None or value.is_initializer() or len(view.axes) < 2:
        return view
    matrix = view.squeezed()
    matrix = matrix.at(0, 0) if len(matrix.axes) == 3 else matrix
    matrix = matrix.transposed() if turned else matrix
    made = computed(sizes, value) if weight_of(matrix) is None else None
    return view if made is None else made


def computed(sizes: Sizes, value: Value) -> View | None:
    """A constant of numbers as a tensor of its own, where ONNX defines all nodes that make it.

    One of more than eight numbers for each that is stored (a mask, a matrix of ones) is none.
    """
    nodes, _ = made_of(value)
    first, shape, kind = origin(value), sizes.fixed(value), sizes.kind(value)
    if first is None or first.const_value is None or shape is None or not shape:
        return None
    if any(node.domain not in ("", "ai.onnx") or subgraphs(node) for node in nodes):
        return None
    axes = tuple(Axis(i, length) for i, length in enumerate(shape) if length is not None)
    held, made = int(first.const_value.size), math.prod(a.length for a in axes)
    if len(axes) != len(shape) or kind is None or kind in _NO_WEIGHTS or made > 8 * held:
        return None
    bits = int(as_stored(first.const_value).dtype.bitwidth) * min(held, made) // made
    return View(name_of(value), max(bits, 1), axes)


def _step(graph: Graph, sizes: Sizes, node: Node, value: Value, view: View) -> View | None:
    """The view after one rearranging node."""
    rank = len(view.axes)
    if node.op_type in _SAME:
        return view if _keeps_numbers(sizes, node, value) else None
    if node.op_type == "Transpose":
        order = node.attributes.get_ints("perm", ()) or tuple(range(rank))[::-1]
        if sorted(order) != list(range(rank)):
            return None
        return replace(view, axes=tuple(view.axes[i] for i in order))
    if node.op_type in ("Squeeze", "Unsqueeze", "Reshape", "Flatten"):
        return _reshaped(view, sizes.fixed(value))
    if node.op_type == "Gather":
        index = sizes.numbers(node.inputs[1])
        if index is None or len(index) != 1:
            return None
        axis = axis_attribute(node, 0, rank)
        if not 0 <= axis < rank:
            return None
        if sizes.rank(node.inputs[1]) == 0:
            return view.at(axis, index[0])
        return view.cut(axis, index[0], 1)
    if node.op_type == "Split":
        return _split(sizes, node, value, view)
    if node.op_type == "Slice":
        return _sliced(sizes, node, value, view)
    return None


def _keeps_numbers(sizes: Sizes, node: Node, value: Value) -> bool:
    """Whether a node of _SAME rounds nothing, or scales a whole stored tensor by what is stored."""
    given = [v for v in node.inputs if v is not None]
    if node.op_type == "DequantizeLinear":
        whole = all(v.is_initializer() for v in given)
        return whole and {n for n, _ in given[0].uses()} == {node}
    before, after = sizes.kind(given[0]), sizes.kind(value)
    if node.op_type == "Identity" or before is None or after is None:
        return True
    return after.is_floating_point() and after.bitwidth >= min(before.bitwidth, 16)


def _reshaped(view: View, shape: tuple[int | None, ...] | None) -> View | None:
    """A reshape that only adds or removes axes of length 1."""
    if shape is None or None in shape:
        return None
    real = [axis for axis in view.axes if axis.length != 1]
    ones = [axis for axis in view.axes if axis.length == 1]
    if [d for d in shape if d != 1] != [axis.length for axis in real]:
        return None
    axes: list[Axis] = []
    for length in shape:
        axes.append(real.pop(0) if length != 1 else Axis(None, 1))
    fixed = tuple((a.stored, a.start) for a in ones if a.stored is not None)
    return replace(view, axes=tuple(axes), fixed=view.fixed + fixed)


def _split(sizes: Sizes, node: Node, value: Value, view: View) -> View | None:
    axis = axis_attribute(node, 0, len(view.axes))
    lengths = [(sizes.fixed(v) or (None,) * (axis + 1))[axis] for v in node.outputs]
    before = lengths[: node.outputs.index(value)]
    own = lengths[len(before)]
    if own is None or None in before or not 0 <= axis < len(view.axes):
        return None
    return view.cut(axis, sum(n for n in before if n is not None), own)


def _sliced(sizes: Sizes, node: Node, value: Value, view: View) -> View | None:
    cuts = slice_cuts(sizes, node, len(view.axes))
    shape = sizes.fixed(value)
    if cuts is None or shape is None or None in shape:
        return None
    for axis, (start, step) in cuts.items():
        length = view.axes[axis].length
        first = min(max(start + length if start < 0 else start, 0), length)
        if step < 1:
            return None
        view = view.cut(axis, first, shape[axis] or 0, step)
    return view


def slice_cuts(sizes: Sizes, node: Node, rank: int) -> dict[int, tuple[int, int]] | None:
    """{axis: (start, step)} of a Slice with constant starts, or None."""
    if len(node.inputs) < 3:
        starts = list(node.attributes.get_ints("starts", ()) or ())
        axes = list(node.attributes.get_ints("axes", ()) or range(len(starts)))
        if len(axes) != len(starts) or not rank:
            return None
        return {int(a) % rank: (int(s), 1) for a, s in zip(axes, starts, strict=True)}
    parts = [sizes.numbers(v) if v is not None else None for v in node.inputs[1:]]
    found = parts[0]
    if found is None:
        return None
    axes_ = parts[2] if len(parts) > 2 and parts[2] is not None else list(range(len(found)))
    steps = parts[3] if len(parts) > 3 and parts[3] is not None else [1] * len(found)
    if not len(found) == len(axes_) == len(steps) or not rank:
        return None
    return {a % rank: (s, p) for a, s, p in zip(axes_, found, steps, strict=True)}


def weight_of(view: View, bias: str | None = None) -> Weight | None:
    """The matrix [rows, columns] of a two-axis view, or None where `Weight` cannot say it."""
    view = view.squeezed()
    if len(view.axes) != 2:
        return None
    rows, columns = view.axes
    if rows.stored is None or columns.stored is None or rows.part:
        return None
    if len(view.fixed) > 1 or (view.fixed and view.fixed[0][0] > min(rows.stored, columns.stored)):
        return None
    return Weight(
        tensor=view.tensor,
        rows=rows.length,
        columns=columns.length,
        bits=view.bits,
        index=view.fixed[0][1] if view.fixed else None,
        transposed=rows.stored > columns.stored,
        start=columns.start,
        step=columns.step,
        bias=bias,
    )
