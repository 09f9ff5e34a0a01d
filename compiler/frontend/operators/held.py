"""What the matrices that a digital operator holds cost: products, and bytes of weights read.

A product's multiply-accumulates follow from the shapes of its operand and its output. Where these
are not known (in subgraphs, for operators of several products), every weight is used once a token.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx_ir
from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.operands import RECURRENT, contracted
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.facts.uses import Use, stored_size
from ir.onnxdoor.stored import elements_per_item
from ir.onnxdoor.subgraphs import subgraphs
from ir.onnxdoor.widen import as_stored
from ir.workload import Scope


@dataclass(frozen=True)
class Held:
    """macs: a token's; weight_bytes: of a use; gathered_bytes: of a token.

    Of an operator that does not depend on the tokens, macs and gathered_bytes are of a use.
    """

    macs: int = 0
    weight_bytes: int = 0
    gathered_bytes: int = 0

    def __add__(self, other: "Held") -> "Held":
        """Both, one after the other."""
        return Held(
            self.macs + other.macs,
            self.weight_bytes + other.weight_bytes,
            self.gathered_bytes + other.gathered_bytes,
        )

    def times(self, count: int) -> "Held":
        """The same so many times."""
        return Held(self.macs * count, self.weight_bytes * count, self.gathered_bytes * count)

    def each_token(self) -> "Held":
        """The same done anew for each token."""
        return Held(self.macs, 0, self.gathered_bytes + self.weight_bytes)


NOTHING = Held()


def held_by(facts: Facts, nodes: Collection[Node], scope: Scope, tokens: int) -> Held:
    """What the nodes of a digital operator hold.

    tokens: the length of a sequence at which what mixes tokens is counted, in the mean per token.
    """
    counted = _Counted(facts.sizes, scope, tokens)
    total = NOTHING
    for node in nodes:
        uses = facts.uses.matrices.get(node, ())
        if uses and subgraphs(node):
            total += _control(facts.sizes, node, _by_graph(uses))
        elif uses:
            total += counted.product(node, uses)
        for use in facts.uses.picked.get(node, ()):
            total += Held(0, 0, counted.picked_bytes(use))
    return total


def loops_of_unknown_length(facts: Facts) -> list[str]:
    """A note for each Loop or Scan with weights whose trips are not known."""
    return [
        f"node {node.name!r} ({node.op_type}): how often its body runs is not known; its weights "
        "are counted once a token"
        for node in facts.uses.matrices
        if node.op_type in ("Loop", "Scan") and trips(facts.sizes, node) is None
    ]


def trips(sizes: Sizes, node: Node) -> int | None:
    """How often the body of a Loop or Scan runs; None where that is not known."""
    if node.op_type == "Loop":
        most = _number(sizes, node.inputs[0])
        return most if most is not None and 0 < most < 2**31 else None
    scanned = int(node.attributes.get_int("num_scan_inputs", 1) or 1)
    axes = list(node.attributes.get_ints("scan_input_axes", ()) or (0,))
    shape = sizes.fixed(node.inputs[len(node.inputs) - scanned])
    return shape[axes[0]] if shape else None


@dataclass(frozen=True, eq=False)
class _Counted:
    """Counts for one operator."""

    sizes: Sizes
    scope: Scope
    tokens: int

    def product(self, node: Node, uses: Collection[Use]) -> Held:
        """A node of the main graph that multiplies with stored matrices."""
        if node.op_type in ("MoE", "QMoE"):
            chosen = int(node.attributes.get_int("k", 1) or 1)
            one = [(_elements(u) // n, _bytes(u) // n) for u in uses if (n := _entries(u))]
            return Held(chosen * sum(m for m, _ in one), 0, chosen * sum(b for _, b in one))
        each = [self._macs(node, use) for use in uses]
        macs = sum(each) if node.op_type in RECURRENT else max(each)
        whole = {use.operand: _bytes(use) for use in uses if use.picked is None}
        return Held(macs, sum(whole.values()))

    def picked_bytes(self, use: Use) -> int:
        """Bytes that are taken of a stack for a token."""
        made = None if use.picked is None else self._made(use.picked.outputs[0])
        items = made or stored_size(use.stored) // _entries(use)
        return -(-items * _bits(use.stored) // 8)

    def _macs(self, node: Node, use: Use) -> int:
        shape = self.sizes.fixed(use.operand) or _declared(use.operand)
        each = None if shape is None else contracted(node, use.place, shape)
        made = self._made(node.inputs[0] if node.op_type == "ConvTranspose" else node.outputs[0])
        if each and made:
            return each * made
        return _elements(use) // (_entries(use) if use.picked is not None else 1)

    def _made(self, value: Value | None) -> int | None:
        """Elements of a value: a token's, or in all where the scope is constant."""
        if value is None:
            return None
        if self.scope == "token":
            return self.sizes.per_token(value)
        total = self.sizes.at(value, self.tokens)
        if total is None or self.scope == "constant":
            return total
        return -(-total // (self.sizes.counted(self.tokens) * self.sizes.batch))


def _control(sizes: Sizes, node: Node, uses: Mapping[object, Collection[Use]]) -> Held:
    """An If costs its larger branch; the body of a loop is run as often as is known."""
    bodies = [_body(sizes, graph, uses) for graph in subgraphs(node)]
    if node.op_type not in ("Loop", "Scan"):
        return max(bodies, key=lambda held: held.macs, default=NOTHING)
    count, body = trips(sizes, node), sum(bodies, NOTHING)
    return body.each_token() if count is None else body.times(count)


def _body(sizes: Sizes, graph: onnx_ir.Graph, uses: Mapping[object, Collection[Use]]) -> Held:
    total = NOTHING
    for use in uses.get(graph, ()):
        part = _entries(use) if use.picked is not None else 1
        total += Held(_elements(use) // part, _bytes(use) // part)
    for node in graph:
        if subgraphs(node):
            total += _control(sizes, node, uses)
    return total


def _by_graph(uses: Collection[Use]) -> dict[object, list[Use]]:
    found: dict[object, list[Use]] = {}
    for use in uses:
        found.setdefault(use.node.graph, []).append(use)
    return found


def _number(sizes: Sizes, value: Value | None) -> int | None:
    """The one number that a value always is."""
    if value is None:
        return None
    found = sizes.numbers(value)
    if found is None and value.const_value is not None and value.const_value.size == 1:
        found = [int(value.const_value.numpy().item())]
    return found[0] if found and len(found) == 1 else None


def _declared(value: Value) -> tuple[int | None, ...] | None:
    if value.shape is None:
        return None
    return tuple(d if isinstance(d, int) else None for d in value.shape)


def _items(use: Use) -> int:
    """Stored items of an operand: the tensor, or the part of it that the operand is."""
    shape = _declared(use.operand)
    known = [d for d in shape or () if d is not None]
    if use.picked is not None or shape is None or len(known) < len(shape):
        return stored_size(use.stored)
    return min(math.prod(known), stored_size(use.stored))


def _elements(use: Use) -> int:
    return _items(use) * elements_per_item(use.stored)


def _bytes(use: Use) -> int:
    return -(-_items(use) * _bits(use.stored) // 8)


def _entries(use: Use) -> int:
    """Matrices in a stack."""
    tensor = use.stored.const_value
    return int(tensor.shape.numpy()[0]) if tensor is not None and len(tensor.shape) > 2 else 1


def _bits(stored: Value) -> int:
    """Bits of an item, as it is stored."""
    tensor = stored.const_value
    return 0 if tensor is None else int(as_stored(tensor).dtype.bitwidth)
