"""Export small MoE models of many families the way their users do, to check the front end on them.

Random weights, two layers, widths that differ from one another. Every model comes with an .npz of
its inputs and outputs, as `benchmarks.frontend_samples` reads them. Needs torch, onnxscript and
transformers (the extra `exports`), 4.x or 5.x: the two export differently, and a family or exporter
that one of them lacks is reported and left out.

    python benchmarks/frontend_exports.py -o exports [--only mixtral] [--list]
"""

import argparse
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime
import torch
import transformers
from frontend_modules import MODULES, VOCABULARY
from torch import nn

BASE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "use_cache": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
DEEPSEEK: dict[str, Any] = {
    "moe_intermediate_size": 24,
    "n_routed_experts": 12,
    "num_experts_per_tok": 3,
    "n_group": 3,
    "topk_group": 2,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "qk_nope_head_dim": 12,
    "num_key_value_heads": 4,
}
SHARED = {"shared_expert_intermediate_size": 28, "moe_intermediate_size": 20}
MAMBA = {
    "mamba_n_heads": 4,
    "mamba_d_head": 24,
    "mamba_d_state": 8,
    "mamba_chunk_size": 8,
    "mamba_expand": 2,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "mixtral": ("Mixtral", {"num_local_experts": 6, "num_experts_per_tok": 2}),
    "qwen2moe": ("Qwen2Moe", {"num_experts": 9, "num_experts_per_tok": 4, **SHARED}),
    "qwen3moe": (
        "Qwen3Moe",
        {
            "num_experts": 12,
            "num_experts_per_tok": 3,
            "head_dim": 16,
            "moe_intermediate_size": 24,
            "norm_topk_prob": True,
        },
    ),
    "qwen3next": (
        "Qwen3Next",
        {
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "head_dim": 16,
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["full_attention", "full_attention"],
            **SHARED,
        },
    ),
    "qwen35moe": (
        "Qwen3_5Moe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "head_dim": 16,
            "layer_types": ["full_attention", "full_attention"],
            **SHARED,
        },
    ),
    "deepseekv2": (
        "DeepseekV2",
        {
            **DEEPSEEK,
            **LATENT,
            "topk_method": "group_limited_greedy",
            "routed_scaling_factor": 1.5,
            "norm_topk_prob": False,
        },
    ),
    "deepseekv3": ("DeepseekV3", {**DEEPSEEK, **LATENT, "routed_scaling_factor": 2.5}),
    "glm4moe": (
        "Glm4Moe",
        {
            **DEEPSEEK,
            "n_group": 1,
            "topk_group": 1,
            "head_dim": 12,
            "routed_scaling_factor": 1.3,
            "use_qk_norm": True,
        },
    ),
    "dots1": ("Dots1", {**DEEPSEEK, "n_group": 1, "topk_group": 1, "head_dim": 12}),
    "ernie": (
        "Ernie4_5_Moe",
        {
            "moe_num_experts": 8,
            "moe_k": 3,
            "moe_num_shared_experts": 1,
            "moe_intermediate_size": 24,
            "moe_layer_start_index": 0,
            "moe_layer_end_index": 1,
        },
    ),
    "gptoss": (
        "GptOss",
        {"num_local_experts": 6, "num_experts_per_tok": 2, "head_dim": 12, "intermediate_size": 40},
    ),
    "olmoe": ("Olmoe", {"num_experts": 10, "num_experts_per_tok": 4, "intermediate_size": 24}),
    "flexolmo": ("FlexOlmo", {"num_experts": 7, "num_experts_per_tok": 5, "intermediate_size": 24}),
    "phimoe": ("Phimoe", {"num_local_experts": 6, "intermediate_size": 40}),
    "granitemoe": (
        "GraniteMoe",
        {"num_local_experts": 6, "num_experts_per_tok": 3, "intermediate_size": 40},
    ),
    "graniteshared": (
        "GraniteMoeShared",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 40,
            "shared_intermediate_size": 56,
        },
    ),
    "granitehybrid": (
        "GraniteMoeHybrid",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 40,
            **MAMBA,
            "shared_intermediate_size": 56,
            "layer_types": ["attention", "attention"],
        },
    ),
    "hunyuan": (
        "HunYuanMoEV1",
        {"num_experts": 6, "moe_topk": 2, "head_dim": 12, "intermediate_size": 40},
    ),
    "minimax": (
        "MiniMax",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 40,
            "layer_types": ["full_attention", "full_attention"],
        },
    ),
    "minimaxm2": (
        "MiniMaxM2",
        {
            "num_local_experts": 10,
            "num_experts_per_tok": 3,
            "head_dim": 16,
            "intermediate_size": 40,
        },
    ),
    "lfm2moe": (
        "Lfm2Moe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "num_dense_layers": 1,
            "moe_intermediate_size": 24,
            "layer_types": ["conv", "full_attention"],
        },
    ),
    "jamba": (
        "Jamba",
        {
            "num_experts": 6,
            "num_experts_per_tok": 2,
            "attn_layer_period": 1,
            "attn_layer_offset": 0,
            "use_mamba_kernels": False,
            "expert_layer_period": 1,
            "expert_layer_offset": 0,
        },
    ),
    "nemotronh": (
        "NemotronH",
        {
            **DEEPSEEK,
            "n_shared_experts": 1,
            "head_dim": 12,
            "layers_block_type": ["attention", "moe"],
            "n_group": 1,
            "topk_group": 1,
            "moe_shared_expert_intermediate_size": 40,
        },
    ),
    "dbrx": (
        "Dbrx",
        {
            "d_model": 48,
            "n_heads": 4,
            "n_layers": 2,
            "max_seq_len": 64,
            "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8},
            "ffn_config": {"ffn_hidden_size": 40, "moe_num_experts": 6, "moe_top_k": 2},
        },
    ),
    "jetmoe": (
        "JetMoe",
        {
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "kv_channels": 12,
            "num_key_value_heads": 2,
            "intermediate_size": 40,
        },
    ),
    "llama4": (
        "Llama4",
        {
            "num_local_experts": 6,
            "intermediate_size_mlp": 80,
            "head_dim": 12,
            "interleave_moe_layer_step": 1,
            "attention_chunk_size": 64,
        },
    ),
    "longcat": (
        "LongcatFlash",
        {
            "n_routed_experts": 8,
            "zero_expert_num": 3,
            "moe_topk": 3,
            "expert_ffn_hidden_size": 24,
            "ffn_hidden_size": 80,
            **LATENT,
            "num_layers": 1,
            "head_dim": 8,
            "routed_scaling_factor": 2.0,
        },
    ),
    "solar": ("SolarOpen", {**DEEPSEEK, "n_group": 1, "topk_group": 1, "head_dim": 12}),
    "exaone": (
        "ExaoneMoe",
        {
            **DEEPSEEK,
            "num_experts": 12,
            "num_shared_experts": 1,
            "n_group": 1,
            "topk_group": 1,
            "head_dim": 12,
            "layer_types": ["full_attention", "full_attention"],
            "mlp_layer_types": ["dense", "sparse"],
        },
    ),
    "afmoe": (
        "Afmoe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "num_shared_experts": 1,
            "moe_intermediate_size": 24,
            "num_dense_layers": 1,
            "head_dim": 12,
            "layer_types": ["full_attention", "full_attention"],
        },
    ),
    "cohere2moe": (
        "Cohere2Moe",
        {
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "num_shared_experts": 1,
            "intermediate_size": 40,
            "layer_types": ["full_attention", "full_attention"],
            "mlp_layer_types": ["sparse", "sparse"],
        },
    ),
    "switch": (
        "SwitchTransformers",
        {
            "d_model": 48,
            "d_ff": 40,
            "d_kv": 12,
            "num_heads": 4,
            "num_layers": 2,
            "num_sparse_encoder_layers": 2,
            "num_experts": 5,
            "expert_capacity": 64,
        },
    ),
    "nllb": (
        "NllbMoe",
        {
            "d_model": 48,
            "encoder_layers": 2,
            "encoder_ffn_dim": 40,
            "encoder_attention_heads": 4,
            "encoder_sparse_step": 1,
            "num_experts": 6,
            "expert_capacity": 64,
        },
    ),
    "llama": ("Llama", {}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
    "gemma2": ("Gemma2", {"head_dim": 12}),
}


