"""Families with grouped-query attention, each as its configuration class says it."""

from ir.errors import InputError
from moexbar.configurations.common import (
    Shape,
    after_first,
    dense,
    every,
    refuse_other_layers,
    routed,
)
from moexbar.configurations.fields import Fields
from moexbar.examples.sizes import Biased, Sigmoid, Softmax

ATTENTION: tuple[Biased, ...] = ("qkv", "out")


def plain(f: Fields) -> Shape:
    """A dense model: llama, mistral, qwen2 and qwen3."""
    refuse_other_layers(f)
    kind = f.word("", "model_type")
    biases: tuple[Biased, ...] = ("qkv",) if kind == "qwen2" else ()
    if f.flag("attention_bias", False):
        biases = ATTENTION
    if f.flag("mlp_bias", False):
        biases = (*biases, "dense")
    return routed(
        f, dense(f).but(biases=biases, qk_norm=kind == "qwen3"), experts=0, top_k=0, width=0
    )


def mixtral(f: Fields) -> Shape:
    """Mixtral, and MiniMax where all layers have softmax attention."""
    refuse_other_layers(f)
    kinds = f.numbers("attn_type_list", "layers")
    if kinds is not None and 0 in kinds:
        raise InputError(
            f.where,
            f"attn_type_list: layer {kinds.index(0)} has linear attention: only softmax attention "
            "can be made of a configuration",
            "export the model as ONNX",
        )
    return _local_experts(f, dense(f))


def minimax_m2(f: Fields) -> Shape:
    """MiniMax-M2: a sigmoid router with a bias, one norm over all heads' queries, and keys."""
    router = Sigmoid(groups=1, top_groups=1, scale=1.0)
    shape = _local_experts(f, dense(f).but(router=router))
    return shape.but(wide_qk_norm=f.flag("use_qk_norm", True))


def qwen2_moe(f: Fields) -> Shape:
    """Qwen2-MoE: biases of q, k and v, and a shared expert with a gate."""
    shape = _qwen(f, dense(f)).but(biases=("qkv",) if f.flag("qkv_bias", True) else ())
    shared = f.whole_or(0, "shared_expert_intermediate_size", most="width")
    return shape.but(shared=int(shared > 0), shared_width=shared, shared_gate=shared > 0)


def qwen3_moe(f: Fields) -> Shape:
    """Qwen3-MoE: every head's queries and keys have a norm."""
    biases = ATTENTION if f.flag("attention_bias", False) else ()
    return _qwen(f, dense(f)).but(qk_norm=True, biases=biases)


def olmoe(f: Fields) -> Shape:
    """OLMoE: one norm over all heads' queries, and keys."""
    shape = dense(f).but(router=Softmax(normalised=f.flag("norm_topk_prob", False)))
    if f.has("clip_qkv"):
        shape = shape.but("queries, keys and values are not clipped")
    found = routed(
        f,
        shape,
        experts=f.whole("num_experts", "num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", most="experts", least=0),
        width=shape.sizes.dense_ffn,
        at=range(shape.sizes.layers),
    )
    biases = ATTENTION if f.flag("attention_bias", False) else ()
    return found.but(wide_qk_norm=True, biases=biases)


def glm4_moe(f: Fields) -> Shape:
    """GLM-4.5 and dots.llm1: dense layers first, a sigmoid router with groups, shared experts."""
    dots = f.word("", "model_type") == "dots1"
    shape = dense(f)
    found = routed(
        f,
        shape.but(router=group_router(f), qk_norm=f.flag("use_qk_norm", dots)),
        experts=f.whole("n_routed_experts", "num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", most="experts", least=0),
        width=f.whole("moe_intermediate_size", most="width"),
        at=after_first(f, shape),
    )
    biases: tuple[Biased, ...] = ("qkv",) if f.flag("attention_bias", False) else ()
    found = found.but(shared=f.whole_or(0, "n_shared_experts", most="experts"), biases=biases)
    return found.but(*later_tokens(f))


def gpt_oss(f: Fields) -> Shape:
    """gpt-oss: biases everywhere but in norms and head, a clipped gate, a softmax of the best."""
    shape = _local_experts(f, dense(f).but(router="topk-softmax"))
    biases: tuple[Biased, ...] = ("router", "experts")
    if f.flag("attention_bias", True):
        biases = (*ATTENTION, *biases)
    return shape.but(
        "attention without its sinks, one number a head",
        "gate and up projections one after the other instead of column by column",
        activation="swiglu-oai",
        biases=biases,
    )


def phimoe(f: Fields) -> Shape:
    """Phi-3.5-MoE: LayerNorms, biases of attention and head."""
    biases: tuple[Biased, ...] = ATTENTION if f.flag("attention_bias", False) else ()
    if f.flag("lm_head_bias", False):
        biases = (*biases, "head")
    return _local_experts(f, dense(f).but(router="topk-softmax")).but(
        "a softmax over the best scores instead of the sparse mixer",
        norm="layer-bias",
        biases=biases,
    )


def granitemoe(f: Fields) -> Shape:
    """GraniteMoE, also with a shared expert."""
    shape = _local_experts(f, dense(f).but(router="topk-softmax"))
    shared = f.whole_or(0, "shared_intermediate_size", most="width")
    biases = ATTENTION if f.flag("attention_bias", False) else ()
    told = ("without the constant factors of embedding, attention, residuals and logits",)
    return shape.but(*told, shared=int(shared > 0), shared_width=shared, biases=biases)


def group_router(f: Fields) -> Sigmoid:
    """The sigmoid router of DeepSeek-V3, GLM-4.5 and dots.llm1."""
    groups = f.whole_or(1, "n_group", most="experts", least=1)
    top = f.whole_or(groups, "topk_group", most="experts", least=1)
    check_groups(f, groups, top)
    return Sigmoid(
        groups=groups,
        top_groups=top,
        scale=f.real(1.0, "routed_scaling_factor"),
        normalised=f.flag("norm_topk_prob", True),
    )


def check_groups(f: Fields, groups: int, top: int) -> None:
    """InputError unless groups of at least two experts can be made, and so many chosen."""
    experts = f.whole("n_routed_experts", "num_local_experts", most="experts", least=0)
    if groups > 1 and (experts % groups or experts // groups < 2):
        f.refuse("n_group", groups, f"equal groups of at least two of the {experts} experts")
    if top > groups:
        f.refuse("topk_group", top, f"at most the {groups} groups")


def later_tokens(f: Fields) -> tuple[str, ...]:
    """That layers which predict later tokens are left out, where there are some."""
    if not f.whole_or(0, "num_nextn_predict_layers", most="layers"):
        return ()
    return ("no multi-token prediction module",)


def _local_experts(f: Fields, shape: Shape) -> Shape:
    """Experts in every layer, as wide as `intermediate_size`."""
    return routed(
        f,
        shape,
        experts=f.whole("num_local_experts", "num_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", "experts_per_token", most="experts", least=0),
        width=shape.sizes.dense_ffn,
        at=range(shape.sizes.layers),
    )


def _qwen(f: Fields, shape: Shape) -> Shape:
    return routed(
        f,
        shape.but(router=Softmax(normalised=f.flag("norm_topk_prob", False))),
        experts=f.whole("num_experts", "num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", most="experts", least=0),
        width=f.whole("moe_intermediate_size", most="width"),
        at=every(f, shape),
    )
