"""The sizes of the models that `moexbar example` writes, with their sources."""

from dataclasses import dataclass

from moexbar.examples.sizes import LatentAttention, Sigmoid, Sizes
from moexbar.examples.synthetic import Traits


@dataclass(frozen=True)
class Example:
    """A model, what is simplified in it, where its sizes are from and how its tokens are routed."""

    sizes: Sizes
    source: str
    simplified: tuple[str, ...]
    traits: Traits


# Fitted by random search to the statistics of two recorded traces (docs/examples.md has the table;
# benchmarks/synthetic_routing.py measures both sides). Mixtral-8x7B: 32 layers, 21,083 tokens of
# MT-Bench (angerybob/HD-MoE, MIT). gpt-oss-20b: 24 layers, 23,899 tokens of six benchmark sets
# (AmanPriyanshu/GPT-OSS-MoE-ExpertFingerprinting, Apache-2.0).
MIXTRAL_TRAITS = Traits(0.05, 0.454, 0.5, 1.51, 0.37, 4)
GPT_OSS_TRAITS = Traits(1.2, 2.4, 0.28, 4.0, 0.45, 3)

EXAMPLES = {
    "llama-moe-3.5b": Example(
        Sizes(
            layers=32,
            width=4096,
            vocabulary=32000,
            heads=32,
            kv_heads=32,
            head_dim=128,
            experts=16,
            expert_width=688,
            top_k=4,
            router="tanh-topk-softmax",
            epsilon=1e-5,
        ),
        "LLaMA-MoE-v1-3.5B (4/16), arXiv 2406.16554 and its config.json",
        ("noise and the balance loss of the gate, which inference does not use",),
        GPT_OSS_TRAITS,
    ),
    "mixtral-8x7b": Example(
        Sizes(
            layers=32,
            width=4096,
            vocabulary=32000,
            heads=32,
            kv_heads=8,
            head_dim=128,
            experts=8,
            expert_width=14336,
            top_k=2,
            router="softmax-topk",
            rope_base=1e6,
            epsilon=1e-5,
        ),
        "Mixtral-8x7B-v0.1, arXiv 2401.04088 and its config.json",
        (),
        MIXTRAL_TRAITS,
    ),
    "qwen3-30b-a3b": Example(
        Sizes(
            layers=48,
            width=2048,
            vocabulary=151936,
            heads=32,
            kv_heads=4,
            head_dim=128,
            experts=128,
            expert_width=768,
            top_k=8,
            router="softmax-topk",
            qk_norm=True,
            rope_base=1e6,
        ),
        "Qwen3-30B-A3B, arXiv 2505.09388 and its config.json",
        (),
        GPT_OSS_TRAITS,
    ),
    "deepseek-v3": Example(
        Sizes(
            layers=61,
            width=7168,
            vocabulary=129280,
            heads=128,
            kv_heads=128,
            head_dim=192,
            experts=256,
            expert_width=2048,
            top_k=8,
            router=Sigmoid(8, 4, 2.5),
            shared=1,
            dense_layers=3,
            dense_ffn=18432,
            latent=LatentAttention(
                query_rank=1536, key_value_rank=512, plain=128, rotary=64, value=128
            ),
        ),
        "DeepSeek-V3, arXiv 2412.19437 and its config.json",
        (
            "float16 weights instead of float8 with block scales",
            "rotary positions without the YaRN scaling for long contexts",
            "no multi-token prediction module",
        ),
        GPT_OSS_TRAITS,
    ),
}
