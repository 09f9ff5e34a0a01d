"""MoE blocks as people write them by hand, in a small causal transformer."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.frontend_exports.families import VOCABULARY

WIDTH, HIDDEN, EXPERTS, HEADS = 32, 40, 6, 4


class Expert(nn.Module):
    """Gated (silu) or plain (the given activation)."""

    def __init__(self, gated: bool = True, hidden: int = HIDDEN, bias: bool = False) -> None:
        super().__init__()
        self.gated = gated
        self.up = nn.Linear(WIDTH, 2 * hidden if gated else hidden, bias=bias)
        self.down = nn.Linear(hidden, WIDTH, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [.., width] -> [.., width]."""
        up = self.up(x)
        if self.gated:
            gate, up = up.chunk(2, dim=-1)
            return self.down(F.silu(gate) * up)
        return self.down(F.gelu(up))


class WeightedAll(nn.Module):
    """Every expert on every token; the weights of those not selected are zero."""

    def __init__(self, top: int = 2, gated: bool = True) -> None:
        super().__init__()
        self.top = top
        self.router = nn.Linear(WIDTH, EXPERTS)
        self.experts = nn.ModuleList(Expert(gated, bias=not gated) for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width], kept in three axes."""
        logits = self.router(x)
        best, ids = logits.topk(self.top, dim=-1)
        weights = torch.zeros_like(logits).scatter(-1, ids, best.softmax(-1))
        outs = torch.stack([expert(x) for expert in self.experts], dim=-2)
        return (outs * weights.unsqueeze(-1)).sum(-2)


class StackedEinsum(nn.Module):
    """All experts at once by einsum, GELU, weights by one-hot."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * WIDTH**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, WIDTH) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        flat = x.reshape(-1, WIDTH)
        best, ids = self.router(flat).softmax(-1).topk(2, dim=-1)
        weights = (F.one_hot(ids, EXPERTS).to(x.dtype) * best.unsqueeze(-1)).sum(1)
        hidden = F.gelu(torch.einsum("td,edf->tef", flat, self.up), approximate="tanh")
        outs = torch.einsum("tef,efd->ted", hidden, self.down)
        return torch.einsum("te,ted->td", weights, outs).reshape(x.shape)


class Soft(nn.Module):
    """Mixture with every expert weighted by a softmax: no selection, so no MoE layer."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        weights = self.router(x).softmax(-1)
        outs = [e(x) * weights[..., i : i + 1] for i, e in enumerate(self.experts)]
        return torch.stack(outs).sum(0)


class Noisy(WeightedAll):
    """Sigmoid scores, a bias for the choice only, a shared expert with a gate, a factor."""

    def __init__(self) -> None:
        super().__init__(top=3)
        self.bias = nn.Parameter(torch.randn(EXPERTS) * 0.05)
        self.shared, self.shared_gate = Expert(), nn.Linear(WIDTH, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        scores = self.router(x).sigmoid()
        ids = (scores + self.bias).topk(self.top, dim=-1).indices
        best = scores.gather(-1, ids)
        best = 1.7 * best / (best.sum(-1, keepdim=True) + 1e-20)
        weights = torch.zeros_like(scores).scatter(-1, ids, best)
        out = sum(e(x) * weights[..., i : i + 1] for i, e in enumerate(self.experts))
        return out + self.shared_gate(x).sigmoid() * self.shared(x)


class Capacity(nn.Module):
    """GShard: two picks, a capacity for each expert, dispatch and combine by einsum."""

    def __init__(self, capacity: float = 4.0) -> None:
        super().__init__()
        self.capacity = capacity
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * WIDTH**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, WIDTH) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        flat = x.reshape(-1, WIDTH)
        limit = int(self.capacity * x.shape[1] / EXPERTS)
        gates = self.router(flat).softmax(-1)
        first, one = gates.topk(1, dim=-1)
        mask1 = F.one_hot(one.squeeze(-1), EXPERTS).to(x.dtype)
        second, two = (gates * (1 - mask1)).topk(1, dim=-1)
        mask2 = F.one_hot(two.squeeze(-1), EXPERTS).to(x.dtype)
        place1 = mask1.cumsum(0) - mask1
        place2 = mask2.cumsum(0) - mask2 + mask1.sum(0, keepdim=True)
        mask1, mask2 = mask1 * (place1 < limit), mask2 * (place2 < limit)
        slots = torch.arange(limit)
        combine = torch.zeros(flat.shape[0], EXPERTS, limit)
        for mask, place, gate in ((mask1, place1, first), (mask2, place2, second)):
            at = (place * mask).sum(-1, keepdim=True) == slots
            norm = first + second + 1e-9
            combine = combine + (gate / norm * mask).unsqueeze(-1) * at.unsqueeze(1).to(x.dtype)
        dispatch = (combine > 0).to(x.dtype)
        inside = torch.einsum("tec,td->ecd", dispatch, flat)
        hidden = F.relu(torch.einsum("ecd,edf->ecf", inside, self.up))
        outs = torch.einsum("ecf,efd->ecd", hidden, self.down)
        return torch.einsum("tec,ecd->td", combine, outs).reshape(x.shape)


class Choice(nn.Module):
    """Experts choose tokens within their sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, 2 * HIDDEN) * WIDTH**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, WIDTH) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        flat = x.reshape(-1, WIDTH)
        scores = self.router(flat).softmax(-1)
        best, ids = scores.t().topk(max(1, 2 * x.shape[1] // EXPERTS), dim=-1)
        gate, up = torch.bmm(flat[ids], self.up).chunk(2, dim=-1)
        outs = torch.bmm(F.silu(gate) * up, self.down) * best.unsqueeze(-1)
        empty = torch.zeros_like(flat)
        return empty.index_add(0, ids.reshape(-1), outs.reshape(-1, WIDTH)).reshape(x.shape)


class Attention(nn.Module):
    """Causal attention with fused q, k and v."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        batch, tokens, _ = x.shape
        parts = self.inside(x).reshape(batch, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, WIDTH))


class Transformer(nn.Module):
    """Two layers of attention and the given block."""

    def __init__(self, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(64, WIDTH)
        self.attention = nn.ModuleList(Attention() for _ in range(2))
        self.block = nn.ModuleList(block() for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(5))
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Ids [batch, tokens] -> logits [batch, tokens, vocabulary]."""
        x = self.embed(input_ids) + self.place(torch.arange(input_ids.shape[1]))
        for layer in range(2):
            x = x + self.attention[layer](self.norms[2 * layer](x))
            x = x + self.block[layer](self.norms[2 * layer + 1](x))
        return self.head(self.norms[4](x))
