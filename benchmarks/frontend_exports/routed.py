"""Blocks whose routers select in other ways than the best of a softmax, written by hand."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.frontend_exports.modules import EXPERTS, HIDDEN, WIDTH, Expert


class Routed(nn.Module):
    """Every expert on every token, weighted by `weights`, which subclasses give."""

    def __init__(self, outputs: int = EXPERTS, experts: int = EXPERTS, bias: bool = False) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, outputs, bias=bias)
        self.experts = nn.ModuleList(Expert() for _ in range(experts))

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, router outputs]."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        weights = self.weights(x)
        return sum(e(x) * weights[..., i : i + 1] for i, e in enumerate(self.experts))


class TopP(Routed):
    """As many of the most likely experts as reach a probability of 0.5 together."""

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        scores = self.router(x).softmax(-1)
        best, ids = scores.sort(dim=-1, descending=True)
        kept = (best.cumsum(-1) - best) < 0.5
        kept = torch.zeros_like(scores).scatter(-1, ids, kept.to(x.dtype))
        return scores * kept


class ReLURouted(Routed):
    """ReMoE: the weights are the ReLU of the logits."""

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        return F.relu(self.router(x))


class Threshold(Routed):
    """DynMoE: cosine of token and expert, those above a threshold of their own, equal weights."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = nn.Parameter(torch.full((EXPERTS,), 0.5))

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        cosine = F.linear(F.normalize(x, dim=-1), F.normalize(self.router.weight, dim=-1))
        kept = (cosine.sigmoid() > self.limit).to(x.dtype)
        return kept / kept.sum(-1, keepdim=True).clamp(min=1)


class Cosine(Routed):
    """X-MoE: a projection to 8 numbers, normalised, times normalised expert vectors; the best."""

    def __init__(self) -> None:
        super().__init__(outputs=8)
        self.vectors = nn.Parameter(torch.randn(EXPERTS, 8))

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        low = F.normalize(self.router(x), dim=-1)
        scores = (F.linear(low, F.normalize(self.vectors, dim=-1)) / 0.07).softmax(-1)
        best, ids = scores.topk(1, dim=-1)
        return torch.zeros_like(scores).scatter(-1, ids, best)


class Base(Routed):
    """BASE layer at inference: the nearest centroid, weighted by a sigmoid."""

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        logits = self.router(x)
        hot = F.one_hot(logits.argmax(-1), EXPERTS).to(x.dtype)
        return hot * logits.sigmoid()


class Noisy(Routed):
    """Shazeer: logits with a matrix for noise, which inference leaves out; -inf and softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = nn.Linear(WIDTH, EXPERTS, bias=False)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        logits = self.router(x)
        best, ids = logits.topk(2, dim=-1)
        return torch.full_like(logits, float("-inf")).scatter(-1, ids, best).softmax(-1)


class LastKept(Routed):
    """The k best by comparing with the k-th score, without ids."""

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        logits = self.router(x)
        least = logits.topk(2, dim=-1).values[..., -1:]
        return logits.masked_fill(logits < least, float("-inf")).softmax(-1)


class GroupLimited(Routed):
    """DeepSeek-V2: the best 2 of 3 groups by their best expert, then 2 experts."""

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        scores = self.router(x).softmax(-1)
        groups = scores.unflatten(-1, (3, -1)).amax(-1)
        mask = torch.zeros_like(groups).scatter(-1, groups.topk(2, dim=-1).indices, 1.0)
        mask = mask.unsqueeze(-1).expand(*mask.shape, EXPERTS // 3).flatten(-2)
        best, ids = scores.masked_fill(mask == 0, 0.0).topk(2, dim=-1)
        return torch.zeros_like(scores).scatter(-1, ids, best * 1.5)


class Hierarchical(Routed):
    """A group by one matrix, the best expert of each group by another; weights multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = nn.Linear(WIDTH, 2, bias=False)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        group = self.groups(x).softmax(-1)
        best, ids = group.topk(1, dim=-1)
        outer = torch.zeros_like(group).scatter(-1, ids, best)
        inner = self.router(x).unflatten(-1, (2, -1)).softmax(-1)
        top, at = inner.topk(1, dim=-1)
        inner = torch.zeros_like(inner).scatter(-1, at, top)
        return (outer.unsqueeze(-1) * inner).flatten(-2)


