"""Crossbar jobs: what one token through one matrix, or one expert, must cost and consist of."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np

from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.passes import ON_THE_WAY, Passes
from ir.timing import Cost, Fired
from ir.verify.matrices import tile_grid, tile_sizes, weights_side_by_side
from ir.workload import Attention, Dense, Digital, Expert, MoELayer, Weight, Workload


@dataclass(frozen=True)
class JobClass:
    """A dense matrix, expert, shared expert or router. Stages' weights: `first`, `second` or ().

    multiplexed: its crossbars stand behind shared peripheral groups; scaled: a gate multiplies
    the sums of the first stage; curved: an activation follows the only one; passes: what the
    activation takes.
    """

    operator: int
    first: tuple[Weight, ...]
    second: tuple[Weight, ...] = ()
    multiplexed: bool = False
    scaled: bool = False
    curved: bool = False
    router: bool = False
    passes: Passes = ON_THE_WAY

    @property
    def gated(self) -> bool:
        """Whether the first stage has a gate beside the up matrix."""
        return len(self.first) > 1

    def weights(self, stage: int) -> tuple[Weight, ...]:
        """The matrices that fire together in a stage."""
        return self.second if stage else self.first

    def columns(self, stage: int, chip: Chip) -> int:
        """Tile columns of a stage, over its matrices."""
        return sum(tile_grid(weight, chip)[1] for weight in self.weights(stage))

    def sums(self, stage: int, chip: Chip) -> int:
        """ACC instructions of a stage: none without row tiles or bias, one per column on DPUs."""
        weights = self.weights(stage)
        if not weights or (tile_grid(weights[0], chip)[0] == 1 and not self._bias(stage)):
            return 0
        return self.columns(stage, chip) if chip.accumulate.where == "dpu" else 1

    def _bias(self, stage: int) -> bool:
        return any(weight.bias is not None for weight in self.weights(stage))

    def macs(self, stage: int) -> int:
        """Multiply-accumulates of a stage."""
        return sum(weight.macs for weight in self.weights(stage))

    def mvm(self, stage: int, chip: Chip, *, stacked: bool = False) -> Cost:
        """All crossbars of the stage at once; stacked: others have the same peripheral groups."""
        fired = self.fired(stage, chip)
        return timing.mvm(chip, fired, shared=self.multiplexed, stacked=stacked)

    def fired(self, stage: int, chip: Chip) -> Fired:
        """What the tiles of the stage use, size by size."""
        tiles = Counter(tile for w in self.weights(stage) for tile in tile_sizes(w, chip))
        found = [used(*tile, number, chip) for tile, number in tiles.items()]
        return sum(found, start=Fired(0, 0, 0, 0))

    def acc(self, stage: int, chip: Chip) -> Cost:
        """The stage's partial sums (of one column, on DPUs)."""
        weight = self.weights(stage)[0]
        return timing.accumulate(
            chip,
            tile_grid(weight, chip)[0],
            self.columns(stage, chip),
            weights_side_by_side(weight, chip),
            bias=self._bias(stage),
        )

    @property
    def hidden(self) -> int:
        """Values between the stages."""
        return self.first[0].columns

    @property
    def results(self) -> int:
        """Values that the last stage gives."""
        return (self.second or self.first)[0].columns


def used(rows: int, columns: int, tiles: int, chip: Chip) -> Fired:
    """What tiles of rows x columns cells use: each read of some rows converts every column."""
    at_once = chip.mvm.rows_per_read or chip.crossbar.rows
    reads = len(range(0, rows, at_once))
    return Fired(tiles, tiles * rows, tiles * rows * columns, tiles * columns * reads)


@dataclass(frozen=True)
class JobClasses:
    """All job classes, and the number of an operator's first one: [operators], -1 for none.

    A MoE layer's experts come in order, then its shared experts, then its router's matrix.
    """

    classes: tuple[JobClass, ...]
    base: tuple[int, ...]

    @cached_property
    def like(self) -> Ints:
        """The first class of the same operator that costs and consists of the same: [classes]."""
        first: dict[Hashable, int] = {}
        kinds = enumerate(map(_kind, self.classes))
        return np.array([first.setdefault(kind, i) for i, kind in kinds], dtype=np.int64)


def _kind(job: JobClass) -> Hashable:
    """What a job of an operator costs by: sizes, and whether peripheral groups are shared."""
    sizes = [
        tuple((w.rows, w.columns, w.bits, w.format, w.bias is not None) for w in weights)
        for weights in (job.first, job.second)
    ]
    return job.operator, *sizes, job.multiplexed


def job_classes(workload: Workload) -> JobClasses:
    """The job classes of a workload; of a router's there are jobs where the chip has it so."""
    classes: list[JobClass] = []
    base: list[int] = []
    for index, op in enumerate(workload.operators):
        before = len(classes)
        match op:
            case Dense():
                classes.append(JobClass(index, (op.weight,)))
            case MoELayer():
                classes += _of_layer(index, op)
            case Attention() | Digital():
                pass
            case _:
                assert_never(op)
        base.append(before if len(classes) > before else -1)
    return JobClasses(tuple(classes), tuple(base))


def _of_layer(index: int, op: MoELayer) -> Iterator[JobClass]:
    for expert in op.experts:
        yield JobClass(
            index,
            _up(expert),
            _down(expert),
            multiplexed=True,
            scaled=op.weight_on == "input",
            curved=op.curved,
            passes=op.passes,
        )
    for expert in op.shared:
        matrices = _up(expert), _down(expert)
        yield JobClass(index, *matrices, curved=op.curved, passes=op.passes)
    if op.router.projection is not None:
        yield JobClass(index, (op.router.projection,), router=True)


def _up(expert: Expert) -> tuple[Weight, ...]:
    return (expert.up,) if expert.gate is None else (expert.up, expert.gate)


def _down(expert: Expert) -> tuple[Weight, ...]:
    return () if expert.down is None else (expert.down,)
