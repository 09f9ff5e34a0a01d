"""What the analog circuits of a crossbar do to a product: the settings of quantised execution."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from ir.chip import Chip
from ir.errors import InputError
from ir.workload import Weight

# Of the fit to PCM devices in IBM's aihwkit (PCMLikeNoiseModel, after Nandakumar et al., ICECS
# 2019): g(t) = g * ((t + t0) / t0) ^ -nu. Mean and spread of nu are its values for the largest
# conductance; small ones drift more there, up to 0.1 and 0.045. For chips that publish no drift.
DRIFT_T0_S = 20.0
DRIFT_NU = 0.049
DRIFT_SPREAD = 0.008

NO_ERROR = (0.0, 0.0, 0.0, 0.0)

MOST_BITS = 16  # of weights and inputs: sums of up to 2^21 rows are then exact in float64


@dataclass(frozen=True)
class Analog:
    """Bits, converters, noise and drift.

    weight_bits: integers of at most +-(2^(weight_bits - 1) - 1), by `scale`.
    cell_bits: of one cell; a weight is spread over as many slices as it needs.
    differential: a slice is the difference of two cells, subtracted before the converter; else half
        the range is added to weights and taken away again digitally.
    input_bits: as weight_bits, one scale per vector.
    dac_bits: of an input applied at a time, the lowest first.
    adc_bits: None = converters that lose nothing.
    adc_range: None = what all rows of a crossbar give at most, so that nothing is clipped; or the
        percentage of the sums seen in calibration that a tile's converters must hold, larger ones
        being clipped.
    rows_per_read: rows read at once, each group of so many rows converted on its own; None = all.
    weight_clip: weights beyond so many standard deviations of their tile's are cut; 0 = none.
    scale: of weights: one for each column of a matrix, or one for the whole matrix.
    programming_noise: standard deviation of a cell's error, drawn once, as a fraction of the
        largest conductance (which a column's largest weight has): of cells at 0, 1/3, 2/3 and all
        of it, a cubic between; all 0 = none.
    read_noise: standard deviation at each read, as a fraction of the largest conductance, of every
        device.
    drift_s: seconds since programming.
    drift_nu: mean exponent of a device's drift.
    drift_spread: its standard deviation.
    drift_t0_s: seconds from programming to the first read, before which nothing drifts.
    drift_compensated: a tile's sums are scaled by what it has lost as a whole.
    seed: of noise and drift.
    """

    weight_bits: int
    cell_bits: int
    differential: bool
    input_bits: int
    dac_bits: int
    adc_bits: int | None = None
    adc_range: float | None = None
    rows_per_read: int | None = None
    weight_clip: float = 0.0
    scale: Literal["column", "matrix"] = "column"
    programming_noise: tuple[float, float, float, float] = NO_ERROR
    read_noise: float = 0.0
    drift_s: float = 0.0
    drift_nu: float = DRIFT_NU
    drift_spread: float = DRIFT_SPREAD
    drift_t0_s: float = DRIFT_T0_S
    drift_compensated: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no circuit can be."""
        self._whole("weight_bits", self.weight_bits, 2, MOST_BITS)
        self._whole("input_bits", self.input_bits, 2, MOST_BITS)
        self._whole("cell_bits", self.cell_bits, 1, MOST_BITS)
        self._whole("dac_bits", self.dac_bits, 1, MOST_BITS)
        if self.adc_bits is not None:
            self._whole("adc_bits", self.adc_bits, 2, 32)
        if self.rows_per_read is not None and self.rows_per_read < 1:
            raise InputError("rows_per_read", f"{self.rows_per_read}, expected at least 1")
        if self.adc_range is not None and not 0 < self.adc_range <= 100:
            raise InputError("adc_range", f"{self.adc_range}, expected full or 0 < percent <= 100")
        for name in ("weight_clip", "read_noise", "drift_s", "drift_nu", "drift_spread"):
            if not 0 <= (value := getattr(self, name)) < 1e12:
                raise InputError(name, f"{value}, expected a number of at least 0")
        if not 0 < self.drift_t0_s < 1e12:
            raise InputError("drift_t0_s", f"{self.drift_t0_s}, expected more than 0")
        if not all(0 <= sigma <= 1 for sigma in self.programming_noise):
            found = ", ".join(f"{sigma:g}" for sigma in self.programming_noise)
            raise InputError("programming_noise", f"{found}, expected fractions of 0 to 1")

    def _whole(self, name: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            raise InputError(name, f"{value}, expected {low} to {high}")

    @classmethod
    def of(cls, chip: Chip, **changes: Any) -> "Analog":
        """The settings of a chip; `changes` are fields that differ.

        Errors that the chip does not publish are none; drift is then that of the constants above,
        and none before drift_s is given.
        """
        noise = chip.noise
        own: dict[str, Any] = {
            "weight_bits": chip.crossbar.weight_bits,
            "cell_bits": chip.crossbar.cell_bits,
            "differential": chip.crossbar.differential or chip.crossbar.signed_cells,
            "input_bits": chip.mvm.input_bits,
            "dac_bits": chip.mvm.dac_bits,
            "adc_bits": chip.mvm.adc_bits,
            "rows_per_read": chip.mvm.rows_per_read,
            "scale": noise.scale,
            "programming_noise": noise.programming or NO_ERROR,
            "read_noise": (noise.read_percent or 0.0) / 100,
        }
        if noise.drift_nu is not None:
            own["drift_nu"] = noise.drift_nu
            own["drift_spread"] = noise.drift_spread or 0.0
            own["drift_t0_s"] = noise.drift_t0_s or DRIFT_T0_S
        return cls(**(own | changes))

    @property
    def stored_bits(self) -> int:
        """Bits of a weight that its slices share: without the sign where cells are differential."""
        return self.weight_bits - int(self.differential)

    @property
    def slices(self) -> int:
        """Slices of a weight."""
        return -(-self.stored_bits // self.cell_bits)

    def of_weight(self, weight: Weight) -> "Analog":
        """The same for one matrix: it has no more bits than the model stores.

        A ternary one has two, its sign among them, in differential cells on any chip.
        """
        if weight.format == "ternary":
            return replace(self, weight_bits=2, differential=True, weight_clip=0.0)
        return replace(self, weight_bits=max(2, min(weight.bits, self.weight_bits)))

    @property
    def exact(self) -> bool:
        """Whether every read gives the integer sum: no errors of cells, no noise and no drift."""
        return self.read_noise == 0 and self.drift_s == 0 and not any(self.programming_noise)

    @property
    def without_noise(self) -> "Analog":
        """The same with exact cells: what bits and converters alone do."""
        return replace(self, programming_noise=NO_ERROR, read_noise=0.0, drift_s=0.0)

    def rows_at_once(self, rows: int) -> int:
        """Rows of a crossbar of so many that one conversion adds up."""
        return rows if self.rows_per_read is None else min(rows, self.rows_per_read)
