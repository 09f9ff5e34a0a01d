"""Families that transformers 5 added: prefix of the class, fields of its config."""

from typing import Any

from benchmarks.frontend_exports.families import DEEPSEEK, LATENT, SHARED

PLAIN: dict[str, Any] = {
    "num_experts": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "head_dim": 12,
}
SPARSE = {"mlp_layer_types": ["sparse", "sparse"]}
FULL = {"layer_types": ["full_attention", "full_attention"]}
INDEXED = {"index_head_dim": 12, "index_n_heads": 2, "index_topk": 32}
RECENT: dict[str, tuple[str, dict[str, Any]]] = {
    "axk1": ("AXK1", {**DEEPSEEK, **LATENT}),
    "axk2": ("AXK2", {**DEEPSEEK, **LATENT, **INDEXED, **FULL, "gated_norm_rank": 8}),
    "bailing": (
        "BailingHybrid",
        {**DEEPSEEK, **LATENT, "num_local_experts": 12, **FULL, "head_dim": 12},
    ),
    "beam": ("Beam", {**PLAIN, **SPARSE, **FULL, "n_group": 1, "topk_group": 1}),
    "deepseekv32": ("DeepseekV32", {**DEEPSEEK, **LATENT, **INDEXED}),
    "doge": ("Doge", {"is_moe": True, "num_experts": 16, "num_experts_per_tok": 4}),
    "flint": ("Flint", {**PLAIN, **FULL, **SHARED}),
    "gemma4": (
        "Gemma4",
        {
            **PLAIN,
            **FULL,
            "enable_moe_block": True,
            "top_k_experts": 2,
            "vocab_size_per_layer_input": 61,
            "hidden_size_per_layer_input": 0,
            "global_head_dim": 12,
        },
    ),
    "glm4lite": ("Glm4MoeLite", {**DEEPSEEK, **LATENT, "n_group": 1, "topk_group": 1}),
    "glmdsa": ("GlmMoeDsa", {**DEEPSEEK, **LATENT, **INDEXED, "n_group": 1, "topk_group": 1}),
    "graniteswa": ("GraniteMoeSWA", {**PLAIN, **FULL, "intermediate_size": 40}),
    "hyv3": ("HYV3", {**PLAIN, "num_shared_experts": 1, **SPARSE}),
    "kimilinear": (
        "KimiLinear",
        {**DEEPSEEK, **LATENT, "num_local_experts": 12, **FULL, "n_group": 1, "topk_group": 1},
    ),
    "kolibri": ("Kolibri1", {**PLAIN, **FULL, **SHARED}),
    "laguna": ("Laguna", {**PLAIN, **FULL, **SHARED, **SPARSE}),
    "laramini": ("LaraMini", {**PLAIN, **FULL, **SHARED}),
    "mellum": ("Mellum", {**PLAIN, **FULL, **SPARSE}),
    "mimov2": (
        "MiMoV2Flash",
        {**PLAIN, "n_routed_experts": 8, "n_group": 2, "topk_group": 1, **FULL, "v_head_dim": 12},
    ),
    "mistral4": ("Mistral4", {**DEEPSEEK, **LATENT, "n_group": 1, "topk_group": 1}),
    "privacyfilter": ("OpenAIPrivacyFilter", {**PLAIN, "intermediate_size": 40}),
    "zaya": ("Zaya", {**PLAIN, "num_experts_per_tok": 1}),
    "aria": (
        "AriaText",
        {"moe_num_experts": 6, "moe_topk": 2, "moe_num_shared_experts": 2, "head_dim": 12},
    ),
    "qwen3vlmoe": ("Qwen3VLMoe", {**PLAIN}),
    "step3p7": ("Step3p7", {**PLAIN}),
}
