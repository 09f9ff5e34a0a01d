"""What `moexbar accuracy` tells: how far quantised values are from the float model's."""

from dataclasses import dataclass
from typing import Literal

from backends.functional.analog import Analog
from moexbar.report.plain import Document


@dataclass(frozen=True)
class ErrorRow:
    """One value's error over all its elements.

    value: name in the model.
    layer: decoder layer; -1 outside all.
    rms: root of (squared differences / squared float values).
    largest: max |difference| / max |float value|.
    """

    value: str
    layer: int
    rms: float
    largest: float


@dataclass(frozen=True)
class LanguageRow:
    """What that does to a language model.

    positions: tokens whose next one is known.
    top1_agreement: share of tokens whose most likely next one is the float model's.
    perplexity: quantised.
    float_perplexity: of the float model on the same tokens.
    """

    positions: int
    top1_agreement: float
    perplexity: float | None
    float_perplexity: float | None


@dataclass(frozen=True)
class AccuracyReport(Document):
    """A model on quantised crossbars: `moexbar accuracy --json`.

    routing: free, the routers see quantised values, or fixed, the program as it is.
    settings: of the analog circuits.
    calibration: on what converters were calibrated; null where they were not.
    tokens: that were looked at.
    errors: of each layer's last value, the MoE layers' and the outputs.
    language: of a language model; null where the model is none.
    no_language: why not; null where it is one.
    """

    routing: Literal["free", "fixed"]
    settings: Analog
    calibration: str | None
    tokens: int
    errors: tuple[ErrorRow, ...]
    language: LanguageRow | None
    no_language: str | None