@dataclass(frozen=True)
class Case:
    """One export. model: a family or a module; how: `dynamo`, `legacy` or `hf`.

    experts: implementation asked for (transformers 5 only); dynamic: batch and length are free.
    """

    model: str
    how: str = "dynamo"
    experts: str = ""
    opset: int = 18
    tokens: int = 24
    batch: int = 1
    dynamic: bool = False
    dtype: str = "float32"
    attention: str = "eager"
    change: dict[str, Any] = field(default_factory=dict)
    only: int = 0  # major version of transformers, 0 = any

    @property
    def name(self) -> str:
        """The file's stem, which says how it was made."""
        shape = "dyn" if self.dynamic else f"b{self.batch}s{self.tokens}"
        major = "torch" if self.model in MODULES else f"tf{transformers.__version__[0]}"
        extra = [f"{k}{v}" for k, v in self.change.items()]
        parts = [self.model, major, self.experts, self.how, f"op{self.opset}", shape, *extra]
        parts += [self.dtype] if self.dtype != "float32" else []
        parts += [self.attention] if self.attention != "eager" else []
        return "__".join(p for p in parts if p)


DENSE = ("llama", "qwen3", "gemma2")
SCRIPTED = ("deepseekv2", "dbrx", "llama4", "longcat", "switch", "nllb")  # dynamo refuses them


