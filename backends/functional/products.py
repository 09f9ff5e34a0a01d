"""LOAD, MVM, ACC and STORE: a vector through the crossbars of a group and back.

A job's value changes its name: VECTOR in the input buffer, Partial sums after the MVM, Added ones
once its row tiles are added, with its bias.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from backends.functional.crossbars import Tiles
from backends.functional.machine import At, Machine
from backends.functional.names import Added, Inner, Name, Partial
from backends.functional.values import Batch, wrong
from ir.arrays import Array, Ints
from ir.errors import CheckError
from ir.mapping import DenseOwner, Role, SharedOwner
from ir.program import Opcode
from ir.workload import Dense, Operator

ROLES: tuple[Role, ...] = ("up", "gate", "down", "dense")


def run_dense(at: At[Dense], rows: dict[Opcode, Ints]) -> None:
    """A constant matrix product: every token's vector through its bank."""
    m, op = at.m, at.op
    if not len(rows[Opcode.STORE]):
        raise CheckError("execution", op.name, "no instruction does it")
    name, shape = op.outputs[0], m.row_shape(op.outputs[0])
    for ids, result in through_bank(at, op.inputs[0], rows):
        made = result.astype(m.whole[0][name].dtype).reshape(len(ids), *(shape or (-1,)))
        m.values.put(ids, np.arange(len(ids)), Batch({name: made}))
        at.record(ids)


def through_bank(
    at: At[Operator], name: str, rows: dict[Opcode, Ints]
) -> Iterator[tuple[Ints, Array]]:
    """Each token's value `name` through a dense matrix: STOREs, and results [ids, columns]."""
    m = at.m
    load(m, name, rows[Opcode.LOAD])
    multiply(at, rows[Opcode.MVM])
    add_up(m, rows[Opcode.ACC])
    for ids, read in by_batch(m, rows[Opcode.STORE]):
        yield ids, named(m, take_sums(m, ids, read), "dense", ids)


def named(m: Machine, sums: dict[Role, Array], role: Role, ids: Ints) -> Array:
    """The sums of that role; an error where `ids` took those of another matrix."""
    if role not in sums:
        raise wrong(m.program, int(ids[0]), f"takes sums of {', '.join(sums)}, expected {role}")
    return sums[role]


def load(m: Machine, name: str, ids: Ints) -> None:
    """LOAD: the vector of its token, broadcast to the input buffers of its destinations."""
    if len(ids):
        m.values.put(ids, np.arange(len(ids)), Batch({Inner.VECTOR: vectors_of(m, name, ids)}))


def vectors_of(m: Machine, name: str, ids: Ints) -> Array:
    """The vector of each instruction's token that it reads: float32 [ids, width]."""
    if name in m.workload.inputs:
        fed = m.to_rows(name, [run.feeds[name] for run in m.runs])
        if fed is None:
            raise wrong(m.program, int(ids[0]), f"reads {name!r}, which has no row for each token")
        x = fed[m.program.token[ids]]
    else:
        x = m.values.take(ids, name)
    return x.reshape(len(ids), -1).astype(np.float32)


def multiply(at: At[Operator], ids: Ints, part: tuple[Ints, int] | None = None) -> None:
    """MVM: the vector in the group's input buffer times the tiles behind its PGs.

    The group is the MVM's unit; its expert and replica say which crossbar every PG drives.
    part: which of so many equal parts of the vector each takes, where it is not the whole.
    """
    if not len(ids):
        return
    m, p = at.m, at.m.program
    vectors = m.values.take(ids, Inner.VECTOR)
    if part is not None:
        which, count = part
        vectors = vectors.reshape(len(ids), count, -1)[np.arange(len(ids)), which]
    m.job[ids] = ids
    key = np.stack([p.unit[ids], p.expert[ids], p.replica[ids]])
    kinds, kind = np.unique(key, axis=1, return_inverse=True)
    kind = kind.ravel()
    by_shape: dict[tuple[object, ...], list[tuple[Ints, list[Tiles]]]] = {}
    for number, (unit, expert, replica) in enumerate(kinds.T.tolist()):
        mine = np.flatnonzero(kind == number)
        tiles = m.crossbars.on(p.units[unit], expert, replica)
        homes = m.workload.homes
        if tiles and isinstance(tiles[0].block.owner, DenseOwner):
            homes = m.workload.matrix_homes
        if not tiles or tiles[0].block.operator != homes[at.index]:
            problem = f"the PGs of {p.units[unit].name} do not hold its tiles, one each"
            raise wrong(p, int(ids[mine[0]]), problem)
        if tiles[0].block.weight.rows != vectors.shape[1]:
            problem = f"a vector of {vectors.shape[1]} values for {tiles[0].block.weight.rows} rows"
            raise wrong(p, int(ids[mine[0]]), problem)
        shape = tuple(
            (t.block.role, t.block.rows, t.block.weight.columns, t.bias is None) for t in tiles
        )
        by_shape.setdefault(shape, []).append((mine, tiles))
    for parts in by_shape.values():
        _multiply(m, ids, vectors, parts)


