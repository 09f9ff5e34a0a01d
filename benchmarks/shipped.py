"""The shipped models by every method at several mux: a prefill of 128 tokens, gains with bands.

    python -m benchmarks.shipped [--models token_choice ...] [--chips hermes-mux4 ...] [--draws 8]

A range of a gain: from the least to the largest of one assumed number at an end of its band, and
of `--draws` draws of all of them, with the same groups and slot order.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import moexbar as mx
from moexbar.report.banded import FigureRow
from moexbar.report.methods import MethodRow

MODELS = Path(__file__).parents[1] / "examples" / "models"
PREFILL = 128
GAINS = {"sharing": "sharing", "over_paper": "over the paper's method"}


def method_row(chip: str, row: MethodRow) -> str:
    """One method's figures as a line of the table."""
    area = [row.area_mm2.total, row.moe_gops_per_mm2.value, row.gops_per_w_mm2.value]
    figures = [row.time_ns / 1e3, row.energy_nj.total / 1e3, *area]
    told = ["-" if one is None else f"{one:.4g}" for one in figures]
    return f"| {' | '.join([chip, row.method, str(row.slots), str(row.transfers), *told])} |"


def gain_row(chip: str, figure: FigureRow) -> str:
    """A gain with both of its ranges as a line of the table."""
    ranges = [
        "-" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
        for one in (figure.one_at_a_time, figure.together)
    ]
    value = "-" if figure.value is None else f"{figure.value:.3f}"
    return f"| {chip} | {GAINS[figure.name]} | {' | '.join([value, *ranges])} | {figure.most} |"


def tables(name: str, chips: Sequence[str], draws: int) -> Iterator[str]:
    """Lines of both tables of a model."""
    model = mx.open_model(MODELS / f"{name}.onnx")
    gains: list[str] = []
    yield f"| {name} on | method | slots | transfers | us | uJ | mm2 | MoE GOPS/mm2 | GOPS/W/mm2 |"
    yield "|---" * 9 + "|"
    for chip in chips:
        done = mx.compile(model, chip, inputs=MODELS / "heldout.npz", prefill=PREFILL)
        for row in done.report.methods:
            if isinstance(row, MethodRow):
                yield method_row(chip, row)
        found = mx.with_bands(done, draws=draws).report.bands
        for figure in found.figures if found else ():
            if figure.name in GAINS:
                gains.append(gain_row(chip, figure))
    yield ""
    yield f"| {name} on | moexbar's MoE GOPS/mm2 | x | one at a time | {draws} draws | most by |"
    yield "|---" * 6 + "|"
    yield from gains


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["token_choice", "expert_choice"]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    chips = ["hermes-mux2", "hermes-mux4", "hermes-mux8"]
    parser.add_argument("--chips", nargs="+", default=chips)
    parser.add_argument("--draws", type=int, default=8)
    asked = parser.parse_args(argv)
    for name in asked.models:
        for line in tables(name, asked.chips, asked.draws):
            print(line, flush=True)
        print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
