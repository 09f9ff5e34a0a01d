"""Every family's configuration gives a model of its parameters, counted by hand."""

import json
from pathlib import Path
from typing import Any

import onnx_ir
import pytest

import moexbar as mx
from ir.onnxdoor.widen import as_stored
from ir.workload import Attention, Workload
from moexbar.configurations.known import READERS
from tests.moexbar.configurations.small import (
    EXPERT,
    EXPERTS,
    FAMILIES,
    HIDDEN,
    D,
    config,
    feed_forward,
)


def write(folder: Path, found: dict[str, Any], name: str = "config.json") -> Path:
    (folder / name).write_text(json.dumps(found), encoding="utf-8")
    return folder / name


def parameters(model: mx.Model) -> int:
    """Elements of all tensors beside the model: the weights, without the graph's constants."""
    stored = [
        as_stored(v.const_value)
        for v in model.source.graph.initializers.values()
        if v.const_value is not None
    ]
    return sum(tensor.size for tensor in stored if isinstance(tensor, onnx_ir.ExternalTensor))


def test_every_family_is_counted_here() -> None:
    assert set(FAMILIES) == set(READERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_has_the_parameters_and_layers_of_its_family(family: str, tmp_path: Path) -> None:
    _, expected, with_experts = FAMILIES[family]
    with mx.open_model(write(tmp_path, config(family))) as model:
        workload = model.workload()
        assert parameters(model) == expected
    assert workload.name == family
    assert [op.layer for op in workload.moe_layers] == with_experts
    for op in workload.moe_layers:
        assert (op.router.experts, op.d_model, op.d_expert) == (EXPERTS, D, HIDDEN)
        assert op.router.top_k == (1 if family == "llama4_text" else 2)
        assert op.gated and op.proof == "structure"
    assert not workload.suspects
    assert workload.account.unused == 0
    heads = {(a.heads, a.head_dim) for a in attentions(workload)}
    deepseek = family.startswith(("deepseek", "kimi"))
    assert heads == {(4, 12) if deepseek else (4, 8)}
    assert len(attentions(workload)) == workload.layers


def attentions(workload: Workload) -> list[Attention]:
    return [op for op in workload.operators if isinstance(op, Attention)]


ROUTERS = {
    "mixtral": "softmax-topk",
    "gpt_oss": "topk-softmax",
    "granitemoe": "topk-softmax",
    "deepseek_v3": "sigmoid-topk",
    "llama4_text": "sigmoid-topk",
    "minimax_m2": "sigmoid-topk",
    "ernie4_5_moe": "softmax-topk",
}


@pytest.mark.parametrize("family", ROUTERS)
def test_router(family: str, tmp_path: Path) -> None:
    workload = mx.open_model(write(tmp_path, config(family))).workload()
    assert {op.router.kind for op in workload.moe_layers} == {ROUTERS[family]}


def test_activations(tmp_path: Path) -> None:
    for family, curve in (("gpt_oss", "swiglu-oai"), ("grok-1", "gelu"), ("mixtral", "silu")):
        workload = mx.open_model(write(tmp_path, config(family))).workload()
        assert {op.activation.text for op in workload.moe_layers} == {curve}


def test_shared_experts(tmp_path: Path) -> None:
    for family, columns, gated in (
        ("qwen2_moe", 48, 1),
        ("deepseek_v2", 2 * HIDDEN, 0),
        ("llama4_text", HIDDEN, 0),
    ):
        op = mx.open_model(write(tmp_path, config(family))).workload().moe_layers[0]
        assert [shared.up.columns for shared in op.shared] == [columns]
        assert op.gated_shared == gated


def test_what_is_simplified_is_told(tmp_path: Path) -> None:
    notes = mx.open_model(write(tmp_path, config("gpt_oss"))).workload().notes
    assert notes[0] == "read from a configuration (gpt_oss): a shape without weights, not executed"
    assert "simplified: attention without its sinks, one number a head" in notes
    window = "simplified: attention sees all tokens before it instead of a window of them"
    assert window in notes
    assert mx.open_model(write(tmp_path, config("mixtral"))).workload().notes[1:] == ()


def test_the_text_part_of_a_larger_model(tmp_path: Path) -> None:
    whole = {"model_type": "llama4", "text_config": config("llama4_text"), "vision_config": {}}
    workload = mx.open_model(write(tmp_path, whole)).workload()
    assert "simplified: the text part alone" in workload.notes
    assert [op.layer for op in workload.moe_layers] == [1, 3]


def test_one_expert_is_a_dense_model(tmp_path: Path) -> None:
    found = config("hunyuan_v1_moe", num_experts=1, moe_topk=1)
    workload = mx.open_model(write(tmp_path, found)).workload()
    assert not workload.moe_layers
    # 2 x (q, k, v, out, gate, up, down), the head
    assert len(list(workload.dense())) == 2 * 7 + 1


FULL: dict[str, tuple[dict[str, Any], float]] = {  # billions, as published
    "mixtral": (
        {
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 32000,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
        },
        46.7,
    ),
    "gpt_oss": (
        {
            "hidden_size": 2880,
            "intermediate_size": 2880,
            "head_dim": 64,
            "num_hidden_layers": 24,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "vocab_size": 201088,
            "num_local_experts": 32,
            "num_experts_per_tok": 4,
            "quantization_config": {"quant_method": "mxfp4"},
        },
        20.9,
    ),
    "qwen2_moe": (
        {
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "vocab_size": 151936,
            "num_experts": 60,
            "num_experts_per_tok": 4,
        },
        14.3,
    ),
}


@pytest.mark.parametrize("family", FULL)
def test_original_sizes(family: str, tmp_path: Path) -> None:
    """Mixtral-8x7B, gpt-oss-20b and Qwen1.5-MoE-A2.7B have as many as they are said to have."""
    found, billions = FULL[family]
    with mx.open_model(write(tmp_path, {"model_type": family, **found})) as model:
        assert parameters(model) / 1e9 == pytest.approx(billions, abs=0.05)


BITS: list[tuple[dict[str, Any], int, int]] = [  # quantization_config, bits of q and of an expert
    ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8, 8),
    ({"quant_method": "gptq", "bits": 4, "group_size": 128}, 4, 4),
    ({"quant_method": "awq", "bits": 8}, 8, 8),
    ({"quant_method": "gptq", "bits": 3}, 4, 4),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4, 4),
    ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 8, 8),
    ({"quant_method": "mxfp4"}, 16, 4),
    ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, 4, 4),
    (
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"weights": {"num_bits": 4}}},
            "ignore": ["re:.*self_attn.*", "lm_head"],
        },
        16,
        4,
    ),
    ({"quant_method": "new"}, 16, 16),
]


