"""A Mixture-of-Experts model whose routed experts were trained as ternary ones, beside a full one.

After MoTE (Wang et al., arXiv 2506.14435): a dense model is up-cycled.  Its feed-forward block
stays as a shared expert of full precision, frozen; routed experts of the same form, which begin as
copies of it, are trained with weights -1, 0, 1 times a scale, one per matrix, and a token takes the
best one of them, times its softmax score.  Values are those of BitNet b1.58 (arXiv 2402.17764):
RoundClip(W / g, -1, 1) g, g = mean |W|; gradients pass the rounding as if it were not there, on to
the weights W that the optimiser keeps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from model import GatedFFN, Linear, Model, Sizes, TokenChoice
from torch import Tensor

MATRICES = ("gate", "up", "down")
SIZES = Sizes(width=128, heads=4, layers=4, hidden=384, experts=8, top=1, moe_layers=(1, 3))


def scale_of(weight: Tensor) -> Tensor:
    """The mean of the absolute values of a matrix."""
    return weight.abs().mean()


def ternary(weight: Tensor) -> Tensor:
    """-1, 0 or 1 times the scale, each the nearest to the element."""
    scale = scale_of(weight)
    return (weight / scale).round().clamp(-1, 1) * scale


class TernaryLinear(Linear):
    """x @ ternary(weight), whose gradient is taken for that of the weight."""

    def forward(self, x: Tensor) -> Tensor:
        """Multiply along the last axis."""
        return x @ (self.weight + (ternary(self.weight) - self.weight).detach())


class UpCycled(TokenChoice):
    """A dense block as shared expert, and routed experts that begin as copies of it."""

    renormalised = False

    def __init__(self, block: GatedFFN) -> None:
        super().__init__(SIZES)
        self.shared = block
        for expert in self.experts:
            expert.load_state_dict(block.state_dict())

    def forward(self, hidden: Tensor) -> Tensor:
        """Route and run [batch, tokens, width], and add the shared expert."""
        return self.shared(hidden) + super().forward(hidden)


def up_cycled(dense: Model) -> Model:
    """The model with experts in two layers, and all but routers and routed experts frozen."""
    model = copy.deepcopy(dense).requires_grad_(False)
    for index in SIZES.moe_layers:
        layer = model.layers[index]
        layer.moe, layer.sparse = UpCycled(layer.ffn), True
        del layer.ffn
    return model


def with_experts(model: Model, form: type[Linear], values: Callable[[Tensor], Tensor]) -> Model:
    """The model with other products in the routed experts, and `values` of their weights."""
    model = copy.deepcopy(model)
    for moe in model.moes:
        for expert in moe.experts:
            for name in MATRICES:
                weight = getattr(expert, name).weight
                product = form(*weight.shape)
                product.load_state_dict({"weight": values(weight.detach())})
                setattr(expert, name, product)
    return model


def trained_as_ternary(model: Model) -> Model:
    """The model with routed experts that round their weights at each use."""
    return with_experts(model, TernaryLinear, torch.clone)


def rounded(model: Model) -> Model:
    """The model with routed experts of ternary weights, as they are to be stored."""
    return with_experts(model, Linear, ternary)
