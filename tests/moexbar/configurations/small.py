"""Configurations with small numbers, one per family, and what each of them must hold.

All have tokens 32 wide, 4 heads of 8, 2 of keys and values, 100 words, 8 experts of 24, 2 chosen.
"""

from typing import Any

D, WORDS, HEADS, KV, HEAD, EXPERTS, HIDDEN = 32, 100, 4, 2, 8, 8, 24
QKV = D * (HEADS + 2 * KV) * HEAD  # 32 x 64
OUT = HEADS * HEAD * D  # 32 x 32
ATTENTION = QKV + OUT
QKV_BIASES, OUT_BIAS = (HEADS + 2 * KV) * HEAD, D
EXPERT = 3 * D * HIDDEN  # gate, up, down
ROUTER = D * EXPERTS
MOE = EXPERTS * EXPERT + ROUTER
TABLES = 2 * WORDS * D  # embedding and head
NORMS = 2 * D  # of a layer
DENSE_HIDDEN = 40
DENSE = 3 * D * DENSE_HIDDEN


def feed_forward(hidden: int) -> int:
    """Gate, up and down of a gated feed-forward."""
    return 3 * D * hidden


COMMON: dict[str, Any] = {
    "hidden_size": D,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV,
    "vocab_size": WORDS,
    "num_experts_per_tok": 2,
}
LOCAL = COMMON | {"intermediate_size": HIDDEN, "num_local_experts": EXPERTS}
QWEN = COMMON | {
    "intermediate_size": DENSE_HIDDEN,
    "moe_intermediate_size": HIDDEN,
    "num_experts": EXPERTS,
}
DEEPSEEK = COMMON | {
    "num_hidden_layers": 3,
    "num_key_value_heads": HEADS,
    "intermediate_size": DENSE_HIDDEN,
    "moe_intermediate_size": HIDDEN,
    "n_routed_experts": EXPERTS,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 16,
    "q_lora_rank": 20,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
}
# down to 20 (norm), up to 4 x (8 + 4); down to 16 and the rotary key 4 (norm of 16), up to
# 4 x (8 + 8); out of 4 x 8
LATENT_OUT = 4 * 8 * D
LATENT_KEYS = D * (16 + 4) + 16 + 16 * 4 * (8 + 8)
LATENT = D * 20 + 20 + 20 * 4 * 12 + LATENT_KEYS + LATENT_OUT
LATENT_DIRECT = D * 4 * 12 + LATENT_KEYS + LATENT_OUT
GLM = COMMON | {
    "num_hidden_layers": 3,
    "intermediate_size": DENSE_HIDDEN,
    "moe_intermediate_size": HIDDEN,
    "n_routed_experts": EXPERTS,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
}

