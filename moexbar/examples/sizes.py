"""The shape of a decoder-only transformer: all that `build` needs to write it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention: queries and keys with values go through low-rank projections.

    query_rank: of the queries' projection; null: it is one matrix.
    key_value_rank: of the keys' and values'.
    plain: width of a head's queries and keys without positions.
    rotary: their width with positions; all heads share one rotary key.
    value: width of a head's values.
    """

    query_rank: int | None
    key_value_rank: int
    plain: int
    rotary: int
    value: int


@dataclass(frozen=True)
class Sigmoid:
    """A sigmoid router: bias for the choice only, groups of experts first, weights scaled.

    groups: of experts.
    top_groups: that a token chooses its experts from.
    scale: of the gates.
    bias: whether one is added for the choice.
    normalised: whether a token's gates are divided by their sum before.
    """

    groups: int
    top_groups: int
    scale: float
    bias: bool = True
    normalised: bool = True


@dataclass(frozen=True)
class Softmax:
    """A softmax over all experts, then the best of them, with what some families add.

    normalised: whether a token's gates are divided by their sum.
    bias: whether one is added for the choice.
    groups: of experts.
    top_groups: that a token chooses its experts from.
    scale: of the gates.
    """

    normalised: bool
    bias: bool = False
    groups: int = 1
    top_groups: int = 1
    scale: float = 1.0


RouterForm = Literal["softmax-topk", "topk-softmax", "tanh-topk-softmax"]
Biased = Literal["qkv", "out", "router", "experts", "dense", "head"]


@dataclass(frozen=True)
class Sizes:
    """One decoder-only MoE transformer.

    layers: decoder layers.
    width: of a token's vector.
    vocabulary: tokens that it knows.
    heads: of queries.
    kv_heads: of keys and values.
    head_dim: width of a head.
    experts: routed experts of a layer.
    expert_width: of an expert's hidden layer.
    top_k: experts of a token.
    router: how it scores and selects.
    shared: shared experts, each as wide as a routed one.
    dense_layers: the first layers, which have one feed-forward and no experts.
    dense_ffn: width of that feed-forward.
    qk_norm: whether each head's queries and keys have an RMSNorm.
    latent: attention through low-rank projections; null: of heads alone.
    rope_base: of the rotary positions.
    epsilon: of the norms.
    moe_at: layers with experts; null: all after the dense ones.
    shared_width: hidden width of the shared experts together; null: as wide as that many routed.
    shared_gate: whether their sum has a sigmoid gate of its own.
    wide_qk_norm: whether all heads' queries, and keys, have one RMSNorm together.
    activation: of the feed-forwards' gate.
    biases: what has a bias: projections, router, feed-forwards of experts, dense ones, the head.
    norm: RMSNorm, or LayerNorm without or with a bias.
    post_norms: whether attention and feed-forward have a norm behind them too.
    tied: whether the head is the embedding's table.
    bits: of an element of the matrices in `quantised`; all others have 16.
    quantised: those of all layers but the routers', or of the routed experts alone.
    """

    layers: int
    width: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    experts: int
    expert_width: int
    top_k: int
    router: RouterForm | Sigmoid | Softmax
    shared: int = 0
    dense_layers: int = 0
    dense_ffn: int = 0
    qk_norm: bool = False
    latent: LatentAttention | None = None
    rope_base: float = 10000.0
    epsilon: float = 1e-6
    moe_at: tuple[int, ...] | None = None
    shared_width: int | None = None
    shared_gate: bool = False
    wide_qk_norm: bool = False
    activation: Literal["silu", "gelu", "swiglu-oai"] = "silu"
    biases: tuple[Biased, ...] = ()
    norm: Literal["rms", "layer", "layer-bias"] = "rms"
    post_norms: bool = False
    tied: bool = False
    bits: Literal[4, 8, 16] = 16
    quantised: Literal["layers", "experts"] = "layers"

    @property
    def moe_layers(self) -> list[int]:
        """Ids of the layers with experts."""
        if self.moe_at is not None:
            return list(self.moe_at)
        return list(range(self.dense_layers, self.layers))

    @property
    def shared_hidden(self) -> int:
        """Hidden width of the shared experts together."""
        return self.shared * self.expert_width if self.shared_width is None else self.shared_width
