"""The catalogue's models with every size made small."""

from dataclasses import replace
from typing import Any

from moexbar.examples.catalogue import EXAMPLES, Example
from moexbar.examples.sizes import LatentAttention, Sizes

SMALL: dict[str, Any] = {"layers": 2, "width": 32, "vocabulary": 48, "expert_width": 24}


def small(name: str) -> Example:
    """Two layers, 32 wide; heads, groups and experts in the original's proportions."""
    example = EXAMPLES[name]
    heads: dict[str, Any] = {"heads": 4, "kv_heads": 4, "head_dim": 8}
    if name == "mixtral-8x7b":
        heads["kv_heads"] = 1  # 4 query heads for each key head, as 32 for 8
    if name == "qwen3-30b-a3b":
        heads = {"heads": 8, "kv_heads": 1, "head_dim": 8}  # 8 for 1, as 32 for 4
    sizes: Sizes = replace(example.sizes, **SMALL, **heads)
    if name == "deepseek-v3":
        latent = LatentAttention(query_rank=24, key_value_rank=16, plain=8, rotary=4, value=8)
        sizes = replace(
            sizes, layers=3, experts=32, latent=latent, head_dim=12, dense_layers=1, dense_ffn=40
        )
    return replace(example, sizes=sizes)
