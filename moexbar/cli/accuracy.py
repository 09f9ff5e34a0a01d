"""`moexbar accuracy`: what bits, converters, noise and drift do to a compiled model's numbers."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moexbar.cli.analog_options import NOISE, AnalogOptions
from moexbar.cli.options import INPUTS, CompiledFolder, Json, Unchecked, flattened
from moexbar.console import bar, out, print_json, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backends.functional.analog import Analog
    from moexbar.console import Fitting
    from moexbar.report.quantised import AccuracyReport, DigitalExpertRow

SEQUENCES = "4"  # of moexbar.quantised, which takes its time to import

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
Seeds = Annotated[
    int,
    typer.Option(
        help="Drawings of the errors, from --seed on: mean and range.",
        min=1,
        rich_help_panel=NOISE,
    ),
]
DigitalExperts = Annotated[
    int,
    typer.Option(
        help="Routed experts that digital units compute: those that suffer most from errors, "
        "measured on sequences that are not scored.",
        min=0,
        rich_help_panel=NOISE,
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
    seeds: Seeds = 1,
    digital_experts: DigitalExperts = 0,
    unchecked: Unchecked = False,
    json: Json = False,
) -> None:
    """Compare a model on quantised crossbars with the float model.

    Errors of a value over all its elements: rms = root of (squared differences / squared float
    values); largest = max |difference| / max |float value|. Programming error and read noise are
    those that the chip publishes.

    Example: moexbar accuracy build/demo --seeds 5

    Example: moexbar accuracy build/demo --weight-bits 6 --adc-bits 8 --sequences 8

    Example: moexbar accuracy build/demo --routing fixed --read-noise 0.01 --drift-seconds 86400
    """
    from moexbar.files.compiled import read_compiled
    from moexbar.quantised import accuracy as measure

    any_inputs = routing == "free"
    read = read_compiled(folder, model, inputs, any_inputs=any_inputs, unchecked=unchecked)
    chip = read.executable.chip
    with bar() as progress:
        found = measure(
            read,
            asked.settings(chip),
            routing=routing,
            sequences=sequences,
            tokens=tokens,
            seeds=seeds,
            digital_experts=digital_experts,
            progress=progress,
        )
    if json:
        print_json(found)
    else:
        _print(found, chip.title)


def _print(found: "AccuracyReport", chip: str) -> None:
    console = out()
    words = _words(found.settings)
    console.print(f"{chip}, {found.tokens} tokens, {found.routing} routing, {words}")
    shown = table("value", "layer", "rms error", "largest error")
    for error in found.errors:
        layer = str(error.layer) if error.layer >= 0 else ""
        shown.add_row(error.value, layer, f"{error.rms:.2e}", f"{error.largest:.2e}")
    console.print(shown)
    for line in _of_language(found):
        console.print(line)
    if found.digital:
        console.print(_digital(found.digital))
    if found.not_published:
        missing = " and no ".join(found.not_published)
        console.print(f"the chip's sources state no {missing}: none is simulated")
    if found.calibration:
        console.print(found.calibration)
    first, last = found.seeds[0].seed, found.seeds[-1].seed
    console.print(f"seed {first}" if first == last else f"seeds {first} to {last}")


def _digital(rows: "Sequence[DigitalExpertRow]") -> "Fitting":
    """The experts that digital units compute; time and energy are of one token."""
    shown = table(
        "digital expert", "rms alone", "KiB", "digital ns", "digital nJ", "MVM ns", "MVM nJ", "free"
    )
    for row in rows:
        shown.add_row(
            f"layer {row.layer}, {row.expert}",
            f"{row.rms:.2e}",
            f"{row.weight_bytes / 1024:.1f}",
            f"{row.digital_ns:.0f}",
            f"{row.digital_nj:.1f}",
            f"{row.crossbar_ns:.0f}",
            f"{row.crossbar_nj:.1f}",
            str(row.crossbars),
        )
    return shown


def _of_language(found: "AccuracyReport") -> list[str]:
    """Lines on a language model's predictions, with the range over several seeds."""
    language = found.language
    if language is None:
        return [f"no perplexity: {found.no_language}"]
    ours, theirs = (
        math.nan if value is None else value
        for value in (language.perplexity, language.float_perplexity)
    )
    each = [row.perplexity for row in found.seeds if row.perplexity is not None]
    change = f"{ours / theirs - 1:+.2%}"
    wide = ""
    if len(found.seeds) > 1 and each:
        low, high = min(each), max(each)
        wide = f" ({low:.4f} to {high:.4f} over {len(each)} seeds)"
        change += f": {low / theirs - 1:+.2%} to {high / theirs - 1:+.2%}"
    return [
        f"most likely next token as in float: {language.top1_agreement:.2%}",
        f"perplexity {ours:.4f}{wide}, float {theirs:.4f} ({change}), "
        f"{language.positions} positions",
    ]


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
    if settings.scale == "matrix":
        words.append("one scale for a matrix")
    if settings.rows_per_read is not None:
        words.append(f"{settings.rows_per_read} rows at a time")
    if settings.weight_clip:
        words.append(f"weights cut at {settings.weight_clip:g} deviations")
    if any(settings.programming_noise):
        each = [f"{100 * sigma:.3g}" for sigma in settings.programming_noise]
        one = each[0] if len(set(each)) == 1 else f"{', '.join(each)} at 0, 1/3, 2/3, 1"
        words.append(f"programming error {one} % of the range")
    if settings.read_noise:
        words.append(f"read noise {settings.read_noise:g}")
    if settings.drift_s:
        made_up = "" if settings.drift_compensated else "not "
        words.append(f"{settings.drift_s:g} s of drift, {made_up}compensated")
    return ", ".join(words)
