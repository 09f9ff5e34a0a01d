"""What running a region tells that its structure does not."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from compiler.frontend import read_model
from compiler.frontend.moe.found import RECORDED
from compiler.frontend.proof import prover
from compiler.frontend.proof.traced import refuse_unhit
from ir.activation import Activation
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime
from ir.routing import Routing
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def test_a_curve_with_a_number_of_its_own(tmp_path: Path, runtime: Any) -> None:
    """The structure says silu, but it is x * sigmoid(3 x): read with the 3."""

    def odd(g: m.Graph, x: str) -> str:
        gate = m.linear(g, x, m.D, m.HIDDEN)
        curve = g("Sigmoid", g("Mul", gate, g.constant(3.0, np.float32)))
        both = g("Mul", g("Mul", gate, curve), m.linear(g, x, m.D, m.HIDDEN))
        return m.linear(g, both, m.HIDDEN, m.D)

    path = m.write(tmp_path, [m.dense_masked(expert=odd)])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.activation, layer.proof) == (Activation("quick-gelu", (3.0,)), "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_clipped_gate_with_other_numbers(tmp_path: Path, runtime: Any) -> None:
    """min(gate, 2), clip(up, -2, 2), alpha 1.25, beta 0.5: read from the graph and proven."""

    def expert(g: m.Graph, x: str) -> str:
        low, high = g.constant(-2.0, np.float32), g.constant(2.0, np.float32)
        gate = g("Clip", m.linear(g, x, m.D, m.HIDDEN), "", high)
        up = g("Clip", m.linear(g, x, m.D, m.HIDDEN), low, high)
        curve = g("Sigmoid", g("Mul", gate, g.constant(1.25, np.float32)))
        both = g("Mul", g("Add", up, g.constant(0.5, np.float32)), g("Mul", gate, curve))
        return m.linear(g, both, m.HIDDEN, m.D)

    path = m.write(tmp_path, [m.dense_masked(expert=expert)])
    (layer,) = read_model(path).moe_layers
    assert layer.activation == Activation("swiglu-oai", (1.25, 0.5, 2.0))
    assert layer.activation.text == "swiglu-oai"
    assert compare(runtime, path, m.token_ids()) < 1e-5


@pytest.mark.parametrize("limit", [0.75, None])
def test_numbers_of_a_clipped_operator(limit: float | None, tmp_path: Path, runtime: Any) -> None:
    """MoE's attributes; without `swiglu_limit` nothing is clipped."""
    path = m.write(tmp_path, [m.swiglu_contract])
    model = onnx.load(path)
    (node,) = (n for n in model.graph.node if n.op_type == "MoE")
    numbers = {"activation_alpha": 1.25, "activation_beta": 0.5, "swiglu_limit": limit}
    kept = [a for a in node.attribute if a.name not in numbers]
    given = [onnx.helper.make_attribute(n, v) for n, v in numbers.items() if v is not None]
    del node.attribute[:]
    node.attribute.extend([*kept, *given])
    onnx.save(model, path)
    (layer,) = read_model(path).moe_layers
    assert layer.activation == Activation("swiglu-oai", (1.25, 0.5, limit or math.inf))
    assert layer.proof == "run"
    assert compare(runtime, path, m.token_ids()) < 1e-5


def fused_quick_gelu(g: m.Graph, x: str) -> str:
    """As ONNX Runtime saves the curve of a bfloat16 model."""
    return g("QuickGelu", x, domain="com.microsoft", alpha=1.703125)


@pytest.mark.parametrize(
    ("act", "before", "name"),
    [
        # 8 bits of 1.702, of sqrt(2 / pi) and 0.044715, of sqrt(2)
        (m.ACTS["quick-gelu"], "quick-gelu", "quick-gelu(1.703125)"),
        (m.ACTS["gelu-tanh"], "gelu-tanh", "gelu-tanh(0.796875, 0.044677734375)"),
        (m.ACTS["gelu"], "gelu", "gelu(1.4140625)"),
        (fused_quick_gelu, "quick-gelu(1.703125)", "quick-gelu(1.703125)"),
        (m.ACTS["silu"], "silu", "silu"),
    ],
)
def test_numbers_of_an_activation_rounded_to_bfloat16(
    act: m.Act, before: str, name: str, tmp_path: Path, runtime: Any
) -> None:
    """The layer is what it is with its own numbers: to 1e-5, where 1.702 itself is 6e-4 off."""

    def expert(g: m.Graph, x: str) -> str:
        return m.plain(g, x, act)

    path = m.write(tmp_path, [m.dense_masked(expert=expert)])
    assert read_model(path).moe_layers[0].activation.text == before
    m.in_16_bits(path, TensorProto.BFLOAT16)
    workload = read_model(path)
    assert [layer.activation.text for layer in workload.moe_layers] == [name]
    assert {w.bits for e in workload.moe_layers[0].experts for w in e.weights} == {16}
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_holes_are_not_run(tmp_path: Path, runtime: Runtime) -> None:
    """Weights in a file that was never written: recognised by structure only, and said so."""
    path = m.write(tmp_path, [m.dense_masked()])
    model = onnx.load(path)
    size, start = 1 << 24, 0
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2:
            length = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "w.bin"), ("offset", start), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
            start += length
    path.write_bytes(model.SerializeToString())
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(size)
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers[0].proof == "structure"
    assert workload.notes == (
        "1 MoE layer recognised by structure only: the weights are holes in a sparse file",
    )


