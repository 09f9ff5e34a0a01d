"""Perplexity of the shipped token-choice model through quantised crossbars, with free routing.

Compiles the model for a chip, then runs held-out text through its placed tiles for every choice of
weight, cell and converter bits with exact cells, and with the chip's bits for errors of the cells,
each for several seeds. The float model runs on the same tokens.

    python -m benchmarks.quantised
    python -m benchmarks.quantised --chip isaac --cell-bits 2 --adc-range full --no-noise
"""

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backends.functional.analog import Analog
from backends.functional.deviation import Deviation, Predictions
from backends.functional.free import run_free
from moexbar.__main__ import main as moexbar
from moexbar.files.compiled import CompiledFolder, read_compiled
from moexbar.quantised import Quantised

MODELS = Path(__file__).parents[1] / "examples" / "models"
HOUR, DAY = 3600.0, 86400.0
OWN: dict[str, Any] = {"programming_noise": None, "read_noise": None}
NOISE: tuple[tuple[str, dict[str, Any]], ...] = (  # None of a field: the chip's own
    ("exact cells", {}),
    ("read noise", {"read_noise": None}),
    ("read noise 0.01", {"read_noise": 0.01}),
    ("programming error", {"programming_noise": None}),
    ("programming error, one scale for a matrix", {"programming_noise": None, "scale": "matrix"}),
    ("programming error 4.75 %", {"programming_noise": (0.0475,) * 4}),
    (
        "programming error 4.75 %, one scale for a matrix",
        {"programming_noise": (0.0475,) * 4, "scale": "matrix"},
    ),
    ("both, the chip's", OWN),
    ("both, drift of 1 hour", {**OWN, "drift_s": HOUR}),
    ("both, drift of 1 day", {**OWN, "drift_s": DAY}),
    ("both, drift of 30 days", {**OWN, "drift_s": 30 * DAY}),
    (
        "both, drift of 30 days, not compensated",
        {**OWN, "drift_s": 30 * DAY, "drift_compensated": False},
    ),
)


def compiled(chip: str, model: str, folder: Path, *more: str) -> CompiledFolder:
    """The shipped model on a chip; how it is grouped does not matter to its numbers."""
    words = [
        "compile",
        str(MODELS / f"{model}.onnx"),
        "--chip",
        chip,
        "-o",
        str(folder / chip),
        "--inputs",
        str(MODELS / "heldout.npz"),
        "--grouping",
        "sorted",
        "--no-baselines",
        "--no-verify",
        *more,
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        code = moexbar(words)
    if code:
        raise SystemExit(code)
    return read_compiled(folder / chip)


class Bench:
    """The float model's values of the first sequences, and what settings make of them."""

    def __init__(self, read: CompiledFolder, sequences: int) -> None:
        """Run the float model."""
        self.model, self.scored = Quantised(read), range(sequences)
        self.runs = self.model.runs(self.scored)
        self._names = Deviation.of(read.executable.workload, self.model.ids, self.runs[0]).errors
        self._float = [self._kept(self.model.float_values([run])[0]) for run in self.runs]

    def _kept(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in self._names}

    def predictions(self, settings: Analog) -> Predictions:
        """Of the quantised model, its routers seeing quantised values."""
        model, workload = self.model, self.model.read.executable.workload
        crossbars, _ = model.crossbars(settings, self.scored)
        found = Deviation.of(workload, model.ids, self.runs[0])
        for run, theirs in zip(self.runs, self._float, strict=True):
            found.add_run(run, run_free(model.nodes, workload, run, crossbars), theirs)
        if found.language is None:
            raise SystemExit(found.why_not)
        return found.language


def bits_table(bench: Bench, args: argparse.Namespace, percent: float | None) -> None:
    """Perplexity: weight bits and cell bits down, converter bits across.

    Cells of more bits than a weight has are as good as cells of just as many: one line for both.
    """
    print("| weight bits | cell bits | ideal ADC | " + " | ".join(map(str, args.adc_bits)) + " |")
    print("|---" * (3 + len(args.adc_bits)) + "|")
    for weight_bits in args.weight_bits:
        chip = bench.model.read.executable.chip
        base = Analog.of(chip, weight_bits=weight_bits).without_noise
        width = weight_bits - int(base.differential)
        alike: dict[int, list[int]] = {}
        for cell_bits in args.cell_bits:
            alike.setdefault(min(cell_bits, width), []).append(cell_bits)
        ideal = bench.predictions(replace(base, adc_bits=None, adc_range=None))
        for cells in alike.values():
            found = [ideal]
            for bits in args.adc_bits:
                chosen = replace(base, cell_bits=cells[-1], adc_bits=bits, adc_range=percent)
                found.append(bench.predictions(chosen))
            words = [f"{f.perplexity:.3f} ({_change(f)})" for f in found]
            print(
                " | ".join(["", str(weight_bits), _listed(cells), *words, ""]).strip(), flush=True
            )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(n) for n in numbers)


