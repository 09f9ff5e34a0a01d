"""Families with latent attention, with fields of their own names, or with a part that is read."""

from ir.errors import InputError
from moexbar.configurations.common import Shape, after_first, dense, refuse_other_layers, routed
from moexbar.configurations.families import check_groups, group_router, later_tokens
from moexbar.configurations.fields import Fields
from moexbar.examples.sizes import Biased, LatentAttention, Sigmoid, Softmax

ALL_BIASES: tuple[Biased, ...] = ("qkv", "out", "dense", "head")


def deepseek_v3(f: Fields) -> Shape:
    """DeepSeek-V3 and Kimi-K2."""
    return _deepseek(f, group_router(f)).but(*later_tokens(f))


def deepseek_v2(f: Fields) -> Shape:
    """DeepSeek-V2: a softmax router, its best experts taken from groups or from all."""
    groups, top = 1, 1
    told = tuple[str, ...]()
    if f.word("greedy", "topk_method") == "group_limited_greedy":
        groups = f.whole("n_group", most="experts")
        top = f.whole("topk_group", most="experts")
        check_groups(f, groups, top)
        told = ("groups of experts by the sum of their two best scores instead of the best",)
    normalised = f.flag("norm_topk_prob", False)
    scale = f.real(1.0, "routed_scaling_factor")
    return _deepseek(f, Softmax(normalised, False, groups, top, scale)).but(*told)


def _deepseek(f: Fields, router: Sigmoid | Softmax) -> Shape:
    latent = LatentAttention(
        query_rank=f.whole_or(0, "q_lora_rank", most="width") or None,
        key_value_rank=f.whole("kv_lora_rank", most="width"),
        plain=f.whole("qk_nope_head_dim", most="width"),
        rotary=f.whole("qk_rope_head_dim", most="width"),
        value=f.whole("v_head_dim", most="width"),
    )
    if latent.rotary % 2:
        f.refuse("qk_rope_head_dim", latent.rotary, "an even number (positions turn pairs)")
    depth = latent.plain + latent.rotary
    shape = dense(Fields(f.where, {**f.raw, "head_dim": depth + depth % 2}))
    shape = shape.but(kv_heads=shape.sizes.heads, head_dim=depth, latent=latent, router=router)
    if f.flag("attention_bias", False):
        shape = shape.but("latent attention without its biases")
    return routed(
        f,
        shape.but(shared=f.whole_or(0, "n_shared_experts", most="experts")),
        experts=f.whole("n_routed_experts", "num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", most="experts", least=0),
        width=f.whole("moe_intermediate_size", most="width"),
        at=after_first(f, shape),
    )


def jamba(f: Fields) -> Shape:
    """Jamba, where every layer has attention."""
    refuse_other_layers(f)
    period = f.whole_or(8, "attn_layer_period", most="layers", least=1)
    if period > 1 and not f.has("layers_block_type"):
        raise InputError(
            f.where,
            f"attn_layer_period: {period}, so that other layers are Mamba layers: only layers of "
            "softmax attention can be made of a configuration",
            "export the model as ONNX",
        )
    shape = dense(f)
    step = f.whole_or(2, "expert_layer_period", most="layers", least=1)
    first = f.whole_or(1, "expert_layer_offset", most="layers")
    return routed(
        f,
        shape.but(router=Softmax(normalised=False)),
        experts=f.whole("num_experts", "num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", most="experts", least=0),
        width=shape.sizes.dense_ffn,
        at=[layer for layer in range(shape.sizes.layers) if layer % step == first % step],
    ).but("rotary positions, which Jamba has none of")


def llama4(f: Fields) -> Shape:
    """Llama 4: experts in every so many layers, one of them shared, a sigmoid router."""
    shape = dense(f)
    expert = shape.sizes.dense_ffn
    step = f.whole_or(1, "interleave_moe_layer_step", most="layers", least=1)
    named = f.numbers("moe_layers", "layers")
    at = named if named is not None else list(range(step - 1, shape.sizes.layers, step))
    router = Sigmoid(groups=1, top_groups=1, scale=1.0, bias=False, normalised=False)
    shape = shape.but(
        "gates multiply what experts give instead of what they take",
        dense_ffn=f.whole_or(expert, "intermediate_size_mlp", most="width"),
        router=router,
        shared=1,
    )
    if f.flag("use_qk_norm", True):
        shape = shape.but("queries and keys without their norm, which has no weights")
    if f.flag("attention_bias", False):
        shape = shape.but(biases=("qkv", "out"))
    return routed(
        f,
        shape,
        experts=f.whole("num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", most="experts", least=0),
        width=expert,
        at=sorted(set(at)),
    )


