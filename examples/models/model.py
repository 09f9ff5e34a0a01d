"""Small byte-level Mixture-of-Experts language models.

``token_choice`` and ``expert_choice`` differ in their router only: 4 layers of width 128 (4 heads
of 32, RMSNorm before each block, rotary positions, causal attention without biases); layers 0
and 2 have a dense gated-SiLU block, layers 1 and 3 have 16 gated-SiLU experts.  ``tiny`` is token
choice again, in 2 layers of width 64 with 8 experts each.  ``dense`` has no experts: `mote` makes
them of it.  All projection matrices are stored [in, out], so that they appear in an exported graph
as the second input of a plain MatMul.

Each model computes the same function in two ways, chosen by ``Model.set_mode``:

* ``"sparse"``: for training; a batch of sequences, each expert runs on its own tokens only;
* ``"graph"``:  for export; a static list of operations, any number of sequences and tokens.

The expert-choice model has two more modes, which compute another function: ``"causal"`` routes
a token when it arrives, against the scores of the tokens so far, with the capacity of the full
length; ``"prefix"`` does the same with the capacity of the tokens so far.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCAB, HEAD = 256, 32
ROPE_BASE, EPS = 10000.0, 1e-5

Kind = Literal["token_choice", "expert_choice", "tiny", "dense"]
Mode = Literal["sparse", "graph", "causal", "prefix"]
KINDS: tuple[Kind, ...] = ("token_choice", "expert_choice", "tiny")


@dataclass(frozen=True)
class Sizes:
    """`hidden`: width inside a dense block and inside an expert; `top`: experts per token."""

    width: int
    heads: int
    layers: int
    hidden: int
    experts: int
    top: int
    moe_layers: tuple[int, ...]


SMALL = Sizes(width=128, heads=4, layers=4, hidden=384, experts=16, top=4, moe_layers=(1, 3))
TINY = Sizes(width=64, heads=2, layers=2, hidden=96, experts=8, top=2, moe_layers=(0, 1))
DENSE = Sizes(width=128, heads=4, layers=4, hidden=384, experts=0, top=0, moe_layers=())
SIZES: dict[Kind, Sizes] = {
    "token_choice": SMALL,
    "expert_choice": SMALL,
    "tiny": TINY,
    "dense": DENSE,
}


class Linear(nn.Module):
    """x @ weight, with the weight stored [in, out] and no bias."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) * (scale / math.sqrt(inputs)))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply along the last axis."""
        return x @ self.weight


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a weight per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Scale each token to root mean square 1, then by the weight."""
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS) * self.weight


class GatedFFN(nn.Module):
    """(silu(x gate) * (x up)) down; the dense block, and each expert."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.gate = Linear(sizes.width, sizes.hidden)
        self.up = Linear(sizes.width, sizes.hidden)
        self.down = Linear(sizes.hidden, sizes.width, scale=1 / math.sqrt(2 * sizes.layers))

    def forward(self, x: Tensor) -> Tensor:
        """Apply to the last axis."""
        out: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return out


class Attention(nn.Module):
    """Causal attention with rotary positions."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.mode: Mode = "sparse"
        self.heads, width = sizes.heads, sizes.width
        self.q = Linear(width, width)
        self.k = Linear(width, width)
        self.v = Linear(width, width)
        self.o = Linear(width, width, scale=1 / math.sqrt(2 * sizes.layers))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """Attend each token to itself and the tokens before it."""
        batch, tokens, width = x.shape

        def heads(y: Tensor) -> Tensor:
            return y.reshape(batch, tokens, self.heads, HEAD).transpose(1, 2)

        def rotate(y: Tensor) -> Tensor:
            low, high = y[..., : HEAD // 2], y[..., HEAD // 2 :]
            return y * cos + torch.cat((-high, low), dim=-1) * sin

        q, k, v = rotate(heads(self.q(x))), rotate(heads(self.k(x))), heads(self.v(x))
        if self.mode == "graph":
            scores = (q @ k.transpose(2, 3)) * HEAD**-0.5
            mixed = torch.softmax(torch.where(mask, scores, -math.inf), dim=-1) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.o(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return out


class MoE(nn.Module):
    """Router (linear, softmax over the experts) and experts; subclasses select."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.mode: Mode = "sparse"
        self.count, self.top = sizes.experts, sizes.top
        self.router = Linear(sizes.width, sizes.experts)
        self.experts = nn.ModuleList(GatedFFN(sizes) for _ in range(sizes.experts))
        # Of the last call: tokens per expert; in sparse expert choice, experts per token.
        self.load: Tensor = torch.zeros(sizes.experts)
        self.load_loss: Tensor = torch.zeros(())

    def run_sparse(self, x: Tensor, token: Tensor, gate: Tensor, counts: list[int]) -> Tensor:
        """Run the experts on their tokens: `token` and `gate` are sorted by expert."""
        parts = torch.split_with_sizes(x.index_select(0, token), counts)
        outs = [expert(part) for expert, part in zip(self.experts, parts, strict=True)]
        return torch.zeros_like(x).index_add(0, token, torch.cat(outs) * gate[:, None])

    def run_masked(self, x: Tensor, combine: Tensor) -> Tensor:
        """Run every expert on every token, weighted by combine [.., experts]."""
        outs = [expert(x) * combine[..., e : e + 1] for e, expert in enumerate(self.experts)]
        total: Tensor = functools.reduce(torch.add, outs)
        return total


