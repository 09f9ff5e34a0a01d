"""Experts that stay on crossbars where there are too few for all, on real routing traces.

    python -m benchmarks.residency --traces DIR [--capacities 0.25 0.5 0.75] [--of layer]
        [--prefill 1] [--no-bypass] [--time 3] [--rate 100] [--dram hbm3]

gpt-oss-20b (24 layers, 4 of 32 experts) and Mixtral-8x7B (32 layers, 2 of 8), in their published
shapes on `hermes-mux2`. Fitted to one half of the sequences and scored on the other, both ways.
"cp-sat" has the fewest stalls that were found, with the gap to their proven bound there;
"most-used" has the fewest misses that fixed residents can have there. Of those that change, LRU and
LFU begin with the most used of the fitted half, Belady with the best there is. "misses" of
accesses, "stalls" of tokens at a layer, both in %; "a cell": writes of a cell in a million tokens,
in the mean slot and in the one written most; "wait": ms a token in all layers for missed experts,
from all crossbars of a visit written at once to one at a time; "years": at `--rate` tokens a
second, from the least endurance in the slot written most to the most with writes spread evenly.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.stacks import GPT_OSS
from benchmarks.traces import add_traces, trace_file
from compiler.options import SolverOptions
from compiler.residency.names import SHARES
from moexbar.chips import load_chip
from moexbar.files.routing_file import load_routing
from moexbar.model import Model
from moexbar.report.resident import ResidentRow, ResideReport
from moexbar.residency.task import reside

MIXTRAL: dict[str, Any] = {  # config.json of mistralai/Mixtral-8x7B-v0.1
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}
MODELS = {"gpt-oss-20b": GPT_OSS, "mixtral-8x7b": MIXTRAL}
WAYS = {"first half": ((0.0, 0.5), (0.5, 1.0)), "second half": ((0.5, 1.0), (0.0, 0.5))}
DRAMS = ("3d-cim", "lpddr4", "lpddr5", "hbm2", "hbm3")
HEAD = (
    f"{'':<11}{'-- fitted --':>16}{'-- scored --':>16}{'- a cell, 1e6 tokens':>22}"
    f"{'wait ms: pcm':>15}{'rram':>13}{'years: pcm':>18}{'rram':>17}\n"
    f"{'':<11}{'misses  stalls':>16}{'misses  stalls':>16}{'mean      most':>22}"
)


def band(low: float | None, high: float | None, unit: float = 1.0) -> str:
    """Low and high of a figure, or that there is none."""
    if low is None or high is None:
        return "-"
    texts = [f"{v:,.0f}" if 99.5 <= v < 1e5 else f"{v:.2g}" for v in (low / unit, high / unit)]
    return texts[0] if texts[0] == texts[1] else "..".join(texts)


def line(row: ResidentRow) -> str:
    """A method's figures."""
    costs = {cost.cells: cost for cost in row.costs}
    kinds = [costs[kind] for kind in ("pcm", "rram")]
    waits = [band(cost.wait_low_ns, cost.wait_high_ns, 1e6) for cost in kinds]
    lives = [band(cost.years_low, cost.years_high) for cost in kinds]
    return (
        f"{row.method:<11}{row.fit.miss_percent:>8.2f}{row.fit.stall_percent:>8.2f}"
        f"{row.score.miss_percent:>8.2f}{row.score.stall_percent:>8.2f}"
        f"{row.score.writes_per_million:>12,.0f}{row.score.most_writes_per_million:>10,.0f}"
        f"{waits[0]:>15}{waits[1]:>13}{lives[0]:>18}{lives[1]:>17}"
    )


def proven(report: ResideReport) -> str:
    """How far cp-sat's stalls are from what no fixed residents can be below, on the fitted half."""
    found = [pool.certificate for pool in report.pools]
    value, bound = sum(c.value for c in found), sum(c.bound for c in found)
    tight = sum(c.value == c.bound for c in found)
    return f"gap {100 * (value - bound) / max(1, value):.1f} %, {tight} of {len(found)} proven"


def tell(name: str, asked: argparse.Namespace, model: Model) -> None:
    """Print the tables of one trace."""
    routing = load_routing(trace_file(asked.traces, name))
    chip = load_chip("hermes-mux2", {"memory.dram": asked.dram})
    for capacity in asked.capacities:
        for way, (fit, score) in WAYS.items():
            report = reside(
                routing,
                chip,
                capacity=capacity,
                share=asked.share,
                objective="stalls",
                prefill=asked.prefill,
                bypass=not asked.no_bypass,
                model=model,
                rate=asked.rate,
                fit=fit,
                score=score,
                limits=SolverOptions(time_s=asked.time),
            )
            print(f"\n{name}, {capacity:.0%} of the experts, fitted to the {way}: {proven(report)}")
            print(HEAD)
            for row in report.methods:
                print(line(row), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Print both traces."""
    first, text = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_traces(parser)
    parser.add_argument("--trace", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--capacities", type=float, nargs="+", default=(0.25, 0.5, 0.75))
    parser.add_argument("--of", dest="share", choices=SHARES, default="layer")
    parser.add_argument("--prefill", type=int, default=1, help="tokens of a window")
    parser.add_argument("--no-bypass", action="store_true", help="every miss is written")
    parser.add_argument("--time", type=float, default=3.0, help="of cp-sat, a pool, in its seconds")
    parser.add_argument("--rate", type=float, default=100.0, help="tokens a second")
    parser.add_argument("--dram", choices=DRAMS, default="hbm3", help="where experts come from")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.trace:
            config = Path(folder) / name / "config.json"
            config.parent.mkdir()
            config.write_text(json.dumps(MODELS[name]), encoding="utf-8")
            with Model(config) as model:
                tell(name, asked, model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
