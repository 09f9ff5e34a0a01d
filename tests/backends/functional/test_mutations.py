"""A correct program with one thing changed cannot be carried out, or computes something else.

Every change is named, and the instruction that is blamed is the one that was changed or the first
that notices it.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from backends.functional import Case, Comparison, compare, execute
from backends.functional.crossbars import Crossbars
from ir.errors import CheckError
from ir.mapping import RoutedOwner
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode, Program
from tests.backends.functional import mutate
from tests.backends.functional.mutate import rows
from tests.backends.functional.small import small_case
from tests.compiler.frontend import models as m


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    return small_case(runtime, tmp_path_factory.mktemp("model"), m.dense_masked(m.sigmoid_topk))


def outcome(case: Case, program: Program, runtime: Runtime) -> tuple[int, str]:
    """(blamed instruction, message) of a changed program; it must not pass."""
    try:
        done = compare(execute(case.running(program), runtime))
    except CheckError as error:
        row = error.culprit.partition(" ")[0]
        return int(row[1:]) if row.startswith("#") else -1, error.problem
    assert done.culprit >= 0, "the changed program computes the model"
    return done.culprit, "wrong number"


def test_unchanged(case: Case, runtime: Runtime) -> None:
    assert compare(execute(case, runtime)).culprit == -1


# Changes of what an instruction reads: another token's value of the same kind.
KINDS = [
    Opcode.LOAD,
    Opcode.MVM,
    Opcode.ACC,
    Opcode.ACT,
    Opcode.XFER,
    Opcode.STORE,
    Opcode.COMBINE,
    Opcode.ADD,
    Opcode.NORM,
    Opcode.TOPK,
    Opcode.GATE,
]


@pytest.mark.parametrize("opcode", KINDS, ids=lambda o: o.name)
@pytest.mark.parametrize("seed", range(2))
def test_value_of_another_token(case: Case, runtime: Runtime, opcode: Opcode, seed: int) -> None:
    """Two values of one operator's instructions differ, so reading the wrong one shows."""
    p, random = case.program, np.random.default_rng(seed)
    for reader in random.permutation(rows(p, opcode)).tolist():
        if not len(p.reads[reader]):
            continue
        old = int(p.reads[reader][0 if opcode == Opcode.LOAD else -1])  # of a LOAD: not its TOPK
        alike = (p.opcode == p.opcode[old]) & (p.node == p.node[old]) & (p.stage == p.stage[old])
        alike &= (p.token != p.token[old]) & (p.token >= 0) & (p.end_ps <= p.start_ps[reader])
        if alike.any():
            new = int(random.choice(np.flatnonzero(alike)))
            assert outcome(case, mutate.read_instead(p, reader, old, new), runtime)[1]
            return
    pytest.fail("no such change is possible")


def _first(p: Program, opcode: Opcode, **where: int) -> int:
    return rows(p, opcode, **where)[0]


def _routed(p: Program, stage: int) -> list[int]:
    return [r for r in rows(p, Opcode.MVM, stage=stage) if p.expert[r] >= 0]


def _wrong_expert(p: Program) -> tuple[Program, int]:
    """The MVM drives another crossbar of its peripheral group: same PGs, another expert's tiles."""
    row = _routed(p, 0)[0]
    same = [r for r in _routed(p, 0) if p.unit[r] == p.unit[row] and p.expert[r] != p.expert[row]]
    return mutate.put(p, "expert", row, int(p.expert[same[0]])), row


def _wrong_expert_below(p: Program) -> tuple[Program, int]:
    row = _routed(p, 1)[-1]
    same = [r for r in _routed(p, 1) if p.unit[r] == p.unit[row] and p.expert[r] != p.expert[row]]
    return mutate.put(p, "expert", row, int(p.expert[same[0]])), int(row)


def _unknown_expert(p: Program) -> tuple[Program, int]:
    """An expert whose tiles are on another group's crossbars."""
    row = _routed(p, 0)[0]
    other = [r for r in _routed(p, 0) if p.unit[r] != p.unit[row]]
    return mutate.put(p, "expert", row, int(p.expert[other[0]])), row


