"""`moexbar accuracy`: what bits, converters, noise and drift do to a compiled model's numbers."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ir.errors import InputError
from moexbar.cli.options import INPUTS, CompiledFolder, Json, flattened
from moexbar.console import bar, out, print_json, table

if TYPE_CHECKING:
    from backends.functional.analog import Analog
    from ir.chip import Chip
    from moexbar.report.quantised import AccuracyReport

CELLS = "Cells and converters"
NOISE = "Noise and drift"
CORRECTION = "Correction of drift"
SEQUENCES = "4"  # of moexbar.quantised, which takes its time to import

Bits = int | None
THE_CHIPS = "the chip's"


@dataclass
class AnalogOptions:
    """What the analog circuits are like; None: as the chip."""

    weight_bits: Annotated[
        Bits,
        typer.Option(help="Bits of a weight.", show_default=THE_CHIPS, rich_help_panel=CELLS),
    ] = None
    cell_bits: Annotated[
        Bits, typer.Option(help="Bits of one cell.", show_default=THE_CHIPS, rich_help_panel=CELLS)
    ] = None
    input_bits: Annotated[
        Bits,
        typer.Option(
            help="Bits of a vector's values.", show_default=THE_CHIPS, rich_help_panel=CELLS
        ),
    ] = None
    dac_bits: Annotated[
        Bits,
        typer.Option(
            help="Input bits applied in one cycle.", show_default=THE_CHIPS, rich_help_panel=CELLS
        ),
    ] = None
    adc_bits: Annotated[
        str | None,
        typer.Option(
            help="Bits of a converter, or `ideal`: it loses nothing.",
            metavar="INT|ideal",
            show_default=THE_CHIPS,
            rich_help_panel=CELLS,
        ),
    ] = None
    adc_range: Annotated[
        str,
        typer.Option(
            help="`full`: holds what all rows can give; or the percentage of each tile's "
            "sums, in calibration, that must fit.",
            metavar="PERCENT|full",
            rich_help_panel=CELLS,
        ),
    ] = "100"
    encoding: Annotated[
        Literal["chip", "differential", "offset"],
        typer.Option(help="How signed weights are stored.", rich_help_panel=CELLS),
    ] = "chip"
    weight_clip: Annotated[
        float,
        typer.Option(
            help="Cut weights beyond so many standard deviations; 0: none.", rich_help_panel=CELLS
        ),
    ] = 0
    read_noise: Annotated[
        float,
        typer.Option(
            help="Of each device and read, as a part of the largest conductance.",
            rich_help_panel=NOISE,
        ),
    ] = 0
    drift_seconds: Annotated[
        float, typer.Option(help="Since programming.", rich_help_panel=NOISE)
    ] = 0
    drift_nu: Annotated[
        float, typer.Option(help="Mean exponent of the drift.", rich_help_panel=NOISE)
    ] = 0.049
    drift_spread: Annotated[
        float,
        typer.Option(help="Standard deviation of the exponent.", rich_help_panel=NOISE),
    ] = 0.008
    drift_compensation: Annotated[
        bool,
        typer.Option(
            help="Scale each tile's sums by what it has lost as a whole; the default.",
            show_default=False,
            rich_help_panel=CORRECTION,
        ),
    ] = True
    seed: Annotated[int, typer.Option(help="Of noise and drift.", min=0, rich_help_panel=NOISE)] = 0

    def settings(self, chip: "Chip") -> "Analog":
        """The chip's settings with these; InputError for what no circuit can be."""
        from backends.functional.analog import Analog

        bits = ("weight_bits", "cell_bits", "input_bits", "dac_bits")
        changes: dict[str, Any] = {n: v for n in bits if (v := getattr(self, n)) is not None}
        if self.adc_bits is not None:
            ideal = self.adc_bits == "ideal"
            changes["adc_bits"] = None if ideal else _number(self.adc_bits, "--adc-bits", int)
        if self.adc_range != "full":
            changes["adc_range"] = _number(self.adc_range, "--adc-range", float)
        if self.encoding != "chip":
            changes["differential"] = self.encoding == "differential"
        return Analog.of(
            chip,
            **changes,
            weight_clip=self.weight_clip,
            read_noise=self.read_noise,
            drift_s=self.drift_seconds,
            drift_nu=self.drift_nu,
            drift_spread=self.drift_spread,
            drift_compensated=self.drift_compensation,
            seed=self.seed,
        )


