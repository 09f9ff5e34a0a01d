"""Prove a MoE layer by running it: the model's own nodes against the layer's definition.

The region from entry to exit is cut out of the graph and run by ONNX Runtime on random token
vectors (`trial`); the outermost exit at which it gives what the layer as it was read would give is
taken. Here is which layers are run, and what becomes of those that are not.
"""

from collections.abc import Sequence
from dataclasses import replace

from compiler.frontend.facts import Facts
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.moe.unreadable import Unreadable
from compiler.frontend.note import WEIGHTLESS, Note
from compiler.frontend.proof.trial import CannotRunError, Trial
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import stored_bytes

MAX_LAYER_BYTES = 64 * 2**20  # of expert weights: a larger layer is not run
MAX_MODEL_BYTES = 256 * 2**20  # of all layers together


class Prover:
    """Runs layers in one child process, started when the first layer needs it."""

    def __init__(self, facts: Facts, runtime: Runtime | None = None) -> None:
        """Prove layers of a graph, in the child process given or in one of its own."""
        self._facts = facts
        self._runtime, self._lent = runtime, runtime is not None
        self._bytes = 0
        self._skipped: dict[str, int] = {}

    def __enter__(self) -> "Prover":
        """Return the prover itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child process."""
        if self._runtime is not None and not self._lent:
            self._runtime.close()

    @property
    def notes(self) -> list[Note]:
        """One note per reason for which layers were not run."""
        return [
            Note(
                f"{count} MoE layer{'s' if count > 1 else ''} recognised by structure only: "
                f"{reason}",
                reason,
            )
            for reason, count in self._skipped.items()
        ]

    def runtime(self) -> Runtime:
        """The child process, started now if nothing needed it before."""
        if self._runtime is None:
            self._runtime = Runtime(seconds=60.0)
        return self._runtime

    def prove(self, layers: Sequence[FoundLayer]) -> FoundLayer:
        """The first of `layers` (outermost first, one router and set of experts) that is proven.

        Where the weights are absent or too large, the first as it is. Raises Unreadable where
        none is what the region computes.
        """
        reason = self._too_much(layers[0])
        if reason:
            self._skipped[reason] = self._skipped.get(reason, 0) + 1
            return no_proof(layers)
        try:
            return Trial(self._facts, self.runtime(), layers).verdict()
        except (CannotRunError, Unreadable) as error:
            if layers[0].form in ("MoE", "QMoE"):  # the operator's definition says what it computes
                key = f"ONNX Runtime's run of its operator does not agree: {error}"
                self._skipped[key] = self._skipped.get(key, 0) + 1
                return layers[-1]
            if isinstance(error, Unreadable):
                raise
            raise Unreadable(
                f"it could not be run: {error}",
                layers[0].last,
                traced=_is_recorded(layers[0], error),
            ) from error

    def _too_much(self, layer: FoundLayer) -> str:
        """Why a layer's weights are not loaded, or ''."""
        names = {
            weight.tensor for expert in (*layer.experts, *layer.shared) for weight in expert.weights
        }
        sizes = [stored_bytes(self._facts.graph.source, name) for name in sorted(names)]
        if None in sizes:
            return WEIGHTLESS
        total = sum(size for size in sizes if size is not None)
        if total > MAX_LAYER_BYTES:
            return f"the experts of one have over {MAX_LAYER_BYTES // 2**20} MiB of weights"
        if self._bytes + total > MAX_MODEL_BYTES:
            return f"over {MAX_MODEL_BYTES // 2**20} MiB of experts were run already"
        self._bytes += total
        return ""


def _is_recorded(layer: FoundLayer, error: Exception) -> bool:
    """Whether a region that finds each expert's tokens fails on all but the input of its export.

    Then the numbers of tokens that this input gave the experts are written into its shapes.
    """
    failed = isinstance(error, CannotRunError) and error.running
    return failed and any(node.op_type == "NonZero" for node in layer.nodes)


def no_proof(layers: Sequence[FoundLayer]) -> FoundLayer:
    """The first layer as it was read; a loop that the graph shows to be traced is marked."""
    first = layers[0]
    return replace(first, proof="traced") if first.evidence == "hit loop" else first
