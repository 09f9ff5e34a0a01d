"""Run ONNX models in a child process with limits; its death is an error here, nothing more.

One that is killed is started again, once, with the models that it held. What the runtime refuses
(RefusedError) is told from what it never answered (RuntimeLostError): only the former says anything
about the model.
"""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from ir.arrays import Array
from ir.errors import LoadRefusedError, RefusedError, RunRefusedError, RuntimeLostError
from ir.limits import SETTING, Limits
from ir.onnxdoor.worker import receive, send
from ir.undisturbed import undisturbed

ROOT = Path(__file__).resolve().parents[2]
MOST_RESTARTS = 1
_AGAIN = "try again, with more memory or less else running"
_MORE = f"{_AGAIN}, or raise child_bytes or child_seconds in {SETTING}"
_REFUSED: dict[str, type[RefusedError]] = {
    "load": LoadRefusedError,
    "run": RunRefusedError,
    "drop": RefusedError,
}


class Runtime:
    """A child process that holds any number of loaded models; use it as a context manager.

    memory_bytes: limit of its address space, 0 = none (a tighter one that we are under holds);
    seconds: wall time a single request may take; None: the limits in force; threads: of one
    operator, 1 = results that repeat exactly.
    """

    def __init__(
        self, memory_bytes: int | None = None, seconds: float | None = None, threads: int = 1
    ) -> None:
        limits = Limits.in_force()
        memory_bytes = limits.child_bytes if memory_bytes is None else memory_bytes
        self._seconds = limits.child_seconds if seconds is None else seconds
        self._kind = memory_bytes, threads
        self._models: dict[int, tuple[dict[str, Any], bytes]] = {}  # loaded, to be loaded again
        self._count = self._restarts = 0
        self._deadline = math.inf
        self._ended = threading.Event()
        with _room():
            with undisturbed():  # a process begun is one that is ended
                self._process = _child(*self._kind)
            threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> Self:
        """Return the runtime itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child process."""
        self.close()

    def load(self, model: bytes, where: str = "model", *, as_it_is: bool = False) -> "LoadedModel":
        """Load a serialised model; as_it_is: without making it faster to run first.

        Raises LoadRefusedError with the runtime's reason where it does not take the model.
        """
        self._count += 1
        header = {"do": "load", "id": self._count, "as_it_is": as_it_is}
        self.ask(header, [], model, where)
        self._models[self._count] = header, model
        return LoadedModel(self, self._count, where)

    def drop(self, number: int, where: str) -> None:
        """Free a model in the child process; one that is gone has nothing to free."""
        self._models.pop(number, None)
        with suppress(RuntimeLostError):
            self.ask({"do": "drop", "id": number}, [], b"", where)

    def close(self) -> None:
        """End the child process, whatever it is at; harmless when it has ended already."""
        self._ended.set()
        self._end_child()

    def _end_child(self) -> None:
        self._process.kill()  # it has nothing to keep
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was buffered for a dead child is of no use
        self._wait()

    def _begin_again(self, where: str) -> None:
        """Another child process, which holds what the one before held."""
        self._restarts += 1
        self._end_child()
        with _room(), undisturbed():
            self._process = _child(*self._kind)
        for header, model in self._models.values():
            self._ask(header, [], model, where)

    def _watch(self) -> None:
        """Kill the child process when a request takes too long (one thread, not one a request)."""
        while not self._ended.wait(min(0.5, self._seconds / 4)):
            if time.monotonic() > self._deadline:
                self._process.kill()
                return

    def ask(
        self, header: dict[str, Any], arrays: Sequence[Array], blob: bytes, where: str
    ) -> list[Array]:
        """One request and its answer, of another child process where the first one was killed.

        Raises RuntimeLostError where there is none, else the error of what the runtime refuses.
        """
        try:
            return self._ask(header, arrays, blob, where)
        except _DiedError:
            if self._restarts == MOST_RESTARTS:
                raise
            self._begin_again(where)
            return self._ask(header, arrays, blob, where)

    def _ask(
        self, header: dict[str, Any], arrays: Sequence[Array], blob: bytes, where: str
    ) -> list[Array]:
        self._deadline = time.monotonic() + self._seconds
        try:
            send(_pipe(self._process.stdin), header, arrays, blob)
            answer, found, _ = receive(_pipe(self._process.stdout))
        except (OSError, EOFError, ValueError) as error:
            raise self._lost(where) from error
        finally:
            self._deadline = math.inf
        if answer["ok"]:
            return found
        reason = " ".join(answer["error"].split())[:400]
        if answer.get("lost"):
            raise RuntimeLostError(where, f"ONNX Runtime's process gave up: {reason}", _MORE)
        if answer["memory"]:
            raise RuntimeLostError(where, f"ONNX Runtime ran out of memory: {reason}", _MORE)
        refused = _REFUSED[header["do"]](where, f"ONNX Runtime: {reason}")
        refused.lacking = answer["lacking"]
        raise refused

    def _lost(self, where: str) -> RuntimeLostError:
        """Why there was no answer, once the child process has ended."""
        late = time.monotonic() > self._deadline
        code = self._wait()
        if late:
            return RuntimeLostError(where, f"ONNX Runtime took over {self._seconds:g} s", _MORE)
        again = " again" if self._restarts else ""
        return _DiedError(where, f"ONNX Runtime's process died{again} (exit {code})", _MORE)

    def _wait(self) -> int:
        """The exit code of the child process, which is killed where it does not end by itself."""
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class _DiedError(RuntimeLostError):
    """The child process ended by itself, or was killed by somebody else."""


@contextmanager
def _room() -> Generator[None]:
    """Name a machine that has no room for a process."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: no new thread
        problem = f"its process cannot be started: {error}"
        raise RuntimeLostError("ONNX Runtime", problem, _AGAIN) from error


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
        found = self._runtime.ask(
            {"do": "run", "id": self._number, "names": names, "outputs": list(outputs)},
            [np.asarray(feeds[name]) for name in names],
            b"",
            self._where,
        )
        return dict(zip(outputs, found, strict=True))

    def drop(self) -> None:
        """Free the model in the child process."""
        self._runtime.drop(self._number, self._where)


def _child(memory_bytes: int, threads: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "ir.onnxdoor.worker", str(memory_bytes), str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is ours to handle
    )


def _pipe(stream: Any) -> BinaryIO:
    pipe: BinaryIO = stream
    return pipe
