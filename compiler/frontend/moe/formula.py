"""The element-wise function that some nodes compute of one value, step by step as they do it.

Nothing is guessed from the kinds of nodes: every operator on the way is a step, with the numbers
that the model has, or the function is not read.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir
from onnx_ir import Node, Value

from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.unreadable import Unreadable
from ir.activation import usual_numbers
from ir.curves import OPERATORS
from ir.formula import Formula, Number, Operand, Step

MOVES = frozenset(  # values that they pass on; which rows is no matter of a function of one number
    """
    Identity Reshape Squeeze Unsqueeze Flatten Transpose Expand Tile Gather GatherND GatherElements
    Slice Split Concat ScatterND ScatterElements Dropout CastLike Compress Pad
    """.split()
)
_MICROSOFT = frozenset(("Gelu", "FastGelu", "QuickGelu"))
_PLAIN = {  # curves without numbers
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Erf": "erf",
    "Exp": "exp",
    "Sin": "sin",
    "Cos": "cos",
    "Abs": "abs",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSwish": "hard-swish",
    "Mish": "mish",
}
_NUMBERED: Mapping[str, tuple[str, tuple[tuple[str, float], ...]]] = {  # attributes, their defaults
    "LeakyRelu": ("leaky-relu", (("alpha", 0.01),)),
    "Elu": ("elu", (("alpha", 1.0),)),
    "Celu": ("celu", (("alpha", 1.0),)),
    "Selu": (
        "selu",
        (("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)),
    ),
    "ThresholdedRelu": ("thresholded-relu", (("alpha", 1.0),)),
    "HardSigmoid": ("hard-sigmoid", (("alpha", 0.2), ("beta", 0.5))),
    "Shrink": ("shrink", (("lambd", 0.5), ("bias", 0.0))),
    "Swish": ("quick-gelu", (("alpha", 1.0),)),
    "QuickGelu": ("quick-gelu", (("alpha", 1.702),)),
}
_FLOATS = (
    onnx_ir.DataType.FLOAT,
    onnx_ir.DataType.FLOAT16,
    onnx_ir.DataType.BFLOAT16,
    onnx_ir.DataType.DOUBLE,
)
_RANGES: Mapping[onnx_ir.DataType | None, tuple[int, int]] = {
    onnx_ir.DataType.UINT8: (0, 255),
    onnx_ir.DataType.INT8: (-128, 127),
    onnx_ir.DataType.UINT16: (0, 65535),
    onnx_ir.DataType.INT16: (-32768, 32767),
}
_GELUS = ("Gelu", "FastGelu", "BiasGelu")
CURVES = frozenset((*_PLAIN, *_NUMBERED, *_GELUS, "PRelu"))


def curve_named(op_type: str) -> str | None:
    """The curve that an operator of ONNX is, whatever its numbers; None for one that is none."""
    if op_type in _NUMBERED:
        return _NUMBERED[op_type][0]
    if op_type == "PRelu":
        return "leaky-relu"
    return "gelu" if op_type in _GELUS else _PLAIN.get(op_type)


class FormulaReader:
    """Reads values that depend on one source, `inside`, as formulas of it."""

    def __init__(
        self,
        graph: Graph,
        sizes: Sizes,
        inside: Callable[[Value], bool],
        is_source: Callable[[Value], bool],
    ) -> None:
        """inside: whether a value depends on the source; is_source: whether it is the source."""
        self._graph, self._sizes = graph, sizes
        self._inside, self._is_source = inside, is_source
        self._steps: list[Step] = []
        self._known: dict[Value, Operand] = {}

    def product(self, factors: Sequence[Value], scale: float = 1.0) -> Formula:
        """The product of some values times `scale`; Unreadable where one is no known function."""
        first, *rest = [self._of(value) for value in factors]
        for operand in rest:
            first = self._step("Mul", first, operand)
        if scale != 1.0:
            first = self._step("Mul", first, Number(scale))
        if isinstance(first, Number):
            raise Unreadable("a constant, not a function of what a matrix gives")
        return Formula(tuple(self._steps[:first]))

    def _step(self, op: str, *operands: Operand) -> Operand:
        self._steps.append(Step(op, operands))
        return len(self._steps)

    def _of(self, value: Value) -> Operand:
        if value not in self._known:
            self._known[value] = self._made(value)
        return self._known[value]

    def _made(self, value: Value) -> Operand:
        if self._is_source(value):
            return 0
        number = number_of(self._sizes, value)
        if number is not None:
            return Number(number)
        node = value.producer()
        if value in self._graph.constant and (node is None or node.op_type in MOVES):
            shape = self._sizes.fixed(value)
            raise Unreadable(f"{value.name!r} has one number per column, shape {shape}", node)
        if node is None or not (self._inside(value) or value in self._graph.constant):
            raise Unreadable(f"{value.name!r} is another input of it", node)
        return self._after(node)

    def _after(self, node: Node) -> Operand:
        """What a node makes of what it reads."""
        op, reads = node.op_type, [v for v in node.inputs if v is not None]
        if node.domain not in ("", "ai.onnx") and op not in _MICROSOFT:
            raise Unreadable(f"{node.domain}.{op} is not known", node)
        if op in MOVES:
            return self._of(self._only(node, reads))
        if op == "Cast":
            return self._cast(node)
        outside = [v for v in reads if self._is_outside(v)]
        if outside and op in ("Mul", "Div", "Where"):  # a weight or a mask of whole rows
            return self._of(self._only(node, reads))
        if op == "Clip":
            return self._clipped(node)
        if op in ("QuantizeLinear", "DequantizeLinear"):
            return self._quantised(node)
        if op in ("Min", "Max", "Sum", "Mean"):
            return self._folded(op, reads)
        curve = self._curve(node)
        if curve is not None:
            return curve
        if op not in OPERATORS:
            raise Unreadable(f"{op} is no element-wise operator that is known", node)
        return self._step(op, *(self._of(v) for v in reads))

    def _is_outside(self, value: Value) -> bool:
        return not self._inside(value) and value not in self._graph.constant

    def _only(self, node: Node, reads: Sequence[Value]) -> Value:
        """The one value among them that depends on the source."""
        found = list(dict.fromkeys(v for v in reads if self._inside(v)))
        if len(found) != 1:
            raise Unreadable(f"{node.op_type} reads {len(found)} values of it", node)
        return found[0]

    def _cast(self, node: Node) -> Operand:
        """Among floats nothing; from truth values a step; to whole numbers it is not read."""
        (value,) = (v for v in node.inputs if v is not None)
        to = onnx_ir.DataType(int(node.attributes.get_int("to", 1) or 1))
        if to not in _FLOATS:
            raise Unreadable(f"Cast to {to.name.lower()} is not known", node)
        kind = self._sizes.kind(value)
        operand = self._of(value)
        return operand if kind in _FLOATS else self._step("Cast", operand)

    def _quantised(self, node: Node) -> Operand:
        """To the integers of one scale and zero point, or back from them."""
        first, scale, zero = (*node.inputs, None)[:3]
        factor, shift = number_of(self._sizes, scale), number_of(self._sizes, zero)
        if first is None or factor is None or (zero is not None and shift is None):
            raise Unreadable(f"{node.op_type} has a scale for every column", node)
        x, moved = self._of(first), Number(shift or 0.0)
        if node.op_type == "DequantizeLinear":
            return self._step("Mul", self._step("Sub", x, moved), Number(factor))
        kind = self._sizes.kind(node.outputs[0])
        if kind not in _RANGES:
            raise Unreadable(f"QuantizeLinear to {kind} is not known", node)
        least, most = (Number(float(n)) for n in _RANGES[kind])
        whole = self._step("Round", self._step("Div", x, Number(factor)))
        return self._step("Min", self._step("Max", self._step("Add", whole, moved), least), most)

    def _clipped(self, node: Node) -> Operand:
        out = self._of(node.inputs[0]) if node.inputs[0] is not None else 0
        for place, name, op in ((1, "min", "Max"), (2, "max", "Min")):
            limit = node.inputs[place] if len(node.inputs) > place else None
            given = node.attributes.get_float(name, None)
            if limit is not None:
                out = self._step(op, out, self._of(limit))
            elif given is not None:
                out = self._step(op, out, Number(float(given)))
        return out

    def _folded(self, op: str, reads: Sequence[Value]) -> Operand:
        """An operator of any number of operands, two by two."""
        first, *rest = [self._of(v) for v in reads]
        for operand in rest:
            first = self._step("Add" if op in ("Sum", "Mean") else op, first, operand)
        return self._step("Div", first, Number(float(len(reads)))) if op == "Mean" else first

    def _curve(self, node: Node) -> Operand | None:
        """A node that is a curve by itself; None for any other."""
        op, x = node.op_type, node.inputs[0]
        if x is None:
            return None
        if op in _PLAIN:
            return self._step(_PLAIN[op], self._of(x))
        if op in _NUMBERED:
            kind, defaults = _NUMBERED[op]
            numbers = [_attribute(node, name, usual) for name, usual in defaults]
            return self._step(kind, self._of(x), *map(Number, numbers))
        tanh = node.attributes.get_string("approximate", "none") == "tanh"
        if op == "FastGelu" or (op == "Gelu" and tanh):
            return self._step("gelu-tanh", self._of(x), *map(Number, usual_numbers("gelu-tanh")))
        if op == "Gelu":
            return self._step("gelu", self._of(x), *map(Number, usual_numbers("gelu")))
        if op == "PRelu":
            slope = number_of(self._sizes, node.inputs[1])
            if slope is None:
                raise Unreadable("PRelu has a slope of its own for every column", node)
            return self._step("leaky-relu", self._of(x), Number(slope))
        return None


def number_of(sizes: Sizes, value: Value | None) -> float | None:
    """The number that a constant holds, or that all its elements are; None for any other value."""
    content = sizes.content(value)
    if content is None or not content[0].size or content[0].dtype.kind not in "fiub":
        return None
    numbers = np.concatenate([np.ravel(c) for c in content]).astype(np.float64)
    return _decimal(float(numbers[0])) if np.all(numbers == numbers[0]) else None


def _attribute(node: Node, name: str, usual: float) -> float:
    found = node.attributes.get_float(name, None)
    return usual if found is None else _decimal(float(found))


def _decimal(value: float) -> float:
    """What a number was written as, if its 32 bits are those of a short decimal: 0.2."""
    short = float(f"{value:.6g}")
    with np.errstate(over="ignore"):
        return short if np.float32(short) == np.float32(value) else value
