"""What converters, rows and cells cost: one program on chips with other settings of them.

    python -m benchmarks.converter_sweep [--plot docs/images/converters.svg]

The shipped token-choice model, a prefill of 32 tokens of its held-out text, contiguous groups,
slots without gaps, placed in order: compiled anew for every setting, so that time, energy and area
are those of a verified program. A setting changes alone; the others stay as the preset has them.
In `lossless` the rows of a read change, and converters have the bits that lose nothing of them.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import moexbar
from backends.cost import CostReport, cost
from benchmarks.converter_plot import Panel, picture
from compiler.options import GroupingOptions, Options, PlacementOptions, Shape, SlotOptions
from compiler.pipeline import compile_model
from ir.chip import Chip
from ir.converters import MOST, adcs, lossless_bits
from ir.routing import Routing
from ir.workload import Workload
from moexbar.chips import load_chip

CHIPS = ("neurosim", "isaac", "hermes")
TOKENS = 32
LOSSLESS = "mvm.rows_per_read, lossless"
SETTINGS = {
    "mvm.columns_per_adc": (1, 2, 4, 8, 16, 32, 64, 128),
    "mvm.adc_bits": (4, 5, 6, 7, 8, 9, 10),
    "mvm.rows_per_read": (8, 16, 32, 64, 128, 256),
    LOSSLESS: (8, 16, 32, 64, 128, 256),
    "crossbar.cell_bits": (1, 2, 4, 8),
}
MODELS = Path(__file__).parent.parent / "examples" / "models"


@dataclass(frozen=True)
class Point:
    """One setting on one chip: adc bits, bits that lose nothing, converters, and the figures."""

    value: int
    bits: int | None
    lossless: int
    adcs: int
    figures: CostReport

    @property
    def gops_per_mm2(self) -> float:
        """2 x MACs over time over area."""
        area = self.figures.area.total_um2 / 1e6
        return 2000 * self.figures.macs / self.figures.time_ps / area


def options() -> Options:
    """No search, so that settings alone differ."""
    return Options(
        Shape(TOKENS),
        fit=(0, 4096),
        score=(4096, 8192),
        grouping=GroupingOptions("contiguous"),
        slots=SlotOptions("compact"),
        placement=PlacementOptions("in-order"),
    )


def sweep(workload: Workload, routing: Routing, name: str, path: str) -> Iterator[Point]:
    """The program with each value of a setting that the chip's crossbar has room for."""
    own = load_chip(name)
    for value in SETTINGS[path]:
        if _means_nothing(own, path, value):
            continue
        chip = load_chip(name, {path.partition(",")[0]: value})
        if path == LOSSLESS:
            bits = lossless_bits(chip)
            if bits > MOST:
                continue
            chip = load_chip(name, {"mvm.rows_per_read": value, "mvm.adc_bits": bits})
        done = compile_model(workload, routing, chip, options())
        found = chip.mvm.adc_bits, lossless_bits(chip), adcs(chip)
        yield Point(value, *found, cost(done.program, chip))


def _means_nothing(chip: Chip, path: str, value: int) -> bool:
    """More rows or columns than there are, or cells of more bits than a weight."""
    rows, columns, bits = chip.crossbar.rows, chip.crossbar.columns, chip.crossbar.weight_bits
    most = {"mvm.columns_per_adc": columns, "mvm.rows_per_read": rows, "crossbar.cell_bits": bits}
    return value > most.get(path.partition(",")[0], value)


def own_value(name: str, path: str) -> int:
    """What the preset has: all rows where it says so."""
    chip = load_chip(name)
    table, _, key = path.partition(",")[0].partition(".")
    found = getattr(getattr(chip, table), key)
    return chip.crossbar.rows if found is None else int(found)


def table(name: str, path: str, points: Sequence[Point]) -> Iterator[str]:
    """Rows of Markdown: the preset's own setting with *, the best of each efficiency in bold."""
    yield f"| {path} on `{name}` | ADCs | bits / lossless | us | uJ | mm2 | GOPS/mm2 | GOPS/W/mm2 |"
    yield "|---|---|---|---|---|---|---|---|"
    dense = max(point.gops_per_mm2 for point in points)
    frugal = max(point.figures.gops_per_w_mm2 or 0 for point in points)
    for point in points:
        figures, per_mm2 = point.figures, point.gops_per_mm2
        per_watt = figures.gops_per_w_mm2 or 0
        star = "*" * (point.value == own_value(name, path))
        cells = (
            f"{point.value}{star}",
            f"{point.adcs}",
            f"{point.bits} / {point.lossless}",
            f"{figures.time_ps / 1e6:.2f}",
            f"{figures.energy.total_fj / 1e9:.2f}",
            f"{figures.area.total_um2 / 1e6:.2f}",
            _bold(f"{per_mm2:.3g}", marked=per_mm2 == dense),
            _bold(f"{per_watt:.3g}", marked=per_watt == frugal),
        )
        yield f"| {' | '.join(cells)} |"


def _bold(text: str, *, marked: bool) -> str:
    return f"**{text}**" if marked else text


def panel(name: str, path: str, points: Sequence[Point]) -> Panel:
    """Time, energy and area over those with the preset's own setting, and the best efficiency."""
    own = min(points, key=lambda point: abs(point.value - own_value(name, path))).figures
    best = max(points, key=lambda point: point.figures.gops_per_w_mm2 or 0)
    return Panel(
        title=f"{name}: {path}",
        values=tuple(point.value for point in points),
        lines={
            "time": tuple(p.figures.time_ps / own.time_ps for p in points),
            "energy": tuple(p.figures.energy.total_fj / own.energy.total_fj for p in points),
            "area": tuple(p.figures.area.total_um2 / own.area.total_um2 for p in points),
        },
        own=own_value(name, path),
        best=best.value,
    )


def main(argv: list[str] | None = None) -> int:
    """Print the tables, and draw them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chips", nargs="+", default=CHIPS)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args(argv)
    panels: list[list[Panel]] = []
    with moexbar.open_model(MODELS / "token_choice.onnx") as model:
        workload = model.workload(tokens=TOKENS, batch=1)
        routing = moexbar.profile(model, MODELS / "heldout.npz")
        for path in SETTINGS:
            panels.append([])
            for name in given.chips:
                points = list(sweep(workload, routing, name, path))
                if not points:
                    continue
                panels[-1].append(panel(name, path, points))
                print("\n".join(table(name, path, points)), flush=True)
                print(flush=True)
    if given.plot:
        given.plot.write_text(picture(panels), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
