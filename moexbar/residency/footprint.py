"""What one expert of a model takes on a chip's crossbars, and in DRAM."""

from dataclasses import dataclass

import numpy as np

from compiler.residency.stream import Stream
from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.errors import InputError
from ir.expert import Expert
from ir.workload import Workload


@dataclass(frozen=True)
class Footprint:
    """An expert: its crossbars, rows of all of them that hold weights, rows of the fullest.

    cells: that hold weights; weight_bytes: in DRAM; macs: of one token.
    """

    crossbars: int
    rows: int
    most_rows: int
    cells: int
    weight_bytes: int
    macs: int


def footprint(chip: Chip, expert: Expert) -> Footprint:
    """Tiles as `compiler.partition` cuts them: edge tiles are part-empty, and count."""
    crossbar, tiles, rows, cells = chip.crossbar, 0, 0, 0
    for weight in expert.weights:
        beside = -(-weight.columns // crossbar.weights_per_row(weight))
        tiles += -(-weight.rows // crossbar.rows) * beside
        rows += weight.rows * beside
        cells += weight.rows * weight.columns * crossbar.cells(weight)
    tallest = max(min(crossbar.rows, weight.rows) for weight in expert.weights)
    data = timing.weight_bytes(expert)
    return Footprint(tiles, rows, tallest, cells, data, expert.macs)


def footprints(chip: Chip, workload: Workload, stream: Stream) -> list[Footprint]:
    """Of every item of a stream; InputError where the model has not the trace's experts."""
    experts = {op.layer: op.experts for op in workload.moe_layers}
    found = []
    for layer, expert in zip(stream.layer.tolist(), stream.expert.tolist(), strict=True):
        if expert >= len(experts.get(layer, ())):
            has = ", ".join(f"{n} of {len(of)}" for n, of in list(experts.items())[:8])
            raise InputError(
                workload.name,
                f"no layer {layer} with an expert {expert}, which the trace has; the model's "
                f"layers have experts: {has or 'none'}",
            )
        found.append(footprint(chip, experts[layer][expert]))
    return found


def sizes(found: list[Footprint]) -> Ints | None:
    """Crossbars of each expert: int64 [items]; None where all take the same."""
    crossbars = np.array([one.crossbars for one in found], dtype=np.int64)
    return None if len(set(found)) == 1 else crossbars
