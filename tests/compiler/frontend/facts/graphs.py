"""A small graph with the facts about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
from onnx import TensorProto, helper

from compiler.frontend.facts.axes import Axes
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.sizes import Sizes
from ir.onnxdoor.load import open_model
from tests.compiler.frontend import models as m


class Facts:
    """A graph over x [1, tokens, D] (or `dims`) with the values by name."""

    def __init__(
        self,
        folder: Path,
        g: m.Graph,
        outputs: Sequence[str],
        dims: Any = None,
    ) -> None:
        """Of dims "unknown" x has no shape."""
        for name in outputs:
            g.nodes.append(helper.make_node("Identity", [name], [f"out_{name}"]))
        path = folder / "m.onnx"
        shape: Any = [1, "tokens", m.D] if dims in (None, "unknown") else dims
        g.model(path, {f"out_{n}": [] for n in outputs}, {"x": (int(TensorProto.FLOAT), shape)})
        proto = onnx.load(path)
        if dims == "unknown":
            proto.graph.input[0].type.tensor_type.ClearField("shape")
        for output in proto.graph.output:  # of any type and rank
            output.type.Clear()
        path.write_bytes(proto.SerializeToString())
        self.graph = Graph.of(open_model(path))
        self.sizes = Sizes(self.graph)
        self.axes = Axes(self.graph, self.sizes)
        self.values = {v.name: v for n in self.graph.nodes for v in n.outputs}
        self.values |= {v.name: v for v in self.graph.inputs}

    def maker(self, name: str) -> onnx_ir.Node:
        """The node that computes a value."""
        maker = self.values[name].producer()
        assert maker is not None
        return maker

    def scope(self, name: str) -> str:
        return self.axes.scope(self.maker(name))
