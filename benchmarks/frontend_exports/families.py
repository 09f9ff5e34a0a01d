"""Families of MoE models in transformers, made small: prefix of the class, fields of its config."""

from typing import Any

VOCABULARY = 61  # of every model, those written by hand too

BASE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "use_cache": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
DEEPSEEK: dict[str, Any] = {
    "moe_intermediate_size": 24,
    "n_routed_experts": 12,
    "num_experts_per_tok": 3,
    "n_group": 3,
    "topk_group": 2,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "qk_nope_head_dim": 12,
    "num_key_value_heads": 4,
}
SHARED = {"shared_expert_intermediate_size": 28, "moe_intermediate_size": 20}
MAMBA = {
    "mamba_n_heads": 4,
    "mamba_d_head": 24,
    "mamba_d_state": 8,
    "mamba_chunk_size": 8,
    "mamba_expand": 2,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "mixtral": ("Mixtral", {"num_local_experts": 6, "num_experts_per_tok": 2}),
    "qwen2moe": ("Qwen2Moe", {"num_experts": 9, "num_experts_per_tok": 4, **SHARED}),
    "qwen3moe": (
        "Qwen3Moe",
        {
            "num_experts": 12,
            "num_experts_per_tok": 3,
            "head_dim": 16,
            "moe_intermediate_size": 24,
            "norm_topk_prob": True,
        },
    ),
    "qwen3next": (
        "Qwen3Next",
        {
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "head_dim": 16,
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["full_attention", "full_attention"],
            **SHARED,
        },
    ),
    "qwen35moe": (
        "Qwen3_5Moe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "head_dim": 16,
            "layer_types": ["full_attention", "full_attention"],
            **SHARED,
        },
    ),
    "deepseekv2": (
        "DeepseekV2",
        {
            **DEEPSEEK,
            **LATENT,
            "topk_method": "group_limited_greedy",
            "routed_scaling_factor": 1.5,
            "norm_topk_prob": False,
        },
    ),
    "deepseekv3": ("DeepseekV3", {**DEEPSEEK, **LATENT, "routed_scaling_factor": 2.5}),
    "glm4moe": (
        "Glm4Moe",
        {
            **DEEPSEEK,
            "n_group": 1,
            "topk_group": 1,
            "head_dim": 12,
            "routed_scaling_factor": 1.3,
            "use_qk_norm": True,
        },
    ),
    "dots1": ("Dots1", {**DEEPSEEK, "n_group": 1, "topk_group": 1, "head_dim": 12}),
    "ernie": (
        "Ernie4_5_Moe",
        {
            "moe_num_experts": 8,
            "moe_k": 3,
            "moe_num_shared_experts": 1,
            "moe_intermediate_size": 24,
            "moe_layer_start_index": 0,
            "moe_layer_end_index": 1,
        },
    ),
    "gptoss": (
        "GptOss",
        {"num_local_experts": 6, "num_experts_per_tok": 2, "head_dim": 12, "intermediate_size": 40},
    ),
    "olmoe": ("Olmoe", {"num_experts": 10, "num_experts_per_tok": 4, "intermediate_size": 24}),
    "flexolmo": ("FlexOlmo", {"num_experts": 7, "num_experts_per_tok": 5, "intermediate_size": 24}),
    "phimoe": ("Phimoe", {"num_local_experts": 6, "intermediate_size": 40}),
    "granitemoe": (
        "GraniteMoe",
        {"num_local_experts": 6, "num_experts_per_tok": 3, "intermediate_size": 40},
    ),
    "graniteshared": (
        "GraniteMoeShared",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 40,
            "shared_intermediate_size": 56,
        },
    ),
    "granitehybrid": (
        "GraniteMoeHybrid",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 40,
            **MAMBA,
            "shared_intermediate_size": 56,
            "layer_types": ["attention", "attention"],
        },
    ),
    "hunyuan": (
        "HunYuanMoEV1",
        {"num_experts": 6, "moe_topk": 2, "head_dim": 12, "intermediate_size": 40},
    ),
    "minimax": (
        "MiniMax",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 40,
            "layer_types": ["full_attention", "full_attention"],
        },
    ),
    "minimaxm2": (
        "MiniMaxM2",
        {
            "num_local_experts": 10,
            "num_experts_per_tok": 3,
            "head_dim": 16,
            "intermediate_size": 40,
        },
    ),
    "lfm2moe": (
        "Lfm2Moe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "num_dense_layers": 1,
            "moe_intermediate_size": 24,
            "layer_types": ["conv", "full_attention"],
        },
    ),
    "jamba": (
        "Jamba",
        {
            "num_experts": 6,
            "num_experts_per_tok": 2,
            "attn_layer_period": 1,
            "attn_layer_offset": 0,
            "use_mamba_kernels": False,
            "expert_layer_period": 1,
            "expert_layer_offset": 0,
        },
    ),
    "nemotronh": (
        "NemotronH",
        {
            **DEEPSEEK,
            "n_shared_experts": 1,
            "head_dim": 12,
            "layers_block_type": ["attention", "moe"],
            "n_group": 1,
            "topk_group": 1,
            "moe_shared_expert_intermediate_size": 40,
        },
    ),
    "dbrx": (
        "Dbrx",
        {
            "d_model": 48,
            "n_heads": 4,
            "n_layers": 2,
            "max_seq_len": 64,
            "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8},
            "ffn_config": {"ffn_hidden_size": 40, "moe_num_experts": 6, "moe_top_k": 2},
        },
    ),
    "jetmoe": (
        "JetMoe",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "kv_channels": 12,
            "num_key_value_heads": 2,
            "intermediate_size": 40,
        },
    ),
    "llama4": (
        "Llama4",
        {
            "num_local_experts": 6,
            "intermediate_size_mlp": 80,
            "head_dim": 12,
            "interleave_moe_layer_step": 1,
            "attention_chunk_size": 64,
        },
    ),
    "longcat": (
        "LongcatFlash",
        {
            "n_routed_experts": 8,
            "zero_expert_num": 3,
            "moe_topk": 3,
            "expert_ffn_hidden_size": 24,
            "ffn_hidden_size": 80,
            **LATENT,
            "num_layers": 1,
            "head_dim": 8,
            "routed_scaling_factor": 2.0,
        },
    ),
    "solar": ("SolarOpen", {**DEEPSEEK, "n_group": 1, "topk_group": 1, "head_dim": 12}),
    "exaone": (
        "ExaoneMoe",
        {
            **DEEPSEEK,
            "num_experts": 12,
            "num_shared_experts": 1,
            "n_group": 1,
            "topk_group": 1,
            "head_dim": 12,
            "layer_types": ["full_attention", "full_attention"],
            "mlp_layer_types": ["dense", "sparse"],
        },
    ),
    "afmoe": (
        "Afmoe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "num_shared_experts": 1,
            "moe_intermediate_size": 24,
            "num_dense_layers": 1,
            "head_dim": 12,
            "layer_types": ["full_attention", "full_attention"],
        },
    ),
    "cohere2moe": (
        "Cohere2Moe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "num_shared_experts": 1,
            "intermediate_size": 40,
            "layer_types": ["full_attention", "full_attention"],
            "mlp_layer_types": ["sparse", "sparse"],
        },
    ),
    "switch": (
        "SwitchTransformers",
        {
            "d_model": 48,
            "d_ff": 40,
            "d_kv": 12,
            "num_heads": 4,
            "num_layers": 2,
            "num_sparse_encoder_layers": 2,
            "num_experts": 5,
            "expert_capacity": 64,
        },
    ),
    "nllb": (
        "NllbMoe",
        {
            "d_model": 48,
            "encoder_layers": 2,
            "encoder_ffn_dim": 40,
            "encoder_attention_heads": 4,
            "encoder_sparse_step": 1,
            "num_experts": 6,
            "expert_capacity": 64,
        },
    ),
    "llama": ("Llama", {}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
    "gemma2": ("Gemma2", {"head_dim": 12}),
}