class TokenChoice(MoE):
    """Each token takes its best experts; their scores are renormalised to sum 1, or kept."""

    renormalised = True

    def forward(self, hidden: Tensor) -> Tensor:
        """Route and run [batch, tokens, width]."""
        x = hidden if self.mode == "graph" else hidden.reshape(-1, hidden.shape[-1])
        scores = torch.softmax(self.router(x), dim=-1)
        weight, expert = torch.topk(scores, self.top, dim=-1)
        if self.renormalised:
            weight = weight / weight.sum(-1, keepdim=True)
        if self.mode == "graph":
            return self.run_masked(x, torch.zeros_like(scores).scatter(-1, expert, weight))
        chosen = expert.flatten()
        self.load = torch.bincount(chosen, minlength=self.count)
        self.load_loss = self.count * (self.load / chosen.numel() * scores.mean(0)).sum()
        order = torch.argsort(chosen, stable=True)
        out = self.run_sparse(x, order // self.top, weight.flatten()[order], self.load.tolist())
        return out.reshape(hidden.shape)


class ExpertChoice(MoE):
    """Each expert takes the floor(top tokens / experts) best-scoring tokens of the whole sequence.

    The choice of a token depends on the scores of later tokens: this leaks the future.
    """

    def forward(self, hidden: Tensor) -> Tensor:
        """Route and run [batch, tokens, width], each sequence by itself."""
        batch, tokens, _ = hidden.shape
        capacity = self.top * tokens // self.count
        scores = torch.softmax(self.router(hidden), dim=-1)
        if self.mode == "graph":
            gate, index = torch.topk(scores.transpose(1, 2), capacity, dim=-1)
            total = torch.zeros_like(hidden)
            for e, expert in enumerate(self.experts):
                # One scatter per expert: the indices within it are distinct.
                chosen = index[:, e].unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
                y = expert(hidden.gather(1, chosen)) * gate[:, e].unsqueeze(-1)
                total = total.scatter_add(1, chosen, y)
            return total
        if self.mode == "sparse":
            gate, index = torch.topk(scores.permute(2, 0, 1), capacity, dim=-1)
            token = index + torch.arange(batch)[:, None] * tokens
            counts = [batch * capacity] * self.count
            out = self.run_sparse(hidden.flatten(0, 1), token.flatten(), gate.flatten(), counts)
            self.load = torch.bincount(token.flatten(), minlength=batch * tokens)
            return out.reshape(hidden.shape)
        chosen = torch.stack([self.arrival_choice(s, capacity) for s in scores])
        self.load = chosen.sum((0, 1))
        out = self.run_masked(hidden.flatten(0, 1), (scores * chosen).flatten(0, 1))
        return out.reshape(hidden.shape)

    def arrival_choice(self, scores: Tensor, capacity: int) -> Tensor:
        """Whether a token is among an expert's best when it arrives: [tokens, experts]."""
        by_expert = scores.t()
        not_worse = by_expert[:, None, :] >= by_expert[:, :, None]  # expert, arriving, earlier
        rank = not_worse.tril(-1).sum(-1).t()  # an earlier token wins a tie
        if self.mode == "causal":
            return rank < capacity
        so_far = torch.arange(1, len(scores) + 1)
        return rank < (self.top * so_far // self.count)[:, None]


class Layer(nn.Module):
    """Attention and a dense or MoE block, each behind a norm and with a residual."""

    def __init__(self, kind: Kind, index: int) -> None:
        super().__init__()
        sizes = SIZES[kind]
        self.attn_norm, self.attn = RMSNorm(sizes.width), Attention(sizes)
        self.ffn_norm = RMSNorm(sizes.width)
        self.sparse = index in sizes.moe_layers
        if self.sparse:
            form = ExpertChoice if kind == "expert_choice" else TokenChoice
            self.moe: MoE = form(sizes)
        else:
            self.ffn = GatedFFN(sizes)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """Add attention, then the feed-forward block."""
        x = x + self.attn(self.attn_norm(x), cos, sin, mask)
        out: Tensor = x + (self.moe if self.sparse else self.ffn)(self.ffn_norm(x))
        return out


class Model(nn.Module):
    """The whole language model."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        sizes = SIZES[kind]
        self.embed = nn.Embedding(VOCAB, sizes.width)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.layers = nn.ModuleList(Layer(kind, i) for i in range(sizes.layers))
        self.norm = RMSNorm(sizes.width)
        self.head = Linear(sizes.width, VOCAB)
        frequency = ROPE_BASE ** (-torch.arange(HEAD // 2).float() / (HEAD // 2))
        self.register_buffer("rope_frequency", frequency, persistent=False)

    def set_mode(self, mode: Mode) -> Model:
        """Choose how attention and routing are computed (see the module)."""
        for module in self.modules():
            if isinstance(module, (Attention, MoE)):
                routed_only = mode in ("causal", "prefix") and isinstance(module, Attention)
                module.mode = "sparse" if routed_only else mode
        return self

    @property
    def moes(self) -> list[MoE]:
        """The MoE layers, first to last."""
        return [module for module in self.modules() if isinstance(module, MoE)]

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits [batch, tokens, vocabulary]."""
        position = torch.arange(input_ids.shape[1])
        angle = position.float()[:, None] * self.get_buffer("rope_frequency")
        angle = torch.cat((angle, angle), dim=-1)
        cos, sin = angle.cos(), angle.sin()
        mask = position[None, :] <= position[:, None]
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        logits: Tensor = self.head(self.norm(x))
        return logits
