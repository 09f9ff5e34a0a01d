"""The families by `model_type`: what reads them, or why they are refused."""

from collections.abc import Callable, Mapping

from moexbar.configurations import families, more_families
from moexbar.configurations.common import Shape
from moexbar.configurations.fields import Fields

READERS: Mapping[str, Callable[[Fields], Shape]] = {
    "mixtral": families.mixtral,
    "minimax": families.mixtral,
    "minimax_m2": families.minimax_m2,
    "qwen2_moe": families.qwen2_moe,
    "qwen3_moe": families.qwen3_moe,
    "olmoe": families.olmoe,
    "glm4_moe": families.glm4_moe,
    "dots1": families.glm4_moe,
    "gpt_oss": families.gpt_oss,
    "phimoe": families.phimoe,
    "granitemoe": families.granitemoe,
    "granitemoeshared": families.granitemoe,
    "deepseek_v2": more_families.deepseek_v2,
    "deepseek_v3": more_families.deepseek_v3,
    "kimi_k2": more_families.deepseek_v3,
    "jamba": more_families.jamba,
    "llama4_text": more_families.llama4,
    "dbrx": more_families.dbrx,
    "ernie4_5_moe": more_families.ernie4_5_moe,
    "hunyuan_v1_moe": more_families.hunyuan,
    "grok-1": more_families.grok,
    "llama": families.plain,
    "mistral": families.plain,
    "qwen2": families.plain,
    "qwen3": families.plain,
}
SAME = {  # other names of the same configuration
    "grok1": "grok-1",
    "grok_1": "grok-1",
    "hunyuan": "hunyuan_v1_moe",
    "llama4": "llama4_text",
    "minimax_text_01": "minimax",
    "qwen3_vl_moe_text": "qwen3_moe",
}
ENCODER = "an encoder and a decoder with attention between them, which has no window of one prefill"
LINEAR = "its layers of linear attention or state spaces cannot be made of a configuration"
REFUSED = {
    "switch_transformers": ENCODER,
    "nllb-moe": ENCODER,
    "nllb_moe": ENCODER,
    "qwen3_next": LINEAR,
    "granitemoehybrid": LINEAR,
    "kimi_linear": LINEAR,
}
