"""Programs of streamed attention with one thing changed are refused by the check meant for it.

Two layers, sequences of four and three tokens, tiles of two queries: jobs end with tokens 1 and 3,
5 and 6. What is made of a sequence's tokens is read by the jobs as `compiler.emit.attention` says.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ir.compiled import Compiled
from ir.program import Opcode, Program
from ir.verify import check_program
from tests.backends.functional import mutate
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.make import compile_small, small_chip, small_workload


@cache
def base() -> Compiled:
    """Four keys and values are 1,280 bits, at 64 a ns 20 ns: two queries for each MVM of 10 ns."""
    chip = small_chip(digital={"mha_bits_per_ns": 64})
    return compile_small(streaming(small_workload()), chip, sequence=SEQUENCE)


def job(p: Program, token: int) -> int:
    """The first layer's job that ends with a token."""
    return mutate.rows(p, Opcode.ATTN, token=token)[0]


def source(p: Program, row: int, place: int, token: int) -> int:
    """What a job reads of a token from its input number `place`: 0 q, 1 k, 2 v."""
    nodes = sorted({int(p.node[r]) for r in p.reads[row].tolist() if p.node[r] != p.node[row]})
    found = [r for r in p.reads[row].tolist() if (p.node[r], p.token[r]) == (nodes[place], token)]
    return int(found[0])


def without(p: Program, row: int, value: int) -> Program:
    kept = p.reads[row].tolist()
    kept.remove(value)
    return mutate.reads(p, row, kept)


def also(p: Program, row: int, value: int) -> Program:
    return mutate.reads(p, row, [*p.reads[row].tolist(), value])


def last_left_out(p: Program) -> Program:
    return mutate.drop(p, job(p, 3))


def last_of_all_left_out(p: Program) -> Program:
    # no job at all comes after token 6
    return mutate.drop(p, job(p, 6))


def first_left_out(p: Program) -> Program:
    # the next job is for all four tokens then, and does not read what the first two made
    return mutate.drop(p, job(p, 1))


def two_for_one_token(p: Program) -> Program:
    return mutate.put(p, "token", job(p, 1), 3)


def done_again(p: Program) -> Program:
    return mutate.duplicate(p, job(p, 1), int(p.end_ps.max()))


def named_by_its_first_token(p: Program) -> Program:
    # token 1 is the next job's then
    return mutate.put(p, "token", job(p, 1), 0)


def of_another_sequences_token(p: Program) -> Program:
    return mutate.put(p, "token", job(p, 3), 4)


def of_another_sequence(p: Program) -> Program:
    row = job(p, 3)
    return mutate.put(mutate.put(p, "token", row, 4), "seq", row, 1)


def of_a_whole_sequence(p: Program) -> Program:
    return mutate.put(p, "token", job(p, 3), -1)


def chain_dropped(p: Program) -> Program:
    return without(p, job(p, 3), job(p, 1))


def chain_of_another_sequence(p: Program) -> Program:
    return mutate.read_instead(p, job(p, 3), job(p, 1), job(p, 5))


def chain_to_another_layer(p: Program) -> Program:
    late = mutate.rows(p, Opcode.ATTN, token=3)[1]
    return mutate.read_instead(p, late, mutate.rows(p, Opcode.ATTN, token=1)[1], job(p, 1))


def first_goes_on_with_another_sequence(p: Program) -> Program:
    return also(p, job(p, 5), job(p, 3))


def query_not_read(p: Program) -> Program:
    row = job(p, 3)
    return without(p, row, source(p, row, 0, 2))


def key_not_read(p: Program) -> Program:
    row = job(p, 1)
    return without(p, row, source(p, row, 1, 0))


def value_of_another_token(p: Program) -> Program:
    row = job(p, 1)
    return mutate.read_instead(p, row, source(p, row, 2, 0), source(p, job(p, 3), 2, 2))


def later_key_too(p: Program) -> Program:
    return also(p, job(p, 1), source(p, job(p, 3), 1, 2))


def key_of_another_sequence(p: Program) -> Program:
    row = job(p, 3)
    return mutate.read_instead(p, row, source(p, row, 1, 0), source(p, job(p, 5), 1, 4))


def key_not_held(p: Program) -> Program:
    row = job(p, 3)
    return without(p, row, source(p, row, 1, 0))