def _change(found: Predictions) -> str:
    return f"{found.perplexity / found.float_perplexity - 1:+.2%}"


def noise_table(bench: Bench, own: Analog, seeds: int) -> None:
    """Errors of the cells with the chip's own bits: mean and range over the seeds."""
    print("| | perplexity | change | its range | top-1 as in float |\n|---|---|---|---|---|")
    for name, changes in NOISE:
        given = {n: getattr(own, n) if v is None else v for n, v in changes.items()}
        chosen = replace(own.without_noise, **given)
        count = 1 if chosen.exact else seeds
        found = [bench.predictions(replace(chosen, seed=seed)) for seed in range(count)]
        ours = [one.perplexity / one.float_perplexity - 1 for one in found]
        mean = float(np.mean([one.perplexity for one in found]))
        agreed = float(np.mean([one.agreement for one in found]))
        wide = f"{min(ours):+.2%} to {max(ours):+.2%}" if count > 1 else ""
        print(f"| {name} | {mean:.3f} | {np.mean(ours):+.2%} | {wide} | {agreed:.1%} |", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chip", default="hermes-mux2")
    parser.add_argument("--model", default="token_choice")
    parser.add_argument("--sequences", type=int, default=16, help="of 512 tokens each")
    parser.add_argument("--weight-bits", type=int, nargs="+", default=[8, 6, 5, 4, 3])
    parser.add_argument("--cell-bits", type=int, nargs="+", default=[8, 4, 2, 1])
    parser.add_argument("--adc-bits", type=int, nargs="+", default=[10, 8, 7, 6])
    parser.add_argument("--adc-range", default="100", help="full, or percent as in `accuracy`")
    parser.add_argument("--seeds", type=int, default=3, help="drawings of the errors: 0, 1, ..")
    parser.add_argument("--no-noise", action="store_true", help="only the first table")
    parser.add_argument("--no-bits", action="store_true", help="only the second table")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        read = compiled(args.chip, args.model, Path(folder))
        bench = Bench(read, args.sequences)
        own = Analog.of(read.executable.chip)
        percent = None if args.adc_range == "full" else float(args.adc_range)
        found = bench.predictions(replace(own.without_noise, adc_bits=None, adc_range=None))
        print(
            f"{args.model} on {args.chip}, {found.tokens} tokens, {found.scored} positions: float "
            f"perplexity {found.float_perplexity:.4f} "
            f"({np.log(found.float_perplexity):.4f} nats per byte)\n"
            f"{own.input_bits}-bit inputs {own.dac_bits} at a time, "
            f"{'differential' if own.differential else 'offset'} cells, converter range "
            f"{args.adc_range}, free routing\n"
        )
        if not args.no_bits:
            bits_table(bench, args, percent)
        if not args.no_noise:
            print(f"\nseeds 0 to {args.seeds - 1}")
            noise_table(bench, replace(own, adc_range=percent), args.seeds)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
