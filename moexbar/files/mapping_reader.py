"""mapping.json read back: a file may be damaged, so every number is checked against the model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ir.arrays import Ints
from ir.certificate import Certificate
from ir.chip import Chip, Dies
from ir.errors import InputError
from ir.infile import Infile, infile
from ir.mapping import (
    TILE_KINDS,
    Block,
    DenseOwner,
    Grouping,
    LayerGrouping,
    Owner,
    RoutedOwner,
    SharedOwner,
    column_lengths,
)
from ir.mapping import Mapping as WholeMapping
from ir.placement import Placement, Region
from ir.stacks import Member, Stacking
from ir.topology import ONE_DIE, Topology, topology_of
from ir.workload import AnyOperator, Dense, Expert, MoELayer, Weight, Workload
from moexbar.report.mapped import BlockRow, DiesRow, GroupedLayer, MappingFile, RegionRow
from moexbar.report.reading import read_document

MAX_NUMBER = 1 << 31
MAX_PGS = 1 << 28
MAX_DIES = 1 << 14
HINT = "compile again"
_UNKNOWN = Certificate("not in the file", 0, 0, "heuristic")


def read_mapping(path: Path | Infile, workload: Workload) -> WholeMapping:
    """The mapping of `workload` that `mapping_json` wrote, without certificates.

    Raises InputError naming the file and what is not as written, or of another model. Whether it is
    one that a chip can have is for `ir.verify` to say.
    """
    file = infile(path)
    found = read_document(MappingFile, file)
    if found.model.sha256 != workload.sha256:
        raise InputError(f"{file}: model.sha256", "made for another model than the one given", HINT)
    with _located(str(file)):
        copies = found.dense_copies or 1
        _check("dense_copies", copies, 1)
        grouping = Grouping(tuple(_grouped(i, row) for i, row in enumerate(found.groups)))
        names = {op.name: place for place, op in enumerate(workload.operators)}
        blocks = tuple(_block(i, b, workload, names, copies) for i, b in enumerate(found.blocks))
        _check_owners(blocks, grouping)
        placement = _placement(found, blocks, grouping)
        return WholeMapping(blocks, grouping, placement, copies, _stacking(found))


def refuse_other_dies(where: str, mapping: WholeMapping, chip: Chip) -> None:
    """InputError where the dies of a mapping are not joined as those of its chip."""
    topology = mapping.placement.topology
    try:
        known = topology_of(chip.dies, topology.count) if chip.dies is not None else ONE_DIE
    except InputError as error:
        raise InputError(where, f"dies.count: {error.problem}", HINT) from error
    if known != topology:
        problem = f"dies: {topology.count} dies, not joined as those of the chip in report.json"
        raise InputError(where, problem, HINT)


class _WrongError(Exception):
    """A field, and what is wrong with it."""


@contextmanager
def _located(where: str) -> Iterator[None]:
    """What is wrong in the block as InputError of a file."""
    try:
        yield
    except _WrongError as error:
        raise InputError(where, str(error), HINT) from error
    except InputError as error:  # of a value that cannot be made
        raise InputError(where, f"{error.where}: {error.problem}", error.hint or HINT) from error


def _check(field: str, value: int, low: int = 0, high: int = MAX_NUMBER) -> None:
    if not low <= value <= high:
        raise _WrongError(f"{field}: {value}, expected a whole number from {low} to {high}")


def _check_all(field: str, values: Mapping[str, int], low: int = 0) -> None:
    for name, value in values.items():
        _check(f"{field}.{name}", value, low)


def _grouped(number: int, row: GroupedLayer) -> LayerGrouping:
    field = f"groups[{number}]"
    _check(f"{field}.layer", row.layer)
    held = {expert for group in row.groups for expert in group} | set(row.digital or ())
    if held != set(range(len(held))):
        raise _WrongError(f"{field}: experts {str(sorted(held))[:60]}, expected each from 0 up")
    return LayerGrouping(row.layer, row.groups, row.solver, _UNKNOWN, row.digital or ())


def _block(
    number: int, row: BlockRow, workload: Workload, names: Mapping[str, int], copies: int
) -> Block:
    field = f"blocks[{number}]"
    if row.operator not in names:
        raise _WrongError(f"{field}.operator: {ascii(row.operator)[:60]}, which the model has not")
    operator, owner = names[row.operator], _owner(field, row, copies)
    weight = _weight(field, workload.operators[operator], row.role, owner)
    known = {
        "tensor": weight.tensor,
        "index": weight.index,
        "transposed": weight.transposed,
        "shape": (weight.rows, weight.columns),
        "start": weight.start,
        "step": weight.step,
        "format": weight.format,
    }
    for name, value in known.items():
        if getattr(row, name) != value:
            problem = f"{field}.{name}: is not the model's {weight.tensor}, expected {value}"
            raise _WrongError(problem)
    counts = {"layer": row.layer, "stage": row.stage, "pg_start": row.pg_start}
    _check_all(field, counts)
    _check_all(field, {"rows": row.rows, "columns": row.columns}, 1)
    return Block(operator, row.layer, row.role, row.stage, owner, weight, row.rows, row.columns)


def _owner(field: str, row: BlockRow, copies: int) -> Owner:
    """Whose matrix a block holds, from the three numbers that say so; copies: of dense blocks."""
    expert, replica, shared = row.expert, row.replica, row.shared
    _check_all(field, {"expert": expert, "shared": shared}, -1)
    _check(f"{field}.replica", replica)
    if expert >= 0 and shared < 0:
        return RoutedOwner(expert, replica)
    if expert >= 0 or replica >= copies:
        problem = f"expert {expert}, replica {replica}, shared expert {shared} of a block"
        raise _WrongError(f"{field}: {problem}")
    return SharedOwner(shared, replica) if shared >= 0 else DenseOwner(replica)


def _weight(field: str, op: AnyOperator, role: str, owner: Owner) -> Weight:
    """The matrix of an operator that a block says it holds."""
    weight: Weight | None = None
    match op, owner:
        case Dense(), DenseOwner() if role == "dense":
            weight = op.weight
        case MoELayer(), DenseOwner() if role == "dense":
            weight = op.router.projection
        case MoELayer(), RoutedOwner(expert) if expert < len(op.experts):
            weight = _of(op.experts[expert]).get(role)
        case MoELayer(), SharedOwner(number) if number < len(op.shared):
            weight = _of(op.shared[number]).get(role)
    if weight is None:
        raise _WrongError(f"{field}: {op.name} has no matrix {role!r} of {owner}")
    return weight


def _of(expert: Expert) -> dict[str, Weight | None]:
    return {"up": expert.up, "gate": expert.gate, "down": expert.down}


def _check_owners(blocks: Sequence[Block], grouping: Grouping) -> None:
    """Every copy of a routed expert is in a group of its layer."""
    held = {layer.layer: dict(enumerate(layer.copies())) for layer in grouping.layers}
    for number, block in enumerate(blocks):
        if isinstance(block.owner, RoutedOwner):
            expert, copy = block.owner.expert, block.owner.replica
            if copy >= len(held.get(block.layer, {}).get(expert, ())):
                problem = f"copy {copy} of expert {expert} is in no group of layer {block.layer}"
                raise _WrongError(f"blocks[{number}].replica: {problem}")


def _stacking(found: MappingFile) -> Stacking:
    for s, stack in enumerate(found.stacks or ()):
        for m, member in enumerate(stack):
            _check_all(f"stacks[{s}][{m}]", vars(member))
    stacks = ((Member(m.layer, m.stage, m.group) for m in stack) for stack in found.stacks or ())
    return Stacking(tuple(tuple(stack) for stack in stacks), "not in the file")


def _placement(found: MappingFile, blocks: tuple[Block, ...], grouping: Grouping) -> Placement:
    start = np.array([row.pg_start for row in found.blocks], dtype=np.int64)
    core = _cores(found.pg_core)
    kind_of_pg = np.ones(len(core), dtype=np.int8)
    lengths = column_lengths(blocks, grouping).tolist()
    for number, block in enumerate(blocks):
        first = found.blocks[number].pg_start
        last = first + (block.columns - 1) * lengths[number] + block.rows - 1
        if last >= len(core):
            raise _WrongError(f"blocks[{number}].pg_start: PG {last} of {len(core)}")
        if isinstance(block.owner, RoutedOwner):
            kind_of_pg[first : last + 1] = 0
    topology = _topology(found.dies)
    width, height = found.mesh.width, found.mesh.height
    _check_all("mesh", vars(found.mesh))
    regions = tuple(_region(i, row, topology) for i, row in enumerate(found.regions))
    if core.max(initial=-1) >= width * height * topology.count:
        problem = f"a peripheral group on core {core.max()}, beyond the dies"
        raise _WrongError(f"pg_core: {problem}")
    return Placement(
        width,
        height,
        regions,
        start,
        _spots(found.blocks, blocks),
        core,
        kind_of_pg,
        "not in the file",
        topology=topology,
    )


def _region(number: int, row: RegionRow, topology: Topology) -> Region:
    field, sides = f"regions[{number}]", ("layer", "x", "y", "width", "height")
    _check_all(field, {side: getattr(row, side) for side in sides})
    for guest in row.guests or ():
        _check(f"{field}.guests", guest)
    die = row.die or 0
    _check(f"{field}.die", die, 0, topology.count - 1)
    return Region(row.layer, row.x, row.y, row.width, row.height, row.guests or (), die)


def _spots(rows: Sequence[BlockRow], blocks: Sequence[Block]) -> Ints:
    """[blocks, kinds of tile, 3]: see Placement."""
    spots = np.zeros((len(blocks), len(TILE_KINDS), 3), dtype=np.int64)
    for i, (row, block) in enumerate(zip(rows, blocks, strict=True)):
        for kind in _kinds(block):
            field = f"blocks[{i}].spots.{TILE_KINDS[kind]}"
            spot = getattr(row.spots, TILE_KINDS[kind])
            if spot is None:
                raise _WrongError(f"{field}: missing, a grid of such tiles has one")
            for value in spot:
                _check(field, value)
            spots[i, kind] = spot
    return spots


def _kinds(block: Block) -> list[int]:
    """Which of TILE_KINDS a grid of tiles has, however large, without making the grid."""
    down, across = ((0, 1) if many > 1 else (1,) for many in (block.rows, block.columns))
    return [2 * bottom + right for bottom in down for right in across]


def _topology(found: DiesRow | None) -> Topology:
    """How the dies are joined, in pairs that dies of that number are joined by."""
    if found is None:
        return ONE_DIE
    _check("dies.count", found.count, 1, MAX_DIES)
    _check("dies.columns", found.columns, 0, MAX_DIES)
    by_first, by_second = sorted(set(found.joined)), sorted(set(found.joined), key=_reversed)
    ordered = list(found.joined) in (by_first, by_second)  # by the second where all are joined
    if not ordered or not all(0 <= a < b < found.count for a, b in found.joined):
        raise _WrongError(f"dies.joined: expected ascending pairs of {found.count} dies, each once")
    topology = Topology(found.count, found.joined, found.columns)
    if found.columns and topology != topology_of(Dies(1, columns=found.columns), found.count):
        raise _WrongError(
            f"dies.joined: not those of {found.count} dies in {found.columns} columns"
        )
    return topology


def _reversed(pair: tuple[int, int]) -> tuple[int, int]:
    return pair[1], pair[0]


def _cores(runs: Sequence[tuple[int, int]]) -> Ints:
    for number, (core, count) in enumerate(runs):
        _check(f"pg_core[{number}]", core)
        _check(f"pg_core[{number}]", count)
    if sum(count for _, count in runs) > MAX_PGS:
        raise _WrongError("pg_core: more than 2^28 peripheral groups")
    cores, counts = (np.array([p[i] for p in runs], dtype=np.int64) for i in (0, 1))
    return np.repeat(cores, counts)
