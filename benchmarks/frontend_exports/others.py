"""Whole models that are no plain language model: images, sound, robots, tables, routers by ids."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.frontend_exports.families import VOCABULARY
from benchmarks.frontend_exports.mixtures import Stacked
from benchmarks.frontend_exports.modules import (
    EXPERTS,
    HIDDEN,
    WIDTH,
    Attention,
    Expert,
    WeightedAll,
)


class Numbered(nn.Module):
    """Language model whose experts are given by `numbers` of ids and places."""

    def __init__(self, numbers: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.numbers = numbers
        self.embed, self.attention = nn.Embedding(VOCABULARY, WIDTH), Attention()
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, HIDDEN) * WIDTH**-0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, HIDDEN, WIDTH) * HIDDEN**-0.5)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Ids [batch, tokens] -> logits [batch, tokens, vocabulary]."""
        x = self.embed(input_ids)
        x = x + self.attention(x)
        ids = self.numbers(input_ids, torch.arange(input_ids.shape[1])).expand_as(input_ids)
        flat, at = self.norm(x).reshape(-1, 1, WIDTH), ids.reshape(-1)
        outs = torch.bmm(F.relu(torch.bmm(flat, self.up[at])), self.down[at])
        return self.head(x + outs.reshape(x.shape))


class HashTable(Numbered):
    """Hash layer: a stored table says which expert an id has."""

    def __init__(self) -> None:
        super().__init__(lambda ids, places: self.table[ids])
        self.register_buffer("table", torch.randint(0, EXPERTS, (VOCABULARY,)))


class Images(nn.Module):
    """V-MoE: patches by a convolution, two layers without a mask, the given block, a classifier."""

    input_name = "pixels"

    def __init__(self, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.patch, self.place = nn.Conv2d(3, WIDTH, 4, 4), nn.Parameter(torch.randn(1, 16, WIDTH))
        layer = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.attention, self.block = layer, block()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.head = nn.Linear(WIDTH, 10)

    @staticmethod
    def example(generator: torch.Generator) -> torch.Tensor:
        """Pixels [1, 3, 16, 16]."""
        return torch.randn(1, 3, 16, 16, generator=generator)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels [batch, 3, 16, 16] -> classes [batch, 10]."""
        x = self.patch(pixels).flatten(2).transpose(1, 2) + self.place
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.block(self.norms[1](x))
        return self.head(self.norms[2](x).mean(1))


class Conformer(nn.Module):
    """Frames of sound: half an MoE, attention, a convolution over time, half an MoE."""

    input_name = "frames"

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Linear(20, WIDTH)
        self.first, self.last, self.attention = Stacked(), WeightedAll(gated=False), Attention()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(5))
        self.wide = nn.Conv1d(WIDTH, 2 * WIDTH, 1)
        self.deep = nn.Conv1d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH)
        self.narrow, self.head = nn.Conv1d(WIDTH, WIDTH, 1), nn.Linear(WIDTH, 30)

    @staticmethod
    def example(generator: torch.Generator) -> torch.Tensor:
        """Frames [1, 24, 20]."""
        return torch.randn(1, 24, 20, generator=generator)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames [batch, time, 20] -> letters [batch, time, 30]."""
        x = self.inside(frames)
        x = x + 0.5 * self.first(self.norms[0](x))
        x = x + self.attention(self.norms[1](x))
        y = self.norms[2](x).transpose(1, 2)
        y = self.narrow(F.silu(self.deep(F.glu(self.wide(y), dim=1))))
        x = x + y.transpose(1, 2)
        x = x + 0.5 * self.last(self.norms[3](x))
        return self.head(self.norms[4](x))


class Policy(nn.Module):
    """A robot's policy: a state a row, no sequence; experts from state to state, then actions."""

    input_name = "state"

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.moe, self.head = nn.Linear(14, WIDTH), Stacked(), nn.Linear(WIDTH, 7)

    @staticmethod
    def example(generator: torch.Generator) -> torch.Tensor:
        """States [16, 14]."""
        return torch.randn(16, 14, generator=generator)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """States [rows, 14] -> actions [rows, 7]."""
        x = torch.tanh(self.inside(state))
        return torch.tanh(self.head(x + self.moe(x)))


class Heads(Policy):
    """Experts straight from the state to the actions: other widths on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(14, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(14, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 7)) for _ in range(4)
        )

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """States [rows, 14] -> actions [rows, 7]."""
        best, ids = self.router(state).softmax(-1).topk(2, dim=-1)
        outs = torch.stack([e(state) for e in self.experts], dim=1)
        picked = outs.gather(1, ids.unsqueeze(-1).expand(-1, -1, 7))
        return (picked * best.unsqueeze(-1)).sum(1)


class Recommender(nn.Module):
    """MMoE: two tasks, each with a softmax over the same experts; sparse keeps the best two."""

    input_name = "features"

    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.sparse = sparse
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))
            for _ in range(EXPERTS)
        )
        self.gates = nn.ModuleList(nn.Linear(WIDTH, EXPERTS) for _ in range(2))
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 1) for _ in range(2))

    @staticmethod
    def example(generator: torch.Generator) -> torch.Tensor:
        """Features [16, width]."""
        return torch.randn(16, WIDTH, generator=generator)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features [rows, width] -> two probabilities [rows, 2]."""
        outs, found = torch.stack([e(features) for e in self.experts], dim=1), []
        for gate, head in zip(self.gates, self.heads, strict=True):
            weights = gate(features).softmax(-1)
            if self.sparse:
                best, ids = weights.topk(2, dim=-1)
                weights = torch.zeros_like(weights).scatter(-1, ids, best)
            found.append(head((weights.unsqueeze(-1) * outs).sum(1)))
        return torch.cat(found, dim=-1).sigmoid()


class Clusters(nn.Module):
    """Routing transformer: the nearest of 4 means says who attends to whom; no experts."""

    def __init__(self) -> None:
        super().__init__()
        self.means, self.inside = nn.Linear(WIDTH, 4, bias=False), nn.Linear(WIDTH, 3 * WIDTH)
        self.out, self.dense = nn.Linear(WIDTH, WIDTH), Expert()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X [batch, tokens, width]."""
        query, key, value = self.inside(x).chunk(3, dim=-1)
        mine = self.means(F.normalize(x, dim=-1)).argmax(-1)
        same = mine.unsqueeze(-1) == mine.unsqueeze(-2)
        scores = (query @ key.transpose(-1, -2) * WIDTH**-0.5).masked_fill(~same, -1e9)
        return self.dense(self.out(scores.softmax(-1) @ value))


class Earlier(nn.Module):
    """Pre-gated: each layer's experts are chosen by the vectors of the layer before."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.attention = nn.ModuleList(Attention() for _ in range(2))
        self.routers = nn.ModuleList(nn.Linear(WIDTH, EXPERTS, bias=False) for _ in range(2))
        self.experts = nn.ModuleList(
            nn.ModuleList(Expert() for _ in range(EXPERTS)) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Ids [batch, tokens] -> logits [batch, tokens, vocabulary]."""
        x = self.embed(input_ids)
        for layer in range(2):
            logits = self.routers[layer](x)
            x = x + self.attention[layer](x)
            best, ids = logits.topk(2, dim=-1)
            weights = torch.zeros_like(logits).scatter(-1, ids, best.softmax(-1))
            y = self.norms[layer](x)
            outs = [e(y) * weights[..., i : i + 1] for i, e in enumerate(self.experts[layer])]
            x = x + torch.stack(outs).sum(0)
        return self.head(x)
