"""The shipped models: their numbers, and every operator run on its own."""

from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.feeds import load_inputs
from compiler.profiling.profile import profile
from ir.onnxdoor.processes.session import Runtime
from ir.selection import Capacity
from ir.workload import Attention, Workload
from tests.compiler.frontend.execute import compare
from tests.paths import MODELS


@pytest.mark.parametrize("name", ["token_choice", "expert_choice"])
def test_structure(name: str, runtime: Runtime) -> None:
    workload = read_model(MODELS / f"{name}.onnx", runtime=runtime)
    assert workload.notes == ()
    assert workload.layers == 4
    found = [op for op in workload.operators if isinstance(op, Attention)]
    assert [(a.layer, a.heads, a.kv_heads, a.head_dim, a.causal) for a in found] == [
        (layer, 4, 4, 32, True) for layer in range(4)
    ]
    assert [layer.layer for layer in workload.moe_layers] == [1, 3]
    for layer in workload.moe_layers:
        assert (layer.router.experts, layer.d_model, layer.d_expert) == (16, 128, 384)
        assert (layer.gated, layer.activation.text, layer.shared) == (True, "silu", ())
    # q, k, v, out in 4 layers, gate, up, down in 2, and the head
    assert [d.weight.macs for d in workload.dense()].count(128 * 128) == 16
    assert len(list(workload.dense())) == 4 * 4 + 2 * 3 + 1


def test_routers(runtime: Runtime) -> None:
    token = read_model(MODELS / "token_choice.onnx", runtime=runtime).moe_layers[0].router
    assert (token.kind, token.top_k, token.capacity) == ("softmax-topk", 4, None)
    expert = read_model(MODELS / "expert_choice.onnx", runtime=runtime).moe_layers[0].router
    # floor(4 T / 16) = floor(T / 4)
    assert (expert.kind, expert.top_k) == ("expert-choice", None)
    assert expert.capacity == Capacity(None, 1, 4)


@pytest.mark.parametrize("name", ["token_choice", "expert_choice"])
def test_runs_operator_by_operator(name: str, runtime: Any) -> None:
    inputs = load_inputs(MODELS / "heldout.npz")
    part = {"input_ids": inputs["input_ids"][:1, :45]}
    assert compare(runtime, MODELS / f"{name}.onnx", part) < 1e-5


@pytest.mark.parametrize("name", ["token_choice", "expert_choice"])
def test_sequences_that_run_together_are_computed_each_by_itself(
    name: str, runtime: Runtime
) -> None:
    """An expert that chooses tokens would find others if it chose among those of all sequences."""
    ids = load_inputs(MODELS / "heldout.npz")["input_ids"][:3, :33]
    session = runtime.load((MODELS / f"{name}.onnx").read_bytes())
    together = session.run({"input_ids": ids}, ["logits"])["logits"]
    apart = [session.run({"input_ids": row[None]}, ["logits"])["logits"] for row in ids]
    assert together.shape == (3, 33, 256)
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=0, atol=1e-4)


def test_ternary_experts_beside_a_full_one(runtime: Runtime) -> None:
    """8 routed experts of 3 x 49,152 elements in two layers, as they were trained; 16 bits else."""
    workload = read_model(MODELS / "mote.onnx", runtime=runtime)
    assert workload.notes == ()
    for layer in workload.moe_layers:
        assert (layer.router.kind, layer.router.top_k) == ("softmax-topk", 1)
        assert (layer.router.experts, layer.d_expert, layer.ternary) == (8, 384, ("routed",))
        (shared,) = layer.shared
        assert {(w.bits, w.format) for w in shared.weights} == {(16, "binary")}
    part = {"input_ids": load_inputs(MODELS / "heldout.npz")["input_ids"][:1, :45]}
    assert compare(runtime, MODELS / "mote.onnx", part, workload=workload) < 1e-5


def profiled(workload: Workload, name: str, tokens: int, runtime: Runtime) -> Any:
    inputs = load_inputs(MODELS / "heldout.npz")
    return profile(
        MODELS / f"{name}.onnx", workload, inputs, sequences=2, tokens=tokens, runtime=runtime
    )


def test_profiles(runtime: Runtime) -> None:
    token = profiled(
        read_model(MODELS / "token_choice.onnx", runtime=runtime), "token_choice", 50, runtime
    )
    assert token.choices.shape == (2, 100, 4)
    expert = profiled(
        read_model(MODELS / "expert_choice.onnx", runtime=runtime), "expert_choice", 50, runtime
    )
    assert expert.capacity.tolist() == [12, 12]  # floor(50 / 4)
    assert expert.matrix(0).sum() == 2 * 12 * 16
