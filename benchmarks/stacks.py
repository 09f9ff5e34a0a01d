"""Stacks across layers: what they save of a chip, and what they cost in time.

    python -m benchmarks.stacks llama --model DIR [--layers 2 3 4] [--prefill 512]
    python -m benchmarks.stacks decode --model DIR [--layers 4 8]
    python -m benchmarks.stacks gpt-oss --traces DIR [--layers 2 4] [--copies 1 4]

DIR of `llama` and `decode` is what `moexbar example llama-moe-3.5b -o DIR` writes. Each line is a
compilation with all checks, for hermes-mux2 with 16 transfers a slot, four return lanes and the
layers of a region as said; 1 shares nothing across layers. Groups are sorted ones of the first half
of the trace, programs of the second. "mm2" is the area of peripheral groups with their arrays and
switches as stated (80 % of a crossbar with its own are peripherals), and changed if that were 30 %;
"arrays" alone are the limit. "GOPS/..": GOPS/W/mm2 of the whole run, times the first row's.
`decode`: eight steps of one sequence after a prefill of 32, keys and values in the regions'
buffers, time by step. `gpt-oss`: the model by its published sizes, on its routing trace, whole
sequences end to end, 512 tokens of them as one; crossbars with peripherals of their own, groups of
four experts within layers, and stacks of several layers whose groups hold four experts in all.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from backends.cost import cost
from backends.pace import pace
from benchmarks.traces import add_traces, trace_file
from compiler.options import GroupingOptions, PlacementOptions, SlotOptions, StackOptions
from ir.chip import Chip
from ir.routing import Routing
from moexbar.chips import load_chip
from moexbar.compilation import Compilation, compile
from moexbar.files.routing_file import load_routing

SIZES: dict[str, int | str] = {
    "bus.transfers_per_slot": 16,
    "pg.input_buffers": 2,
    "bus.return_lanes": 4,
}
LENGTH = 512
GPT_OSS = {  # config.json of openai/gpt-oss-20b (OpenAI, 2025)
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_hidden_layers": 24,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 201088,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "attention_bias": True,
    "tie_word_embeddings": False,
}
LOW = 0.3  # of a crossbar with its own PG the least that is taken for peripherals
HEAD = (
    f"{'':<20} {'PGs':>7} {'mm2':>9} {'':>7} {'at 30 %':>7} {'arrays':>8} {'chip mm2':>8} {'':>7} "
    f"{'us':>8} {'':>7} {'GOPS/..':>7} {'CPU s':>6}"
)


@dataclass(frozen=True)
class Way:
    """One way to share: fields of the chip, and how many layers share a region."""

    name: str
    fields: dict[str, int | str]
    layers: int = 1

    @property
    def chip(self) -> Chip:
        """hermes-mux2 as this way has it."""
        return load_chip("hermes-mux2", SIZES | self.fields)

    @property
    def placement(self) -> PlacementOptions:
        """Placed by cp-sat, with the stacks of this way."""
        if self.layers == 1:
            return PlacementOptions("cp-sat")
        return PlacementOptions("cp-sat", stacks=StackOptions(layers=self.layers))


@dataclass(frozen=True)
class Point:
    """One compilation.

    pgs; of the area, mm2, that of them with arrays and switches, the arrays alone, the whole chip;
    time in us (of a decode step where there are some); efficiency: GOPS/W/mm2 of the whole run.
    """

    pgs: int
    shared_mm2: float
    arrays_mm2: float
    chip_mm2: float
    crossbars: int
    us: float
    efficiency: float
    seconds: float

    @classmethod
    def of(cls, made: Callable[[], Compilation]) -> "Point":
        """Compile and measure."""
        begun = process_time()
        done = made()
        found, steps, inv = (
            cost(done.program, done.chip),
            pace(done.program),
            done.program.inventory,
        )
        parts = found.area.parts_um2
        shared = sum(parts[part] for part in ("peripheral groups", "arrays", "mux switches"))
        ps = done.program.makespan_ps if steps is None else steps.step_ps
        return cls(
            done.compiled.mapping.placement.pgs,
            shared / 1e6,
            parts["arrays"] / 1e6,
            found.area.total_um2 / 1e6,
            inv.expert_crossbars + inv.dense_crossbars,
            ps / 1e6,
            found.gops_per_w_mm2 or 0.0,
            process_time() - begun,
        )

    def with_share(self, share: float) -> float:
        """PGs and arrays, mm2, where so much of a crossbar with its own PG were peripherals."""
        one = self.arrays_mm2 / self.crossbars * share / (1 - share)
        return self.arrays_mm2 + self.pgs * one

    def line(self, name: str, base: "Point") -> str:
        """A row of the table, beside what shares nothing across layers."""
        low = self.with_share(LOW) / base.with_share(LOW) - 1
        return (
            f"{name:<20} {self.pgs:>7,} {self.shared_mm2:>9,.0f} "
            f"{self.shared_mm2 / base.shared_mm2 - 1:>+7.1%} {low:>+7.1%} {self.arrays_mm2:>8,.0f} "
            f"{self.chip_mm2:>8,.0f} {self.chip_mm2 / base.chip_mm2 - 1:>+7.1%} {self.us:>8.2f} "
            f"{self.us / base.us - 1:>+7.1%} {self.efficiency / base.efficiency:>7.2f} "
            f"{self.seconds:>6.1f}"
        )


def compared(ways: Sequence[Way], made: Callable[[Way], Compilation]) -> None:
    """A row for each way, beside the first."""
    base = None
    for way in ways:
        point = Point.of(partial(made, way))
        base = base or point
        print(point.line(way.name, base), flush=True)


def llama(folder: Path, layers: Sequence[int], prefill: int, *, decode: int) -> None:
    """LLaMA-MoE-3.5B: a prefill, or decode steps."""
    kept = {"memory.kv": "buffers"} if decode else {}
    model, routing = folder / "llama-moe-3.5b.onnx", folder / "routing.npz"
    ways = [Way(f"{n} layers a region", kept | {"pg.stack_limit": 2 * n}, n) for n in (1, *layers)]
    compared(
        ways,
        lambda way: compile(
            model,
            way.chip,
            routing=routing,
            prefill=prefill,
            decode=decode,
            placement=way.placement,
            **PLAIN,
        ),
    )


def gpt_oss(trace: Path, layers: Sequence[int], copies: Sequence[int]) -> None:
    """gpt-oss-20b: unshared, groups of four within layers, stacks of four across them."""
    routing = packed(load_routing(trace))
    ways = [Way("unshared", {"pg.mux": 1}), Way("groups of 4", {"pg.mux": 4})]
    for n in layers:  # four crossbars behind each peripheral group of experts
        mux = max(1, 4 // n)
        fields: dict[str, int | str] = {"pg.mux": mux, "pg.stack_limit": mux * n}
        ways.append(Way(f"{n} layers, groups of {mux}", fields, n))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(GPT_OSS), encoding="utf-8")
        for dense in copies:
            print(f"{dense} copies of dense blocks")
            compared(ways, partial(_dealt, config, routing, dense))


def _dealt(config: Path, routing: Routing, dense: int, way: Way) -> Compilation:
    """A configuration's prefill, with so many copies of dense blocks."""
    return compile(
        config,
        way.chip,
        routing=routing,
        prefill=LENGTH,
        placement=replace(way.placement, dense_copies=dense),
        **PLAIN,
    )