def value_not_held(p: Program) -> Program:
    row = job(p, 6)
    return without(p, row, source(p, row, 2, 5))


def query_held(p: Program) -> Program:
    return also(p, job(p, 3), source(p, job(p, 1), 0, 1))


def bytes_of_a_key_taken(p: Program) -> Program:
    """What is made after the first job stands where token 0's key does, which the last reads."""
    key, until = source(p, job(p, 1), 1, 0), int(p.end_ps[job(p, 3)])
    inside = (p.buffer == p.buffer[key]) & (p.end_ps > p.end_ps[job(p, 1)])
    inside &= (p.end_ps < until) & (p.bytes > 0)
    return mutate.put(p, "offset", int(np.flatnonzero(inside)[0]), int(p.offset[key]))


def as_many_macs_as_without_keys_before(p: Program) -> Program:
    return mutate.put(p, "macs", job(p, 3), int(p.macs[job(p, 1)]))


def column(name: str, token: int, change: int) -> Callable[[Program], Program]:
    """One of a job's figures a little off."""

    def corrupt(p: Program) -> Program:
        row = job(p, token)
        return mutate.put(p, name, row, int(getattr(p, name)[row]) + change)

    corrupt.__name__ = f"{name}_off_by_{change}"
    return corrupt


def bytes_of_one_vector(p: Program) -> Program:
    return mutate.put(p, "bytes", job(p, 3), 20)


def before_its_own_vectors(p: Program) -> Program:
    row = job(p, 1)
    ends = int(p.end_ps[p.reads[row]].max())
    return mutate.put(p, "start_ps", row, ends - 1)


def before_the_job_before(p: Program) -> Program:
    return mutate.put(p, "start_ps", job(p, 3), int(p.end_ps[job(p, 1)]) - 1)


def consumer_of_another_tile(p: Program) -> Program:
    reader = next(
        r for r in mutate.rows(p, Opcode.LOAD, token=3) if job(p, 3) in p.reads[r].tolist()
    )
    return mutate.read_instead(p, reader, job(p, 3), job(p, 1))


def consumer_of_both_tiles(p: Program) -> Program:
    reader = next(
        r for r in mutate.rows(p, Opcode.LOAD, token=3) if job(p, 3) in p.reads[r].tolist()
    )
    return also(p, reader, job(p, 1))


CORRUPTIONS: list[tuple[str, Callable[[Program], Program]]] = [
    ("operators", last_left_out),
    ("operators", last_of_all_left_out),
    ("inputs", first_left_out),
    ("macs", first_left_out),
    ("operators", two_for_one_token),
    ("operators", done_again),
    ("inputs", named_by_its_first_token),
    ("macs", named_by_its_first_token),
    ("buffer-bytes", named_by_its_first_token),
    ("labels", of_another_sequences_token),
    ("operators", of_another_sequence),
    ("operators", of_a_whole_sequence),
    ("inputs", chain_dropped),
    ("inputs", chain_of_another_sequence),
    ("inputs", chain_to_another_layer),
    ("inputs", first_goes_on_with_another_sequence),
    ("inputs", query_not_read),
    ("inputs", key_not_read),
    ("inputs", value_of_another_token),
    ("inputs", later_key_too),
    ("inputs", key_of_another_sequence),
    ("inputs", key_not_held),
    ("inputs", value_not_held),
    ("inputs", query_held),
    ("inventory", key_not_read),
    ("buffer-overlap", bytes_of_a_key_taken),
    ("macs", as_many_macs_as_without_keys_before),
    ("macs", column("macs", 1, 1)),
    ("duration", column("duration_ps", 3, -1)),
    ("energy", column("energy_fj", 6, 1)),
    ("buffer-bytes", bytes_of_one_vector),
    ("read-after-write", before_its_own_vectors),
    ("read-after-write", before_the_job_before),
    ("inputs", consumer_of_another_tile),
    ("inputs", consumer_of_both_tiles),
]


def results(program: Program) -> dict[str, str]:
    return dict(check_program(replace(base(), program=program)))


def test_tiles_of_the_unchanged() -> None:
    p = base().program
    assert set(results(p).values()) == {"ok"}
    assert p.token[p.opcode == Opcode.ATTN].tolist() == [1, 3, 5, 6] * 2


