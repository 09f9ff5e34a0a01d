"""Placements: packets x hops of `cp-sat` against `in-order`, with the bound.

The shipped models with their own routing (held-out tokens), and LLaMA-MoE-3.5B's shape (32 layers,
d 4096, 16 experts of 688, top-4) with a synthetic, skewed routing of 512 tokens.

    python -m benchmarks.placement [--chips hermes-mux2 ...] [--time 2] [--no-large]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from compiler.frontend import read_model
from compiler.grouping import Calibration, group_layer
from compiler.options import GroupingOptions, PlacementOptions, Placer, SolverOptions
from compiler.partition import partition
from compiler.placement import Routed, place
from compiler.profiling.profile import load_inputs, profile
from ir.activation import usual
from ir.certificate import Certificate
from ir.errors import InputError
from ir.mapping import Grouping, Mapping
from ir.placement import Placement
from ir.selection import ByIds
from ir.verify import verify_mapping
from ir.workload import (
    AnyOperator,
    Attention,
    Dense,
    Digital,
    Expert,
    MoELayer,
    Router,
    Weight,
    Workload,
)
from moexbar.chips.loader import load_chip

MODELS = Path(__file__).parents[1] / "examples" / "models"
TOKENS = 512


def llama_moe(layers: int = 32, d: int = 4096, f: int = 688, experts: int = 16) -> Workload:
    """LLaMA-MoE-3.5B (4 of 16 experts) by its sizes: dense attention, MoE, LM head of 32000."""
    operators: list[AnyOperator] = [
        Digital("embed", -1, ("ids",), ("x0",), ("embed",), d, "embed", "token", d)
    ]

    def dense(name: str, layer: int, source: str, rows: int, columns: int) -> str:
        weight = Weight(name, rows, columns, bits=8)
        operators.append(Dense(name, layer, (source,), (name,), (name,), columns, weight))
        return name

    def digital(kind: str, name: str, layer: int, *inputs: str) -> str:
        operators.append(
            Digital(name, layer, inputs, (name,), (name,), d, kind, "token", d)  # type: ignore[arg-type]
        )
        return name

    def expert(name: str, number: int) -> Expert:
        up, gate = (Weight(f"{name}.{part}", d, f, 8, number) for part in ("up", "gate"))
        return Expert(up, Weight(f"{name}.down", f, d, 8, number), gate)

    x = "x0"
    for n in range(layers):
        h = digital("norm", f"norm_a{n}", n, x)
        q, k, v = (dense(f"{part}{n}", n, h, d, d) for part in "qkv")
        a = f"attention{n}"
        operators.append(Attention(a, n, (q, k, v), (a,), (a,), d, 32, 32, d // 32, causal=True))
        x = digital("add", f"add_a{n}", n, x, dense(f"o{n}", n, a, d, d))
        h, moe = digital("norm", f"norm_b{n}", n, x), f"moe{n}"
        router = Router("softmax-topk", experts, ByIds("chosen", "gates"), 4)
        every = tuple(expert(moe, e) for e in range(experts))
        operators.append(
            MoELayer(moe, n, (h,), (moe,), (moe,), d, router, every, usual("silu"), "loop")
        )
        x = digital("add", f"add_b{n}", n, x, moe)
    head = dense("head", layers - 1, digital("norm", "norm_end", layers - 1, x), d, 32000)
    return Workload("llama-moe-3.5b", "0" * 64, ("ids",), (head,), tuple(operators))


def skewed(workload: Workload, tokens: int, seed: int = 0) -> dict[int, np.ndarray]:
    """Top-k of random scores, in which experts differ in popularity: {layer: bool [T, E]}."""
    rng = np.random.default_rng(seed)
    out = {}
    for op in workload.moe_layers:
        experts, k = op.router.experts, op.router.top_k or 1
        score = rng.gumbel(size=(tokens, experts)) + rng.normal(size=experts)
        best = np.argsort(-score, axis=1, kind="stable")[:, :k]
        chosen = np.zeros((tokens, experts), dtype=np.bool_)
        chosen[np.arange(tokens)[:, None], best] = True
        out[op.layer] = chosen
    return out


def certificate_of(placement: Placement) -> Certificate:
    """Read the certificate, which every placement for a known routing carries."""
    if placement.certificate is None:
        raise InputError("placement", "no certificate, expected one")
    return placement.certificate


def measure(routed: Routed, chip_name: str, seconds: float) -> str:
    """One line of the table; every placement passes the mapping's checks."""
    chip = load_chip(chip_name)
    layers = tuple(
        group_layer(
            Calibration(routed.chosen[op.layer], [(0, routed.tokens)]),
            op.layer,
            chip.pg.mux,
            GroupingOptions("lpt"),
        )
        for op in routed.workload.moe_layers
    )
    blocks, grouping = partition(routed.workload, chip), Grouping(layers)
    values: list[int] = []
    line = ""
    solvers: tuple[Placer, ...] = ("in-order", "cp-sat")
    for solver in solvers:
        begun = time.perf_counter()
        options = SolverOptions(time_s=seconds)
        placement = place(
            blocks, grouping, chip, PlacementOptions(solver), routed=routed, limits=options
        )
        took = time.perf_counter() - begun
        verify_mapping(Mapping(blocks, grouping, placement), routed.workload, chip)
        known = certificate_of(placement)
        values.append(known.value)
        mesh = f"{placement.mesh_width}x{placement.mesh_height}"
        line += f"{mesh:>9}{known.value:>12}"
    best_possible, saved = (1 - n / max(1, values[0]) for n in (known.bound, known.value))
    return (
        f"{routed.workload.name[:16]:<17}{chip_name:<14}{line}{known.bound:>12}{saved:>8.1%}"
        f"{best_possible:>9.1%}{known.gap:>7.1%}{took:>8.1f}  {known.status}"
    )


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    chips = ["hermes-mux2", "hermes-mux4", "hermes-mux8", "ibm-3dcim", "neurosim"]
    parser.add_argument("--chips", nargs="+", default=chips)
    parser.add_argument("--time", type=float, default=2.0, help="solver time units per solve")
    parser.add_argument("--large", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args(argv)
    print(
        f"{'model':<17}{'chip':<14}{'in-order mesh':>13}{'value':>8}{'mesh':>9}{'cp-sat':>12}"
        f"{'bound':>12}{'saved':>8}{'at most':>9}{'gap':>7}{'s':>8}  status"
    )
    for path in sorted(MODELS.glob("*.onnx")):
        workload = read_model(path)
        trace = profile(path, workload, load_inputs(MODELS / "heldout.npz"))
        chosen = {op.layer: trace.matrix(trace.row(op.layer)) for op in workload.moe_layers}
        for chip in args.chips:
            print(measure(Routed(workload, chosen, trace.tokens), chip, args.time), flush=True)
    if args.large:
        workload = llama_moe()
        routed = Routed(workload, skewed(workload, TOKENS), TOKENS)
        for chip in [c for c in args.chips if c.startswith("hermes")]:
            print(measure(routed, chip, args.time), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