@pytest.mark.parametrize(("order", "proven"), [((0, 1, 2, 3), True), ((1, 0, 2, 3), False)])
def test_experts_whose_numbers_are_not_in_the_graph(
    order: tuple[int, ...], proven: bool, tmp_path: Path, runtime: Runtime
) -> None:
    """Expert e's weight is combine . one_hot(e), a sum: no node of the graph says "column e".

    The experts are taken in graph order and the note says so; running the layer shows whether that
    order is right, and leaves nothing to say, or wrong: then it stays digital.
    """

    def block(g: m.Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = m.softmax_topk(g, tokens)
        shape = g("Concat", g("Shape", tokens, end=1), g.constant([g.experts]), axis=0)
        zeros = g("Expand", g.constant(0.0, np.float32), shape)
        combine = g("ScatterElements", zeros, ids, gates, axis=1)
        total = ""
        for e in order:
            one_hot = g.constant(np.arange(g.experts) == e, np.float32)
            weight = g("ReduceSum", g("Mul", combine, one_hot), g.constant([-1]), keepdims=1)
            part = g("Mul", m.gated(g, tokens), weight)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    path = m.write(tmp_path, [block])
    (note,) = read_model(path, prove=False).notes
    assert note.startswith("node 'TopK#")
    assert note.endswith("taken in graph order")
    workload = read_model(path, runtime=runtime)
    if proven:
        assert [layer.proof for layer in workload.moe_layers] == ["run"]
        assert workload.notes == ()
    else:
        assert workload.moe_layers == ()


@pytest.mark.parametrize("block", [m.traced_loop, m.traced_stack])
def test_a_hit_loop_is_marked_without_a_run(block: m.Ffn, tmp_path: Path) -> None:
    """Block i reads the i-th entry of a NonZero: the graph itself shows what was recorded."""
    workload = read_model(m.write(tmp_path, [block]), prove=False)
    assert [layer.proof for layer in workload.moe_layers] == ["traced"]
    (note,) = workload.notes
    assert RECORDED in note


def test_a_hit_loop_too_large_to_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    """4 experts of 3 matrices, 18 KiB in all, with a limit of 1 byte: not run, but recorded."""
    monkeypatch.setattr(prover, "MAX_LAYER_BYTES", 1)
    path = m.write(tmp_path, [m.traced_loop])
    with pytest.raises(InputError, match="recorded the routing of one input"):
        read_model(path, trust_traced=False, runtime=runtime)


def test_untrusted_traced_file(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.traced_loop])
    with pytest.raises(InputError, match="recorded the routing of one input"):
        read_model(path, trust_traced=False, runtime=runtime)


def test_traced_layer_needs_every_expert(tmp_path: Path, runtime: Runtime) -> None:
    """Sequence 0 uses experts 0 to 3; sequence 1 only 0, 1, 2."""
    workload = read_model(m.write(tmp_path, [m.traced_loop]), runtime=runtime)
    choices = np.array([[[0, 1], [2, 3], [0, 1], [0, 2]]], dtype=np.int16)
    routing = Routing(
        layer=np.array([0]),
        num_experts=np.array([4]),
        sequence=np.array([0, 0, 1, 1]),
        choices=choices,
    )
    with pytest.raises(InputError, match="sequence 1 gives expert 3 none"):
        refuse_unhit("model.onnx", workload, routing)


def test_count_of_one_input_in_a_shape(tmp_path: Path, runtime: Runtime) -> None:
    """Expert 0's tokens are reshaped to 7 rows, as many as it had when traced: refused."""

    def block(g: m.Graph, x: str) -> str:
        tokens = m.flat(g, x)
        scores = g("Softmax", m.linear(g, tokens, m.D, m.EXPERTS), axis=-1)
        hot = g(
            "OneHot",
            g("ArgMax", scores, axis=-1, keepdims=0),
            g.constant(m.EXPERTS),
            g.constant([0, 1]),
            axis=-1,
        )
        total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
        for e in range(m.EXPERTS):
            mine = g(
                "Transpose", g("NonZero", g("Gather", hot, g.constant(e), axis=1)), perm=[1, 0]
            )
            out = m.plain(g, g("GatherND", tokens, mine))
            out = g("Reshape", out, g.constant([7, m.D])) if e == 0 else out
            total = g("ScatterND", total, mine, out)
        return g("Reshape", total, g("Shape", x))

    path = m.write(tmp_path, [block])
    (suspect,) = read_model(path, runtime=runtime).suspects
    assert suspect.traced
    assert "could not be run" in suspect.reason
    with pytest.raises(InputError, match="could not be run"):
        read_model(path, trust_traced=False, runtime=runtime)


def test_operators_with_more_than_is_read_stay_digital(tmp_path: Path, runtime: Runtime) -> None:
    """QMoE's gates from outside, and a clip after the activation, are other functions."""
    path = m.write(tmp_path, [m.quantised_contract(4)])
    for change, reason in (("gates", "router_weights: gates"), ("clip", "clipped after")):
        model = onnx.load(path)
        (node,) = [n for n in model.graph.node if n.op_type == "QMoE"]
        if change == "gates":
            node.input.extend([""] * (14 - len(node.input)) + [node.input[1]])
        else:
            node.attribute.append(onnx.helper.make_attribute("swiglu_limit_after_activation", 1))
        changed = tmp_path / f"{change}.onnx"
        onnx.save(model, changed)
        workload = read_model(changed, runtime=runtime)
        assert workload.moe_layers == ()
        assert reason in workload.suspects[0].reason