PLAIN: dict[str, Any] = {
    "grouping": GroupingOptions("sorted"),
    "slots": SlotOptions("token-order"),
    "baselines": "none",
    "execute": False,
    "processes": 1,
}


def packed(routing: Routing) -> Routing:
    """Each half of the sequences end to end, LENGTH tokens of it as one sequence."""
    ids = np.unique(routing.sequence)
    first = routing.sequence < ids[len(ids) // 2]
    halves = np.flatnonzero(first), np.flatnonzero(~first)
    many = min(len(half) for half in halves) // LENGTH
    tokens = np.concatenate([half[: many * LENGTH] for half in halves])
    assert routing.choices is not None
    return Routing(
        routing.layer,
        routing.num_experts,
        np.arange(len(tokens), dtype=np.int64) // LENGTH,
        routing.choices[:, tokens],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of one part."""
    first, text = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("llama", "decode", "gpt-oss"))
    parser.add_argument("--model", type=Path, metavar="DIR", help="of the example")
    parser.add_argument("--layers", type=int, nargs="+", default=(2, 3, 4))
    parser.add_argument("--prefill", type=int, default=LENGTH)
    parser.add_argument("--copies", type=int, nargs="+", default=(1, 4))
    add_traces(parser, required=False)
    asked = parser.parse_args(argv)
    print(HEAD)
    if asked.part == "gpt-oss":
        gpt_oss(trace_file(asked.traces, "gpt-oss-20b"), asked.layers, asked.copies)
    else:
        decode = 8 if asked.part == "decode" else 0
        llama(asked.model, asked.layers, 32 if decode else asked.prefill, decode=decode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
