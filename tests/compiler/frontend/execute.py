"""Run a workload operator by operator: numpy for Dense and experts, ONNX nodes for the rest.

If the operators' inputs, outputs, weights and order are complete and right, the model's outputs
come out; `compare` holds them against ONNX Runtime's run of the whole model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.profiling.feeds import Feeds
from ir.arrays import Array
from ir.onnxdoor.extract import extract, with_outputs
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import StoredMatrices, load_bias, load_weight
from ir.semantics import combine_weights, own_weight, places, routed_sum, shared_sum
from ir.workload import Dense, MoELayer, Operator, Weight, Workload


def product(source: Source, weight: Weight, x: Array) -> Array:
    out = x @ load_weight(source, weight).astype(np.float32)
    bias = load_bias(source, weight)
    return out if bias is None else out + bias.astype(np.float32)


def moe(source: Source, runtime: Runtime, layer: MoELayer, values: dict[str, Array]) -> Array:
    """The layer's output by its definition, from its own router's selection."""
    entry = values[layer.inputs[0]]
    x = entry.reshape(-1, layer.d_model).astype(np.float32)
    router = layer.router
    names = [name for name in router.exposed if name not in values]
    found, shape = dict(values), (*entry.shape[:-1], layer.d_out)
    if names or layer.apart != "nothing":
        found |= part(source, runtime, layer, values, [*names, layer.outputs[0]])
        shape = found[layer.outputs[0]].shape
    combine = combine_weights(router, found, len(x))
    matrices = StoredMatrices(source)
    own, at = own_weight(layer, combine, found), places(layer, found, len(x))
    out = routed_sum(matrices, layer, x, combine, own, at) + shared_sum(matrices, layer, x)
    return out.reshape(shape)


def part(
    source: Source,
    runtime: Runtime,
    operator: Operator,
    values: dict[str, Array],
    outputs: list[str],
) -> dict[str, Array]:
    """The operator's own nodes, cut out, on its inputs."""
    feeds = {name: values[name] for name in operator.inputs}
    kinds = {name: _kind(array) for name, array in feeds.items()}
    model = runtime.load(extract(source, kinds, outputs, operator.runs), operator.name)
    try:
        return model.run(feeds, outputs)
    finally:
        model.drop()


def _kind(array: Array) -> Any:
    import onnx_ir

    return onnx_ir.DataType.from_numpy(array.dtype)


def run_operators(
    source: Source,
    runtime: Runtime,
    workload: Workload,
    feeds: Mapping[str, Array],
    by_nodes: bool = False,
) -> dict[str, Array]:
    """All values the operators produce; by_nodes: run MoE layers as their own nodes too."""
    values: dict[str, Array] = dict(feeds)
    for operator in workload.operators:
        missing = [n for n in operator.inputs if n not in values]
        assert not missing, f"{operator.name} reads {missing}, which nothing before made"
        if isinstance(operator, Dense):
            x = values[operator.inputs[0]]
            values[operator.outputs[0]] = product(source, operator.weight, x)
        elif isinstance(operator, MoELayer) and not by_nodes:
            values[operator.outputs[0]] = moe(source, runtime, operator, values)
            if operator.outputs[1:]:
                values |= part(source, runtime, operator, values, list(operator.outputs[1:]))
        else:
            values |= part(source, runtime, operator, values, list(operator.outputs))
    return values


def compare(
    runtime: Runtime,
    path: Path,
    inputs: Mapping[str, Array],
    by_nodes: bool = False,
    workload: Workload | None = None,
    unpacked: bool = False,
) -> float:
    """Largest difference between the operators' and the whole model's outputs, over their size.

    workload: as it was read, if it was. unpacked: of the model with its packed weights unpacked.
    """
    workload, source = workload or read_model(path, runtime=runtime), open_model(path)
    check_cover(workload, source)
    every = Feeds(Graph.of(source), workload, inputs, None)
    feeds = every.of(every.groups(every.sequences)[0])
    values = run_operators(source, runtime, workload, feeds, by_nodes)
    names = list(workload.outputs)
    whole = runtime.load(with_outputs(source, names, unpacked=unpacked), str(path)).run(
        feeds, names
    )
    worst = 0.0
    for name in names:
        assert values[name].shape == whole[name].shape, name
        if whole[name].size:
            scale = max(float(np.abs(whole[name]).max()), 1e-6)
            error = np.abs(values[name].astype(np.float64) - whole[name]).max()
            assert np.isfinite(error), name
            worst = max(worst, float(error) / scale)
    return worst


def check_cover(workload: Workload, source: Source) -> None:
    """Every node of the graph belongs to exactly one operator."""
    covered = [name for operator in workload.operators for name in operator.nodes]
    assert len(covered) == len(set(covered)), "a node is in two operators"
    assert set(covered) == {node.name for node in source.graph}
