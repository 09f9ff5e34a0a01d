"""Blocks whose experts are of another make, and mixtures that select nothing: hand-written."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.frontend_exports.modules import EXPERTS, HEADS, HIDDEN, WIDTH, Expert


class Stacked(nn.Module):
    """Matrices of each token's experts gathered from a stack (two picks, softmax)."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.width = width
        self.router = nn.Linear(width, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, width, HIDDEN) * width**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, width) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [.., width]."""
        flat = x.reshape(-1, self.width)
        best, ids = self.router(flat).topk(2, dim=-1)
        hidden = F.gelu(torch.einsum("td,tkdh->tkh", flat, self.up[ids]))
        outs = torch.einsum("tkh,tkhd->tkd", hidden, self.down[ids])
        return torch.einsum("tk,tkd->td", best.softmax(-1), outs).reshape(x.shape)


class MultiHead(nn.Module):
    """MH-MoE: each token is two sub-tokens, which are routed one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.split, self.merge = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.moe = Stacked(WIDTH // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        parts = self.split(x).reshape(-1, WIDTH // 2)
        return self.merge(self.moe(parts).reshape(x.shape))


class Latent(nn.Module):
    """Experts narrower than the model: down once, routed there, up once; router on the token."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = nn.Linear(WIDTH, 16, bias=False), nn.Linear(16, WIDTH, bias=False)
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, 16, HIDDEN) * 0.25)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, 16) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        flat = x.reshape(-1, WIDTH)
        best, ids = self.router(flat).sigmoid().topk(2, dim=-1)
        low = self.low(flat).unsqueeze(1).unsqueeze(1)
        hidden = F.relu(low @ self.up[ids]).square()
        outs = (hidden @ self.down[ids]).squeeze(2)
        return self.high((outs * best.unsqueeze(-1)).sum(1)).reshape(x.shape)


class Adapters(nn.Module):
    """A dense layer, and beside its first matrix LoRA adapters by a router."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = Expert(gated=False)
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.first = nn.ModuleList(nn.Linear(WIDTH, 4, bias=False) for _ in range(EXPERTS))
        self.second = nn.ModuleList(nn.Linear(4, HIDDEN, bias=False) for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        logits = self.router(x)
        best, ids = logits.topk(2, dim=-1)
        weights = torch.zeros_like(logits).scatter(-1, ids, best.softmax(-1))
        pairs = enumerate(zip(self.first, self.second, strict=True))
        added = sum(b(a(x)) * weights[..., i : i + 1] for i, (a, b) in pairs)
        return self.dense.down(F.gelu(self.dense.up(x) + 2.0 * added))


class Linears(nn.Module):
    """Experts of one matrix each."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        logits = self.router(x)
        best, ids = logits.topk(2, dim=-1)
        weights = torch.zeros_like(logits).scatter(-1, ids, best.softmax(-1))
        return sum(e(x) * weights[..., i : i + 1] for i, e in enumerate(self.experts))


class Three(Linears):
    """Experts of three matrices with an activation after each of the first two."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(WIDTH, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, WIDTH)]
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(*sizes[0]),
                nn.ReLU(),
                nn.Linear(*sizes[1]),
                nn.ReLU(),
                nn.Linear(*sizes[2]),
            )
            for _ in range(EXPERTS)
        )


class Inside(Linears):
    """Experts with a norm between their matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, WIDTH)
            )
            for _ in range(EXPERTS)
        )


class Residual(Linears):
    """Experts that add the token to what they make."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        logits = self.router(x)
        best, ids = logits.topk(2, dim=-1)
        weights = torch.zeros_like(logits).scatter(-1, ids, best.softmax(-1))
        return sum((x + e(x)) * weights[..., i : i + 1] for i, e in enumerate(self.experts))