@pytest.mark.parametrize(
    ("check", "corrupt"), CORRUPTIONS, ids=[f"{n}-{f.__name__}" for n, f in CORRUPTIONS]
)
def test_refused(check: str, corrupt: Callable[[Program], Program]) -> None:
    result = results(corrupt(base().program))[check]
    assert result != "ok"
    assert not result.startswith("not checked")


def not_proven(c: Compiled) -> Compiled:
    return replace(c, workload=streaming(c.workload, proven=False))


def looking_ahead(c: Compiled) -> Compiled:
    return replace(c, workload=streaming(c.workload, causal=False))


LOST: list[tuple[str, Callable[[Compiled], Compiled]]] = [
    ("labels", not_proven),
    ("labels", looking_ahead),
]


@pytest.mark.parametrize(("check", "lost"), LOST)
def test_only_what_is_proven_streams(check: str, lost: Callable[[Compiled], Compiled]) -> None:
    """Of an attention that may look ahead no instruction is for a token, but for a sequence."""
    assert " ATTN " in dict(check_program(lost(base())))[check]


# -- values of several tokens in another region ------------------------------------------------


@cache
def elsewhere(*, streams: bool) -> Compiled:
    """The first out-projection is in the second region: a vector a token goes over the mesh."""
    workload = streaming(small_workload(), proven=streams)
    operators = tuple(replace(op, layer=1) if op.name == "o0" else op for op in workload.operators)
    chip = small_chip(digital={"mha_bits_per_ns": 64})
    return compile_small(replace(workload, operators=operators), chip, sequence=SEQUENCE)


def moves(p: Program) -> dict[int, int]:
    """{token: its MOVE} of the first attention's results."""
    return {
        int(p.token[row]): row
        for row in mutate.rows(p, Opcode.XFER)
        if p.opcode[p.reads[row]].tolist() == [Opcode.ATTN]
    }


def part_of_another_token(p: Program) -> Program:
    """Token 0's vector is multiplied for token 1 too: both are of one job, or one sequence."""
    early, late = moves(p)[0], moves(p)[1]
    (reader,) = np.flatnonzero([late in p.reads[row] for row in range(len(p))]).tolist()
    changed = mutate.read_instead(p, reader, late, early)
    return mutate.put(
        changed, "start_ps", reader, max(int(p.start_ps[reader]), int(p.end_ps[early]))
    )


def moved_for_another_token(p: Program) -> Program:
    return mutate.put(p, "token", moves(p)[0], 1)


def moved_from_another_sequence(p: Program) -> Program:
    """Token 0's vector out of what was made of the other sequence."""
    early, late = moves(p)[0], moves(p)[6]
    return mutate.read_instead(p, early, int(p.reads[early][0]), int(p.reads[late][0]))


def moved_from_another_job(p: Program) -> Program:
    """Token 3's vector out of the first job, which is for tokens 0 and 1."""
    row = moves(p)[3]
    return mutate.read_instead(p, row, int(p.reads[row][0]), int(p.reads[moves(p)[0]][0]))


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    "corrupt", [part_of_another_token, moved_for_another_token, moved_from_another_sequence]
)
def test_parts_that_were_moved(corrupt: Callable[[Program], Program], *, streams: bool) -> None:
    c = elsewhere(streams=streams)
    assert {result for _, result in check_program(c)} == {"ok"}
    found = dict(check_program(replace(c, program=corrupt(c.program))))
    assert found["moved"].endswith("the vector of another token")


def test_a_part_of_another_job() -> None:
    c = elsewhere(streams=True)
    found = dict(check_program(replace(c, program=moved_from_another_job(c.program))))
    assert found["inputs"] != "ok"
    assert found["moved"].endswith("the vector of another token")


@pytest.mark.parametrize("name", ["k0", "v0", "o0", "moe0"])
def test_a_vector_sent_for_several_is_of_the_first(name: str) -> None:
    """One LOAD of a token serves q, k and v; it must be done before the first of them."""
    c, p = base(), base().program
    names = [op.name for op in c.workload.operators]
    row = mutate.rows(p, Opcode.LOAD, node=names.index("q0"))[0]
    users = p.node[p.reads.rows()[p.reads.values == row]].tolist()
    assert {names[user] for user in users} == {"q0", "k0", "v0"}
    found = results(mutate.put(p, "node", row, names.index(name)))
    assert found["inputs"].endswith("is not of the first that uses it")
