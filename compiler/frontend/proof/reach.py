"""How large the elements of a layer's input are: what the norm before it scales them to."""

import numpy as np
from onnx_ir import Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import view_of
from compiler.frontend.moe.anchors import root

FAR = (1.0, 8.0, 64.0)  # times the usual size
_NORMS = {  # the input that holds the scale
    "LayerNormalization": 1,
    "SimplifiedLayerNormalization": 1,
    "RMSNormalization": 1,
    "SkipLayerNormalization": 2,
    "SkipSimplifiedLayerNormalization": 2,
    "Mul": None,
}


def far_sizes(facts: Facts, entry: Value) -> tuple[float, ...]:
    """The sizes at which a layer is run besides 1: its own, and far beyond."""
    own = usual_size(facts, entry)
    return tuple(own * times for times in FAR)


def usual_size(facts: Facts, entry: Value) -> float:
    """The root mean square of the scale of the norm that makes `entry`; 1 where there is none."""
    node = root(facts.graph, entry).producer()
    if node is None or node.op_type not in _NORMS:
        return 1.0
    place = _NORMS[node.op_type]
    places = range(len(node.inputs)) if place is None else (place,)
    for value in (node.inputs[p] for p in places if p < len(node.inputs)):
        view = view_of(facts.graph, facts.sizes, value)
        tensor = None if view is None else facts.graph.source.graph.initializers.get(view.tensor)
        stored = None if tensor is None else tensor.const_value
        if stored is not None and stored.size > 1:
            scale = np.asarray(stored.numpy(), dtype=np.float64)
            size = float(np.sqrt(np.mean(scale**2)))
            return size if 0 < size < 1e6 else 1.0
    return 1.0
