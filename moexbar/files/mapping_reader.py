"""mapping.json read back: a file may be damaged, so every number is checked against the model."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ir.arrays import Ints
from ir.certificate import Certificate
from ir.chip import Dies
from ir.errors import InputError
from ir.infile import check_file
from ir.mapping import (
    TILE_KINDS,
    Block,
    DenseOwner,
    Grouping,
    LayerGrouping,
    Mapping,
    Owner,
    RoutedOwner,
    SharedOwner,
    column_lengths,
)
from ir.placement import Placement, Region
from ir.stacks import Member, Stacking
from ir.topology import ONE_DIE, Topology, topology_of
from ir.workload import AnyOperator, Dense, Expert, MoELayer, Weight, Workload

MAX_BYTES = 1 << 30
MAX_NUMBER = 1 << 40
MAX_DIES = 1 << 14
_UNKNOWN = Certificate("not in the file", 0, 0, "heuristic")


def read_mapping(path: Path, workload: Workload) -> Mapping:
    """The mapping of `workload` that `mapping_json` wrote, without certificates.

    Raises InputError naming the file and what is not as written, or of another model.
    """
    check_file(path, "a mapping written by `moexbar compile`", MAX_BYTES)
    try:
        found = json.loads(path.read_bytes())
        if found["model"]["sha256"] != workload.sha256:
            raise InputError(str(path), "made for another model than the one given")
        copies = _number(found.get("dense_copies", 1), 1)
        blocks = tuple(_block(b, workload, copies) for b in found["blocks"])
        grouping = _grouping(found["groups"])
        placement = _placement(found, blocks, grouping)
        return Mapping(blocks, grouping, placement, copies, _stacking(found.get("stacks", ())))
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        problem = f"not as `moexbar compile` writes it: {type(error).__name__} {error}"[:200]
        raise InputError(str(path), problem, "compile again") from error


def _number(value: Any, low: int = 0) -> int:
    if type(value) is not int or not low <= value <= MAX_NUMBER:
        raise ValueError(f"{value!r}, expected a whole number of at least {low}"[:100])
    return value


def _block(found: dict[str, Any], workload: Workload, copies: int) -> Block:
    names = [op.name for op in workload.operators]
    operator = names.index(found["operator"])
    role, owner = found["role"], _owner(found, copies)
    weight = _weight(workload.operators[operator], role, owner)
    told = (
        found["tensor"],
        found["index"],
        found["transposed"],
        found["shape"],
        found["start"],
        found["step"],
        found["format"],
    )
    shape = [weight.rows, weight.columns]
    known = (
        weight.tensor,
        weight.index,
        weight.transposed,
        shape,
        weight.start,
        weight.step,
        weight.format,
    )
    if told != known:
        raise ValueError(f"a block of {found['operator']} is not the model's {weight.tensor}")
    return Block(
        operator,
        _number(found["layer"]),
        role,
        _number(found["stage"]),
        owner,
        weight,
        _number(found["rows"], 1),
        _number(found["columns"], 1),
    )


def _owner(found: dict[str, Any], copies: int) -> Owner:
    """Whose matrix a block holds, from the three numbers that say so; copies: of dense blocks."""
    expert, shared = _number(found["expert"], -1), _number(found["shared"], -1)
    replica = _number(found["replica"])
    if expert >= 0 and shared < 0:
        return RoutedOwner(expert, replica)
    if expert >= 0 or replica >= copies:
        raise ValueError(f"expert {expert}, replica {replica}, shared expert {shared} of a block")
    return SharedOwner(shared, replica) if shared >= 0 else DenseOwner(replica)


def _weight(op: AnyOperator, role: str, owner: Owner) -> Weight:
    """The matrix of an operator that a block says it holds."""
    weight: Weight | None = None
    match op, owner:
        case Dense(), DenseOwner() if role == "dense":
            weight = op.weight
        case MoELayer(), DenseOwner() if role == "dense":
            weight = op.router.projection
        case MoELayer(), RoutedOwner(expert):
            weight = _of(op.experts[expert]).get(role)
        case MoELayer(), SharedOwner(number):
            weight = _of(op.shared[number]).get(role)
    if weight is None:
        raise ValueError(f"{op.name} has no matrix {role!r} of {owner}")
    return weight


def _of(expert: Expert) -> dict[str, Weight | None]:
    return {"up": expert.up, "gate": expert.gate, "down": expert.down}


def _grouping(found: list[dict[str, Any]]) -> Grouping:
    return Grouping(
        tuple(
            LayerGrouping(
                _number(g["layer"]),
                tuple(tuple(_number(e) for e in members) for members in g["groups"]),
                str(g["solver"]),
                _UNKNOWN,
                tuple(_number(e) for e in g.get("digital", ())),
            )
            for g in found
        )
    )


def _stacking(found: list[list[dict[str, Any]]]) -> Stacking:
    members = [
        tuple(Member(*(_number(m[n]) for n in ("layer", "stage", "group"))) for m in stack)
        for stack in found
    ]
    return Stacking(tuple(members), "not in the file")


def _placement(found: dict[str, Any], blocks: tuple[Block, ...], grouping: Grouping) -> Placement:
    start = np.array([_number(b["pg_start"]) for b in found["blocks"]], dtype=np.int64)
    spots = np.zeros((len(blocks), len(TILE_KINDS), 3), dtype=np.int64)
    for i, block in enumerate(found["blocks"]):
        for kind in np.unique(blocks[i].tile_kinds()).tolist():
            spots[i, kind] = [_number(n) for n in block["spots"][TILE_KINDS[kind]]]
    core = _cores(found["pg_core"])
    kind_of_pg = np.ones(len(core), dtype=np.int8)
    lengths = column_lengths(blocks, grouping).tolist()
    for block, first, length in zip(blocks, start.tolist(), lengths, strict=True):
        last = first + (block.columns - 1) * length + block.rows - 1
        if last >= len(core):
            raise ValueError(f"PG {last} of {len(core)}")
        if isinstance(block.owner, RoutedOwner):
            kind_of_pg[first : last + 1] = 0
    regions = tuple(
        Region(
            _number(r["layer"]),
            _number(r["x"]),
            _number(r["y"]),
            _number(r["width"]),
            _number(r["height"]),
            tuple(_number(n) for n in r.get("guests", ())),
            _number(r.get("die", 0)),
        )
        for r in found["regions"]
    )
    topology = _topology(found.get("dies"))
    width, height = (_number(found["mesh"][side]) for side in ("width", "height"))
    last = max((region.die for region in regions), default=0)
    if last >= topology.count:
        raise ValueError(f"a region on die {last} of {topology.count}")
    if core.max(initial=-1) >= width * height * topology.count:
        raise ValueError(f"a peripheral group on core {core.max()}, beyond the dies")
    return Placement(
        width,
        height,
        regions,
        start,
        spots,
        core,
        kind_of_pg,
        "not in the file",
        topology=topology,
    )


def _topology(found: dict[str, Any] | None) -> Topology:
    """How the dies are joined; ValueError for pairs that no dies of that number are joined by."""
    if found is None:
        return ONE_DIE
    count, columns = _number(found["count"], 1), _number(found["columns"])
    joined = tuple((_number(a), _number(b)) for a, b in found["joined"])
    right = count <= MAX_DIES and all(a < b < count for a, b in joined)
    right = right and joined == tuple(sorted(set(joined)))
    topology = Topology(count, joined, columns)
    if right and columns:
        right = topology == topology_of(Dies(1, columns=columns), count)
    if not right:
        raise ValueError(f"{count} dies in {columns} columns, joined {joined}"[:100])
    return topology


def _cores(runs: list[list[int]]) -> Ints:
    pairs = [(_number(core), _number(count)) for core, count in runs]
    if sum(count for _, count in pairs) > 1 << 28:
        raise ValueError("more than 2^28 peripheral groups")
    cores, counts = (np.array([p[i] for p in pairs], dtype=np.int64) for i in (0, 1))
    return np.repeat(cores, counts)
