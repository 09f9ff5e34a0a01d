"""The arithmetic of one tile: integers in cells, digits at the rows, sums through the converters.

Weights w and inputs x are integers. A tile gives sum_c sum_s 2^(c dac_bits) 2^(s cell_bits)
ADC(sum_rows digit_c(x) * slice_s(w)), with the top digit's sign, and, where half the range was
added to the weights, less that half times the sum of x. Without loss this is x @ w, exactly.
"""

from dataclasses import dataclass

import numpy as np

from backends.functional.analog import DRIFT_T0_S, Analog
from ir.arrays import Array

MOST_SUMS = 4_000_000  # held at once, 16 MB


def to_integers(values: Array, bits: int, axis: int) -> tuple[Array, Array]:
    """Integers of at most +-(2^(bits - 1) - 1) and their scales, one for each slice along `axis`.

    Where all are 0 the scale is 0 too.
    """
    largest = np.abs(values).max(axis=axis, keepdims=True, initial=0).astype(np.float64)
    most = 2 ** (bits - 1) - 1
    scale = largest / most
    whole = np.rint(values / np.where(scale == 0, 1, scale))
    return np.clip(whole, -most, most).astype(np.float32), scale


@dataclass(frozen=True, eq=False)
class Digits:
    """How an input is applied: the digits of a two's complement number, dac_bits at a time.

    The top digit holds the sign: of one bit it is 0 or 1 and counts negatively, of more it is a
    signed number. largest: of any digit's magnitude. factors: [cycles] what each counts for.
    """

    bits: tuple[int, ...]
    largest: int
    factors: tuple[int, ...]

    @classmethod
    def of(cls, settings: Analog) -> "Digits":
        """Of these input and converter bits."""
        step, total = min(settings.dac_bits, settings.input_bits), settings.input_bits
        starts = range(0, total, step)
        bits = tuple(min(step, total - start) for start in starts)
        top = 1 if bits[-1] == 1 else 2 ** (bits[-1] - 1) - (len(bits) == 1)
        largest = max([2**b - 1 for b in bits[:-1]] + [top])
        factors = [2**start for start in starts]
        factors[-1] *= -1 if bits[-1] == 1 else 1
        return cls(bits, largest, tuple(factors))

    @property
    def signed(self) -> bool:
        """Whether a digit can be negative."""
        return self.bits[-1] > 1

    def split(self, x: Array) -> Array:
        """Digits of integers x [n, rows]: float32 [cycles, n, rows]."""
        whole = x.astype(np.int64)
        out = np.empty((len(self.bits), *x.shape), dtype=np.float32)
        start = 0
        for cycle, bits in enumerate(self.bits):
            digit = (whole >> start) & (2**bits - 1)
            if cycle == len(self.bits) - 1 and bits > 1:
                digit = np.where(digit >= 2 ** (bits - 1), digit - 2**bits, digit)
            out[cycle] = digit
            start += bits
        return out


def slice_weights(w: Array, settings: Analog) -> Array:
    """Cell values of integer weights [rows, columns]: float32 [slices, rows, columns].

    Differential: the slices of the magnitude, with its sign (a positive and a negative cell, one of
    them empty). Else those of w + 2^(weight_bits - 1).
    """
    whole, bits = w.astype(np.int64), settings.weight_bits
    sign, stored = np.sign(whole), np.abs(whole)
    if not settings.differential:
        sign, stored = np.ones_like(whole), whole + 2 ** (bits - 1)
    starts = range(0, settings.stored_bits, settings.cell_bits)
    parts = [sign * ((stored >> s) & (2**settings.cell_bits - 1)) for s in starts]
    return np.stack(parts).astype(np.float32)


def drifted(cells: Array, settings: Analog, random: np.random.Generator) -> tuple[Array, float]:
    """Cells after drift_s seconds, and what their tile's sums are multiplied by to make up for it.

    Every cell has an exponent of its own. The factor is (sum of cells as programmed) / (their sum
    now): global drift compensation, as in aihwkit. With an offset it counts before that is taken
    away.
    """
    if settings.drift_s == 0:
        return cells, 1.0
    nu = settings.drift_nu + settings.drift_spread * random.standard_normal(cells.shape)
    time = (settings.drift_s + DRIFT_T0_S) / DRIFT_T0_S
    now = (cells * time ** -np.maximum(nu, 0)).astype(np.float32)
    left = float(np.abs(now).sum(dtype=np.float64))
    factor = float(np.abs(cells).sum(dtype=np.float64)) / left if left else 1.0
    return now, factor if settings.drift_compensated else 1.0


