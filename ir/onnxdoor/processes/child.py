"""A child process with limits that runs native code: its death is an error here, nothing more.

One that dies is started again, and asked again what it died of; if it dies again it has given its
answer. What it refuses (RefusedError) is told from what it never answered (RuntimeLostError): only
the former says anything about the model.
"""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from ir.errors import RefusedError, RuntimeLostError
from ir.limits import SETTING, Limits
from ir.onnxdoor.processes.serving import Message, receive, send
from ir.undisturbed import undisturbed

ROOT = Path(__file__).resolve().parents[3]
_AGAIN = "try again, with more memory or less else running"
_MORE = f"{_AGAIN}, or raise child_bytes or child_seconds in {SETTING}"


class DiedError(RuntimeLostError):
    """The process ended by itself, or was killed by somebody else, twice."""


class Child:
    """A child process; use it as a context manager.

    name: what runs in it. module: is run in it, given the limit of its address space and `words`.
    memory_bytes: that limit, 0 = none (a tighter one that we are under holds); seconds: wall time a
    single request may take; None: the limits in force.
    """

    def __init__(
        self, name: str, module: str, memory_bytes: int | None, seconds: float | None, *words: str
    ) -> None:
        limits = Limits.in_force()
        memory_bytes = limits.child_bytes if memory_bytes is None else memory_bytes
        self._seconds = limits.child_seconds if seconds is None else seconds
        self._name, self._words = name, (module, str(memory_bytes), *words)
        self._deadline = math.inf
        self._ended = threading.Event()
        with self._room():
            with undisturbed():  # a process begun is one that is ended
                self._process = _child(self._words)
            threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> Self:
        """Return the child itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process, whatever it is at; harmless when it has ended already."""
        self._ended.set()
        self._end()

    def ask(self, request: Message, where: str) -> Message:
        """One request and its answer, of another process where the first one died.

        Raises RuntimeLostError where there is none, else the error of what is refused.
        """
        try:
            return self._ask(request, where)
        except DiedError:
            if self._ended.is_set():  # it was closed
                raise
            self._end()
            with self._room(), undisturbed():
                self._process = _child(self._words)
            for held in self._held():
                self._ask(held, where)
            return self._ask(request, where)

    def _held(self) -> list[Message]:
        """What a new process must be told first."""
        return []

    def _refused(self, request: Message, where: str, reason: str) -> RefusedError:
        """The error of what is refused."""
        return RefusedError(where, f"{self._name}: {one_line(reason)}")

    def _ask(self, request: Message, where: str) -> Message:
        self._deadline = time.monotonic() + self._seconds
        try:
            send(_pipe(self._process.stdin), request)
            answer = receive(_pipe(self._process.stdout))
        except (OSError, EOFError, ValueError) as error:
            raise self._lost(where) from error
        except BaseException:  # Ctrl-C: the next request must not get this one's answer
            self._process.kill()
            raise
        finally:
            self._deadline = math.inf
        said = answer.header
        if said["ok"]:
            return answer
        reason = one_line(said["error"])
        if said.get("lost"):
            raise RuntimeLostError(where, f"{self._name}'s process gave up: {reason}", _MORE)
        if said["memory"]:
            raise RuntimeLostError(where, f"{self._name} ran out of memory: {reason}", _MORE)
        raise self._refused(request, where, said["error"])

    def _lost(self, where: str) -> RuntimeLostError:
        """Why there was no answer, once the process has ended."""
        late = time.monotonic() > self._deadline
        code = self._wait()
        if late:
            return RuntimeLostError(where, f"{self._name} took over {self._seconds:g} s", _MORE)
        return DiedError(where, f"{self._name}'s process died (exit {code})", _MORE)

    def _watch(self) -> None:
        """Kill the process when a request takes too long (one thread, not one a request)."""
        while not self._ended.wait(min(0.5, self._seconds / 4)):
            if time.monotonic() > self._deadline:
                self._process.kill()

    def _end(self) -> None:
        self._process.kill()  # it has nothing to keep
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was buffered for a dead child is of no use
                _pipe(pipe).close()
        self._wait()

    def _wait(self) -> int:
        """The exit code of the process, which is killed where it does not end by itself."""
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    @contextmanager
    def _room(self) -> Generator[None]:
        """Name a machine that has no room for a process."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # RuntimeError: no new thread
            problem = f"its process cannot be started: {error}"
            raise RuntimeLostError(self._name, problem, _AGAIN) from error


def one_line(reason: str) -> str:
    """What native code says of an error, for a message."""
    return " ".join(reason.split())[:400]


def _child(words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is ours to handle
    )


def _pipe(stream: Any) -> BinaryIO:
    pipe: BinaryIO = stream
    return pipe
