"""Invariants of a mapping: every weight tile on one crossbar, shared circuits shared as planned."""

import numpy as np

from ir.arrays import Ints
from ir.mapping import TILE_KINDS, RoutedOwner, owner_columns
from ir.members import members
from ir.stacks import Member
from ir.verify.check import Check, Fault, first, first_repeat
from ir.verify.matrices import (
    MatrixKey,
    copies_held,
    copies_of,
    first_copy,
    holders,
    matrices,
    moe_operators,
    tile_grid,
)
from ir.verify.stacks import in_stack
from ir.verify.tiles import MappingCase, block_name, distinct, narrow


def check_blocks(case: MappingCase) -> Fault | None:
    """Every copy of a matrix has exactly one block, of its tile grid, and nothing else has one."""
    expected = {m.key: m for m in matrices(case.workload, case.chip)}
    held, dense = copies_held(case.mapping.grouping), case.mapping.dense_copies
    if dense < 1:
        return Fault("mapping", f"{dense} copies of dense blocks, expected at least 1")
    seen: set[MatrixKey] = set()
    for block in case.mapping.blocks:
        key: MatrixKey = (block.operator, block.role, block.owner)
        name = block_name(block)
        matrix = expected.get((block.operator, block.role, first_copy(block.owner)))
        if matrix is None:
            return Fault(name, "no such matrix in the workload")
        if key in seen:
            return Fault(name, "has two blocks")
        seen.add(key)
        copies = copies_of(matrix, held, dense)
        if block.owner not in copies:
            n, one = owner_columns(block.owner)[1], isinstance(block.owner, RoutedOwner)
            held_by = f"{len(copies)} groups hold it" if one else f"it has {len(copies)}"
            return Fault(name, f"is {'replica' if one else 'copy'} {n}, but {held_by}")
        grid = tile_grid(matrix.weight, case.chip)
        if (block.rows, block.columns) != grid:
            return Fault(name, f"{block.rows} x {block.columns} tiles, expected {grid}")
        stage = 1 if block.role == "down" else 0
        if (block.layer, block.stage) != (matrix.layer, stage):
            found = f"in layer {block.layer} stage {block.stage}"
            return Fault(name, f"{found}, expected layer {matrix.layer} stage {stage}")
        if block.weight != matrix.weight:
            return Fault(name, f"holds {block.weight}, expected {matrix.weight}")
    for m in expected.values():
        for n, owner in enumerate(copies_of(m, held, dense)):
            if (m.operator, m.role, owner) not in seen:
                word = "replica" if isinstance(owner, RoutedOwner) else "copy"
                copy = f" {word} {n}" if n else ""
                return Fault(f"layer {m.layer} {m.role} {m.weight.tensor}{copy}", "has no block")
    return None


def check_groups(case: MappingCase) -> Fault | None:
    """MoE layers have one grouping of their experts, none missing, none twice in a group.

    Layers on the same experts have one together, the first one's.
    """
    layers, holder = [g.layer for g in case.mapping.grouping.layers], holders(case.workload)
    moe = moe_operators(case.workload)
    wanted = {op.layer: op.router.experts for i, op in moe.items() if holder[i] == i}
    if sorted(layers) != sorted(wanted):
        return Fault("grouping", f"of layers {sorted(layers)}, expected {sorted(wanted)}")
    for grouping in case.mapping.grouping.layers:
        name = f"layer {grouping.layer}"
        experts = sorted([*{e for group in grouping.groups for e in group}, *grouping.digital])
        if experts != list(range(wanted[grouping.layer])):
            problem = f"groups hold experts {experts}, expected 0 to {wanted[grouping.layer] - 1}"
            return Fault(name, problem)
        for g, group in enumerate(grouping.groups):
            if len(set(group)) != len(group):
                return Fault(name, f"group {g} holds {sorted(group)}, expected each once")
    return None