def _result_of_another_expert(p: Program) -> tuple[Program, int]:
    """A STORE that says it is of another expert is weighted as that one's."""
    store = next(r for r in rows(p, Opcode.STORE) if p.expert[r] >= 0)
    reader = next(r for r in rows(p, Opcode.COMBINE) if store in p.reads[r])
    stores = [int(v) for v in p.reads[reader] if p.opcode[v] == Opcode.STORE]
    return mutate.swap(p, "expert", *stores), stores[0]


def _dropped_result(p: Program) -> tuple[Program, int]:
    row = _first(p, Opcode.COMBINE)
    kept = p.reads[row].tolist()
    kept.remove(next(v for v in kept if p.opcode[v] == Opcode.STORE))
    return mutate.reads(p, row, kept), row


def _doubled_result(p: Program) -> tuple[Program, int]:
    row = _first(p, Opcode.COMBINE)
    store = next(v for v in p.reads[row].tolist() if p.opcode[v] == Opcode.STORE)
    return mutate.reads(p, row, [*p.reads[row].tolist(), store]), row


def _sums_left_out(p: Program) -> tuple[Program, int]:
    """A STORE takes the MVM's partial sums, past the ACC that adds its row tiles."""
    acc = rows(p, Opcode.ACC, stage=1)[0]
    store = next(r for r in rows(p, Opcode.STORE) if acc in p.reads[r])
    return mutate.reads(p, store, [int(p.reads[acc][0])]), store


def _read_too_early(p: Program) -> tuple[Program, int]:
    row = _first(p, Opcode.ADD)
    return mutate.put(p, "start_ps", row, 0), row


def _other_group(p: Program) -> tuple[Program, int]:
    """The vector went to one group, the MVM runs on another."""
    row = next(r for r in _routed(p, 0) if len(p.dst[int(p.reads[r][0])]) == 1)
    other = next(r for r in _routed(p, 0) if p.unit[r] != p.unit[row])
    return mutate.put(p, "unit", row, int(p.unit[other])), row


def _same_bytes(p: Program) -> tuple[Program, int]:
    """A value is put where another still lives."""
    last = p.end_ps.copy()
    np.maximum.at(last, p.reads.values, p.end_ps[p.reads.rows()])
    for row in rows(p, Opcode.NORM):
        inside = (p.buffer == p.buffer[row]) & (p.end_ps < p.end_ps[row]) & (p.bytes > 0)
        inside &= last > p.end_ps[row]
        if inside.any():
            kept = int(np.flatnonzero(inside)[0])
            return mutate.put(p, "offset", row, int(p.offset[kept])), -1
    raise AssertionError("no two values live at once")


def _done_twice(p: Program) -> tuple[Program, int]:
    one, other = rows(p, Opcode.NORM)[:2]
    return mutate.put(p, "token", other, int(p.token[one])), -1


def _never_done(p: Program) -> tuple[Program, int]:
    """No instruction of an operator, whose readers read nothing instead."""
    node = p.node[_first(p, Opcode.NORM)]
    for row in sorted(np.flatnonzero(p.node == node).tolist(), reverse=True):
        p = mutate.drop(p, row)
    return p, -1


def _token_before_the_first(p: Program) -> tuple[Program, int]:
    row = _first(p, Opcode.NORM)
    return mutate.put(p, "token", row, -2), row


def _unwritten(p: Program) -> tuple[Program, int]:
    reader = _first(p, Opcode.ADD)
    return mutate.put(p, "writes", int(p.reads[reader][0]), -1), -1


def _beyond_its_buffer(p: Program) -> tuple[Program, int]:
    row = _first(p, Opcode.NORM)
    return mutate.put(p, "offset", row, p.buffers[p.buffer[row]].bytes), row


def _of_a_vector(p: Program, row: int) -> Program:
    """An instruction reads a vector that is still there, and nothing else."""
    last = p.end_ps.copy()
    np.maximum.at(last, p.reads.values, p.end_ps[p.reads.rows()])
    there = np.isin(p.opcode, (Opcode.NORM, Opcode.ADD, Opcode.EMBED))
    there &= (p.end_ps <= p.start_ps[row]) & (last >= p.end_ps[row])
    return mutate.reads(p, row, [int(np.flatnonzero(there)[0])])