def _multiply(
    m: Machine, ids: Ints, vectors: Array, parts: Sequence[tuple[Ints, list[Tiles]]]
) -> None:
    """MVMs of groups whose blocks have the same shapes, all with or without a bias: one batch."""
    places = np.concatenate([mine for mine, _ in parts])
    sums: dict[Name, Array] = {}
    biases: dict[Role, Array] = {}
    for number, first in enumerate(parts[0][1]):
        role = first.block.role
        found = [m.crossbars.multiply(tiles[number], vectors[mine]) for mine, tiles in parts]
        sums[Partial(role)] = np.concatenate(found)
        if first.bias is not None:
            each = [(tiles[number].bias, len(mine)) for mine, tiles in parts]
            bias = [
                np.broadcast_to(b, (n, first.block.weight.columns))
                for b, n in each
                if b is not None
            ]
            biases[role] = np.concatenate(bias)
    apart = m.chip.accumulate.where == "dpu"  # each column of tiles is added on its own
    jobs = sum(tiles.block.columns for tiles in parts[0][1]) if apart else 1
    m.values.put(ids[places], np.arange(len(places)), Batch(sums, biases=biases, jobs=jobs))


def shared_of(m: Machine, store: int) -> int:
    """The shared expert of its layer whose tiles gave what a STORE holds.

    Raises CheckError where the product is not a shared expert's.
    """
    unit = m.program.units[int(m.program.unit[m.job[store]])]
    for tiles in m.crossbars.on(unit, -1, -1):
        if isinstance(tiles.block.owner, SharedOwner):
            return tiles.block.owner.number
    raise wrong(m.program, store, "names no expert, but its product is a routed one's")


def add_up(m: Machine, ids: Ints) -> None:
    """ACC: the row tiles' partial sums of one MVM, in order or in pairs, then the bias.

    On digital units (accumulate = "dpu") each ACC adds one column of tiles of the job; who takes
    the sums must read as many as there are.
    """
    in_tree = m.chip.accumulate.where == "pg" and m.chip.accumulate.order == "tree"
    for mine, read in by_batch(m, ids):
        batch = m.values.of(read[0])
        sums: dict[Name, Array] = {}
        for role in ROLES:
            if (partial := batch.arrays.get(Partial(role))) is not None:
                whole = _in_tree(partial) if in_tree else partial.sum(axis=1)
                bias = batch.biases.get(role)
                sums[Added(role)] = whole if bias is None else whole + bias
        if not sums:
            raise wrong(m.program, int(mine[0]), "reads no partial sums")
        m.values.put(mine, m.values.row[read], Batch(sums, jobs=batch.jobs))
        m.job[mine] = m.job[read]


def _in_tree(partial: Array) -> Array:
    """Sums [n, columns] of row tiles [n, tiles, columns] in pairs, and those in pairs again."""
    while partial.shape[1] > 1:
        pairs = partial[:, ::2].copy()
        pairs[:, : partial.shape[1] // 2] += partial[:, 1::2]
        partial = pairs
    return partial[:, 0]


def take_sums(m: Machine, ids: Ints, read: Ints) -> dict[Role, Array]:
    """Finished sums [ids, columns] by role, where all read one batch (see `by_batch`).

    An MVM without partial sums and without a bias needs no ACC.
    """
    batch = m.values.of(read[0])
    out: dict[Role, Array] = {}
    for role in ROLES:
        if Added(role) in batch.arrays:
            out[role] = m.values.take(ids, Added(role), batch.jobs)
        elif (partial := batch.arrays.get(Partial(role))) is not None:
            if partial.shape[1] > 1 or role in batch.biases:
                raise wrong(m.program, int(ids[0]), "takes partial sums that nothing added")
            out[role] = m.values.take(ids, Partial(role))[:, 0]
    if not out:
        raise wrong(m.program, int(ids[0]), "reads no sums of a product")
    m.job[ids] = m.job[read]
    return out


def by_batch(m: Machine, ids: Ints) -> list[tuple[Ints, Ints]]:
    """`ids` (ascending) and the first id that each reads, apart by the batch of what they read."""
    if not len(ids):
        return []
    place, read = m.values.edges(ids)
    first, at = np.unique(place, return_index=True)
    if len(first) < len(ids):
        lost = int(np.setdiff1d(np.arange(len(ids)), first)[0])
        raise wrong(m.program, int(ids[lost]), "reads nothing")
    read = read[at]
    batch = m.values.batch[read]
    return [(ids[batch == b], read[batch == b]) for b in np.unique(batch).tolist()]
