"""The model of a case, with random weights, and what the front end must find in it."""

from typing import Any

import torch
import transformers
from torch import nn

from benchmarks.frontend_exports.cases import Case
from benchmarks.frontend_exports.catalogue import HAND
from benchmarks.frontend_exports.families import BASE, FAMILIES
from benchmarks.frontend_exports.recent import RECENT

ENDS = ("ForCausalLM", "EncoderModel", "TextModel", "Model")  # of a model class, the first there


class Logits(nn.Module):
    """A model from ids (and a mask) to its first output, its cache left out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits [batch, tokens, vocabulary] or hidden states of ids [batch, tokens]."""
        first: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask)[0]
        return first


def build(case: Case) -> nn.Module:
    """The model of a case, with random weights and router biases."""
    torch.manual_seed(7)
    if case.model in HAND:
        return HAND[case.model][0]().eval()
    prefix, own = (FAMILIES | RECENT)[case.model]
    config_class = _class(f"{prefix}TextConfig", f"{prefix}Config")
    config = config_class(**{**BASE, **own, **case.change})
    config._attn_implementation = case.attention
    if case.experts:
        config._experts_implementation = case.experts
    if case.model == "nllb":
        model = _class("NllbMoeModel")(config).encoder.eval()
    else:
        model = _class(*(f"{prefix}{end}" for end in ENDS))(config).eval()
    for name, part in [*model.named_parameters(), *model.named_buffers()]:
        scores = name.endswith(("e_score_correction_bias", "expert_bias", "router.bias"))
        if scores or part.ndim >= 2:
            nn.init.normal_(part.data, std=0.02 if scores else part.shape[-1] ** -0.5)
    return model.to(getattr(torch, case.dtype))


def _class(*names: str) -> Any:
    for name in names:
        found = getattr(transformers, name, None)
        if found is not None:
            return found
    raise LookupError(f"no {names[-1]} in transformers {transformers.__version__}")


EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
TAKES = ("num_experts_per_tok", "moe_k", "moe_topk", "moe_top_k", "top_k_experts")


def expected(case: Case, model: Any) -> str:
    """The row of the table that says what must be found: MoE layers, experts, top-k."""
    if case.model in HAND:
        _, layers, experts, takes = HAND[case.model]
        return f"| {case.name} | {layers} | {experts} | {takes} | | |"
    layers = sum(_is_moe(part) + _is_halves(part) for part in model.modules())
    config = model.config.to_dict() | dict(getattr(model.config, "ffn_config", {}) or {})
    cells = [next((str(config[k]) for k in keys if config.get(k)), "") for keys in (EXPERTS, TAKES)]
    return f"| {case.name} | {layers} | {' | '.join(cells if layers else ['-', '-'])} | | |"


def _is_halves(part: nn.Module) -> bool:
    """Experts of queries and of outputs (JetMoE's mixture of attention): a layer more."""
    return hasattr(part, "map") and hasattr(part, "reduce")


def _is_moe(part: nn.Module) -> bool:
    """A block with experts, or (Granite, JetMoE of transformers 4) with one stack for all."""
    stacked = all(hasattr(part, name) for name in ("router", "input_linear", "activation"))
    return hasattr(part, "experts") or stacked
