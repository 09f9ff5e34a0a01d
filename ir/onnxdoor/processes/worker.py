"""The child process that holds ONNX Runtime's sessions: `python -m ir.onnxdoor.processes.worker`.

Words after it: bytes of address space (0: no limit), threads of one operator.
"""

import importlib
import sys
from functools import partial
from typing import Any

import numpy as np

from ir.onnxdoor.processes.serving import Answers, Message, serve

# what stands between QuantizeLinear and DequantizeLinear in 32-bit floats, as ONNX defines it: the
# integer kernels that ONNX Runtime 1.32 puts in its place round vectors to 8 bits, and take weights
# with a scale for each block for such with one for each column
_AS_DEFINED = "session.disable_quant_qdq"


class Sessions:
    """Models by number: loaded, run, dropped."""

    def __init__(self, threads: int) -> None:
        """Import ONNX Runtime; it has no types."""
        self._runtime: Any = importlib.import_module("onnxruntime")
        self._runtime.set_default_logger_severity(4)
        self._threads = threads
        self._models: dict[int, Any] = {}

    def answer(self, request: Message) -> Message:
        """Carry out one request."""
        said = request.header
        if said["do"] == "load":
            self._models[said["id"]] = self._load(request.blob, as_it_is=said["as_it_is"])
            return Message()
        if said["do"] == "drop":
            self._models.pop(said["id"], None)
            return Message()
        feeds = dict(zip(said["names"], request.arrays, strict=True))
        found = self._models[said["id"]].run(said["outputs"], feeds)
        return Message(arrays=[np.asarray(array) for array in found])

    def _load(self, blob: bytes, *, as_it_is: bool) -> Any:
        ort = self._runtime
        options = ort.SessionOptions()
        if as_it_is:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 4
        options.add_session_config_entry(_AS_DEFINED, "1")
        return ort.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


def _prepared(threads: int) -> Answers:
    return Sessions(threads).answer


if __name__ == "__main__":
    serve(partial(_prepared, int(sys.argv[2])), int(sys.argv[1]))
