"""Perplexity, energy and area against converter bits, rows per read, cell bits and kind of scale.

Each setting is a chip of its own: the shipped token-choice model is compiled for it, which gives
time, energy and area of a prefill of 128 tokens, and held-out text is run through its tiles with
the errors that the chip publishes, for several seeds, with free routing.

    python -m benchmarks.accuracy_sweep --plot docs/images/accuracy.svg
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backends.functional.analog import Analog
from benchmarks.quantised import Bench, compiled
from benchmarks.sweep_plot import Line, Panel, picture
from moexbar.figures.draw import draw, form_of

PREFILL = "128"
ALL = 0  # rows per read
ADC_BITS, ROWS, CELL_BITS = (8, 7, 6, 5, 4), (ALL, 64, 16), (8, 4, 2, 1)
SCALES = ("column", "matrix")


@dataclass(frozen=True)
class Setting:
    """rows: read at once, ALL = all of them."""

    adc_bits: int
    rows: int
    cell_bits: int
    scale: str

    @property
    def fields(self) -> dict[str, str]:
        """Of the chip."""
        out = {
            "mvm.adc_bits": str(self.adc_bits),
            "crossbar.cell_bits": str(self.cell_bits),
            "noise.scale": self.scale,
        }
        return out | ({} if self.rows == ALL else {"mvm.rows_per_read": str(self.rows)})


@dataclass(frozen=True)
class Found:
    """changes: perplexity of each seed over the float model's, less 1; time, energy, area."""

    setting: Setting
    perplexity: float
    changes: tuple[float, ...]
    time_us: float
    energy_uj: float
    area_mm2: float | None

    @property
    def change(self) -> float:
        """The mean over the seeds."""
        return sum(self.changes) / len(self.changes)


def settings() -> Iterator[Setting]:
    """Converter bits by rows per read, then cell bits by kind of scale."""
    for adc_bits in ADC_BITS:
        for rows in ROWS:
            yield Setting(adc_bits, rows, CELL_BITS[0], SCALES[0])
    for cell_bits in CELL_BITS:
        for scale in SCALES:
            if (cell_bits, scale) != (CELL_BITS[0], SCALES[0]):
                yield Setting(ADC_BITS[0], ALL, cell_bits, scale)


def measure(setting: Setting, chip: str, sequences: int, seeds: Sequence[int]) -> Found:
    """Compile the model for the chip so set, and run it."""
    words = [
        word for path, value in setting.fields.items() for word in ("--set", f"{path}={value}")
    ]
    with tempfile.TemporaryDirectory() as folder:
        read = compiled(chip, "token_choice", Path(folder), "--prefill", PREFILL, *words)
        report = json.loads((Path(folder) / chip / "report.json").read_text())["methods"][0]
        own = Analog.of(read.executable.chip, adc_range=100.0)
        bench = Bench(read, sequences)
        found = [bench.predictions(replace(own, seed=seed)) for seed in seeds]
    area = report["area_mm2"]["total"]
    return Found(
        setting,
        sum(one.perplexity for one in found) / len(found),
        tuple(one.perplexity / one.float_perplexity - 1 for one in found),
        report["time_ns"] / 1e3,
        report["energy_nj"]["total"] / 1e3,
        area,
    )


def row(found: Found) -> str:
    """A line of the table."""
    one, low, high = found.setting, min(found.changes), max(found.changes)
    area = "not published" if found.area_mm2 is None else f"{found.area_mm2:.1f}"
    cells = [
        one.adc_bits,
        "all" if one.rows == ALL else one.rows,
        one.cell_bits,
        one.scale,
        f"{found.perplexity:.3f}",
        f"{found.change:+.2%}",
        f"{low:+.2%} to {high:+.2%}",
        f"{found.time_us:.1f}",
        f"{found.energy_uj:.1f}",
        area,
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def panels(found: Sequence[Found]) -> tuple[Panel, Panel]:
    """Converter bits, a line for each number of rows; cell bits, a line for each kind of scale."""
    rows = [
        Line(
            "all rows at once" if rows == ALL else f"{rows} rows at once",
            [
                (one.setting.adc_bits, one.changes)
                for one in found
                if (one.setting.rows, one.setting.cell_bits, one.setting.scale)
                == (rows, CELL_BITS[0], SCALES[0])
            ],
        )
        for rows in ROWS
    ]
    scales = [
        Line(
            f"a scale per {scale}",
            [
                (one.setting.cell_bits, one.changes)
                for one in found
                if (one.setting.rows, one.setting.adc_bits, one.setting.scale)
                == (ALL, ADC_BITS[0], scale)
            ],
        )
        for scale in SCALES
    ]
    return Panel("bits of a converter", ADC_BITS, rows), Panel("bits of a cell", CELL_BITS, scales)


def main(argv: list[str] | None = None) -> int:
    """Print the table and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chip", default="hermes-mux2")
    parser.add_argument("--sequences", type=int, default=4, help="of 512 tokens each")
    parser.add_argument("--seeds", type=int, default=3, help="drawings of the errors: 0, 1, ..")
    parser.add_argument("--plot", type=Path, help="a file to draw into: .svg, .png or .pdf")
    args = parser.parse_args(argv)
    start, found = time.perf_counter(), list[Found]()
    print(f"{args.chip}, {args.sequences} sequences, seeds 0 to {args.seeds - 1}\n")
    print(
        "| ADC bits | rows per read | cell bits | scale | perplexity | change | its range "
        "| time us | energy uJ | area mm2 |\n|" + "---|" * 10
    )
    for setting in settings():
        found.append(measure(setting, args.chip, args.sequences, range(args.seeds)))
        print(row(found[-1]), flush=True)
    if args.plot is not None:
        title = f"perplexity over the float model's, {args.chip}: mean and range of seeds"
        args.plot.write_bytes(draw(picture(title, panels(found)), form_of(args.plot)))
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
