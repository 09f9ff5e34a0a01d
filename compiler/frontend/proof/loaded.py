"""Does ONNX Runtime take the model at all? It is loaded once, as it would be run.

Its operator MoE checks its weights only when it runs, so that is run once too, on random tokens.
"""

from collections.abc import Callable

import numpy as np
from onnx_ir import DataType, Node

from compiler.frontend.facts import Facts
from compiler.frontend.facts.dimensions import unknown_operators
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.note import WEIGHTLESS, Note
from compiler.frontend.proof.finite import refuse_not_finite
from ir.arrays import Array
from ir.errors import InputError, RefusedError
from ir.onnxdoor.extract import extract, with_outputs
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import stored_bytes

MAX_BYTES = 256 * 2**20  # of weights: a larger model is not loaded for this alone
MANY_NODES = 10_000  # more are loaded as they are: what makes them faster takes their square


def refuse_unloadable(facts: Facts, runtime: Callable[[], Runtime]) -> list[Note]:
    """Raise RefusedError, with the runtime's reason, for a model that it does not take.

    Weights that are read for it must be numbers: InputError names one that is not. runtime: gives
    the child process, when it is needed. A note says why it was not tried.
    """
    graph = facts.graph
    reason = _not_read(graph)
    if not reason:
        refuse_not_finite(facts)
    if unknown_operators(graph):
        reason = "it has operators that are not known"
    if reason:
        return [_untried(reason)]
    try:
        data = with_outputs(graph.source, [name_of(v) for v in graph.outputs], unpacked=True)
    except InputError as error:
        return [_untried(error.problem)]
    try:
        runtime().load(data, graph.name, as_it_is=len(graph.nodes) > MANY_NODES).drop()
        for node in graph.nodes:
            if node.op_type == "MoE" and node.domain == "com.microsoft":
                _run_alone(facts, node, runtime())
    except RefusedError as error:
        if error.lacking:
            return [Note(f"this machine's ONNX Runtime does not run it: {error.problem}")]
        raise type(error)(
            graph.name, error.problem, "export it again: this file cannot be run"
        ) from error
    return []


def _untried(reason: str) -> Note:
    return Note(f"not loaded in ONNX Runtime, which may refuse it: {reason}", reason)


def _run_alone(facts: Facts, node: Node, runtime: Runtime) -> None:
    """Run a node of floats on random inputs of its shapes; not where these are not known."""
    feeds, random = dict[str, Array](), np.random.default_rng(0)
    for value in facts.graph.data_inputs(node):
        shape = facts.sizes.shape(value)
        if shape is None or np.any(shape < 0):
            return
        feeds[name_of(value)] = random.standard_normal(tuple(shape[:, 0]), dtype=np.float32)
    output = name_of(node.outputs[0])
    cut = extract(facts.graph.source, dict.fromkeys(feeds, DataType.FLOAT), [output])
    model = runtime.load(cut, node.name or "")
    model.run(feeds, [output])
    model.drop()


def _not_read(graph: Graph) -> str:
    """Why a model's weights are not read, '' where they are."""
    names = sorted(graph.source.graph.initializers)
    sizes = [stored_bytes(graph.source, name) for name in names]
    if None in sizes:
        return WEIGHTLESS
    if sum(size for size in sizes if size is not None) > MAX_BYTES:
        return f"it has over {MAX_BYTES // 2**20} MiB of weights"
    return ""
