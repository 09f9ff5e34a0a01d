"""Shape arithmetic: what small values hold, one node at a time, by ONNX's reference in numpy."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx_ir import Node

from compiler.frontend.facts.graph import name_of
from ir.arrays import Array, Ints
from ir.onnxdoor.load import Source

MAX_MADE = 4096  # elements that ConstantOfShape may make
READABLE = tuple(  # element types that numpy has, and that shapes are made of
    onnx_ir.DataType[name]
    for name in "INT64 INT32 FLOAT BOOL DOUBLE FLOAT16 INT8 UINT8 INT16 UINT16".split()
)
_COMPUTED = frozenset(
    """
    Cast Div Gather Slice Squeeze Unsqueeze Reshape Concat Add Sub Mul Mod Pow Neg Abs Floor Ceil
    Round Sqrt Identity Equal Less Greater LessOrEqual GreaterOrEqual Where Min Max And Or Not
    ReduceProd ReduceMax ReduceMin ReduceSum ConstantOfShape
    """.split()
)


class Arithmetic:
    """Computes nodes of `source`, each with an evaluator of its own that is made once."""

    def __init__(self, source: Source) -> None:
        """Nothing is computed yet."""
        self._source = source
        self._evaluators: dict[Node, ReferenceEvaluator | None] = {}

    def knows(self, node: Node) -> bool:
        """Whether a node may be part of shape arithmetic."""
        return node.op_type in _COMPUTED and node.domain in ("", "ai.onnx") and bool(node.inputs)

    def of(self, node: Node, given: Sequence[Array | None]) -> Array | None:
        """The numbers in a node's first output; None where they cannot be computed.

        given: the contents of its inputs, None for those that are left out.
        """
        if node.op_type == "ConstantOfShape" and _product(given[0]) > MAX_MADE:
            return None
        evaluator = self._evaluator(node)
        if evaluator is None:
            return None
        feeds = {name_of(v): c for v, c in zip(node.inputs, given, strict=True) if c is not None}
        try:
            (made, *_) = evaluator.run(None, feeds, attributes={})
        except Exception:  # the reference raises of any kind where the graph's types do not fit
            return None
        numbers: Array = np.asarray(made)
        return numbers if numbers.dtype.kind in "biuf" else None

    def _evaluator(self, node: Node) -> ReferenceEvaluator | None:
        """What runs a node as its opset defines it; None where it cannot be read."""
        if node not in self._evaluators:
            try:
                self._evaluators[node] = ReferenceEvaluator(self._alone(node))
            except Exception:  # likewise: an attribute of another type, an operator of no version
                self._evaluators[node] = None
        return self._evaluators[node]

    def _alone(self, node: Node) -> onnx.FunctionProto:
        inputs = dict.fromkeys(name_of(v) for v in node.inputs if v is not None)
        opsets = self._source.model.opset_imports
        version = opsets.get(node.domain, opsets.get("", 1))
        return helper.make_function(
            "moexbar",
            "one",
            list(inputs),
            [name_of(node.outputs[0])],
            [self._source.proto(node)],
            [helper.make_opsetid("", version)],
        )


def taken_of_shape(node: Node, dims: Ints) -> Ints:
    """What a Shape node takes of its input's shape."""
    start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", None)
    return dims[start:end]


def _product(dims: Array | None) -> float:
    return 0.0 if dims is None else float(np.prod(dims, dtype=np.float64))
