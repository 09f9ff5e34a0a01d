"""The model operator by operator, its matrices those on the crossbars, its routers its own nodes.

The program does not apply where the routing changes; the tiles do.
"""

from collections.abc import Mapping

import numpy as np

from backends.functional.crossbars import Crossbars
from backends.functional.runs import Run
from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.definition import by_definition
from ir.onnxdoor.load import Source
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.weights import StoredMatrices
from ir.workload import Weight, Workload


class PlacedMatrices(StoredMatrices):
    """Products through the crossbars; a matrix that is on none stays digital."""

    def __init__(self, source: Source, crossbars: Crossbars) -> None:
        """Of copies of an expert the first is used."""
        super().__init__(source)
        self._crossbars = crossbars
        self._placed = {tiles.block.weight: tiles for tiles in reversed(crossbars.tiles)}

    def product(self, x: Array, weight: Weight) -> Array:
        """X [.., rows] @ W (+ bias): [.., columns]."""
        tiles = self._placed.get(weight)
        if tiles is None:
            return super().product(x, weight)
        sums = self._crossbars.multiply(tiles, x.reshape(-1, weight.rows)).sum(axis=1)
        sums = sums.reshape(*x.shape[:-1], weight.columns)
        return sums if tiles.bias is None else np.asarray(sums + tiles.bias)


def run_free(
    nodes: Nodes,
    workload: Workload,
    run: Run,
    crossbars: Crossbars,
    routed_as: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Every operator's outputs of one run, by name.

    routed_as: see `by_definition`. Raises InputError for a router on crossbars, whose products
    would have to be taken from the middle of the model's own nodes.
    """
    matrices = PlacedMatrices(nodes.source, crossbars)
    projections = [op.router.projection for op in workload.moe_layers]
    if any(tiles.block.weight in projections for tiles in crossbars.tiles):
        raise InputError(
            workload.name,
            "its routers are on crossbars, so they cannot route freely here",
            "compile with --set digital.router_on=digital, or use --routing fixed",
        )
    return by_definition(nodes, workload, run.feeds, matrices, routed_as)
