"""A model operator by operator: products and MoE layers by their definitions, the rest as nodes.

ONNX Runtime multiplies packed weights (QMoE, MatMulNBits) by activations that some of its kernels
round to 8 bits, so that every router after such a product may decide otherwise. What is recorded
of such a model and what an execution of it is held against are therefore computed here, in the
same way, whatever the size of the weights.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

import numpy as np

from ir.arrays import Array, Ints
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.unpack import too_large
from ir.onnxdoor.weights import StoredMatrices
from ir.semantics import Matrices, combine_weights, own_weight, places, routed_sum, shared_sum
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, Workload

Values = dict[str, Array]


def by_definition(
    nodes: Nodes,
    workload: Workload,
    feeds: Mapping[str, Array],
    matrices: Matrices,
    routed_as: Mapping[str, Array] | None = None,
) -> Values:
    """The model's inputs and every operator's outputs, by name.

    matrices: what multiplies. routed_as: every operator's outputs in another run of the model, by
    which its routers decide; None = by the values computed here.
    """
    values: Values = dict(feeds)
    decides = values if routed_as is None else {**feeds, **routed_as}
    for op in workload.operators:
        fed = {name: values[name] for name in op.inputs}
        seen = {name: decides[name] for name in op.inputs}
        values |= operator_values(nodes, matrices, op, fed, seen)
    return values


def operator_values(
    nodes: Nodes, matrices: Matrices, op: AnyOperator, fed: Values, seen: Values
) -> Values:
    """An operator's outputs from its inputs; seen: those that a router decides by."""
    match op:
        case Dense():
            x = fed[op.inputs[0]]
            out = matrices.product(x.astype(np.float32), op.weight)
            return {op.outputs[0]: out.astype(x.dtype)}
        case MoELayer():
            found = _layer(nodes, matrices, op, fed, seen)
            return {name: found[name] for name in op.outputs}
        case Attention() | Digital():
            return nodes.run(op, fed, op.outputs)
        case _:
            assert_never(op)


def _layer(nodes: Nodes, matrices: Matrices, op: MoELayer, fed: Values, seen: Values) -> Values:
    """A MoE layer's outputs, and what its router exposes."""
    known, tokens = router_values(nodes, op, seen), fed[op.inputs[0]].size // op.d_model
    weights, at = combine_weights(op.router, known, tokens), places(op, known, tokens)
    own = own_weight(op, weights, known)
    return known | {op.outputs[0]: layer_sum(nodes, matrices, op, fed, weights, own, at)}


def router_values(nodes: Nodes, op: MoELayer, seen: Values) -> Values:
    """What a router exposes, and the layer's outputs besides its result, from its inputs."""
    names = dict.fromkeys([*op.router.exposed, *op.outputs[1:]])
    asked = [n for n in names if n not in seen]
    known = seen | nodes.run(op, seen, asked) if asked else seen
    return {n: known[n] for n in names}


def layer_sum(
    nodes: Nodes,
    matrices: Matrices,
    op: MoELayer,
    fed: Values,
    weights: Array,
    own: Array | None = None,
    at: Ints | None = None,
) -> Array:
    """A MoE layer's output from its inputs and every token's weights [.., router outputs].

    own: of the tokens themselves; at: the experts' `places`, where the layer keeps them apart.
    """
    entry = fed[op.inputs[0]]
    x = entry.reshape(-1, op.d_model).astype(np.float32)
    out = routed_sum(matrices, op, x, weights.reshape(-1, op.router.outputs), own, at)
    out += shared_sum(matrices, op, x)
    return out.reshape(nodes.shape(op, fed)).astype(entry.dtype)


class Definition:
    """A model whose named values are computed by definition, of several runs at once.

    Where its unpacked weights are many (see `unpack`) only those of one operator are held at a
    time; they are read again in the next call.
    """

    def __init__(self, nodes: Nodes, workload: Workload) -> None:
        self._nodes, self._workload = nodes, workload
        self._matrices = StoredMatrices(nodes.source)
        self.held = not too_large(nodes.source.graph)

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> Values:
        """Those values from the ones given, which may be inside the model; see `run_all`."""
        return self.run_all([feeds], names)[0]

    def run_all(self, feeds: Sequence[Mapping[str, Array]], names: Sequence[str]) -> list[Values]:
        """Those values for each run: operators' outputs, or what a router exposes.

        feeds: the same values are given in each run. Operators that nothing asked for needs are
        left out, and values are kept for as long as they are read.
        """
        every: list[Values] = [dict(fed) for fed in feeds]
        needed = _needed(self._workload, feeds[0], names)
        for place, op in enumerate(needed):
            later = {n for other in needed[place + 1 :] for n in other.inputs} | set(names)
            for values in every:
                values |= self._values(op, values, later)
                for name in values.keys() - later:
                    del values[name]
            if not self.held:
                self._matrices = StoredMatrices(self._nodes.source)
                self._nodes.drop()
        return [{name: values[name] for name in names} for values in every]

    def _values(self, op: AnyOperator, values: Values, later: set[str]) -> Values:
        """What an operator gives of those that are read later: maybe only what a router exposes."""
        fed = {name: values[name] for name in op.inputs}
        match op:
            case MoELayer() if op.outputs[0] not in later:
                return router_values(self._nodes, op, fed)
            case MoELayer():
                return _layer(self._nodes, self._matrices, op, fed, fed)
            case _:
                return operator_values(self._nodes, self._matrices, op, fed, fed)


def _needed(workload: Workload, given: Iterable[str], names: Sequence[str]) -> list[AnyOperator]:
    """The operators that make those values from the ones given, in order."""
    out, have, wanted = list[AnyOperator](), set(given), set(names)
    exposed = {op.name: op.router.exposed for op in workload.moe_layers}
    for op in reversed(workload.operators):
        if {*op.outputs, *exposed.get(op.name, ())} & (wanted - have):
            out.append(op)
            wanted |= set(op.inputs)
    return out[::-1]