def _adds_a_vector(p: Program) -> tuple[Program, int]:
    """An ACC reads a vector instead of an MVM's partial sums."""
    row = _first(p, Opcode.ACC)
    return _of_a_vector(p, row), row


def _stores_a_vector(p: Program) -> tuple[Program, int]:
    row = _first(p, Opcode.STORE)
    return _of_a_vector(p, row), row


def _stores_an_experts_sums(p: Program) -> tuple[Program, int]:
    """The STORE of a dense product takes what an expert's first stage gave."""
    row = next(r for r in rows(p, Opcode.STORE)[::-1] if p.expert[r] < 0)
    sums = next(r for r in _routed(p, 0) if p.end_ps[r] < p.start_ps[row])
    added = [r for r in rows(p, Opcode.ACC) if sums in p.reads[r]]
    return mutate.reads(p, row, (added or [sums])[:1]), row


def _of_no_expert(p: Program) -> tuple[Program, int]:
    store = next(r for r in rows(p, Opcode.STORE) if p.expert[r] >= 0)
    return mutate.put(p, "expert", store, 99), store


CHANGES: dict[str, tuple[Callable[[Program], tuple[Program, int]], str]] = {
    "another expert of the group": (_wrong_expert, "wrong number"),
    "another expert of the group, second stage": (_wrong_expert_below, "wrong number"),
    "an expert of another group": (_unknown_expert, "do not hold its tiles"),
    "results of two experts exchanged": (_result_of_another_expert, "wrong number"),
    "a result dropped": (_dropped_result, "router of layer 0 selects"),
    "a result added twice": (_doubled_result, "wrong number"),
    "partial sums not added": (_sums_left_out, "nothing added"),
    "read before it is written": (_read_too_early, "before it is written"),
    "vector in another group": (_other_group, "did not bring a vector"),
    "two values on the same bytes": (_same_bytes, "overwritten by"),
    "one token twice, another never": (_done_twice, ""),
    "an operator left out": (_never_done, ""),
    "a token before the first": (_token_before_the_first, "token -2"),
    "a value that is not written": (_unwritten, "which writes no value of its own"),
    "a value beyond its buffer": (_beyond_its_buffer, "writes beyond"),
    "a vector added": (_adds_a_vector, "reads no partial sums"),
    "a vector stored": (_stores_a_vector, "reads no sums of a product"),
    "an expert's sums stored": (_stores_an_experts_sums, "expected dense"),
    "a result of no expert": (_of_no_expert, "is of expert 99, the layer has fewer"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change(case: Case, runtime: Runtime, name: str) -> None:
    change, expected = CHANGES[name]
    program, culprit = change(case.program)
    blamed, message = outcome(case, program, runtime)
    assert expected in message
    if culprit >= 0:
        assert blamed == culprit


DROPPED = [
    Opcode.EMBED,
    Opcode.LOAD,
    Opcode.MVM,
    Opcode.ACC,
    Opcode.ACT,
    Opcode.MUL,
    Opcode.XFER,
    Opcode.STORE,
    Opcode.GATE,
    Opcode.TOPK,
    Opcode.COMBINE,
    Opcode.ATTN,
    Opcode.ADD,
]


@pytest.mark.parametrize("opcode", DROPPED, ids=lambda o: o.name)
def test_dropped_instruction(case: Case, runtime: Runtime, opcode: Opcode) -> None:
    row = rows(case.program, opcode)[-1]
    assert outcome(case, mutate.drop(case.program, row), runtime)[1]


def test_full_input_buffer(case: Case, runtime: Runtime) -> None:
    """Two entries: the LOAD after next must wait until the MVM of the first has ended."""
    p = case.program
    group = int(np.bincount(p.unit[_routed(p, 0)]).argmax())
    sent = p.dst.rows()[p.dst.values == group]
    early = sent[np.argsort(p.start_ps[sent])][2]
    changed = mutate.put(p, "start_ps", int(early), int(p.start_ps[sent].min()))
    later = [i for i in p.reads[int(early)].tolist() if p.end_ps[i] > changed.start_ps[early]]
    changed = mutate.reads(
        changed, int(early), [i for i in p.reads[int(early)].tolist() if i not in later]
    )
    assert outcome(case, changed, runtime)[1]


def _execute(case: Case, runtime: Runtime, crossbars: Crossbars) -> Comparison:
    return compare(execute(case, runtime, crossbars))


def test_tiles_exchanged(case: Case, runtime: Runtime) -> None:
    """The cells of two crossbars of one shape exchanged: the program is right, the chip is not."""
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    used = {int(u) for u in case.program.unit[_routed(case.program, 0)]}
    pg = min(case.program.units[u].first_pg for u in used)
    one, other = (crossbars.cells[pg, position] for position in (0, 1))
    kept = one.copy()
    one[:], other[:] = other, kept
    done = _execute(case, runtime, crossbars)
    assert case.program.opcode[done.culprit] == Opcode.MVM
    assert done.first is not None
    assert done.first.name == done.layers[0].name


def test_one_weight_off(case: Case, runtime: Runtime) -> None:
    """One cell of the first matrix: everything after it is wrong, and its MVM is named."""
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    dense = next(t for t in crossbars.tiles if t.block.role == "dense")
    crossbars.cells[int(dense.pg[0, 0]), int(dense.spot[0, 0, 0])][0, 0] += 1
    done = _execute(case, runtime, crossbars)
    row = done.culprit
    assert case.program.opcode[row] == Opcode.MVM
    assert case.program.node[row] == dense.block.operator
    assert not done.outputs[0].right


def test_missing_tile(case: Case, runtime: Runtime) -> None:
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    owners = [tiles.block.owner for tiles in crossbars.tiles]
    del crossbars.tiles[owners.index(RoutedOwner(0))]
    with pytest.raises(CheckError, match=r"expert 0 .* do not hold its tiles"):
        _execute(case, runtime, crossbars)


def test_a_tile_too_many(case: Case) -> None:
    first, *others = case.mapping.blocks
    mapping = replace(case.mapping, blocks=(replace(first, rows=first.rows + 1), *others))
    said = f"{first.rows + 1} x {first.columns} tiles, expected {first.rows} x {first.columns}"
    with pytest.raises(CheckError, match=said):
        Crossbars(mapping, case.chip, case.source)


def test_two_tiles_on_the_same_cells(case: Case) -> None:
    spots = case.mapping.placement.spots.copy()
    spots[:, :, 0] = 0  # all experts of a group on the first crossbar
    placement = replace(case.mapping.placement, spots=spots)
    with pytest.raises(CheckError, match="does not fit there or is not alone"):
        Crossbars(replace(case.mapping, placement=placement), case.chip, case.source)


def test_a_gate_on_the_input_comes_from_the_topk_read(
    tmp_path_factory: pytest.TempPathFactory, runtime: Runtime
) -> None:
    """Two tokens of one expert: the sums of one multiplied by the gate of the other."""
    case = small_case(runtime, tmp_path_factory.mktemp("model"), m.llama4)
    p = case.program
    topk = {int(p.token[r]): r for r in rows(p, Opcode.TOPK)}
    scales = [r for r in rows(p, Opcode.MUL) if int(p.reads[r][1]) in topk.values()]
    assert len(scales) == int(((p.opcode == Opcode.MVM) & (p.expert >= 0)).sum()) // 2
    late, early = next(
        (a, b)
        for a in scales[::-1]
        for b in scales
        if p.expert[a] == p.expert[b]
        and p.token[a] != p.token[b]
        and p.end_ps[topk[int(p.token[b])]] <= p.start_ps[a]
    )
    own, other = topk[int(p.token[late])], topk[int(p.token[early])]
    assert outcome(case, mutate.read_instead(p, late, own, other), runtime)[1]
    passed = mutate.reads(p, late, [int(p.reads[late][0])])  # no gate at all
    assert outcome(case, passed, runtime)[1]