# {name: (its config.json, parameters by hand, ids of the layers with experts)}
FAMILIES: dict[str, tuple[dict[str, Any], int, list[int]]] = {
    "mixtral": (LOCAL, 2 * (ATTENTION + MOE + NORMS) + D + TABLES, [0, 1]),
    "minimax": (
        LOCAL | {"layer_types": ["full_attention"] * 2},
        2 * (ATTENTION + MOE + NORMS) + D + TABLES,
        [0, 1],
    ),
    "minimax_m2": (  # norms of all queries and of all keys; a bias for the choice
        LOCAL,
        2 * (ATTENTION + (HEADS + KV) * HEAD + MOE + EXPERTS + NORMS) + D + TABLES,
        [0, 1],
    ),
    "qwen2_moe": (  # biases of q, k, v; a shared expert 48 wide with a gate; layer 0 has none
        QWEN | {"shared_expert_intermediate_size": 48, "mlp_only_layers": [0]},
        2 * (ATTENTION + QKV_BIASES + NORMS) + DENSE + MOE + feed_forward(48) + D + D + TABLES,
        [1],
    ),
    "qwen3_moe": (  # norms of a head's queries and keys; every second layer
        QWEN | {"num_hidden_layers": 4, "decoder_sparse_step": 2},
        4 * (ATTENTION + 2 * HEAD + NORMS) + 2 * DENSE + 2 * MOE + D + TABLES,
        [1, 3],
    ),
    "olmoe": (
        COMMON | {"intermediate_size": HIDDEN, "num_experts": EXPERTS, "clip_qkv": 8.0},
        2 * (ATTENTION + (HEADS + KV) * HEAD + MOE + NORMS) + D + TABLES,
        [0, 1],
    ),
    "glm4_moe": (  # one dense layer, two shared experts, a bias for the choice, norms of heads
        GLM | {"attention_bias": True, "use_qk_norm": True, "partial_rotary_factor": 0.5},
        3 * (ATTENTION + QKV_BIASES + 2 * HEAD + NORMS)
        + DENSE
        + 2 * (MOE + EXPERTS + feed_forward(2 * HIDDEN))
        + D
        + TABLES,
        [1, 2],
    ),
    "dots1": (
        GLM,
        3 * (ATTENTION + 2 * HEAD + NORMS)
        + DENSE
        + 2 * (MOE + EXPERTS + feed_forward(2 * HIDDEN))
        + D
        + TABLES,
        [1, 2],
    ),
    "gpt_oss": (  # biases of q, k, v, out, router, gate and up, down; without the sinks (4 a layer)
        LOCAL | {"head_dim": 8, "sliding_window": 128},
        2 * (ATTENTION + QKV_BIASES + OUT_BIAS + MOE + EXPERTS + EXPERTS * (2 * HIDDEN + D) + NORMS)
        + D
        + TABLES,
        [0, 1],
    ),
    "phimoe": (  # LayerNorms with a bias, biases of attention and head
        LOCAL | {"attention_bias": True, "lm_head_bias": True},
        2 * (ATTENTION + QKV_BIASES + OUT_BIAS + MOE + 2 * NORMS) + 2 * D + TABLES + WORDS,
        [0, 1],
    ),
    "granitemoe": (  # head and embedding are one table
        LOCAL | {"tie_word_embeddings": True},
        2 * (ATTENTION + MOE + NORMS) + D + WORDS * D,
        [0, 1],
    ),
    "granitemoeshared": (
        LOCAL | {"shared_intermediate_size": 56},
        2 * (ATTENTION + MOE + feed_forward(56) + NORMS) + D + TABLES,
        [0, 1],
    ),
    "deepseek_v2": (  # no low rank of queries, no bias for the choice
        DEEPSEEK | {"q_lora_rank": None, "n_shared_experts": 2},
        3 * (LATENT_DIRECT + NORMS) + DENSE + 2 * (MOE + feed_forward(2 * HIDDEN)) + D + TABLES,
        [1, 2],
    ),
    "deepseek_v3": (
        DEEPSEEK | {"n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5},
        3 * (LATENT + NORMS) + DENSE + 2 * (MOE + EXPERTS + EXPERT) + D + TABLES,
        [1, 2],
    ),
    "kimi_k2": (
        DEEPSEEK | {"num_nextn_predict_layers": 1},
        3 * (LATENT + NORMS) + DENSE + 2 * (MOE + EXPERTS + EXPERT) + D + TABLES,
        [1, 2],
    ),
    "jamba": (  # attention in every layer; experts as wide as the dense layer
        COMMON | {"attn_layer_period": 1, "intermediate_size": HIDDEN, "num_experts": EXPERTS},
        2 * (ATTENTION + NORMS) + EXPERT + MOE + D + TABLES,
        [1],
    ),
    "llama4_text": (  # every second layer has experts and a shared one
        LOCAL
        | {
            "num_hidden_layers": 4,
            "num_experts_per_tok": 1,
            "interleave_moe_layer_step": 2,
            "intermediate_size_mlp": DENSE_HIDDEN,
        },
        4 * (ATTENTION + NORMS) + 2 * DENSE + 2 * (MOE + EXPERT) + D + TABLES,
        [1, 3],
    ),
    "dbrx": (  # names of its own; LayerNorms without a bias
        {
            "d_model": D,
            "n_heads": HEADS,
            "n_layers": 2,
            "vocab_size": WORDS,
            "attn_config": {"kv_n_heads": KV, "clip_qkv": 8, "rope_theta": 500000},
            "ffn_config": {
                "ffn_hidden_size": HIDDEN,
                "moe_num_experts": EXPERTS,
                "moe_top_k": 2,
                "moe_normalize_expert_weights": 1,
            },
        },
        2 * (ATTENTION + MOE + NORMS) + D + TABLES,
        [0, 1],
    ),
    "ernie4_5_moe": (  # layers 1 and 2 of 0 to 3, shared experts, a bias for the choice, tied
        COMMON
        | {
            "num_hidden_layers": 4,
            "intermediate_size": DENSE_HIDDEN,
            "moe_intermediate_size": HIDDEN,
            "moe_num_experts": EXPERTS,
            "moe_k": 2,
            "moe_num_shared_experts": 2,
            "moe_layer_start_index": 1,
            "moe_layer_end_index": 2,
            "tie_word_embeddings": True,
        },
        4 * (ATTENTION + NORMS)
        + 2 * DENSE
        + 2 * (MOE + EXPERTS + feed_forward(2 * HIDDEN))
        + D
        + WORDS * D,
        [1, 2],
    ),
    "hunyuan_v1_moe": (  # lists with a number for every layer; norms of heads
        COMMON
        | {
            "intermediate_size": DENSE_HIDDEN,
            "moe_intermediate_size": [HIDDEN, HIDDEN],
            "num_experts": EXPERTS,
            "moe_topk": [2, 2],
            "num_shared_expert": [1, 1],
        },
        2 * (ATTENTION + 2 * HEAD + MOE + DENSE + NORMS) + D + TABLES,
        [0, 1],
    ),
    "grok-1": (  # four norms a layer
        LOCAL | {"num_experts": EXPERTS},
        2 * (ATTENTION + MOE + 2 * NORMS) + D + TABLES,
        [0, 1],
    ),
    "llama": (COMMON | {"intermediate_size": 40}, 2 * (ATTENTION + DENSE + NORMS) + D + TABLES, []),
    "mistral": (
        COMMON | {"intermediate_size": 40, "sliding_window": 16},
        2 * (ATTENTION + DENSE + NORMS) + D + TABLES,
        [],
    ),
    "qwen2": (
        COMMON | {"intermediate_size": 40},
        2 * (ATTENTION + QKV_BIASES + DENSE + NORMS) + D + TABLES,
        [],
    ),
    "qwen3": (
        COMMON | {"intermediate_size": 40},
        2 * (ATTENTION + 2 * HEAD + DENSE + NORMS) + D + TABLES,
        [],
    ),
}


def config(family: str, **changes: object) -> dict[str, Any]:
    """The configuration of a family, with other fields; None takes one away."""
    found = {"model_type": family, **FAMILIES[family][0], **changes}
    return {name: value for name, value in found.items() if value is not None}
