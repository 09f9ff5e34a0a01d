"""Which exports are made: families and modules by exporter, opset, length and element type."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import transformers

from benchmarks.frontend_exports.catalogue import FURTHER, HAND, MODULES
from benchmarks.frontend_exports.families import FAMILIES
from benchmarks.frontend_exports.recent import RECENT


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
        major = "torch" if self.model in HAND else f"tf{transformers.__version__[0]}"
        extra = [f"{k}{v}" for k, v in self.change.items()]
        parts = [self.model, major, self.experts, self.how, f"op{self.opset}", shape, *extra]
        parts += [self.dtype] if self.dtype != "float32" else []
        parts += [self.attention] if self.attention != "eager" else []
        return "__".join(p for p in parts if p)


DENSE = ("llama", "qwen3", "gemma2")
SCRIPTED = ("deepseekv2", "dbrx", "llama4", "longcat", "switch", "nllb")  # dynamo refuses them


def possible_cases() -> list[Case]:
    """Those that the installed transformers is meant to make."""
    major = int(transformers.__version__.partition(".")[0])
    return [case for case in cases() if case.only in (0, major)]


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
    for family in RECENT:
        yield Case(family, experts="batched_mm", opset=21, tokens=20, only=5)
        yield Case(family, how="legacy", experts="batched_mm", opset=17, tokens=20, only=5)
    for name in FURTHER:
        yield Case(name, opset=20)
        yield Case(name, how="legacy", opset=16)
