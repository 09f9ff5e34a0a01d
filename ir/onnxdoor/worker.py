"""The child process: holds ONNX Runtime sessions and answers one request at a time.

Messages on both pipes: 8 bytes of length (little endian), then a JSON header, a newline and the
arrays in .npy form one after another. Run as `python -m ir.onnxdoor.worker MEMORY THREADS`.
"""

import importlib
import io
import json
import os
import resource
import select
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

Arrays = Sequence[npt.NDArray[Any]]
# what stands between QuantizeLinear and DequantizeLinear in 32-bit floats, as ONNX defines it: the
# integer kernels that ONNX Runtime 1.32 puts in its place round vectors to 8 bits, and take weights
# with a scale for each block for such with one for each column
_AS_DEFINED = "session.disable_quant_qdq"


def send(pipe: BinaryIO, header: dict[str, Any], arrays: Arrays = (), blob: bytes = b"") -> None:
    """Write one message; `blob` follows the arrays as it is."""
    body = io.BytesIO()
    body.write(json.dumps({**header, "arrays": len(arrays)}).encode() + b"\n")
    for array in arrays:
        np.lib.format.write_array(
            body, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
        )
    body.write(blob)
    pipe.write(struct.pack("<q", body.getbuffer().nbytes))
    pipe.write(body.getbuffer())
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict[str, Any], list[npt.NDArray[Any]], bytes]:
    """Read one message: header, arrays, blob. Raises EOFError when the other side is gone."""
    size = struct.unpack("<q", _exactly(pipe, 8))[0]
    body = io.BytesIO(_exactly(pipe, size))
    header = json.loads(body.readline())
    arrays = [np.lib.format.read_array(body, allow_pickle=False) for _ in range(header["arrays"])]
    return header, arrays, body.read()


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def main(memory_bytes: int, threads: int) -> None:
    """Serve requests from standard input until it closes."""
    sessions: dict[int, Any] = {}
    answers, requests = sys.stdout.buffer, sys.stdin.buffer
    try:
        if memory_bytes:
            limit = _memory_limit(memory_bytes)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        threading.Thread(target=_end_with_parent, daemon=True).start()
        ort = _runtime()
    except Exception as error:  # the first request is told why there will be no other
        receive(requests)
        send(answers, _lost(error))
        return
    while True:
        try:
            header, arrays, blob = receive(requests)
        except EOFError:
            return
        except Exception as error:  # nor is there a next one to be found in what follows
            send(answers, _lost(error))
            return
        try:
            if header["do"] == "load":
                sessions[header["id"]] = _load(ort, blob, threads, header["as_it_is"])
                send(answers, {"ok": True})
            elif header["do"] == "drop":
                sessions.pop(header["id"], None)
                send(answers, {"ok": True})
            else:
                feeds = dict(zip(header["names"], arrays, strict=True))
                found = sessions[header["id"]].run(header["outputs"], feeds)
                send(answers, {"ok": True}, [np.asarray(a) for a in found])
        except Exception as error:  # whatever the runtime raises goes back as text
            text = str(error)[:2000] or type(error).__name__
            memory, lacking = _is_short_of_memory(error), _is_lacking(error)
            send(answers, {"ok": False, "error": text, "memory": memory, "lacking": lacking})


def _lost(error: Exception) -> dict[str, Any]:
    return {"ok": False, "error": f"{type(error).__name__}: {error}", "lost": True}


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
    """Whether an allocation failed: the runtime has no type or code for that, only these words."""
    words = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def _is_lacking(error: Exception) -> bool:
    """Whether this build has no such operator or kernel: likewise told by these words alone."""
    words = (
        "is not a registered function/op",
        "No Op registered",
        "Could not find an implementation",
        "CUDA",
    )
    return any(word in str(error) for word in words)


def _runtime() -> Any:
    """ONNX Runtime, imported after the limits so that they hold for it too; it has no types."""
    ort = importlib.import_module("onnxruntime")
    ort.set_default_logger_severity(4)
    return ort


def _load(ort: Any, blob: bytes, threads: int, as_it_is: bool) -> Any:
    options = ort.SessionOptions()
    if as_it_is:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    options.add_session_config_entry(_AS_DEFINED, "1")
    return ort.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
