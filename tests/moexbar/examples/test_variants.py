"""What families of models add to the plain transformer, run with random weights and as read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from moexbar.examples.sizes import LatentAttention, Sigmoid, Sizes, Softmax
from moexbar.examples.transformer import build
from tests.compiler.frontend.execute import compare

PLAIN = Sizes(
    layers=2,
    width=32,
    vocabulary=48,
    heads=4,
    kv_heads=2,
    head_dim=8,
    experts=8,
    expert_width=24,
    top_k=2,
    router="softmax-topk",
)
VARIANTS: dict[str, dict[str, Any]] = {
    "gates that do not sum to one": {"router": Softmax(normalised=False)},
    "softmax with a bias": {"router": Softmax(normalised=True, bias=True, scale=2.0)},
    "softmax with groups": {"router": Softmax(False, groups=4, top_groups=2)},
    "sigmoid without a bias": {
        "top_k": 1,
        "router": Sigmoid(1, 1, 1.0, bias=False, normalised=False),
    },
    "gated shared expert": {"shared_width": 40, "shared_gate": True},
    "gelu and norms behind": {"activation": "gelu", "post_norms": True},
    "clipped gate and biases": {
        "router": "topk-softmax",
        "activation": "swiglu-oai",
        "biases": ("qkv", "out", "router", "experts"),
    },
    "LayerNorm with a bias": {"norm": "layer-bias", "biases": ("qkv", "out", "head")},
    "LayerNorm": {"norm": "layer"},
    "one table": {"tied": True},
    "one norm over all heads": {"wide_qk_norm": True},
    "one layer with experts": {
        "layers": 3,
        "moe_at": (1,),
        "dense_ffn": 40,
        "biases": ("dense",),
    },
    "no layer with experts": {"moe_at": (), "dense_ffn": 40},
    "latent keys, plain queries": {
        "latent": LatentAttention(None, 16, 8, 4, 8),
        "head_dim": 12,
        "kv_heads": 4,
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_filled_model_runs_as_it_is_read(name: str, tmp_path: Path, runtime: Runtime) -> None:
    sizes: Sizes = replace(PLAIN, **VARIANTS[name])
    model = build("variant", sizes, "float32")
    model.save(tmp_path / "variant.onnx")
    random = np.random.default_rng(0)
    values = 0.3 * random.standard_normal(model.data_bytes // 4, dtype=np.float32)
    (tmp_path / "variant.onnx.data").write_bytes(values.tobytes())
    workload = read_model(tmp_path / "variant.onnx", runtime=runtime)
    assert [op.layer for op in workload.moe_layers] == sizes.moe_layers
    assert {op.proof for op in workload.moe_layers} <= {"run"}
    ids = np.random.default_rng(7).integers(0, 48, size=(1, 9))
    assert compare(runtime, tmp_path / "variant.onnx", {"input_ids": ids}) < 1e-4


@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_of_the_layers_or_of_the_experts(bits: int, tmp_path: Path) -> None:
    """An element takes bits / 8 bytes: a stack of 8 x 48 x 32 takes 12288 x bits / 8."""
    for quantised, dense in (("layers", bits), ("experts", 16)):
        changes: dict[str, Any] = {"bits": bits, "quantised": quantised}
        sizes: Sizes = replace(PLAIN, **changes)
        model = build(quantised, sizes)
        model.save(tmp_path / f"{quantised}.onnx")
        stack = next(t for t in model.graph.initializer if t.name.endswith("gate_up_proj"))
        place = {entry.key: entry.value for entry in stack.external_data}
        assert int(place["length"]) == 8 * 48 * 32 * bits // 8
        workload = read_model(tmp_path / f"{quantised}.onnx")
        assert {e.up.bits for op in workload.moe_layers for e in op.experts} == {bits}
        products = [op.weight.bits for op in workload.dense()]
        assert products == [dense] * 8 + [16]  # q, k, v, out of 2 layers; the head
