"""What the model says: ONNX Runtime's run of all of it, or, where it is packed, its definition.

ONNX Runtime multiplies packed weights (QMoE, MatMulNBits) by activations that it rounds to 8 bits
itself. There the reference goes operator by operator with the matrices unpacked, in float32.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backends.functional.nodes import Nodes, Run
from ir.onnxdoor.canonical import Matrices, combine_weights, routed_sum, shared_sum
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import Source
from ir.workload import Dense, MoELayer, Workload

Array = npt.NDArray[Any]
PACKED = ("QMoE", "MatMulNBits")


def packed(source: Source) -> bool:
    """Whether some of the model's weights are packed."""
    return any(node.op_type in PACKED for node in source.graph)


def reference(nodes: Nodes, workload: Workload, runs: Sequence[Run]) -> list[dict[str, Array]]:
    """Every operator's outputs, by name, for each run."""
    if packed(nodes.source):
        return [_by_definition(nodes, workload, run) for run in runs]
    return by_onnx_runtime(nodes, workload, runs)


def by_onnx_runtime(
    nodes: Nodes, workload: Workload, runs: Sequence[Run]
) -> list[dict[str, Array]]:
    """The whole model on each run: its outputs, and every operator's from a second run.

    The model's outputs come from a run without the others, as a user would have it.
    """
    inner = [n for op in workload.operators for n in op.outputs if n not in workload.outputs]
    found: list[dict[str, Array]] = [{} for _ in runs]
    for names in (list(workload.outputs), list(dict.fromkeys(inner))):
        if not names:
            continue
        model = nodes.runtime.load(with_outputs(nodes.source, names), str(nodes.source.path))
        for values, run in zip(found, runs, strict=True):
            values |= model.run(run.feeds, names)
        model.drop()
    return found


def _by_definition(nodes: Nodes, workload: Workload, run: Run) -> dict[str, Array]:
    """Dense products and MoE layers by their definitions, other operators by their own nodes."""
    matrices = Matrices(nodes.source)
    values: dict[str, Array] = dict(run.feeds)
    for op in workload.operators:
        fed = {name: values[name] for name in op.inputs}
        if isinstance(op, Dense):
            x = fed[op.inputs[0]]
            out = matrices.product(x.astype(np.float32), op.weight)
            values[op.outputs[0]] = out.astype(x.dtype)
        elif isinstance(op, MoELayer):
            values |= _layer(nodes, matrices, op, fed)
        else:
            values |= nodes.run(op, fed, op.outputs)
    return values


def _layer(
    nodes: Nodes, matrices: Matrices, op: MoELayer, fed: dict[str, Array]
) -> dict[str, Array]:
    router, entry = op.router, fed[op.inputs[0]]
    names = [n for n in (router.ids, router.gates, router.scores, router.combine) if n]
    asked = [n for n in dict.fromkeys([*names, *op.outputs[1:]]) if n not in fed]
    known = fed | nodes.run(op, fed, asked) if asked else fed
    x = entry.reshape(-1, op.d_model).astype(np.float32)
    combine = combine_weights(router, known, len(x))
    out = routed_sum(matrices, op, x, combine) + shared_sum(matrices, op, x)
    others = {n: known[n] for n in op.outputs[1:]}
    return {op.outputs[0]: out.reshape(entry.shape).astype(entry.dtype), **others}
