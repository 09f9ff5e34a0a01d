"""The models written by hand, and what must be found in each."""

from collections.abc import Callable

import torch
from torch import nn

from benchmarks.frontend_exports import mixtures, modules, others, routed
from benchmarks.frontend_exports.modules import EXPERTS, Expert, Transformer

Make = Callable[[], nn.Module]


def _in(block: Make) -> Make:
    """A small language model with the block in both layers."""
    return lambda: Transformer(block)


def _by_id(ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return ids % EXPERTS


def _by_place(ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return places % EXPERTS


# name: the model, and what must be found in it: MoE layers, experts, top-k (or capacity)
MODULES: dict[str, tuple[Make, int, str, str]] = {
    "weightedall": (_in(modules.WeightedAll), 2, "6", "2"),
    "weightedplain": (_in(lambda: modules.WeightedAll(gated=False)), 2, "6", "2"),
    "einsum": (_in(modules.StackedEinsum), 2, "6", "2"),
    "sigmoidshared": (_in(modules.Noisy), 2, "6", "3"),
    "gshard": (_in(modules.Capacity), 2, "6", "2"),
    "choice": (_in(modules.Choice), 2, "6", ""),
    "NEG_soft": (_in(modules.Soft), 0, "-", "-"),
    "NEG_dense": (_in(Expert), 0, "-", "-"),
}

# Other routers, experts of another make, other models than of language. 0 layers: no MoE layer, or
# one that is named, not read, by what is in `docs/frontend.md`
FURTHER: dict[str, tuple[Make, int, str, str]] = {
    "topp": (_in(routed.TopP), 2, "6", ""),
    "relurouted": (_in(routed.ReLURouted), 2, "6", ""),
    "threshold": (_in(routed.Threshold), 2, "6", ""),
    "cosine": (_in(routed.Cosine), 2, "6", "1"),
    "base": (_in(routed.Base), 2, "6", "1"),
    "noisy": (_in(routed.Noisy), 2, "6", "2"),
    "lastkept": (_in(routed.LastKept), 2, "6", ""),
    "grouplimited": (_in(routed.GroupLimited), 2, "6", "2"),
    "hierarchical": (_in(routed.Hierarchical), 2, "6", ""),
    "pooled": (_in(routed.Pooled), 0, "-", "-"),
    "deeprouter": (_in(routed.Deep), 2, "6", "2"),
    "ownnorm": (_in(routed.Normed), 2, "6", "2"),
    "plusplus": (_in(routed.Plus), 0, "-", "-"),
    "nullexperts": (_in(routed.Null), 0, "-", "-"),
    "autonomous": (_in(routed.Autonomous), 0, "-", "-"),
    "looped": (_in(routed.Looped), 2, "6", "2"),
    "choicelist": (_in(routed.ChoiceList), 2, "6", "capacity 6"),
    "depth": (_in(routed.Depth), 0, "-", "-"),
    "gathered": (_in(mixtures.Stacked), 2, "6", "2"),
    "multihead": (_in(mixtures.MultiHead), 2, "6", "2"),
    "latent": (_in(mixtures.Latent), 2, "6", "2"),
    "adapters": (_in(mixtures.Adapters), 0, "-", "-"),
    "linears": (_in(mixtures.Linears), 0, "-", "-"),
    "threematrices": (_in(mixtures.Three), 0, "-", "-"),
    "norminside": (_in(mixtures.Inside), 0, "-", "-"),
    "residualexperts": (_in(mixtures.Residual), 0, "-", "-"),
    "upcycled": (_in(mixtures.Upcycled), 2, "6", "2"),
    "different": (_in(mixtures.Different), 2, "6", "2"),
    "slots": (_in(mixtures.Slots), 0, "-", "-"),
    "merged": (_in(mixtures.Merged), 0, "-", "-"),
    "peer": (_in(mixtures.Peer), 0, "-", "-"),
    "switchhead": (_in(mixtures.SwitchHead), 4, "4", "2"),
    "nested": (_in(mixtures.Nested), 4, "3", "1"),
    "clusters": (_in(others.Clusters), 0, "-", "-"),
    "hashtable": (others.HashTable, 1, "6", "1"),
    "hashmodulo": (lambda: others.Numbered(_by_id), 1, "6", "1"),
    "byplace": (lambda: others.Numbered(_by_place), 1, "6", "1"),
    "earlier": (others.Earlier, 2, "6", "2"),
    "vmoe": (lambda: others.Images(modules.Capacity), 1, "6", "2"),
    "vmoechoice": (lambda: others.Images(modules.Choice), 1, "6", ""),
    "conformer": (others.Conformer, 2, "6", "2"),
    "policy": (others.Policy, 1, "6", "2"),
    "policyheads": (others.Heads, 0, "-", "-"),
    "mmoe": (others.Recommender, 0, "-", "-"),
    "mmoesparse": (lambda: others.Recommender(sparse=True), 0, "-", "-"),
}
HAND = MODULES | FURTHER