def check_pg_table(case: MappingCase) -> Fault | None:
    """Tables have one row per block or PG, PG numbers exist, and every PG holds a tile."""
    placement, blocks = case.mapping.placement, len(case.mapping.blocks)
    shapes = (placement.pg_start.shape, placement.spots.shape, placement.pg_class.shape)
    expected = ((blocks,), (blocks, len(TILE_KINDS), 3), (placement.pgs,))
    if shapes != expected:
        return Fault("placement", f"pg_start, spots, pg_class: {shapes}, expected {expected}")
    outside = (case.tile_pg < 0) | (case.tile_pg >= placement.pgs)
    at = first(outside)
    if at is not None:
        problem = f"on PG {case.tile_pg[at]}, expected 0 to {placement.pgs - 1}"
        return Fault(case.tile_name(at), problem)
    unused = np.ones(placement.pgs, dtype=np.bool_)
    unused[case.tile_pg] = False
    at = first(unused)
    return None if at is None else Fault(f"PG {at}", "holds no tile")


def check_crossbars(case: MappingCase) -> Fault | None:
    """Tiles are within their crossbar, and those on the same one take different cells of it."""
    begin = case.tile_spot[:, 1:]
    end = begin + case.tile_size
    crossbar = case.chip.crossbar
    at = first(np.any((begin < 0) | (end > (crossbar.rows, crossbar.columns)), axis=1))
    if at is not None:
        cells = f"rows {begin[at, 0]} to {end[at, 0] - 1}, cells {begin[at, 1]} to {end[at, 1] - 1}"
        problem = f"takes {cells} of a crossbar of {crossbar.rows} x {crossbar.columns}"
        return Fault(case.tile_name(at), problem)
    position = case.tile_spot[:, 0]
    usual = position.min(initial=0) >= 0 and position.max(initial=0) < case.chip.pg.most
    if usual and distinct(case.crossbar_ids) == len(case.crossbar_ids):
        return None  # each tile has one of its own
    order = np.argsort(case.crossbar_ids, kind="stable")
    for apart in range(1, len(order)):
        one, other = order[:-apart], order[apart:]
        same = case.crossbar_ids[one] == case.crossbar_ids[other]
        if not np.any(same):
            break
        one, other = one[same], other[same]
        shared = np.all((begin[one] < end[other]) & (begin[other] < end[one]), axis=1)
        at = first(shared)
        if at is not None:
            names = f"{case.tile_name(int(one[at]))} and {case.tile_name(int(other[at]))}"
            where = f"crossbar {case.tile_spot[one[at], 0]} of PG {case.tile_pg[one[at]]}"
            return Fault(where, f"holds {names} in the same cells")
    return None


def check_mux(case: MappingCase) -> Fault | None:
    """Positions are below the most of a PG, and 0 of what is neither an expert's nor in a stack.

    They number the crossbars of a stack, whichever of its PGs a tile is on. A PG is of class 0
    where a tile of a routed expert is on it.
    """
    placement, most = case.mapping.placement, case.chip.pg.most
    routed = [isinstance(b.owner, RoutedOwner) for b in case.mapping.blocks]
    expert = np.array(routed, dtype=np.bool_)[case.tile_block]
    limit = np.where(expert | in_stack(case), most, 1)
    position = case.tile_spot[:, 0]
    at = first((position < 0) | (position >= limit))
    if at is not None:
        problem = f"at position {position[at]}, expected 0 to {limit[at] - 1}"
        return Fault(case.tile_name(at), problem)
    kind = np.ones(placement.pgs, dtype=np.int8)
    kind[case.tile_pg[expert]] = 0
    at = first(placement.pg_class != kind)
    return None if at is None else Fault(f"PG {at}", f"of class {placement.pg_class[at]}")


def check_tiles_apart(case: MappingCase) -> Fault | None:
    """Tiles that fire together (one stage of one expert, one dense block) never share a PG."""
    stage: list[tuple[object, ...]] = [(b.operator, b.stage, b.owner) for b in case.mapping.blocks]
    pgs = case.mapping.placement.pgs
    key = first_repeat(case.block_ids(stage) * pgs + case.tile_pg)
    if key is None:
        return None
    together = case.block_ids(stage) * pgs + case.tile_pg == key
    names = " and ".join(case.tile_name(int(t)) for t in np.flatnonzero(together)[:2])
    return Fault(f"PG {key % pgs}", f"holds {names}, which fire together")


