"""What becomes of the numbers written into a tile's cells: programming error, then drift."""

import numpy as np

from backends.functional.analog import Analog
from ir.arrays import Array


def write_sigma(part: Array, at: tuple[float, float, float, float]) -> Array:
    """Programming error of cells at `part` of the largest conductance: the cubic through `at`.

    at: standard deviations of cells at 0, 1/3, 2/3 and 1; also what comes out, as those are given.
    Never below 0.
    """
    zero, third, two_thirds, full = at
    x = 3 * part  # 0 to 3: the cubic by Newton's forward differences
    first, second = third - zero, two_thirds - 2 * third + zero
    third_difference = full - 3 * two_thirds + 3 * third - zero
    cubic = zero + x * (first + (x - 1) * (second / 2 + (x - 2) * third_difference / 6))
    return np.maximum(cubic, 0)


def programmed(cells: Array, largest: int, settings: Analog, random: np.random.Generator) -> Array:
    """Cells as they come out of programming; `largest`: what the largest conductance stands for.

    A cell of two devices of which one holds the value is taken as one: the error is of its value,
    and a value near 0 may change its sign.
    """
    if not any(settings.programming_noise):
        return cells
    sigma = write_sigma(np.abs(cells) / largest, settings.programming_noise)
    off = sigma * largest * random.standard_normal(cells.shape)
    return (cells + off).astype(np.float32)


def drifted(cells: Array, settings: Analog, random: np.random.Generator) -> tuple[Array, float]:
    """Cells after drift_s seconds, and what their tile's sums are multiplied by to make up for it.

    Every cell has an exponent of its own. The factor is (sum of cells as programmed) / (their sum
    now): global drift compensation, as in aihwkit. With an offset it counts before that is taken
    away.
    """
    if settings.drift_s == 0:
        return cells, 1.0
    nu = settings.drift_nu + settings.drift_spread * random.standard_normal(cells.shape)
    time = (settings.drift_s + settings.drift_t0_s) / settings.drift_t0_s
    now = (cells * time ** -np.maximum(nu, 0)).astype(np.float32)
    left = float(np.abs(now).sum(dtype=np.float64))
    factor = float(np.abs(cells).sum(dtype=np.float64)) / left if left else 1.0
    return now, factor if settings.drift_compensated else 1.0
