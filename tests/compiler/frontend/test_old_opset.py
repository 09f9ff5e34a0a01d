"""A model of opset 9, where numbers that later opsets have as inputs are attributes."""

from pathlib import Path

import onnx
from onnx import helper, numpy_helper

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.moe.curves import num
from tests.compiler.frontend.odd_experts import part
from tests.compiler.frontend.opsets import as_opset

# Inputs after the first that were attributes, by operator: names, whether of one number
ATTRIBUTES = {
    "Clip": (("min", "max"), True),
    "Slice": (("starts", "ends", "axes"), False),
    "TopK": (("k",), True),
}


def experts(g: m.Graph, x: str) -> str:
    """Half of one matrix, clipped, times the other; weighted by ids that are compared."""
    tokens, total = m.flat(g, x), ""
    ids, gates = m.topk_softmax(g, tokens)
    for e in range(g.experts):
        both = m.linear(g, tokens, g.d, 2 * g.hidden)
        gate = g("Clip", part(g, both, 0, g.hidden, 1), num(g, -1), num(g, 2))
        hidden = g("Mul", gate, part(g, both, g.hidden, 2 * g.hidden, 1))
        mine = g("Cast", g("Equal", ids, g.constant([e])), to=1)
        weight = g("ReduceSum", g("Mul", gates, mine), g.constant([-1]), keepdims=1)
        made = g("Mul", m.linear(g, hidden, g.hidden, g.d), weight)
        total = g("Add", total, made) if total else made
    return g("Reshape", total, g("Shape", x))


def in_opset_9(path: Path) -> None:
    model = as_opset(onnx.load(path), 9)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        names, one = ATTRIBUTES.get(node.op_type, ((), False))
        for name, given in zip(names, node.input[1:], strict=False):
            value = stored[given].ravel().tolist()
            node.attribute.append(helper.make_attribute(name, value[0] if one else value))
        if names:
            del node.input[1:]
    onnx.save(model, path)


def test_attributes_are_read(tmp_path: Path, runtime: Runtime) -> None:
    """K = 2 of TopK, -1 and 2 of Clip, and the halves that Slice takes."""
    g = m.Graph()
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    out = experts(g, m.rms_norm(g, x))
    g.nodes.append(helper.make_node("MatMul", [out, g.weight(g.d, g.vocab)], ["logits"]))
    path = g.model(tmp_path / "m.onnx", m.LOGITS)
    in_opset_9(path)
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.form, workload.notes) == ("run", "dense-masked", ())
    assert (layer.router.kind, layer.router.top_k) == ("topk-softmax", 2)
    assert layer.activation.text == "hard-tanh(-1.0, 2.0)"
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5
