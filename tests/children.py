"""ONNX Runtime's child processes, used again by the next test.

Starting one takes 0.3 s, and hundreds of tests open a runtime of their own. What is used again is
the process alone, after it has dropped its models and only if its last request was answered.
"""

import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ir.errors import RefusedError, RuntimeLostError
from ir.onnxdoor.processes import child
from ir.onnxdoor.processes.serving import Message
from ir.onnxdoor.processes.session import Runtime

Process = subprocess.Popen[bytes]
MANY = 200  # models, after which a process has grown too far towards its limit to be used again


@contextmanager
def used_again() -> Iterator[None]:
    """For the length of the block, closing a runtime keeps its process for the next one alike."""
    idle: dict[tuple[str, ...], list[Process]] = defaultdict(list)
    started: dict[Process, tuple[str, ...]] = {}
    answered: set[Runtime] = set()
    begin, ask, close = child._child, Runtime.ask, Runtime.close

    def again(words: tuple[str, ...]) -> Process:
        waiting = idle[words]
        while waiting:
            found = waiting.pop()
            if found.poll() is None:
                return found
        made = begin(words)
        started[made] = words
        return made

    def asked(self: Runtime, *words: Any) -> Any:
        answered.discard(self)
        try:
            found = ask(self, *words)
        except RefusedError:
            answered.add(self)
            raise
        answered.add(self)
        return found

    def closed(self: Runtime) -> None:
        process = self._process
        if self._ended.is_set():  # closed before, and perhaps in use again
            return
        if self not in answered or process.poll() is not None or self._count > MANY:
            close(self)
            return
        try:
            for number in range(1, self._count + 1):
                ask(self, Message({"do": "drop", "id": number}), "model")
        except RuntimeLostError:
            close(self)
        else:
            self._ended.set()
            idle[started[process]].append(process)
        answered.discard(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "_child", again)
        patch.setattr(Runtime, "ask", asked)
        patch.setattr(Runtime, "close", closed)
        yield
    for process in (p for waiting in idle.values() for p in waiting):
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