def cases() -> Iterator[Case]:
    """Families, exporters, opsets, lengths, types."""
    for family in FAMILIES:
        if family not in (*DENSE, *SCRIPTED):
            yield Case(family, experts="batched_mm", tokens=20, only=5)
        yield Case(family, how="legacy", opset=17, tokens=40, only=4)
        if family in (*DENSE, "olmoe", "flexolmo", "granitemoe", "graniteshared", "jetmoe"):
            yield Case(family, tokens=28, only=4)
    for family in SCRIPTED:
        yield Case(family, how="legacy", opset=17, experts="batched_mm", only=5)
    for family in ("mixtral", "qwen3moe", "deepseekv3", "gptoss", "glm4moe", "ernie", "minimaxm2"):
        yield Case(family, how="hf", experts="grouped_mm", dynamic=True, tokens=16, only=5)
        yield Case(family, how="legacy", experts="batched_mm", opset=17, dynamic=True, only=5)
    for opset in (18, 20, 21, 22, 23):
        yield Case("qwen2moe", experts="batched_mm", opset=opset, dynamic=True, only=5)
        yield Case("mixtral", experts="batched_mm", opset=opset, attention="sdpa", only=5)
    for family in ("mixtral", "deepseekv3", "gptoss", "granitemoe"):
        yield Case(family, experts="batched_mm", dtype="float16", only=5)
    for family in ("mixtral", "deepseekv3", "gptoss", "granitemoe", "qwen3moe", "glm4moe"):
        yield Case(family, experts="batched_mm", dtype="bfloat16", only=5)
    for family in ("mixtral", "olmoe", "deepseekv3"):
        yield Case(family, experts="batched_mm", batch=3, tokens=8, only=5)
    for family in ("olmoe", "granitemoe"):
        yield Case(family, batch=3, tokens=8, only=4)
    for change in (
        {"num_experts_per_tok": 12},
        {"num_experts_per_tok": 1},
        {"norm_topk_prob": False},
        {"decoder_sparse_step": 2},
    ):
        yield Case("qwen3moe", experts="batched_mm", change=change, only=5)
    for opset in (11, 14, 16):
        yield Case("olmoe", how="legacy", opset=opset, tokens=64, only=4)
    for name in MODULES:
        yield Case(name)
        yield Case(name, dynamic=True)
        yield Case(name, how="legacy", opset=15, tokens=32)
        yield Case(name, how="legacy", opset=12, dynamic=True)


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
    if case.model in MODULES:
        return MODULES[case.model][0]().eval()
    prefix, own = FAMILIES[case.model]
    config_class = _class(f"{prefix}TextConfig", f"{prefix}Config")
    config = config_class(**{**BASE, **own, **case.change})
    config._attn_implementation = case.attention
    if case.experts:
        config._experts_implementation = case.experts
    if case.model == "nllb":
        model = _class("NllbMoeModel")(config).encoder.eval()
    else:
        model = _class(f"{prefix}ForCausalLM", f"{prefix}EncoderModel")(config).eval()
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


TABLE = (
    "| file | MoE layers | experts | top-k | router | expert form |",
    "|---|---|---|---|---|---|",
)
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
TAKES = ("num_experts_per_tok", "moe_k", "moe_topk", "moe_top_k", "top_k_experts")


def expected(case: Case, model: Any) -> str:
    """The row of the table that says what must be found: MoE layers, experts, top-k."""
    if case.model in MODULES:
        _, layers, experts, takes = MODULES[case.model]
        return f"| {case.name} | {layers} | {experts} | {takes} | | |"
    layers = sum(_is_moe(part) for part in model.modules())
    config = model.config.to_dict() | dict(getattr(model.config, "ffn_config", {}) or {})
    cells = [next((str(config[k]) for k in keys if config.get(k)), "") for keys in (EXPERTS, TAKES)]
    return f"| {case.name} | {layers} | {' | '.join(cells if layers else ['-', '-'])} | | |"


