"""A child process that answers one request at a time: its messages, its limits, its loop.

Messages on both pipes: 8 bytes of length (little endian), then a JSON header, a newline, the arrays
in .npy form one after another, and the rest as bytes.
"""

import io
import json
import os
import resource
import select
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Message:
    """A request or an answer: what is said, arrays, and bytes."""

    header: dict[str, Any] = field(default_factory=dict[str, Any])
    arrays: Arrays = ()
    blob: bytes = b""


Answers = Callable[[Message], Message]


def send(pipe: BinaryIO, message: Message) -> None:
    """Write one message."""
    body = io.BytesIO()
    header = {**message.header, "arrays": len(message.arrays)}
    body.write(json.dumps(header).encode() + b"\n")
    for array in message.arrays:
        np.lib.format.write_array(
            body, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
        )
    body.write(message.blob)
    pipe.write(struct.pack("<q", body.getbuffer().nbytes))
    pipe.write(body.getbuffer())
    pipe.flush()


def receive(pipe: BinaryIO) -> Message:
    """Read one message. Raises EOFError when the other side is gone."""
    size = struct.unpack("<q", _exactly(pipe, 8))[0]
    body = io.BytesIO(_exactly(pipe, size))
    header = json.loads(body.readline())
    arrays = [np.lib.format.read_array(body, allow_pickle=False) for _ in range(header["arrays"])]
    return Message(header, arrays, body.read())


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve(prepare: Callable[[], Answers], memory_bytes: int) -> None:
    """Answer requests from standard input until it closes.

    prepare: imports what is needed, under the limit of the address space (0: none), and gives what
    answers. An exception of an answer goes back as text, with whether memory was short.
    """
    answers, requests = sys.stdout.buffer, sys.stdin.buffer
    try:
        if memory_bytes:
            limit = _memory_limit(memory_bytes)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        threading.Thread(target=_end_with_parent, daemon=True).start()
        answer = prepare()
    except Exception as error:  # the first request is told why there will be no other
        receive(requests)
        send(answers, _lost(error))
        return
    while True:
        try:
            request = receive(requests)
        except EOFError:
            return
        except Exception as error:  # nor is there a next one to be found in what follows
            send(answers, _lost(error))
            return
        try:
            found = answer(request)
            send(answers, Message({"ok": True, **found.header}, found.arrays, found.blob))
        except Exception as error:  # whatever is raised goes back as text
            text = str(error)[:2000] or type(error).__name__
            told = {"error": text, "memory": _is_short_of_memory(error)}
            send(answers, Message({"ok": False, **told}))


def _lost(error: Exception) -> Message:
    return Message({"ok": False, "error": f"{type(error).__name__}: {error}", "lost": True})


def _end_with_parent() -> None:
    """End at once when the other end of standard input closes, in the middle of a run too."""
    waiting = select.poll()
    waiting.register(0, 0)
    waiting.poll()
    os._exit(0)


def _memory_limit(wanted: int) -> int:
    """The limit wanted, or the tighter one that we are under already."""
    found = resource.getrlimit(resource.RLIMIT_AS)
    return min([wanted, *(limit for limit in found if limit != resource.RLIM_INFINITY)])


def _is_short_of_memory(error: Exception) -> bool:
    """Whether an allocation failed: native code has no type or code for that, only these words."""
    words = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)