def check_group_sharing(case: MappingCase) -> Fault | None:
    """Experts of a group share PGs tile by tile; of others only stacks do, within a region.

    A tile that only the wider of them have is behind a PG that only those drive. So tiles on the
    same crossbar are never active at once: their PG drives one of them at a time. Fire groups of a
    stack are on crossbars of their own.
    """
    row, column = case.tile_place
    rows = max((b.rows for b in case.mapping.blocks), default=1)
    columns = max((b.columns for b in case.mapping.blocks), default=1)
    shelf = case.block_shelf[case.tile_block]
    owner = (shelf * columns + column) * rows + row
    if _one_to_one(case.tile_pg, owner, case.mapping.placement.pgs):
        return None
    of_shelf = case.tile_pg * (int(shelf.max(initial=0)) + 1) + shelf
    for sort_by, same, problem in (
        (of_shelf, owner, "share a PG without being the same tile of one group"),
        (owner, of_shelf, "are the same tile of one group but on different PGs"),
        (case.crossbar_ids, shelf, "share a crossbar without being of one group"),
    ):
        order = np.argsort(sort_by, kind="stable")
        next_to = sort_by[order[1:]] == sort_by[order[:-1]]
        at = first(next_to & (same[order[1:]] != same[order[:-1]]))
        if at is not None:
            one, other = (case.tile_name(int(t)) for t in order[at : at + 2])
            return Fault(f"{one} and {other}", problem)
    return None


def _one_to_one(pg: Ints, owner: Ints, pgs: int) -> bool:
    """Whether all tiles of a PG have one owner, and those of an owner one PG."""
    of_pg = np.zeros(pgs, dtype=np.int64)  # of each: none is empty
    of_pg[pg] = owner
    return bool(np.all(of_pg[pg] == owner)) and first_repeat(of_pg) is None


def check_mesh(case: MappingCase) -> Fault | None:
    """Cores and regions are within the mesh, and the mesh is the chip's where that is fixed."""
    placement, mesh = case.mapping.placement, case.chip.mesh
    size = (placement.mesh_width, placement.mesh_height)
    if mesh.width and size != (mesh.width, mesh.height):
        return Fault("mesh", f"{size}, expected the chip's {(mesh.width, mesh.height)}")
    cores = size[0] * size[1] * placement.topology.count
    outside = (placement.core < 0) | (placement.core >= cores)
    at = first(outside)
    if at is not None:
        found = f"on core {placement.core[at]}"
        return Fault(f"PG {at}", f"{found}, expected 0 to {cores - 1}")
    for r in placement.regions:
        inside = r.x >= 0 and r.y >= 0 and r.x + r.width <= size[0] and r.y + r.height <= size[1]
        if not inside or r.width < 1 or r.height < 1:
            return Fault(f"region of layer {r.layer}", f"{r} is not within the mesh {size}")
        if not 0 <= r.die < placement.topology.count:
            problem = f"on die {r.die}, expected 0 to {placement.topology.count - 1}"
            return Fault(f"region of layer {r.layer}", problem)
    return None


def check_capacity(case: MappingCase) -> Fault | None:
    """A core holds at most pgs_per_core PGs."""
    per_core = np.bincount(case.mapping.placement.core)
    at = first(per_core > case.chip.mesh.pgs_per_core)
    if at is None:
        return None
    limit = case.chip.mesh.pgs_per_core
    return Fault(f"core {at}", f"holds {per_core[at]} PGs, expected at most {limit}")


