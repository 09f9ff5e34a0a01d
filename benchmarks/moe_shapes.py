"""MoE layers of real models in their published shapes, for routing traces that come without one."""

from collections.abc import Sequence
from dataclasses import dataclass

from ir.activation import usual
from ir.selection import ByIds
from ir.workload import Expert, MoELayer, Router, Weight, Workload


@dataclass(frozen=True)
class Sizes:
    """Published sizes of one MoE layer: d_model, expert width, experts, experts per token."""

    d: int
    width: int
    experts: int
    k: int
    source: str


SIZES = {
    "gpt-oss-20b": Sizes(2880, 2880, 32, 4, "openai/gpt-oss-20b, config.json"),
    "mixtral-8x7b": Sizes(4096, 14336, 8, 2, "arXiv 2401.04088, table 1"),
}


def moe_layers(name: str, layers: Sequence[int]) -> Workload:
    """MoE layers of a model in its published shape and nothing else, gated experts of 8 bits."""
    size = SIZES[name]

    def expert(layer: int, e: int) -> Expert:
        up, gate = (Weight(f"{p}{layer}", size.d, size.width, 8, e) for p in ("up", "gate"))
        return Expert(up, Weight(f"down{layer}", size.width, size.d, 8, e), gate)

    router = Router("topk-softmax", size.experts, ByIds("chosen", "gates"), size.k)
    operators = tuple(
        MoELayer(
            f"moe{n}",
            n,
            ("x",),
            (f"y{n}",),
            (f"moe{n}",),
            size.d,
            router,
            tuple(expert(n, e) for e in range(size.experts)),
            usual("silu"),
            "loop",
        )
        for n in layers
    )
    return Workload(name, "0" * 64, ("x",), tuple(f"y{n}" for n in layers), operators)


def spread(layers: int, number: int) -> list[int]:
    """`number` of a model's layers at even distances, the middle of each part."""
    return [(2 * n + 1) * layers // (2 * number) for n in range(min(number, layers))]
