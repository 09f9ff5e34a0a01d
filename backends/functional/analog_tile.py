"""The arithmetic of one tile: integers in cells, digits at the rows, sums through the converters.

Weights w and inputs x are integers. A tile gives sum_c sum_s 2^(c dac_bits) 2^(s cell_bits)
ADC(sum_rows digit_c(x) * slice_s(w)), with the top digit's sign, and, where half the range was
added to the weights, less that half times the sum of x. Without loss this is x @ w, exactly. Where
not all rows are read at once, each group of rows has a conversion of its own, and they are added.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backends.functional.analog import Analog
from backends.functional.analog_cells import drifted, programmed
from ir.arrays import Array
from ir.products import product

MOST_SUMS = 4_000_000  # held at once, 16 MB
ALL = slice(None)


def to_integers(values: Array, bits: int, axis: int | None) -> tuple[Array, Array]:
    """Integers of at most +-(2^(bits - 1) - 1) and their scales, one for each slice along `axis`.

    axis: None = one scale for all. Where all are 0 the scale is 0 too.
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

    cells: [slices, rows, columns], whole or with errors; factor: of its drift compensation; offset:
    what was added to every weight; largest: of a cell's value.
    """

    cells: Array
    factor: float
    offset: int
    largest: int

    @classmethod
    def program(cls, w: Array, settings: Analog, random: np.random.Generator) -> "Tile":
        """Integer weights [rows, columns] in cells."""
        largest = largest_cell(settings)
        written = programmed(slice_weights(w, settings), largest, settings, random)
        cells, factor = drifted(written, settings, random)
        offset = 0 if settings.differential else 2 ** (settings.weight_bits - 1)
        return cls(cells, factor, offset, largest)

    def reads(self, settings: Analog) -> Iterator[slice]:
        """The rows that are read at once, one group after the other."""
        rows = self.cells.shape[1]
        step = settings.rows_per_read or rows
        for first in range(0, rows, step):
            yield slice(first, min(first + step, rows))

    def sums(
        self,
        x: Array,
        digits: Digits,
        settings: Analog,
        random: np.random.Generator,
        read: slice = ALL,
    ) -> Array:
        """What the columns give, before the converters: float [cycles, n, slices, columns].

        read: the rows that are read; x has all of the tile's.
        """
        applied = digits.split(x[:, read])
        cells = self.cells[:, read]
        slices, rows, columns = cells.shape
        wide = rows * digits.largest * self.largest >= 2**24
        kind = np.float64 if wide else np.float32  # either holds these integers exactly
        side_by_side: Array = cells.transpose(1, 0, 2).reshape(rows, -1).astype(kind)
        found = product(applied.astype(kind, copy=False), side_by_side)
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
        reads = [ALL] if converters is None else list(self.reads(settings))
        for first in range(0, len(x), step):
            some = x[first : first + step]
            added = np.zeros((len(some), slices, columns))
            for read in reads:
                found = self.sums(some, digits, settings, random, read)
                if converters is not None:
                    converters.convert(found)
                for factor, of_cycle in zip(digits.factors, found, strict=True):
                    added += np.multiply(of_cycle, factor, dtype=np.float64)
            out[first : first + step] = np.einsum("s,nsk->nk", places, added)
        out *= self.factor
        if self.offset:
            out -= self.offset * x.sum(axis=1, dtype=np.float64)[:, None]
        return out
