"""ONNX Runtime in a child process: models loaded, run and dropped there."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress

import numpy as np

from ir.arrays import Array
from ir.errors import LoadRefusedError, RefusedError, RunRefusedError, RuntimeLostError
from ir.onnxdoor.processes.child import Child, one_line
from ir.onnxdoor.processes.serving import Message

_REFUSED: dict[str, type[RefusedError]] = {
    "load": LoadRefusedError,
    "run": RunRefusedError,
    "drop": RefusedError,
}
# that this build has no such operator or kernel is told by these words alone
_LACKING = (
    "is not a registered function/op",
    "No Op registered",
    "Could not find an implementation",
    "not implemented for CPU",
    "CUDA",
)


class Runtime(Child):
    """A child process that holds any number of loaded models; use it as a context manager.

    memory_bytes, seconds: as of `Child`; threads: of one operator, 1 = results that repeat exactly.
    """

    def __init__(
        self, memory_bytes: int | None = None, seconds: float | None = None, threads: int = 1
    ) -> None:
        self._models: dict[int, Message] = {}  # requests that loaded them, for another process
        self._count = 0
        words = ("ONNX Runtime", "ir.onnxdoor.processes.worker")
        super().__init__(*words, memory_bytes, seconds, str(threads))

    def load(self, model: bytes, where: str = "model", *, as_it_is: bool = False) -> "LoadedModel":
        """Load a serialised model; as_it_is: without making it faster to run first.

        Raises LoadRefusedError with the runtime's reason where it does not take the model.
        """
        self._count += 1
        request = Message({"do": "load", "id": self._count, "as_it_is": as_it_is}, blob=model)
        self.ask(request, where)
        self._models[self._count] = request
        return LoadedModel(self, self._count, where)

    def drop(self, number: int, where: str) -> None:
        """Free a model in the child process; one that is gone has nothing to free."""
        self._models.pop(number, None)
        with suppress(RuntimeLostError):
            self.ask(Message({"do": "drop", "id": number}), where)

    def _held(self) -> list[Message]:
        return list(self._models.values())

    def _refused(self, request: Message, where: str, reason: str) -> RefusedError:
        refused = _REFUSED[request.header["do"]](where, f"ONNX Runtime: {one_line(reason)}")
        refused.lacking = any(word in reason for word in _LACKING)
        return refused


@contextmanager
def at_hand(runtime: Runtime | None) -> Generator[Runtime, None, None]:
    """The runtime given, which stays open, or one for the length of the block."""
    if runtime is not None:
        yield runtime
        return
    with Runtime() as own:
        yield own


class LoadedModel:
    """A model held by a `Runtime`."""

    def __init__(self, runtime: Runtime, number: int, where: str) -> None:
        self._runtime, self._number, self._where = runtime, number, where

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """The named outputs for the given inputs.

        Raises RunRefusedError with the runtime's reason where it fails on them.
        """
        names = list(feeds)
        said = {"do": "run", "id": self._number, "names": names, "outputs": list(outputs)}
        given = [np.asarray(feeds[name]) for name in names]
        found = self._runtime.ask(Message(said, given), self._where)
        return dict(zip(outputs, found.arrays, strict=True))

    def drop(self) -> None:
        """Free the model in the child process."""
        self._runtime.drop(self._number, self._where)
