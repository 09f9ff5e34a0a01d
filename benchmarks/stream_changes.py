"""Kinds of random change of a streamed program: see `stream_mutations`."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from ir.arrays import Ints
from ir.program import Lists, Opcode, Program
from tests.backends.functional import mutate

Change = Callable[[Program, np.random.Generator], Program | None]  # None: the row drawn admits none

COSTS = ("bytes", "macs", "duration_ps", "busy_ps", "energy_fj")
LABELS = ("opcode", "seq", "layer", "node", "stage", "expert", "replica", "slot", "src", "writes")


def same(one: Program, other: Program) -> bool:
    """Whether two programs are equal in every column and table."""
    return all(_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def _equal(one: object, other: object) -> bool:
    match one, other:
        case Lists(), Lists():
            return _equal(one.offsets, other.offsets) and _equal(one.values, other.values)
        case np.ndarray(), np.ndarray():
            return np.array_equal(one, other)
        case _:
            return bool(one == other)


def _row(random: np.random.Generator, rows: Ints) -> int:
    return int(random.choice(rows)) if len(rows) else -1


def _of(p: Program, *opcodes: Opcode) -> Ints:
    return np.flatnonzero(np.isin(p.opcode, opcodes))


def _any(p: Program, random: np.random.Generator) -> int:
    """A row, each opcode as likely as any other."""
    return _row(random, _of(p, Opcode(int(random.choice(np.unique(p.opcode))))))


def _like(p: Program, row: int) -> Ints:
    """Other rows of the same opcode, node and stage."""
    alike = (p.opcode == p.opcode[row]) & (p.node == p.node[row]) & (p.stage == p.stage[row])
    alike[row] = False
    return np.flatnonzero(alike)


def earlier(p: Program, random: np.random.Generator) -> Program | None:
    """A start of 1 ps before, of any time before, or of 0."""
    row = _any(p, random)
    start = int(p.start_ps[row])
    to = (start - 1, int(random.integers(start + 1)), 0)[int(random.integers(3))]
    return mutate.put(p, "start_ps", row, to) if start else None


def later(p: Program, random: np.random.Generator) -> Program | None:
    """A start of 1 ps behind, behind by up to its duration, or after all."""
    row = _any(p, random)
    start, most = int(p.start_ps[row]), int(p.duration_ps[row]) + 2
    to = (start + 1, start + int(random.integers(1, most)), p.makespan_ps)[int(random.integers(3))]
    return mutate.put(p, "start_ps", row, int(to))


def starts_exchanged(p: Program, random: np.random.Generator) -> Program | None:
    """Two instructions change places: of one unit, or one that reads the other."""
    row = _any(p, random)
    rows = np.flatnonzero(p.unit == p.unit[row]) if random.random() < 0.5 else p.reads[row]
    other = _row(random, np.asarray(rows, dtype=np.int64))
    return mutate.swap(p, "start_ps", row, other) if other >= 0 else None


def other_unit(p: Program, random: np.random.Generator) -> Program | None:
    """Another unit: of the same kind, or any."""
    row = _any(p, random)
    kind = p.units[int(p.unit[row])].kind
    alike = [n for n, unit in enumerate(p.units) if unit.kind == kind]
    every = alike if random.random() < 0.7 else list(range(len(p.units)))
    return mutate.put(p, "unit", row, int(random.choice(every)))


def removed(p: Program, random: np.random.Generator) -> Program | None:
    """An instruction left out; who read it reads one value less."""
    return mutate.drop(p, _any(p, random))


def doubled(p: Program, random: np.random.Generator) -> Program | None:
    """An instruction once more, at its own time or after all."""
    row = _any(p, random)
    return mutate.duplicate(p, row, int(random.choice([p.start_ps[row], p.makespan_ps])))


def operands_exchanged(p: Program, random: np.random.Generator) -> Program | None:
    """Two instructions of a kind read what the other reads, all of it or one value."""
    row = _any(p, random)
    other = _row(random, _like(p, row))
    one, two = p.reads[row].tolist(), p.reads[max(other, 0)].tolist()
    if other < 0 or not one or not two:
        return None
    if random.random() < 0.5:
        one, two = two, one
    else:
        place = int(random.integers(min(len(one), len(two))))
        one[place], two[place] = two[place], one[place]
    return mutate.reads(mutate.reads(p, row, one), other, two)


def read_of_another(p: Program, random: np.random.Generator) -> Program | None:
    """A value of the same kind in place of one that is read."""
    row = _any(p, random)
    old = _row(random, np.asarray(p.reads[row], dtype=np.int64))
    new = _row(random, _like(p, old)) if old >= 0 else -1
    return mutate.read_instead(p, row, old, new) if new >= 0 else None


def read_removed(p: Program, random: np.random.Generator) -> Program | None:
    """One value less."""
    row = _any(p, random)
    old = _row(random, np.asarray(p.reads[row], dtype=np.int64))
    kept = [read for read in p.reads[row].tolist() if read != old]
    return mutate.reads(p, row, kept) if old >= 0 else None


def read_added(p: Program, random: np.random.Generator) -> Program | None:
    """One value more, of those that are there, or one once more."""
    row = _any(p, random)
    there = np.flatnonzero((p.end_ps <= p.start_ps[row]) & (np.arange(len(p)) < row))
    new = _row(random, there)
    return mutate.reads(p, row, [*p.reads[row].tolist(), new]) if new >= 0 else None


def chain_changed(p: Program, random: np.random.Generator) -> Program | None:
    """A job of attention without the one before it, or after another."""
    row = _row(random, _of(p, Opcode.ATTN))
    before = [read for read in p.reads[row].tolist() if p.opcode[read] == Opcode.ATTN]
    if not before:
        return None
    if random.random() < 0.5:
        return mutate.reads(p, row, [read for read in p.reads[row].tolist() if read not in before])
    return mutate.read_instead(p, row, before[0], _row(random, _like(p, row)))


def keys_changed(p: Program, random: np.random.Generator) -> Program | None:
    """A job of attention looks at a key more or less: what it reads, its size, its last token."""
    row = _row(random, _of(p, Opcode.ATTN))
    mine = np.array([r for r in p.reads[row].tolist() if p.node[r] != p.node[row]], dtype=np.int64)
    old = _row(random, mine)
    new = _row(random, _like(p, old)) if old >= 0 else -1
    if new < 0:
        return None
    match int(random.integers(4)):
        case 0:
            return mutate.reads(p, row, [*p.reads[row].tolist(), new])
        case 1:
            return mutate.reads(p, row, [r for r in p.reads[row].tolist() if r != old])
        case 2:
            other = _row(random, _like(p, row))
            name = str(random.choice([*COSTS]))
            return mutate.put(p, name, row, int(getattr(p, name)[other])) if other >= 0 else None
        case _:
            return mutate.put(p, "token", row, int(p.token[row]) + int(random.choice([-1, 1])))


def token_changed(p: Program, random: np.random.Generator) -> Program | None:
    """Another token, with its sequence or without."""
    row, other = _any(p, random), int(random.integers(len(p)))
    changed = mutate.put(p, "token", row, int(p.token[other]))
    return changed if random.random() < 0.5 else mutate.put(changed, "seq", row, int(p.seq[other]))


def step_changed(p: Program, random: np.random.Generator) -> Program | None:
    """The step before or behind."""
    row = _any(p, random)
    return mutate.put(p, "step", row, int(p.step[row]) + int(random.choice([-1, 1])))


def destinations_changed(p: Program, random: np.random.Generator) -> Program | None:
    """A transfer goes to a group less, a group more, or another one."""
    row = _row(random, np.flatnonzero(np.diff(p.dst.offsets) > 0))
    to, kind = p.dst[row].tolist(), int(random.integers(3))
    groups = [n for n, unit in enumerate(p.units) if unit.kind == "group"]
    if kind != 1:
        to.remove(int(random.choice(to)))
    if kind:
        to.append(int(random.choice(groups)))
    rows = [p.dst[i].tolist() for i in range(len(p))]
    rows[row] = to
    return replace(p, dst=mutate.lists(rows))


def offset_changed(p: Program, random: np.random.Generator) -> Program | None:
    """Other bytes of the buffer: one further or back, those of another value, any."""
    row = _row(random, np.flatnonzero(p.buffer >= 0))
    offset, size = int(p.offset[row]), p.buffers[int(p.buffer[row])].bytes
    other = _row(random, np.flatnonzero(p.buffer == p.buffer[row]))
    to = (
        offset + int(random.choice([-1, 1])),
        int(p.offset[other]),
        int(random.integers(size + 1)),
    )
    return mutate.put(p, "offset", row, int(to[int(random.integers(3))]))


def buffer_changed(p: Program, random: np.random.Generator) -> Program | None:
    """Another buffer or none; or a buffer of a byte more or less."""
    if random.random() < 0.5:
        return mutate.put(p, "buffer", _any(p, random), int(random.integers(-1, len(p.buffers))))
    at = int(random.integers(len(p.buffers)))
    bigger = replace(p.buffers[at], bytes=p.buffers[at].bytes + int(random.choice([-1, 1])))
    return replace(p, buffers=(*p.buffers[:at], bigger, *p.buffers[at + 1 :]))


def sums_changed(p: Program, random: np.random.Generator) -> Program | None:
    """Sums read in another order, of another job, or one of them done in place of another."""
    row = _row(random, _of(p, Opcode.ACC, Opcode.COMBINE))
    if row < 0:
        return None
    read = p.reads[row].tolist()
    match int(random.integers(3)):
        case 0:
            return mutate.reads(p, row, [int(r) for r in random.permutation(read)])
        case 1:
            other = _row(random, _like(p, row))
            return mutate.swap(p, "start_ps", row, other) if other >= 0 else None
        case _:
            old = int(random.choice(read))
            new = _row(random, _like(p, old))
            return mutate.read_instead(p, row, old, new) if new >= 0 else None


def cost_changed(p: Program, random: np.random.Generator) -> Program | None:
    """Bytes, products, time or energy by one, or those of another instruction."""
    row, name = _any(p, random), str(random.choice([*COSTS]))
    column = getattr(p, name)
    to = (int(column[row]) + int(random.choice([-1, 1])), int(column[random.integers(len(p))]))
    return mutate.put(p, name, row, to[int(random.integers(2))])


def label_changed(p: Program, random: np.random.Generator) -> Program | None:
    """Another opcode, sequence, layer, operator, stage, expert, copy, slot, source or result."""
    row, name = _any(p, random), str(random.choice([*LABELS]))
    column = getattr(p, name)
    to = int(column[random.integers(len(p))])
    if column.dtype.kind == "i" and random.random() < 0.5:
        to = int(column[row]) + int(random.choice([-1, 1]))
    return mutate.put(p, name, row, to)


KINDS: dict[str, Change] = {
    change.__name__.replace("_", " "): change
    for change in (
        earlier,
        later,
        starts_exchanged,
        other_unit,
        removed,
        doubled,
        operands_exchanged,
        read_of_another,
        read_removed,
        read_added,
        chain_changed,
        keys_changed,
        token_changed,
        step_changed,
        destinations_changed,
        offset_changed,
        buffer_changed,
        sums_changed,
        cost_changed,
        label_changed,
    )
}
