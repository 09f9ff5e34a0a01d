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
    rms: root of (squared differences / squared float values), mean over the seeds.
    largest: max |difference| / max |float value|, the largest of the seeds.
    """

    value: str
    layer: int
    rms: float
    largest: float


@dataclass(frozen=True)
class LanguageRow:
    """What that does to a language model: means over the seeds.

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
class SeedRow:
    """What one drawing of the errors gives.

    seed: of it.
    rms: error of the model's last value, as of ErrorRow.
    perplexity: null where the model is no language model.
    top1_agreement: as of LanguageRow; null there too.
    """

    seed: int
    rms: float
    perplexity: float | None
    top1_agreement: float | None


@dataclass(frozen=True)
class DigitalExpertRow:
    """A routed expert that digital units compute, and what one token costs there.

    layer: decoder layer.
    expert: its number.
    rms: change of the model's last output when this expert alone has errors, in parts of it.
    macs: multiply-accumulates.
    weight_bytes: of its matrices, which come from DRAM at every token.
    digital_ns: of reading and multiplying.
    digital_nj: of both.
    crossbar_ns: of its MVMs on the crossbars that it leaves.
    crossbar_nj: of these.
    crossbars: that it leaves, of all its copies.
    """

    layer: int
    expert: int
    rms: float
    macs: int
    weight_bytes: int
    digital_ns: float
    digital_nj: float
    crossbar_ns: float
    crossbar_nj: float
    crossbars: int


@dataclass(frozen=True)
class AccuracyReport(Document):
    """A model on quantised crossbars: `moexbar accuracy --json`.

    routing: free, the routers see quantised values, or fixed, the program as it is.
    settings: of the analog circuits, with the first seed.
    not_published: errors of cells that the chip states nothing of, and none was given: they are 0.
    calibration: on what converters were calibrated; null where they were not.
    tokens: that were looked at.
    errors: of each layer's last value, the MoE layers' and the outputs.
    language: of a language model; null where the model is none.
    no_language: why not; null where it is one.
    seeds: every drawing of the errors on its own.
    digital: the routed experts that are multiplied digitally, the most sensitive first.
    """

    routing: Literal["free", "fixed"]
    settings: Analog
    not_published: tuple[str, ...]
    calibration: str | None
    tokens: int
    errors: tuple[ErrorRow, ...]
    language: LanguageRow | None
    no_language: str | None
    seeds: tuple[SeedRow, ...]
    digital: tuple[DigitalExpertRow, ...]
