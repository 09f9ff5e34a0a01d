"""The model's own nodes, cut out operator by operator and run by ONNX Runtime."""

from collections.abc import Mapping, Sequence

import onnx_ir

from ir.arrays import Array
from ir.onnxdoor.extract import extract
from ir.onnxdoor.load import Source
from ir.onnxdoor.processes.session import LoadedModel, Runtime
from ir.workload import Operator

ROUNDING = ("QuantizeLinear", "DynamicQuantizeLinear", "Round")


class Nodes:
    """Operators' nodes in one ONNX Runtime process, each loaded when first asked for.

    Products by packed weights are products by 32-bit floats (see `unpack`).
    """

    def __init__(self, source: Source, runtime: Runtime) -> None:
        self.source, self.runtime = source, runtime
        self._loaded: dict[tuple[str, ...], LoadedModel] = {}
        self._rounding = frozenset(n.name for n in source.graph if n.op_type in ROUNDING)
        self._shapes: dict[tuple[str, tuple[int, ...]], tuple[int, ...]] = {}

    def rounds(self, op: Operator) -> bool:
        """Whether an operator quantises: its outputs are whole numbers of its inputs' making."""
        return not self._rounding.isdisjoint(op.nodes)

    def shape(self, op: Operator, feeds: Mapping[str, Array]) -> tuple[int, ...]:
        """Shape of an operator's first output: sequences may be in one axis there and not before.

        From a run of its nodes, once for each shape of its first input; packed ones stay packed.
        """
        key = (op.name, feeds[op.inputs[0]].shape)
        if key not in self._shapes:
            name = op.outputs[0]
            model = self._load(op, feeds, [name], unpacked=False)
            self._shapes[key] = model.run(feeds, [name])[name].shape
            model.drop()
        return self._shapes[key]

    def run(
        self, op: Operator, feeds: Mapping[str, Array], outputs: Sequence[str]
    ) -> dict[str, Array]:
        """`outputs` of an operator's nodes, from the values given: those between are computed."""
        key = (op.name, *feeds, "->", *outputs)
        if key not in self._loaded:
            self._loaded[key] = self._load(op, feeds, outputs, unpacked=True)
        return self._loaded[key].run(feeds, outputs)

    def drop(self) -> None:
        """Free what is loaded; it is loaded again when it is asked for."""
        for model in self._loaded.values():
            model.drop()
        self._loaded.clear()

    def _load(
        self, op: Operator, feeds: Mapping[str, Array], outputs: Sequence[str], *, unpacked: bool
    ) -> LoadedModel:
        kinds = {n: onnx_ir.DataType.from_numpy(a.dtype) for n, a in feeds.items()}
        part = extract(self.source, kinds, outputs, op.runs, unpacked=unpacked)
        return self.runtime.load(part, op.name)