RoutingKind = Annotated[
    Literal["free", "fixed"],
    typer.Option(
        help="free: the routers see quantised values; fixed: the program as it is.",
        rich_help_panel=INPUTS,
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(help="The model.", show_default="where `compile` read it", rich_help_panel=INPUTS),
]
Inputs = Annotated[
    Path | None,
    typer.Option(
        help="NPZ with model inputs; with free routing any.",
        show_default="those of `compile`",
        rich_help_panel=INPUTS,
    ),
]
Sequences = Annotated[
    int | None,
    typer.Option(
        help="Free routing: the first so many.",
        min=1,
        show_default=SEQUENCES,
        rich_help_panel=INPUTS,
    ),
]
Tokens = Annotated[
    int | None,
    typer.Option(
        help="Free routing: cut each sequence to so many.",
        min=2,
        show_default="all",
        rich_help_panel=INPUTS,
    ),
]


@flattened
def accuracy(
    folder: CompiledFolder,
    asked: AnalogOptions,
    routing: RoutingKind = "free",
    model: Model = None,
    inputs: Inputs = None,
    sequences: Sequences = None,
    tokens: Tokens = None,
    json: Json = False,
) -> None:
    """Compare a model on quantised crossbars with the float model.

    Errors of a value over all its elements: rms = root of (squared differences / squared float
    values); largest = max |difference| / max |float value|.

    Example: moexbar accuracy build/demo --weight-bits 6 --adc-bits 8 --sequences 8

    Example: moexbar accuracy build/demo --routing fixed --read-noise 0.01 --drift-seconds 86400
    """
    from moexbar.files.compiled import read_compiled
    from moexbar.quantised import accuracy as measure

    read = read_compiled(folder, model, inputs, any_inputs=routing == "free")
    chip = read.executable.chip
    with bar() as progress:
        found = measure(
            read,
            asked.settings(chip),
            routing=routing,
            sequences=sequences,
            tokens=tokens,
            progress=progress,
        )
    if json:
        print_json(found)
    else:
        _print(found, chip.title)


def _number(text: str, option: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        word = "ideal" if kind is int else "full"
        raise InputError(option, f"{text!r}, expected a number or {word}") from error


def _print(found: "AccuracyReport", chip: str) -> None:
    console = out()
    words = _words(found.settings)
    console.print(f"{chip}, {found.tokens} tokens, {found.routing} routing, {words}")
    shown = table("value", "layer", "rms error", "largest error")
    for error in found.errors:
        layer = str(error.layer) if error.layer >= 0 else ""
        shown.add_row(error.value, layer, f"{error.rms:.2e}", f"{error.largest:.2e}")
    console.print(shown)
    language = found.language
    if language is None:
        console.print(f"no perplexity: {found.no_language}")
    else:
        ours, theirs = (
            math.nan if value is None else value
            for value in (language.perplexity, language.float_perplexity)
        )
        console.print(f"most likely next token as in float: {language.top1_agreement:.2%}")
        console.print(
            f"perplexity {ours:.4f}, float {theirs:.4f} ({ours / theirs - 1:+.2%}), "
            f"{language.positions} positions"
        )
    if found.calibration:
        console.print(found.calibration)
    console.print(f"seed {found.settings.seed}")


def _words(settings: "Analog") -> str:
    """The settings in a line."""
    adc = "ideal converters"
    if settings.adc_bits is not None:
        wide = "full range" if settings.adc_range is None else f"{settings.adc_range:g} % range"
        adc = f"{settings.adc_bits}-bit converters ({wide})"
    words = [
        f"{settings.weight_bits}-bit weights in {settings.cell_bits}-bit "
        f"{'differential' if settings.differential else 'offset'} cells",
        f"{settings.input_bits}-bit inputs {settings.dac_bits} at a time",
        adc,
    ]
    if settings.weight_clip:
        words.append(f"weights cut at {settings.weight_clip:g} deviations")
    if settings.read_noise:
        words.append(f"read noise {settings.read_noise:g}")
    if settings.drift_s:
        made_up = "" if settings.drift_compensated else "not "
        words.append(f"{settings.drift_s:g} s of drift, {made_up}compensated")
    return ", ".join(words)