class Upcycled(Residual):
    """Sparse upcycling before training: every expert is the same dense layer."""

    def __init__(self) -> None:
        super().__init__()
        one = Expert()
        self.experts = nn.ModuleList(one for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        return Linears.forward(self, x)


class Different(Residual):
    """Experts of different widths (HMoE)."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(Expert(hidden=16 + 8 * i) for i in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        return Linears.forward(self, x)


class Slots(nn.Module):
    """Soft MoE: experts work on two slots each, which are mixtures of all tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = nn.Parameter(torch.randn(WIDTH, EXPERTS, 2) * WIDTH**-0.5)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        logits = torch.einsum("btd,des->btes", x, self.slots)
        inside = torch.einsum("btes,btd->besd", logits.softmax(1), x)
        outs = torch.stack([e(inside[:, i]) for i, e in enumerate(self.experts)], dim=1)
        return torch.einsum("btes,besd->btd", logits.flatten(2).softmax(-1).view_as(logits), outs)


class Merged(nn.Module):
    """SMEAR: the experts' matrices are averaged by the router before they are used."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * WIDTH**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, WIDTH) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        weights = self.router(x.mean(1)).softmax(-1)
        up = torch.einsum("be,edh->bdh", weights, self.up)
        return F.relu(x @ up) @ torch.einsum("be,ehd->bhd", weights, self.down)


class Peer(nn.Module):
    """PEER: product keys choose 4 of 64 experts of one hidden unit each."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, 16, bias=False)
        self.keys = nn.Parameter(torch.randn(2, 8, 8) * 0.3)
        self.up, self.down = nn.Embedding(64, WIDTH), nn.Embedding(64, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        halves = self.query(x).unflatten(-1, (2, 8))
        best, ids = torch.einsum("btpd,pkd->btpk", halves, self.keys).topk(4, dim=-1)
        scores = (best[..., 0, :, None] + best[..., 1, None, :]).flatten(-2)
        numbers = (ids[..., 0, :, None] * 8 + ids[..., 1, None, :]).flatten(-2)
        top, at = scores.topk(4, dim=-1)
        chosen = numbers.gather(-1, at)
        hidden = F.gelu(torch.einsum("btd,btkd->btk", x, self.up(chosen))) * top.softmax(-1)
        return torch.einsum("btk,btkd->btd", hidden, self.down(chosen))


class SwitchHead(nn.Module):
    """Attention whose values and outputs go through experts, sigmoid, 2 of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.pick, self.give = nn.Linear(WIDTH, 4, bias=False), nn.Linear(WIDTH, 4, bias=False)
        self.values = nn.Parameter(torch.randn(4, WIDTH, WIDTH) * WIDTH**-0.5)
        self.outs = nn.Parameter(torch.randn(4, WIDTH, WIDTH) * WIDTH**-0.5)

    def _mixed(
        self, x: torch.Tensor, by: nn.Linear, of: torch.Tensor, at: torch.Tensor
    ) -> torch.Tensor:
        scores = by(at).sigmoid()
        best, ids = scores.topk(2, dim=-1)
        weights = torch.zeros_like(scores).scatter(-1, ids, best)
        return torch.einsum("bte,btd,edf->btf", weights, x, of)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        value = self._mixed(x, self.pick, self.values, x)
        heads = [
            y.unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for y in (self.query(x), self.key(x), value)
        ]
        mixed = F.scaled_dot_product_attention(*heads, is_causal=True)
        return self._mixed(mixed.transpose(1, 2).flatten(-2), self.give, self.outs, x)


class Nested(nn.Module):
    """An MoE of two MoEs: a group of three experts is chosen, in it the best expert."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, 2, bias=False)
        self.inner = nn.ModuleList(nn.Linear(WIDTH, 3, bias=False) for _ in range(2))
        self.experts = nn.ModuleList(Expert() for _ in range(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        group = self.router(x).softmax(-1)
        best, ids = group.topk(1, dim=-1)
        outer = torch.zeros_like(group).scatter(-1, ids, best)
        out = torch.zeros_like(x)
        for number, inner in enumerate(self.inner):
            scores = inner(x).softmax(-1)
            top, at = scores.topk(1, dim=-1)
            weights = torch.zeros_like(scores).scatter(-1, at, top)
            mine = self.experts[3 * number : 3 * number + 3]
            part = sum(e(x) * weights[..., i : i + 1] for i, e in enumerate(mine))
            out = out + part * outer[..., number : number + 1]
        return out