class Pooled(Routed):
    """One choice for the whole sequence, by the mean of its tokens."""

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, 1, experts]."""
        scores = self.router(x.mean(1, keepdim=True)).softmax(-1)
        best, ids = scores.topk(2, dim=-1)
        return torch.zeros_like(scores).scatter(-1, ids, best)


class Deep(Routed):
    """A router of two matrices with GELU, twice as wide inside."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        scores = self.router(F.gelu(self.first(x))).softmax(-1)
        best, ids = scores.topk(2, dim=-1)
        return torch.zeros_like(scores).scatter(-1, ids, best / best.sum(-1, keepdim=True))


class Normed(Routed):
    """Gemma 4: the router has a norm and a scale of its own, each expert another scale."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(1 + 0.1 * torch.randn(WIDTH))
        self.each = nn.Parameter(1 + 0.1 * torch.randn(EXPERTS))

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, experts]."""
        normed = F.rms_norm(x, (WIDTH,), eps=1e-6) * self.scale * WIDTH**-0.5
        best, ids = self.router(normed).softmax(-1).topk(2, dim=-1)
        best = best / best.sum(-1, keepdim=True) * self.each[ids]
        return torch.zeros_like(self.router(x)).scatter(-1, ids, best)


class Plus(Routed):
    """MoE++: beside the experts one output for nothing, one for the token, one for a vector."""

    def __init__(self) -> None:
        super().__init__(outputs=EXPERTS + 3)
        self.vector = nn.Parameter(torch.randn(WIDTH) * 0.1)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width] -> [batch, tokens, router outputs]."""
        scores = self.router(x).softmax(-1)
        best, ids = scores.topk(2, dim=-1)
        return torch.zeros_like(scores).scatter(-1, ids, best)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        weights = self.weights(x)
        out = sum(e(x) * weights[..., i : i + 1] for i, e in enumerate(self.experts))
        copied = x * weights[..., EXPERTS + 1 : EXPERTS + 2]
        return out + copied + self.vector * weights[..., EXPERTS + 2 :]


class Null(Plus):
    """AdaMoE: outputs that stand for no expert at all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        weights = self.weights(x)
        return sum(e(x) * weights[..., i : i + 1] for i, e in enumerate(self.experts))


class Autonomous(nn.Module):
    """Autonomy of experts: those with the longest low-rank activations go on; no router."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.randn(EXPERTS, WIDTH, 8) * WIDTH**-0.5)
        self.high = nn.Parameter(torch.randn(EXPERTS, 8, HIDDEN) * 8**-0.5)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * WIDTH**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, WIDTH) * HIDDEN**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        low = torch.einsum("btd,edr->bter", x, self.low)
        best, ids = low.norm(dim=-1).topk(2, dim=-1)
        weights = torch.zeros_like(low[..., 0]).scatter(-1, ids, best.softmax(-1))
        gate = F.silu(torch.einsum("bter,erh->bteh", low, self.high))
        outs = torch.einsum(
            "bteh,ehd->bted", gate * torch.einsum("btd,edh->bteh", x, self.up), self.down
        )
        return (outs * weights.unsqueeze(-1)).sum(-2)


class Looped(nn.Module):
    """Mixtral's loop of old: each expert gathers its tokens and adds its outputs to theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        flat = x.reshape(-1, WIDTH)
        best, ids = self.router(flat).softmax(-1).topk(2, dim=-1)
        best = best / best.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(ids == number)
            out = out.index_add(0, row, expert(flat[row]) * best[row, place, None])
        return out.reshape(x.shape)


class ChoiceList(nn.Module):
    """Expert choice with an expert each: softmax over the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        flat = x.reshape(-1, WIDTH)
        best, ids = self.router(flat).softmax(-1).topk(6, dim=0)
        out = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            rows = ids[:, number]
            out = out.index_add(0, rows, expert(flat[rows]) * best[:, number, None])
        return out.reshape(x.shape)


class Depth(nn.Module):
    """Mixture of depths: the best half of the tokens go through one block; no experts."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.block = nn.Linear(WIDTH, 1, bias=False), Expert()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        best, ids = self.router(x).squeeze(-1).topk(x.shape[1] // 2, dim=-1)
        at = ids.unsqueeze(-1).expand(-1, -1, WIDTH)
        done = self.block(x.gather(1, at)) * best.sigmoid().unsqueeze(-1)
        return torch.zeros_like(x).scatter_add(1, at, done)