def largest_cell(settings: Analog) -> int:
    """The largest value of a cell, which the largest conductance stands for."""
    return int(2 ** min(settings.stored_bits, settings.cell_bits) - 1)


@dataclass(frozen=True, eq=False)
class Converters:
    """The ADCs of a tile: codes of one step each, 0 to `codes`, or from -codes if signed.

    steps: [slices], in units of one cell's and one digit's smallest step.
    """

    steps: Array
    codes: int
    signed: bool

    @classmethod
    def of(cls, bits: int, most: Array, *, signed: bool) -> "Converters":
        """As fine as they may be to hold sums of up to most: [slices]; no step is below 1."""
        codes = 2 ** (bits - int(signed)) - 1
        return cls(np.maximum(most / codes, 1).astype(np.float32), codes, signed)

    def hold(self, most: int) -> bool:
        """Whether integer sums of up to `most` come out as they are."""
        return most <= self.codes and bool(np.all(self.steps == 1))

    def convert(self, sums: Array) -> None:
        """Each sum [.., slices, columns] as its converter says it, in place."""
        whole = bool(np.all(self.steps == 1))
        if not whole:
            sums /= self.steps[:, None]
        np.rint(sums, out=sums)
        np.clip(sums, -self.codes if self.signed else 0, self.codes, out=sums)
        if not whole:
            sums *= self.steps[:, None]


@dataclass(frozen=True, eq=False)
class Tile:
    """One programmed tile.

    cells: [slices, rows, columns], whole or drifted; factor: of its drift compensation; offset:
    what was added to every weight; largest: of a cell's value.
    """

    cells: Array
    factor: float
    offset: int
    largest: int

    @classmethod
    def program(cls, w: Array, settings: Analog, random: np.random.Generator) -> "Tile":
        """Integer weights [rows, columns] in cells."""
        cells, factor = drifted(slice_weights(w, settings), settings, random)
        offset = 0 if settings.differential else 2 ** (settings.weight_bits - 1)
        return cls(cells, factor, offset, largest_cell(settings))

    def sums(
        self, x: Array, digits: Digits, settings: Analog, random: np.random.Generator
    ) -> Array:
        """What the columns give, before the converters: float [cycles, n, slices, columns]."""
        applied = digits.split(x)
        slices, rows, columns = self.cells.shape
        wide = rows * digits.largest * self.largest >= 2**24
        kind = np.float64 if wide else np.float32  # either holds these integers exactly
        side_by_side: Array = self.cells.transpose(1, 0, 2).reshape(rows, -1).astype(kind)
        found: Array = np.matmul(applied.astype(kind, copy=False), side_by_side)
        found = found.reshape(*applied.shape[:2], slices, columns)
        if settings.read_noise:
            devices = 2 if settings.differential else 1
            power = np.sqrt(devices * (applied**2).sum(axis=2)) * self.largest
            noise: Array = random.standard_normal(found.shape, dtype=np.float32)
            found += noise * (settings.read_noise * power)[:, :, None, None]
        return found

    def product(
        self,
        x: Array,
        settings: Analog,
        converters: Converters | None,
        random: np.random.Generator,
    ) -> Array:
        """The tile's part of x @ w, for integers x [n, rows]: float64 [n, columns].

        converters: None = nothing is lost.
        """
        digits = Digits.of(settings)
        slices, _, columns = self.cells.shape
        places = 2.0 ** (settings.cell_bits * np.arange(slices))
        out = np.zeros((len(x), columns))
        step = max(1, MOST_SUMS // (len(digits.bits) * slices * columns))
        for first in range(0, len(x), step):
            found = self.sums(x[first : first + step], digits, settings, random)
            if converters is not None:
                converters.convert(found)
            added = np.zeros(found.shape[1:])
            for factor, of_cycle in zip(digits.factors, found, strict=True):
                added += np.multiply(of_cycle, factor, dtype=np.float64)
            out[first : first + step] = np.einsum("s,nsk->nk", places, added)
        out *= self.factor
        if self.offset:
            out -= self.offset * x.sum(axis=1, dtype=np.float64)[:, None]
        return out
