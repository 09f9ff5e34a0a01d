"""What a chip's cells do to the numbers stored in them: programming error, read noise, drift."""

from dataclasses import dataclass
from typing import Literal

from ir.errors import InputError

MOST_PERCENT = 100.0


@dataclass(frozen=True)
class Noise:
    """Errors of the cells, where published; percentages are of the largest conductance.

    The largest weight of a column (or of the matrix) is stored as the largest conductance, so they
    are of the weight range too. Standard deviations of normal errors.

    scale: one scale for each column of a matrix, or one for the whole matrix.
    write_percent: programming error of a cell written to the largest conductance, drawn once.
    write_zero_percent, write_third_percent, write_two_thirds_percent: of one written to 0, 1/3 and
    2/3 of it; None = as at the largest. A cubic goes through the four.
    read_percent: of every device, at each read anew.
    drift_nu, drift_spread: mean and deviation of a device's exponent, conductance g at programming
    being g ((t + t0) / t0)^-nu after t seconds; drift_t0_s: t0.
    """

    scale: Literal["column", "matrix"] = "column"
    write_percent: float | None = None
    write_zero_percent: float | None = None
    write_third_percent: float | None = None
    write_two_thirds_percent: float | None = None
    read_percent: float | None = None
    drift_nu: float | None = None
    drift_spread: float | None = None
    drift_t0_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no cell can be."""
        for name in (
            "write_percent",
            "write_zero_percent",
            "write_third_percent",
            "write_two_thirds_percent",
            "read_percent",
        ):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= MOST_PERCENT:
                expected = f"0 to {MOST_PERCENT:g} percent of the largest conductance"
                raise InputError("chip", f"noise.{name}: {value}, expected {expected}")
        if self.drift_t0_s is not None and self.drift_t0_s <= 0:
            raise InputError("chip", f"noise.drift_t0_s: {self.drift_t0_s}, expected more than 0")

    @property
    def programming(self) -> tuple[float, float, float, float] | None:
        """Fractions of the largest conductance at 0, 1/3, 2/3 and 1 of it; None = not published."""
        full = self.write_percent
        if full is None:
            return None
        zero, third, two_thirds = (
            full if percent is None else percent
            for percent in (
                self.write_zero_percent,
                self.write_third_percent,
                self.write_two_thirds_percent,
            )
        )
        return zero / 100, third / 100, two_thirds / 100, full / 100
