"""MoE layers of real models in their published shapes, for routing traces that come without one."""

from collections.abc import Sequence
from dataclasses import dataclass

from ir.activation import usual
from ir.selection import ByIds
from ir.workload import AnyOperator, Dense, Expert, MoELayer, Router, Weight, Workload


@dataclass(frozen=True)
class Sizes:
    """Published sizes of one MoE layer and of the attention before it.

    d_model, width of all heads together, expert width, experts, experts per token.
    """

    d: int
    heads: int
    width: int
    experts: int
    k: int
    source: str


SIZES = {
    "gpt-oss-20b": Sizes(2880, 4096, 2880, 32, 4, "openai/gpt-oss-20b, config.json"),
    "mixtral-8x7b": Sizes(4096, 4096, 14336, 8, 2, "arXiv 2401.04088, table 1"),
}


def moe_layers(name: str, layers: Sequence[int], *, fed: bool = False) -> Workload:
    """MoE layers of a model in its published shape and nothing else, gated experts of 8 bits.

    fed: behind the out-projection of the attention before each, which gives one token in each MVM
    time; else all tokens are there at once.
    """
    operators: list[AnyOperator] = []
    for n in layers:
        if fed:
            operators.append(_projection(SIZES[name], n))
        operators.append(_layer(SIZES[name], n, f"h{n}" if fed else "x"))
    return Workload(name, "0" * 64, ("x",), tuple(f"y{n}" for n in layers), tuple(operators))


def _projection(size: Sizes, n: int) -> Dense:
    weight = Weight(f"out{n}", size.heads, size.d, 8)
    return Dense(f"out{n}", n, ("x",), (f"h{n}",), (f"out{n}",), size.d, weight)


def _layer(size: Sizes, n: int, source: str) -> MoELayer:
    def expert(e: int) -> Expert:
        up, gate = (Weight(f"{p}{n}", size.d, size.width, 8, e) for p in ("up", "gate"))
        return Expert(up, Weight(f"down{n}", size.width, size.d, 8, e), gate)

    return MoELayer(
        f"moe{n}",
        n,
        (source,),
        (f"y{n}",),
        (f"moe{n}",),
        size.d,
        Router("topk-softmax", size.experts, ByIds("chosen", "gates"), size.k),
        tuple(expert(e) for e in range(size.experts)),
        usual("silu"),
        "loop",
    )


def spread(layers: int, number: int) -> list[int]:
    """`number` of a model's layers at even distances, the middle of each part."""
    return [(2 * n + 1) * layers // (2 * number) for n in range(min(number, layers))]