def check_regions_apart(case: MappingCase) -> Fault | None:
    """Every layer has one region on each die that it has blocks on; regions do not overlap."""
    placement = case.mapping.placement
    found = sorted((layer, r.die) for r in placement.regions for layer in r.layers)
    starts = zip(case.mapping.blocks, placement.pg_start.tolist(), strict=True)
    wanted = sorted({(b.layer, placement.die_of(pg)) for b, pg in starts})
    if found != wanted:
        return Fault("regions", f"of layers and dies {found}, expected {wanted}")
    size = placement.topology.count, placement.mesh_height, placement.mesh_width
    owner = np.full(size, -1, dtype=np.int64)
    for r in placement.regions:
        cores = owner[r.die, r.y : r.y + r.height, r.x : r.x + r.width]
        if np.any(cores >= 0):
            other = int(cores[cores >= 0][0])
            return Fault(f"region of layer {r.layer}", f"overlaps that of layer {other}")
        cores[:] = r.layer
    return None


def check_in_region(case: MappingCase) -> Fault | None:
    """Every PG is inside its layer's region on that die, of a stack that of all of them.

    What fires together is on one die.
    """
    placement, high = case.mapping.placement, case.mapping.placement.mesh_height
    box = {
        (layer, r.die): (r.x, r.die * high + r.y, r.x + r.width, r.die * high + r.y + r.height)
        for r in placement.regions
        for layer in r.layers
    }
    die: dict[Member, int] = {}
    for member, pg in zip(members(case.mapping), placement.pg_start.tolist(), strict=True):
        here = placement.die_of(pg)
        if die.setdefault(member, here) != here:
            return Fault(f"{member}", f"on dies {die[member]} and {here}, expected one")
    sites = [(m.layer, die[m]) for m in members(case.mapping)]
    limits = np.array([box[site] for site in sites], dtype=np.int64).reshape(-1, 4)
    low_x, low_y, high_x, high_y = narrow(limits).T
    block, cores = case.tile_block, narrow(placement.core)[case.tile_pg]
    y, x = np.divmod(cores, placement.mesh_width)
    outside = (x < low_x[block]) | (x >= high_x[block])
    at = first(outside | (y < low_y[block]) | (y >= high_y[block]))
    if at is None:
        return None
    return Fault(case.tile_name(at), f"on core ({x[at]}, {y[at]}), outside its layer's region")


def check_column_chains(case: MappingCase) -> Fault | None:
    """Row tiles of one output column follow each other on the same or adjacent cores."""
    placement = case.mapping.placement
    if case.chip.accumulate.where != "pg":
        return None  # partial sums go to the digital units: nothing hops from PG to PG
    rows = np.array([b.rows for b in case.mapping.blocks], dtype=np.int64)[case.tile_block]
    y, x = np.divmod(narrow(placement.core)[case.tile_pg], placement.mesh_width)
    far = np.abs(np.diff(x)) + np.abs(np.diff(y)) > 1
    within = case.tile_index[1:] % rows[1:] != 0  # not the first tile of its column
    at = first(far & within)
    if at is None:
        return None
    problem = f"on core ({x[at + 1]}, {y[at + 1]}), the tile above it on ({x[at]}, {y[at]})"
    return Fault(case.tile_name(at + 1), problem)


MAPPING_CHECKS: tuple[Check[MappingCase], ...] = (
    Check("blocks", "every copy of a matrix has one block of its tiles", check_blocks, gate=True),
    Check("groups", "each expert is in a group, in none twice", check_groups, gate=True),
    Check("pg-table", "tile and PG numbers exist, no PG is empty", check_pg_table, gate=True),
    Check("crossbars", "no two weight tiles take the same cells", check_crossbars),
    Check("mux", "no more crossbars behind a PG than its mux", check_mux),
    Check("tiles-apart", "tiles that fire together never share a PG", check_tiles_apart),
    Check("group-sharing", "experts of a group share PGs, tile by tile", check_group_sharing),
    Check("mesh", "cores and regions are within the mesh", check_mesh, gate=True),
    Check("core-capacity", "no core holds more PGs than it has room for", check_capacity),
    Check("regions", "a region for a layer on a die, none overlap", check_regions_apart, gate=True),
    Check("in-region", "every PG is inside its layer's region", check_in_region),
    Check("column-chains", "row tiles of a column are neighbours", check_column_chains),
)