@pytest.mark.parametrize(("quantised", "dense", "experts"), BITS)
def test_bits(quantised: dict[str, Any], dense: int, experts: int, tmp_path: Path) -> None:
    """Experts and projections have the bits that are said; router, embedding and head have 16."""
    found = config("mixtral", quantization_config=quantised)
    model = mx.open_model(write(tmp_path, found))
    workload = model.workload()
    op, products = workload.moe_layers[0], list(workload.dense())
    assert {w.bits for e in op.experts for w in (e.up, e.gate, e.down) if w} == {experts}
    assert {p.weight.bits for p in products[:-1]} == {dense}
    assert products[-1].weight.bits == 16
    assert op.router.projection is None or op.router.projection.bits == 16
    assert parameters(model) == FAMILIES["mixtral"][1]
    if (dense, experts) == (16, 16):
        assert any("16-bit weights" in note for note in workload.notes)


def test_elements_on_crossbars(tmp_path: Path) -> None:
    """Attention, experts and the head stand on crossbars; embedding, router and norms do not."""
    workload = mx.open_model(write(tmp_path, config("mixtral"))).workload()
    attention = 32 * 32 * 2 + 32 * 16 * 2
    assert workload.account.crossbar == 2 * (attention + EXPERTS * EXPERT) + 32 * 100
    assert feed_forward(HIDDEN) == EXPERT
