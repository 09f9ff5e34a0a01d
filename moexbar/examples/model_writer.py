"""Write an ONNX model whose weights have shapes but no values: a file of holes beside it."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ir.errors import InputError

Element = Literal["float16", "float32"]
Content = tuple[str, tuple[int, ...], bytes]  # element type, shape, bytes

OPSET, NEW_OPSET = 18, 21
NEW = ("DequantizeLinear", "Gelu")  # operators that need the new one
ALIGNMENT = 4096  # of a tensor in the data file, so that a loader can map it

_ELEMENTS = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT}
_BITS = {"float16": 16, "float32": 32}
_INTEGERS = {8: TensorProto.INT8, 4: TensorProto.INT4}


@dataclass
class ModelWriter:
    """A graph under construction; every method that adds a value returns its name.

    `element`: the element type of weights and activations. `scope`: put before the names of nodes
    and values, as exporters put the module's path. `weights`, `data_bytes`: how many there are,
    and how long the data file will be. `bits`: of an element of a `matrix`; 16: as all weights.
    """

    name: str
    element: Element = "float16"
    scope: str = ""
    weights: int = 0
    data_bytes: int = 0
    bits: int = 16
    graph: onnx.GraphProto = field(default_factory=onnx.GraphProto)
    constants: dict[Content, str] = field(default_factory=dict[Content, str])
    count: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def _data(self) -> str:
        """Name of the data file."""
        return f"{self.name}.onnx.data"

    def input(self, name: str, element: type[np.generic], shape: Sequence[str | int]) -> str:
        """Declare a model input; a string is a dimension that is not fixed."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(element))
        self.graph.input.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence[str | int]) -> None:
        """Make a value a model output called `name`."""
        self.graph.node.append(helper.make_node("Identity", [value], [name], f"{name}/Identity"))
        kind = _ELEMENTS[self.element]
        self.graph.output.append(helper.make_tensor_value_info(name, kind, shape))

    def weight(self, name: str, *shape: int) -> str:
        """Declare a weight: room in the data file that is never written."""
        return self._stored(name, shape, _ELEMENTS[self.element], _BITS[self.element])

    def matrix(self, name: str, *shape: int, bits: int | None = None) -> str:
        """Declare a weight that has few bits where the model is quantised, and scale it."""
        kind = _INTEGERS.get(self.bits if bits is None else bits)
        if kind is None:
            return self.weight(name, *shape)
        stored = self._stored(name, shape, kind, self.bits if bits is None else bits)
        return self.node("DequantizeLinear", stored, self.number(1.0))

    def _stored(self, name: str, shape: tuple[int, ...], kind: int, bits: int) -> str:
        name = f"{self.scope}{name}"
        length = -(-math.prod(shape) * bits // 8)
        tensor = self.graph.initializer.add(
            name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL
        )
        place = {"location": self._data, "offset": self.data_bytes, "length": length}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.weights += math.prod(shape)
        self.data_bytes += -(-length // ALIGNMENT) * ALIGNMENT
        return name

    def constant(self, values: npt.ArrayLike, element: str = "int64") -> str:
        """A small constant inside the model file; equal ones are stored once."""
        array = np.asarray(values, dtype=element)
        key = (element, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = name = f"constant_{len(self.constants)}"
            self.graph.initializer.append(numpy_helper.from_array(array, name))
        return self.constants[key]

    def number(self, value: float) -> str:
        """A scalar constant of the model's element type."""
        return self.constant(value, self.element)

    def nodes(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> tuple[str, ...]:
        """Add a node with several outputs."""
        stem = f"{self.scope}{op}"
        number = self.count.get(stem, 0)
        self.count[stem] = number + 1
        label = f"{stem}_{number}" if number else stem
        names = [f"{label}_out{i}" if outputs > 1 else f"{label}_out" for i in range(outputs)]
        self.graph.node.append(helper.make_node(op, inputs, names, label, **attributes))
        return tuple(names)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        return self.nodes(op, *inputs, outputs=1, **attributes)[0]

    def save(self, path: Path) -> None:
        """Write the model to `path`, which ends in NAME.onnx, and its data file, all hole.

        Raises InputError where the file system cannot hold a file of that length.
        """
        self.graph.name = self.name
        new = any(node.op_type in NEW for node in self.graph.node)
        model = helper.make_model(
            self.graph,
            opset_imports=[helper.make_opsetid("", NEW_OPSET if new else OPSET)],
            ir_version=10 if new else 9,
            producer_name="moexbar",
        )
        data = path.parent / self._data
        try:
            with data.open("xb") as file:
                os.truncate(file.fileno(), self.data_bytes)
            path.write_bytes(model.SerializeToString())
        except OSError as error:
            raise InputError(
                str(data),
                f"a sparse file of {self.data_bytes} bytes: {error.strerror}",
                "choose a folder on a file system with large sparse files, such as ext4 or xfs",
            ) from error