def _is_moe(part: nn.Module) -> bool:
    """A block with experts, or (Granite, JetMoE of transformers 4) with one stack for all."""
    stacked = all(hasattr(part, name) for name in ("router", "input_linear", "activation"))
    return hasattr(part, "experts") or stacked


def export(case: Case, path: Path) -> str:
    """Write the model, and beside it its inputs and what ONNX Runtime and torch make of them.

    Returns what must be found in it, as a row of the table.
    """
    model = build(case)
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(3, VOCABULARY, (case.batch, case.tokens), generator=generator)
    EXPORTERS[case.how](case, model, ids, path)
    with torch.no_grad():
        wanted = (model if case.model in MODULES else Logits(model))(ids)
    feeds = {"input_ids": ids.numpy(), "attention_mask": torch.ones_like(ids).numpy()}
    given = {v.name: feeds[v.name] for v in onnx_ir.load(path).graph.inputs if v.name in feeds}
    outputs = {"torch_output": wanted.float().numpy()}
    if case.dtype != "bfloat16":  # which ONNX Runtime does not run on a CPU
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        outputs["output"] = np.asarray(session.run(None, given)[0]).astype(np.float32)
    np.savez(path.with_suffix(".npz"), **given, **outputs)
    return expected(case, model)


def _torch(case: Case, model: nn.Module, ids: torch.Tensor, path: Path) -> None:
    wrapped = model if case.model in MODULES else Logits(model)
    shared = {"opset_version": case.opset, "input_names": ["input_ids"], "output_names": ["logits"]}
    if case.how == "legacy":
        given = (ids,)
        if case.model not in MODULES:  # without a mask newer models look for packed sequences
            given, shared["input_names"] = (
                (ids, torch.ones_like(ids)),
                ["input_ids", "attention_mask"],
            )
        free = {0: "batch", 1: "tokens"}
        axes = dict.fromkeys(shared["input_names"], free) if case.dynamic else None
        torch.onnx.export(wrapped, given, str(path), dynamo=False, dynamic_axes=axes, **shared)
        return
    shape = None
    if case.dynamic:
        shape = ({1: torch.export.Dim("tokens", min=4, max=64)},)
    torch.onnx.export(
        wrapped, (ids,), str(path), dynamo=True, dynamic_shapes=shape, external_data=False, **shared
    )


def _hf(case: Case, model: nn.Module, ids: torch.Tensor, path: Path) -> None:
    from transformers.exporters import exporter_onnx as hf

    config = hf.OnnxConfig(dynamic=case.dynamic, opset_version=case.opset)
    made = hf.OnnxExporter().export(model, {"input_ids": ids}, config=config)
    onnx_ir.save(made.program, str(path))


EXPORTERS: dict[str, Callable[[Case, nn.Module, torch.Tensor, Path], None]] = {
    "dynamo": _torch,
    "legacy": _torch,
    "hf": _hf,
}


def main() -> None:
    """Write every export that the installed transformers can make; say which it cannot, and why."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--list", action="store_true", help="only print the names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    options.output.mkdir(parents=True, exist_ok=True)
    major = int(transformers.__version__.partition(".")[0])
    rows: dict[str, str] = {}
    for case in cases():
        path = options.output / f"{case.name}.onnx"
        if case.only not in (0, major) or options.only not in case.name:
            continue
        if options.list:
            print(case.name)
            continue
        known = path.exists()
        try:
            rows[case.name] = expected(case, build(case)) if known else export(case, path)
            print(f"{'had' if known else 'made':7} {case.name}", flush=True)
        except Exception as error:  # an exporter may raise anything; the next case goes on
            if not known:
                path.unlink(missing_ok=True)
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = " ".join(str(error).split())[:160]
            print(
                f"failed  {case.name}: {type(error).__name__} in {where.name}: {text}", flush=True
            )
    if not options.list:
        _write_table(options.output / "README.md", rows)


def _write_table(path: Path, rows: dict[str, str]) -> None:
    """Add rows to the table that says what must be found; an older one of a file is replaced."""
    lines = path.read_text().splitlines() if path.exists() else list(TABLE)
    kept = [line for line in lines if line.strip("| ").partition(" ")[0] not in rows]
    path.write_text("\n".join([*kept, *rows.values()]) + "\n")


if __name__ == "__main__":
    main()
