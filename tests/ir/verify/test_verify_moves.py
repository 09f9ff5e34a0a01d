"""Values of several tokens in another region: every part is read by what it was moved for.

The second layer's attention takes the first one's results as its values, which come over the mesh
token by token, although one job (or one instruction a sequence) made those of several.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ir.compiled import Compiled
from ir.errors import CheckError
from ir.program import Opcode, Program
from ir.schedule import Caches
from ir.verify import PROGRAM_CHECKS, check_program
from ir.verify.case import ProgramCase
from ir.verify.check import first_fault
from ir.verify.cost import COST_CHECKS
from ir.workload import AnyOperator, Workload
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.make import compile_small, small_chip, small_workload

CHECKS = {check.name: check for check in PROGRAM_CHECKS}
IN_TILES = small_chip(digital={"mha_bits_per_ns": 64})  # of two queries


def changed(
    workload: Workload, name: str, change: Callable[[AnyOperator], AnyOperator]
) -> Workload:
    operators = (change(op) if op.name == name else op for op in workload.operators)
    return replace(workload, operators=tuple(operators))


def fed_by_another(*, streams: bool) -> Workload:
    workload = streaming(small_workload(), proven=streams)
    return changed(
        workload, "attention1", lambda op: replace(op, inputs=("q1", "k1", "attention0"))
    )


@cache
def streamed() -> Compiled:
    """Sequences of four and three tokens: both layers' jobs end with tokens 1, 3, 5 and 6."""
    return compile_small(fed_by_another(streams=True), IN_TILES, sequence=SEQUENCE)


@cache
def waiting() -> Compiled:
    return compile_small(fed_by_another(streams=False), IN_TILES, sequence=SEQUENCE)


@cache
def decoding() -> Compiled:
    """Two tokens come one by one; the keys and values of all but the last are written to DRAM."""
    return compile_small(fed_by_another(streams=True), IN_TILES, tokens=6, decode=2)


@cache
def in_series() -> Compiled:
    """Keys and values are read after the step's own are made, on the reference's chip."""
    chip = small_chip(memory={"accounting": "reference"}, digital={"accounting": "reference"})
    workload = fed_by_another(streams=False)
    return compile_small(workload, chip, tokens=6, decode=2, caches=Caches(kv=True, go=False))


@cache
def of_two_names() -> Compiled:
    """The embedding gives two values a token, and the second layer adds both."""
    workload = changed(small_workload(), "embed", lambda op: replace(op, outputs=("embed", "also")))
    added = ("add_b0", "o1", "embed", "also")
    workload = changed(workload, "add_a1", lambda op: replace(op, inputs=added))
    return compile_small(workload, IN_TILES, sequence=SEQUENCE)


def node(c: Compiled, name: str) -> int:
    return [op.name for op in c.workload.operators].index(name)


def moves(c: Compiled, source: str, reader: Opcode) -> list[tuple[int, int]]:
    """(reader, MOVE) of what `source` made, where instructions of an opcode read it."""
    p, made = c.program, node(c, source)
    reads = zip(p.reads.rows().tolist(), p.reads.values.tolist(), strict=True)
    mesh = np.array([unit.kind == "mesh" for unit in p.units])[p.unit]
    found = [(row, read) for row, read in reads if p.opcode[row] == reader and mesh[read]]
    return [(row, read) for row, read in found if p.node[p.reads[read][0]] == made]


@pytest.mark.parametrize(
    ("compiled", "source", "reader", "parts", "check"),
    [
        # seven tokens; the last job of a sequence reads again what those before it have read
        (streamed, "attention0", Opcode.ATTN, 7 + 2 + 2, "inputs"),
        (waiting, "attention0", Opcode.ATTN, 7, "inputs"),
        (decoding, "attention0", Opcode.KV_WR, 5, "cache-reads"),
        (in_series, "attention0", Opcode.KV_RD, 5 + 6, "cache-reads"),  # every token again
        (of_two_names, "embed", Opcode.ADD, 2 * 7, "inputs"),
    ],
)
def test_no_part_may_be_missing(
    compiled: Callable[[], Compiled], source: str, reader: Opcode, parts: int, check: str
) -> None:
    c, p = compiled(), compiled().program
    assert {result for _, result in check_program(c)} == {"ok"}
    found = moves(c, source, reader)
    assert len(found) == parts

    def refused(program: Program) -> bool:
        fault = CHECKS[check].run(ProgramCase(replace(c, program=program)))
        return fault is not None and fault.problem.startswith("does not read")

    for row, move in found:
        others = [read for read in p.reads[row].tolist() if read != move]
        assert refused(mutate.reads(p, row, others))
    for move in {move for _, move in found}:
        assert refused(mutate.drop(p, move))


def test_no_part_may_be_another_tokens() -> None:
    """Both are of one job, which made the values of both tokens."""
    c, p = streamed(), streamed().program
    (row, early), (same, late) = moves(c, "attention0", Opcode.ATTN)[:2]
    assert row == same
    assert p.reads[early].tolist() == p.reads[late].tolist()
    changed = mutate.put(p, "token", early, int(p.token[late]))
    found = dict(check_program(replace(c, program=changed)))
    assert "inputs" in {name for name, result in found.items() if result != "ok"}


def moved_too_late(c: Compiled) -> Compiled:
    """By the product behind the attention that uses it."""
    row, move = moves(c, "attention0", Opcode.ATTN)[0]
    assert c.program.node[move] == c.program.node[row] == node(c, "attention1")
    return replace(c, program=mutate.put(c.program, "node", move, node(c, "o1")))


def test_a_part_is_moved_before_it_is_used() -> None:
    found = dict(check_program(moved_too_late(streamed())))["moved"]
    assert "is of an operator before" in found


def test_nothing_may_be_left_out() -> None:
    """Every tenth instruction dropped: a check of what is computed says so, not only its costs."""
    c, p = streamed(), streamed().program
    costs = {check.name for check in COST_CHECKS}
    checks = [check for check in PROGRAM_CHECKS if check.name not in costs]
    for row in range(0, len(p), 10):
        with pytest.raises(CheckError):
            first_fault(checks, ProgramCase(replace(c, program=mutate.drop(p, row))))
