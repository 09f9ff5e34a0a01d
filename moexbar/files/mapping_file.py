"""mapping.json: where every tile lives, for people and other tools."""

from typing import Any

import numpy as np

from ir.arrays import Ints
from ir.mapping import TILE_KINDS, Block, Mapping, owner_columns
from ir.workload import Workload


def mapping_json(mapping: Mapping, workload: Workload) -> dict[str, Any]:
    """The mapping as plain data.

    Tile (i, j) of a block is on PG `pg_start + j * rows + i`. `spots` gives for each kind of tile
    [crossbar behind the PG, its first row, its first column of cells]: "bottom" tiles are those of
    the last row of tiles, "right" those of the last column, "corner" is the last, "inner" the rest.
    `pg_core` gives the PGs in order of number as runs [core, PGs], core = y * mesh width + x: a
    large model has millions of PGs, and neighbours share a core.
    """
    placement = mapping.placement
    return {
        "model": {"name": workload.name, "sha256": workload.sha256},
        "mesh": {"width": placement.mesh_width, "height": placement.mesh_height},
        "regions": [
            {"layer": r.layer, "x": r.x, "y": r.y, "width": r.width, "height": r.height}
            for r in placement.regions
        ],
        "groups": [
            {"layer": g.layer, "solver": g.solver, "groups": [list(m) for m in g.groups]}
            for g in mapping.grouping.layers
        ],
        "blocks": [
            _block(block, int(placement.pg_start[i]), placement.spots[i], workload)
            for i, block in enumerate(mapping.blocks)
        ],
        "pg_core": _runs(placement.core),
    }


def _runs(core: Ints) -> list[list[int]]:
    """[value, how often in a row] for every run of equal values."""
    first = np.flatnonzero(np.diff(core, prepend=-1))
    lengths = np.diff(first, append=len(core))
    runs: list[list[int]] = np.stack([core[first], lengths], axis=1).tolist()
    return runs


def _block(block: Block, pg_start: int, spots: Ints, workload: Workload) -> dict[str, Any]:
    weight, kinds = block.weight, np.unique(block.tile_kinds()).tolist()
    expert, replica, shared = owner_columns(block.owner)
    return {
        "operator": workload.operators[block.operator].name,
        "layer": block.layer,
        "role": block.role,
        "stage": block.stage,
        "expert": expert,
        "replica": replica,
        "shared": shared,
        "rows": block.rows,
        "columns": block.columns,
        "pg_start": pg_start,
        "spots": {TILE_KINDS[kind]: spots[kind].tolist() for kind in kinds},
        "tensor": weight.tensor,
        "index": weight.index,
        "transposed": weight.transposed,
        "shape": [weight.rows, weight.columns],
        "start": weight.start,
        "step": weight.step,
        "format": weight.format,
    }
