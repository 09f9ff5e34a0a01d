"""Run ONNX models in a child process with limits; its death is an error here, nothing more."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.worker import receive, send

ROOT = Path(__file__).resolve().parents[2]


class Runtime:
    """A child process that holds any number of loaded models; use it as a context manager.

    memory_bytes: limit of its address space, 0 = none; seconds: wall time a single request may
    take; threads: of one operator, 1 = results that repeat exactly.
    """

    def __init__(
        self, memory_bytes: int = 16 * 2**30, seconds: float = 600.0, threads: int = 1
    ) -> None:
        self._seconds = seconds
        self._count = 0
        self._deadline = math.inf
        self._ended = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", "ir.onnxdoor.worker", str(memory_bytes), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
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

    def load(self, model: bytes, where: str = "model") -> "LoadedModel":
        """Load a serialised model; InputError carries the runtime's reason when it cannot."""
        self._count += 1
        self.ask({"do": "load", "id": self._count}, [], model, where)
        return LoadedModel(self, self._count, where)

    def close(self) -> None:
        """End the child process; harmless when it has ended already."""
        self._ended.set()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was buffered for a dead child is of no use
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _watch(self) -> None:
        """Kill the child process when a request takes too long (one thread, not one a request)."""
        while not self._ended.wait(min(0.5, self._seconds / 4)):
            if time.monotonic() > self._deadline:
                self._process.kill()
                return

    def ask(
        self, header: dict[str, Any], arrays: Sequence[Array], blob: bytes, where: str
    ) -> list[Array]:
        """One request and its answer."""
        self._deadline = time.monotonic() + self._seconds
        try:
            send(_pipe(self._process.stdin), header, arrays, blob)
            answer, found, _ = receive(_pipe(self._process.stdout))
        except (OSError, EOFError, ValueError) as error:
            if time.monotonic() > self._deadline:
                raise InputError(where, f"ONNX Runtime took over {self._seconds:g} s") from error
            code = self._process.wait()
            raise InputError(where, f"ONNX Runtime's process died (exit {code})") from error
        finally:
            self._deadline = math.inf
        if not answer["ok"]:
            raise InputError(where, f"ONNX Runtime: {' '.join(answer['error'].split())[:400]}")
        return found


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
        """The named outputs for the given inputs; InputError when the runtime refuses."""
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
        self._runtime.ask({"do": "drop", "id": self._number}, [], b"", self._where)


def _pipe(stream: Any) -> BinaryIO:
    pipe: BinaryIO = stream
    return pipe
