"""What configurations of all families have in common: widths, heads, norms, positions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ir.errors import InputError
from moexbar.configurations.fields import Fields
from moexbar.examples.sizes import Sizes

SILU = ("silu", "swish")
OTHER_GELUS = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")


@dataclass(frozen=True)
class Shape:
    """What a configuration says of its model, and what is simplified in it."""

    sizes: Sizes
    simplified: tuple[str, ...] = ()

    def but(self, *simplified: str, **changes: Any) -> "Shape":
        """The same with other sizes, and more that is simplified."""
        return Shape(replace(self.sizes, **changes), (*self.simplified, *simplified))


def dense(f: Fields) -> Shape:
    """A transformer of grouped-query attention and one feed-forward in every layer."""
    width = f.whole("hidden_size", most="width")
    heads = f.whole("num_attention_heads", most="heads")
    curve, told = _activation(f)
    found = Sizes(
        layers=f.whole("num_hidden_layers", most="layers"),
        width=width,
        vocabulary=f.whole("vocab_size", most="tokens"),
        heads=heads,
        kv_heads=f.whole_or(heads, "num_key_value_heads", most="heads", least=1),
        head_dim=_head_dim(f, width, heads),
        experts=0,
        expert_width=0,
        top_k=0,
        router="softmax-topk",
        dense_ffn=f.whole_or(0, "intermediate_size", most="width"),
        rope_base=f.real(_parameters(f).real(10000.0, "rope_theta"), "rope_theta"),
        epsilon=f.real(1e-6, "rms_norm_eps", most=1),
        moe_at=(),
        activation=curve,
        tied=f.flag("tie_word_embeddings", False),
    )
    if heads % found.kv_heads:
        f.refuse("num_key_value_heads", found.kv_heads, f"a divisor of the {heads} heads")
    return Shape(found, (*told, *_positions(f)))


def routed(
    f: Fields, shape: Shape, *, experts: int, top_k: int, width: int, at: Iterable[int] = ()
) -> Shape:
    """The shape with experts in the layers `at`; one expert or none leaves it dense.

    width: of an expert's hidden layer.
    """
    layers = tuple(layer for layer in at if layer < shape.sizes.layers)
    if experts <= 1:
        layers = ()
    if layers and not 1 <= top_k <= experts:
        raise InputError(f.where, f"{top_k} experts of a token, expected 1 to {experts}")
    if layers and not width:
        raise InputError(f.where, "width of the experts: missing or 0", "add it to the file")
    if len(layers) < shape.sizes.layers and not shape.sizes.dense_ffn:
        raise InputError(
            f.where,
            f"intermediate_size: missing or 0, but {shape.sizes.layers - len(layers)} layers have "
            "no experts",
            "add it to the file",
        )
    return shape.but(experts=experts, top_k=top_k, expert_width=width, moe_at=layers)


def every(f: Fields, shape: Shape) -> list[int]:
    """The layers that Qwen's families give experts: every so many, but for those that are named."""
    step = f.whole_or(1, "decoder_sparse_step", most="layers", least=1)
    apart = set(f.numbers("mlp_only_layers", "layers") or ())
    every_layer = range(shape.sizes.layers)
    return [layer for layer in every_layer if layer not in apart and (layer + 1) % step == 0]


def after_first(f: Fields, shape: Shape) -> list[int]:
    """The layers after the first dense ones (DeepSeek's families)."""
    first = f.whole_or(0, "first_k_dense_replace", most="layers")
    step = f.same("moe_layer_freq", most="layers", default=1) or 1
    return [layer for layer in range(first, shape.sizes.layers) if layer % step == 0]


def refuse_other_layers(f: Fields) -> None:
    """InputError for layers that are no attention: their matrices are not known here."""
    kinds = f.raw.get("layer_types") or f.raw.get("layers_block_type")
    if kinds is None:
        return
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        f.refuse("layer_types", kinds, "a list of words")
    other = [i for i, kind in enumerate(kinds) if "linear" in kind or "attention" not in kind]
    if other:
        raise InputError(
            f.where,
            f"layer {other[0]} is of type {kinds[other[0]][:40]!r} (and {len(other) - 1} others): "
            "only layers of softmax attention can be made of a configuration",
            "export the model as ONNX",
        )


def _head_dim(f: Fields, width: int, heads: int) -> int:
    """Width of a head, as it is said or as the token's is divided."""
    if not f.has("head_dim") and width % heads:
        f.refuse("num_attention_heads", heads, f"a divisor of hidden_size {width}, or head_dim")
    found = f.whole_or(width // heads, "head_dim", most="width", least=1)
    if found % 2:
        f.refuse("head_dim", found, "an even width of a head (rotary positions turn pairs)")
    return found


def _activation(f: Fields) -> tuple[Literal["silu", "gelu"], tuple[str, ...]]:
    name = f.word("silu", "hidden_act", "hidden_activation")
    if name in SILU:
        return "silu", ()
    if name in OTHER_GELUS:
        return "gelu", (f"gelu by its formula instead of {name}",)
    if name != "gelu":
        f.refuse("hidden_act", name, "silu or gelu")
    return "gelu", ()


def _parameters(f: Fields) -> Fields:
    """Of the rotary positions."""
    return f.part("rope_parameters" if f.has("rope_parameters") else "rope_scaling")


def _positions(f: Fields) -> list[str]:
    """What of positions and windows is left out: it moves no matrix."""
    told = []
    scaling = _parameters(f)
    kind = scaling.word("default", "rope_type", "type")
    if kind != "default":
        told.append(f"rotary positions without their {kind[:40]} scaling")
    if f.real(scaling.real(1.0, "partial_rotary_factor"), "partial_rotary_factor") < 1:
        told.append("rotary positions turn whole heads instead of a part")
    kinds = f.raw.get("layer_types")
    kinds = set(kinds) if isinstance(kinds, list) and all(isinstance(k, str) for k in kinds) else ()
    window = f.has("sliding_window") and f.flag("use_sliding_window", True)
    if window or "sliding_attention" in kinds or "chunked_attention" in kinds:
        told.append("attention sees all tokens before it instead of a window of them")
    return told
