"""What the analog circuits are like, as options of `moexbar accuracy`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ir.errors import InputError

if TYPE_CHECKING:
    from backends.functional.analog import Analog
    from ir.chip import Chip

CELLS = "Cells and converters"
NOISE = "Noise and drift"
CORRECTION = "Correction of drift"

AS_GIVEN = (  # settings that are passed on under their own names
    "weight_bits",
    "cell_bits",
    "input_bits",
    "dac_bits",
    "rows_per_read",
    "scale",
    "read_noise",
    "drift_nu",
    "drift_spread",
)

Bits = int | None
THE_CHIPS = "the chip's"
NU, SPREAD = "0.049", "0.008"  # of backends.functional.analog, which takes its time to import


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
    rows_per_read: Annotated[
        int | None,
        typer.Option(
            help="Rows read at once; the sums of each so many rows are converted on their own.",
            show_default=THE_CHIPS,
            rich_help_panel=CELLS,
        ),
    ] = None
    scale: Annotated[
        Literal["column", "matrix"] | None,
        typer.Option(
            help="One scale for each column of a matrix, or one for all of it.",
            show_default=THE_CHIPS,
            rich_help_panel=CELLS,
        ),
    ] = None
    weight_clip: Annotated[
        float,
        typer.Option(
            help="Cut weights beyond so many standard deviations; 0: none.", rich_help_panel=CELLS
        ),
    ] = 0
    programming_noise: Annotated[
        float | None,
        typer.Option(
            help="Error of each cell, as a part of the weight range; 0: none.",
            show_default=THE_CHIPS,
            rich_help_panel=NOISE,
        ),
    ] = None
    read_noise: Annotated[
        float | None,
        typer.Option(
            help="Of each device and read, as a part of the largest conductance.",
            show_default=THE_CHIPS,
            rich_help_panel=NOISE,
        ),
    ] = None
    drift_seconds: Annotated[
        float, typer.Option(help="Since programming.", rich_help_panel=NOISE)
    ] = 0
    drift_nu: Annotated[
        float | None,
        typer.Option(
            help="Mean exponent of the drift.",
            show_default=f"{THE_CHIPS}, or {NU}",
            rich_help_panel=NOISE,
        ),
    ] = None
    drift_spread: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the exponent.",
            show_default=f"{THE_CHIPS}, or {SPREAD}",
            rich_help_panel=NOISE,
        ),
    ] = None
    drift_compensation: Annotated[
        bool,
        typer.Option(
            help="Scale each tile's sums by what it has lost as a whole; the default.",
            show_default=False,
            rich_help_panel=CORRECTION,
        ),
    ] = True
    seed: Annotated[
        int, typer.Option(help="Of the errors: the first.", min=0, rich_help_panel=NOISE)
    ] = 0

    def settings(self, chip: "Chip") -> "Analog":
        """The chip's settings with these; InputError for what no circuit can be."""
        from backends.functional.analog import Analog

        given = (getattr(self, name) for name in AS_GIVEN)
        changes: dict[str, Any] = {
            name: value for name, value in zip(AS_GIVEN, given, strict=True) if value is not None
        }
        if self.programming_noise is not None:
            changes["programming_noise"] = (self.programming_noise,) * 4
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
            drift_s=self.drift_seconds,
            drift_compensated=self.drift_compensation,
            seed=self.seed,
        )


def _number(text: str, option: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        word = "ideal" if kind is int else "full"
        raise InputError(option, f"{text!r}, expected a number or {word}") from error
