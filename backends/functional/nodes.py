"""The model's own nodes, cut out operator by operator and run by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir

from ir.arrays import Array, Bools, Ints
from ir.onnxdoor.extract import extract
from ir.onnxdoor.load import Source
from ir.onnxdoor.session import LoadedModel, Runtime
from ir.workload import Operator

ROUNDING = ("QuantizeLinear", "DynamicQuantizeLinear", "Round")


@dataclass(frozen=True, eq=False)
class Run:
    """Sequences that the model runs together.

    feeds: every model input; tokens: [sequences, length] their places in the program's window;
    hidden: [sequences, length] those that the model's attention mask hides, which no trace routes.
    """

    feeds: Mapping[str, Array]
    tokens: Ints
    hidden: Bools | None = None

    def row_shape(self, shape: Sequence[int]) -> tuple[int, ...] | None:
        """What a value of that shape has per token; None where its first axes are not the tokens.

        Token axes: [sequences, length], both in one, or the length alone for a single sequence;
        axes of length 1 may stand before and between.
        """
        count, length = self.tokens.shape
        if count * length == 1:
            return tuple(shape)
        left = _without_ones(shape)
        if left[:1] == (count * length,):
            return left[1:]
        rest = _without_ones(left[1:])
        return rest[1:] if (*left[:1], *rest[:1]) == (count, length) else None


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape from its first axis longer than 1 on."""
    first = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])


class Nodes:
    """Operators' nodes in one ONNX Runtime process, each loaded when first asked for."""

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

        From a run of its nodes, once for each shape of its first input.
        """
        key = (op.name, feeds[op.inputs[0]].shape)
        if key not in self._shapes:
            self._shapes[key] = self.run(op, feeds, op.outputs[:1])[op.outputs[0]].shape
        return self._shapes[key]

    def run(
        self, op: Operator, feeds: Mapping[str, Array], outputs: Sequence[str]
    ) -> dict[str, Array]:
        """`outputs` of an operator's nodes, from the values given: those between are computed."""
        key = (op.name, *feeds, "->", *outputs)
        if key not in self._loaded:
            kinds = {n: onnx_ir.DataType.from_numpy(a.dtype) for n, a in feeds.items()}
            part = extract(self.source, kinds, outputs, op.runs)
            self._loaded[key] = self.runtime.load(part, op.name)
        return self._loaded[key].run(feeds, outputs)