def dbrx(f: Fields) -> Shape:
    """DBRX: its own names, LayerNorms without a bias."""
    attention, ffn = f.part("attn_config"), f.part("ffn_config")
    heads = f.whole("n_heads", "num_attention_heads", most="heads")
    names = {
        "hidden_size": f.whole("d_model", "hidden_size", most="width"),
        "num_attention_heads": heads,
        "num_hidden_layers": f.whole("n_layers", "num_hidden_layers", most="layers"),
        "num_key_value_heads": attention.whole_or(heads, "kv_n_heads", most="heads", least=1),
        "rope_theta": attention.real(10000.0, "rope_theta"),
        "hidden_act": ffn.part("ffn_act_fn").word("silu", "name"),
        "intermediate_size": ffn.whole("ffn_hidden_size", most="width"),
        "rms_norm_eps": 1e-5,
    }
    shape = dense(Fields(f.where, {**f.raw, **names})).but(norm="layer")
    normalised = ffn.real(0.0, "moe_normalize_expert_weights") > 0
    return routed(
        f,
        shape.but(
            "queries, keys and values by three matrices instead of one, and not clipped",
            router=Softmax(normalised),
        ),
        experts=ffn.whole("moe_num_experts", most="experts", least=0),
        top_k=ffn.whole("moe_top_k", most="experts", least=0),
        width=shape.sizes.dense_ffn,
        at=range(shape.sizes.layers),
    )


def ernie4_5_moe(f: Fields) -> Shape:
    """ERNIE 4.5: experts from one layer to another, a softmax router with a bias."""
    shape = dense(f)
    layers = shape.sizes.layers
    step = f.whole_or(1, "moe_layer_interval", most="layers", least=1)
    first = f.same("moe_layer_start_index", most="layers", default=1)
    last = layers - 1
    if f.raw.get("moe_layer_end_index") != -1:
        last = f.same("moe_layer_end_index", most="layers", default=last)
    bias = f.flag("use_bias", False)
    return routed(
        f,
        shape.but(
            router=Softmax(normalised=True, bias=True),
            shared=f.whole_or(0, "moe_num_shared_experts", most="experts"),
            biases=ALL_BIASES if bias else (),
        ),
        experts=f.same("moe_num_experts", "num_experts", most="experts"),
        top_k=f.whole("moe_k", "num_experts_per_tok", most="experts", least=0),
        width=f.same("moe_intermediate_size", most="width"),
        at=[layer for layer in range(first, min(last, layers - 1) + 1) if (layer + 1) % step == 0],
    )


def hunyuan(f: Fields) -> Shape:
    """Hunyuan: a norm of every head's queries and keys, shared experts beside the others."""
    shape = dense(f)
    if f.flag("use_cla", False):
        shape = shape.but("every layer has keys and values of its own instead of sharing them")
    width = f.same("moe_intermediate_size", most="width", default=shape.sizes.dense_ffn)
    shared = f.same("num_shared_expert", most="experts", default=1)
    if not f.flag("use_mixed_mlp_moe", True):
        shared = 0
    biases: tuple[Biased, ...] = ("qkv", "out") if f.flag("attention_bias", False) else ()
    return routed(
        f,
        shape.but(
            shared=shared,
            shared_width=shared * shape.sizes.dense_ffn,
            qk_norm=f.flag("use_qk_norm", True),
            biases=biases,
        ),
        experts=f.same("num_experts", "num_local_experts", most="experts"),
        top_k=f.same("moe_topk", "num_experts_per_tok", most="experts"),
        width=width,
        at=range(f.whole_or(0, "moe_layer_num_skipped", most="layers"), shape.sizes.layers),
    )


def grok(f: Fields) -> Shape:
    """Grok-1: gelu, norms before and behind attention and experts."""
    gelu = dense(Fields(f.where, {"hidden_act": "gelu", "rms_norm_eps": 1e-5, **f.raw}))
    return routed(
        f,
        gelu.but(
            "without the constant factors of embedding, attention and logits",
            router=Softmax(normalised=False),
            post_norms=True,
        ),
        experts=f.whole("num_experts", "num_local_experts", most="experts", least=0),
        top_k=f.whole("num_experts_per_tok", "num_selected_experts", most="experts", least=0),
        width=gelu.sizes.dense_ffn,
        at=range(gelu.sizes.layers),
    )
