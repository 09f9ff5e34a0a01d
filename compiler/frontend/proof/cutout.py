"""A MoE layer's region as a model of its own."""

from collections.abc import Sequence

import numpy as np
import onnx_ir
from onnx_ir import Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import SHAPE_OPS, Graph, name_of
from compiler.frontend.moe.found import FoundLayer
from ir.arrays import Array
from ir.onnxdoor.extract import extract


class Cutout:
    """The region as a model of its own.

    What does not come from the entry is fed: shape arithmetic with the contents known for a number
    of tokens; where those are unknown it is computed from the model's inputs, fed with zeros.
    """

    def __init__(
        self, facts: Facts, layer: FoundLayer, outputs: Sequence[str], *, unpacked: bool = False
    ) -> None:
        """Cut a layer's region out, with those of its values as outputs.

        unpacked: with packed weights in 32 bits, where activations are not rounded.
        """
        self._graph, self._sizes = facts.graph, facts.sizes
        fed = [*layer.entries, *self._boundary(layer)]
        self.kinds = {name_of(v): facts.sizes.kind(v) or onnx_ir.DataType.FLOAT for v in fed}
        self._fed = fed[len(layer.entries) :]
        self.model = extract(facts.graph.source, dict(self.kinds), outputs, unpacked=unpacked)

    def feeds(self, sample: int) -> dict[str, Array]:
        """The arrays of every input but the entries."""
        found = {}
        for value in self._fed:
            content, kind = self._sizes.content(value), self.kinds[name_of(value)].numpy()
            if content is not None:
                found[name_of(value)] = np.asarray(content[sample]).astype(kind)
                continue
            shape = self._sizes.shape(value)
            dims = [1 if d < 0 else int(d) for d in shape[:, sample]] if shape is not None else []
            found[name_of(value)] = np.zeros(dims, dtype=kind)
        return found

    def _boundary(self, layer: FoundLayer) -> list[Value]:
        """Values to feed beside the entry."""
        graph = self._graph
        own = _influenced(graph, layer)
        found: dict[Value, None] = {}
        seen: set[Value] = set(layer.entries)
        todo = [v for n in layer.nodes for v in graph.reads(n)]
        while todo:
            value = todo.pop()
            if value in seen or value in graph.constant:
                continue
            seen.add(value)
            node = value.producer()
            if node is None or (value not in own and self._sizes.content(value) is not None):
                found[value] = None
            else:
                todo.extend(graph.reads(node))
        return list(found)


def _influenced(graph: Graph, layer: FoundLayer) -> set[Value]:
    """The values that depend on the entries' content or shape, up to the layer's last node."""
    first = min((graph.order[r] for v in layer.entries for r in graph.readers(v)), default=0)
    found = set(layer.entries)
    for node in graph.nodes[first : graph.order[layer.last] + 1]:
        if node.op_type in SHAPE_OPS and node.inputs[0] in layer.entries:
            continue  # its content is known like any other shape
        if any(v in found for v in graph.reads(node)):
            found.update(node.outputs)
    return found
