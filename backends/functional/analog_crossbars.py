"""Crossbars whose cells hold integers: products go through digits, slices and converters."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np

from backends.functional.analog import Analog
from backends.functional.analog_tile import Converters, Digits, Tile, largest_cell, to_integers
from backends.functional.crossbars import Crossbars, Tiles
from ir.arrays import Array
from ir.chip import Chip
from ir.mapping import Block, Mapping, RoutedOwner
from ir.onnxdoor.load import Source
from ir.workload import Weight

Key = tuple[int, ...]  # of a tile: PG, position behind it, first row and column of its cells
Expert = tuple[int, int]  # layer, number of a routed expert
CALIBRATED_ON = 64  # vectors of a call that calibration looks at


class AnalogCrossbars(Crossbars):
    """The tiles as placed, computed with as the settings say.

    A tile has the rows that the mapping gave it, whatever the settings' bits; only its cells' width
    would differ on a chip of such cells, and products do not depend on that.
    """

    def __init__(
        self,
        mapping: Mapping,
        chip: Chip,
        source: Source,
        settings: Analog,
        digital: Collection[Expert] = (),
    ) -> None:
        """Program all tiles with integers; errors as of Crossbars.

        digital: routed experts whose matrices are multiplied in floats, as digital units do.
        """
        self.settings = settings
        self._digital = frozenset(digital)
        self._erring: frozenset[Expert] | None = None
        self._digits = Digits.of(settings)
        self._scale: dict[Weight, Array] = {}
        self._programmed: dict[Key, Tile] = {}
        self._random: dict[Key, np.random.Generator] = {}
        self._seen: dict[Key, Array] = {}
        self._calibrating = False
        super().__init__(mapping, chip, source)

    def matrix(self, block: Block) -> Array:
        """Integers [rows, columns], a scale for each column of the whole matrix or one for all."""
        settings = self.settings.of_weight(block.weight)
        values = super().matrix(block)
        if expert_of(block) in self._digital:
            return values
        if settings.weight_clip:
            for i, j in np.ndindex(block.rows, block.columns):
                part = values[self.part(block, i, j)]
                most = settings.weight_clip * float(part.std())
                np.clip(part, -most, most, out=part)
        axis = 0 if settings.scale == "column" else None
        whole, self._scale[block.weight] = to_integers(values, settings.weight_bits, axis)
        return whole

    def multiply(self, tiles: Tiles, x: Array) -> Array:
        """Partial sums of every row of tiles, x [n, rows]: float64 [n, row tiles, columns]."""
        if expert_of(tiles.block) in self._digital:
            return super().multiply(tiles, x)
        whole, scale = to_integers(x, self.settings.input_bits, axis=1)
        found = self.integers(tiles, whole)
        found *= scale[:, :, None] * self._scale[tiles.block.weight][None]
        return found

    def integers(self, tiles: Tiles, x: Array) -> Array:
        """The same of integers x and the integers in the cells, before both scales."""
        block = tiles.block
        out = np.zeros((len(x), block.rows, block.weight.columns))
        for i, j in np.ndindex(tiles.pg.shape):
            rows, columns = self.part(block, i, j)
            out[:, i, columns] = self._tile(tiles, i, j, x[:, rows])
        return out

    def _tile(self, tiles: Tiles, i: int, j: int, x: Array) -> Array:
        cells = self.place(tiles, i, j)
        settings = self.settings.of_weight(tiles.block.weight)
        key = (int(tiles.pg[i, j]), *(int(n) for n in tiles.spot[i, j]))
        if self._calibrating:
            self._see(key, self._analog(key, cells, settings), settings, x)
            return _product(x, cells, settings)
        if self._erring is not None and expert_of(tiles.block) not in self._erring:
            return _product(x, cells, settings)
        converters = self._converters(key, settings)
        rows = settings.rows_at_once(len(cells))
        most = rows * self._digits.largest * largest_cell(settings)
        if settings.exact and (converters is None or converters.hold(most)):
            return _product(x, cells, settings)
        tile = self._analog(key, cells, settings)
        return tile.product(x, settings, converters, self._random[key])

    def _analog(self, key: Key, cells: Array, settings: Analog) -> Tile:
        """The tile's cells, slice by slice, as they stand after programming and drift."""
        if key not in self._programmed:
            self._random[key] = np.random.default_rng([settings.seed, *key])
            self._programmed[key] = Tile.program(cells, settings, self._random[key])
        return self._programmed[key]

    def _converters(self, key: Key, settings: Analog) -> Converters | None:
        if settings.adc_bits is None:
            return None
        if settings.adc_range is None or key not in self._seen:
            rows = settings.rows_at_once(self._chip.crossbar.rows)
            most = rows * self._digits.largest * largest_cell(settings)
            held: Array = np.full(settings.slices, float(most))
        else:
            held = self._seen[key]
        signed = settings.differential or self._digits.signed
        return Converters.of(settings.adc_bits, held, signed=signed)

    @contextmanager
    def calibrating(self) -> Iterator[None]:
        """Meanwhile products are exact, and tiles take the range of their converters from them.

        A tile that sees nothing keeps the full range.
        """
        self._calibrating = True
        try:
            yield
        finally:
            self._calibrating = False

    @contextmanager
    def only(self, experts: Collection[Expert]) -> Iterator[None]:
        """Meanwhile these routed experts alone have errors and converters; the rest is exact."""
        self._erring = frozenset(experts)
        try:
            yield
        finally:
            self._erring = None

    def _see(self, key: Key, tile: Tile, settings: Analog, x: Array) -> None:
        """The largest over all calls of adc_range percent of a call's sums, for each slice."""
        if not len(x) or settings.adc_range is None:
            return
        some = x[:: -(-len(x) // CALIBRATED_ON)]
        of_reads = [
            np.abs(tile.sums(some, self._digits, settings, self._random[key], read))
            for read in tile.reads(settings)
        ]
        most = np.percentile(np.concatenate(of_reads), settings.adc_range, axis=(0, 1, 3))
        self._seen[key] = np.maximum(self._seen.get(key, np.zeros(len(most))), most)


def expert_of(block: Block) -> Expert | None:
    """Whose matrix it is, where a routed expert's."""
    return (block.layer, block.owner.expert) if isinstance(block.owner, RoutedOwner) else None


def _product(x: Array, w: Array, settings: Analog) -> Array:
    """Integers x @ w where nothing is lost on the way: float64, exact."""
    most = len(w) * 2 ** (settings.input_bits + settings.weight_bits - 2)
    kind = np.float32 if most < 2**24 else np.float64
    found: Array = np.matmul(x.astype(kind, copy=False), w.astype(kind, copy=False))
    return found.astype(np.float64)
