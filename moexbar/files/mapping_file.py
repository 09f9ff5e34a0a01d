"""mapping.json: where every tile lives, for people and other tools."""

from typing import Any

import numpy as np

from ir.arrays import Ints
from ir.mapping import TILE_KINDS, Block, Mapping, owner_columns
from ir.topology import ONE_DIE, Topology
from ir.workload import Workload
from moexbar.report.mapped import (
    BlockRow,
    DiesRow,
    GroupedLayer,
    MappingFile,
    MemberRow,
    Mesh,
    ModelName,
    RegionRow,
    Spots,
)
from moexbar.report.plain import as_json


def mapping_json(mapping: Mapping, workload: Workload) -> dict[str, Any]:
    """The mapping as plain data, as `moexbar.report.mapped` says it.

    The cores of the peripheral groups are runs: a large model has millions of groups, and
    neighbours share a core.
    """
    placement = mapping.placement
    file = MappingFile(
        model=ModelName(workload.name, workload.sha256),
        mesh=Mesh(placement.mesh_width, placement.mesh_height),
        regions=tuple(
            RegionRow(r.layer, r.x, r.y, r.width, r.height, r.guests or None, r.die or None)
            for r in placement.regions
        ),
        groups=tuple(
            GroupedLayer(g.layer, g.solver, g.groups, g.digital or None)
            for g in mapping.grouping.layers
        ),
        blocks=tuple(
            _block(block, int(placement.pg_start[i]), placement.spots[i], workload)
            for i, block in enumerate(mapping.blocks)
        ),
        pg_core=_runs(placement.core),
        dense_copies=mapping.dense_copies if mapping.dense_copies > 1 else None,
        stacks=tuple(
            tuple(MemberRow(m.layer, m.stage, m.group) for m in stack)
            for stack in mapping.stacks.stacks
        )
        or None,
        dies=_dies(placement.topology),
    )
    found: dict[str, Any] = as_json(file)
    return found


def _dies(topology: Topology) -> DiesRow | None:
    if topology == ONE_DIE:
        return None
    return DiesRow(topology.count, topology.joined, topology.columns)


def _runs(core: Ints) -> tuple[tuple[int, int], ...]:
    """(value, how often in a row) for every run of equal values."""
    first = np.flatnonzero(np.diff(core, prepend=-1))
    lengths = np.diff(first, append=len(core))
    return tuple(zip(core[first].tolist(), lengths.tolist(), strict=True))


def _block(block: Block, pg_start: int, spots: Ints, workload: Workload) -> BlockRow:
    weight, kinds = block.weight, np.unique(block.tile_kinds()).tolist()
    expert, replica, shared = owner_columns(block.owner)
    return BlockRow(
        operator=workload.operators[block.operator].name,
        layer=block.layer,
        role=block.role,
        stage=block.stage,
        expert=expert,
        replica=replica,
        shared=shared,
        rows=block.rows,
        columns=block.columns,
        pg_start=pg_start,
        spots=Spots(**{TILE_KINDS[kind]: tuple(spots[kind].tolist()) for kind in kinds}),
        tensor=weight.tensor,
        index=weight.index,
        transposed=weight.transposed,
        shape=(weight.rows, weight.columns),
        start=weight.start,
        step=weight.step,
        format=weight.format,
    )
