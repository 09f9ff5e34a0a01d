"""Streamed attention by hand: two sequences of four and three tokens, d 20 in two heads of ten.

The jobs of a sequence are numbered in its order. Reading the keys and values of n tokens takes
n x 2 x 20 values x 8 bits over `mha_bits_per_ns`; the tile is given, so that one of three has a
ragged last job (the chip's own is a power of two).
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ir.chip import Chip
from ir.compiled import Compiled
from ir.program import Opcode
from ir.schedule import Caches
from ir.selection import Capacity
from ir.units import attention_tile
from ir.workload import AnyOperator, Attention, Workload
from tests.make import compile_small, small_chip, small_workload

SEQUENCE = np.array([0, 0, 0, 0, 1, 1, 1])
PAIR = 2 * 20  # multiply-accumulates of one query and one key: scores and weighted values


def streaming(workload: Workload, **changes: Any) -> Workload:
    """The same with attention that is proven causal; its first input makes nothing but queries."""

    def proven(op: AnyOperator) -> AnyOperator:
        if not isinstance(op, Attention):
            return op
        words: dict[str, Any] = {"proven": True, "queries": op.inputs[:1], **changes}
        return replace(op, **words)

    return replace(workload, operators=tuple(map(proven, workload.operators)))


def in_tiles(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Every stream has jobs of so many queries."""

    def tile(*_: object) -> int:
        return size

    monkeypatch.setattr("compiler.emit.attention.attention_tile", tile)


def compiled(
    monkeypatch: pytest.MonkeyPatch, tile: int, bits: int | None = None, **words: Any
) -> Compiled:
    """One layer, streamed in tiles of so many queries."""
    in_tiles(monkeypatch, tile)
    chip = small_chip(digital={"mha_bits_per_ns": bits})
    return compile_small(streaming(small_workload(layers=1)), chip, sequence=SEQUENCE, **words)


def jobs(c: Compiled) -> list[int]:
    return np.flatnonzero(c.program.opcode == Opcode.ATTN).tolist()


def read(c: Compiled, row: int) -> dict[str, list[int]]:
    """{operator read: its tokens} of a job; the job before is under its own operator."""
    p, found = c.program, dict[str, list[int]]()
    for source in p.reads[row].tolist():
        name = c.workload.operators[p.node[source]].name
        found.setdefault(name, []).append(int(p.token[source]))
    return {name: sorted(tokens) for name, tokens in found.items()}


def test_one_query_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token's q, k, v and the job before; the last of a sequence holds all its k and v."""
    c = compiled(monkeypatch, 1)
    p, rows = c.program, jobs(c)
    assert p.token[rows].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert p.seq[rows].tolist() == SEQUENCE.tolist()
    assert p.macs[rows].tolist() == [PAIR * n for n in (1, 2, 3, 4, 1, 2, 3)]
    assert p.bytes[rows].tolist() == [20] * 7
    assert [read(c, row) for row in rows] == [
        {"q0": [0], "k0": [0], "v0": [0]},
        {"attention0": [0], "q0": [1], "k0": [1], "v0": [1]},
        {"attention0": [1], "q0": [2], "k0": [2], "v0": [2]},
        {"attention0": [2], "q0": [3], "k0": [0, 1, 2, 3], "v0": [0, 1, 2, 3]},
        {"q0": [4], "k0": [4], "v0": [4]},
        {"attention0": [4], "q0": [5], "k0": [5], "v0": [5]},
        {"attention0": [5], "q0": [6], "k0": [4, 5, 6], "v0": [4, 5, 6]},
    ]


def test_three_queries_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three and one, then three alone: a job is named by its last token.

    Three queries of three keys see 1 + 2 + 3 of them. A job without one before has nothing to hold.
    """
    c = compiled(monkeypatch, 3)
    p, rows = c.program, jobs(c)
    assert p.token[rows].tolist() == [2, 3, 6]
    assert p.macs[rows].tolist() == [PAIR * 6, PAIR * 4, PAIR * 6]
    assert p.bytes[rows].tolist() == [60, 20, 60]
    assert [read(c, row) for row in rows] == [
        {name: [0, 1, 2] for name in ("q0", "k0", "v0")},
        {"attention0": [2], "q0": [3], "k0": [0, 1, 2, 3], "v0": [0, 1, 2, 3]},
        {name: [4, 5, 6] for name in ("q0", "k0", "v0")},
    ]


def test_every_token_goes_on_with_its_own_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The LOAD of the out-projection's vector, one for a token, reads the job that it is in."""
    c = compiled(monkeypatch, 3)
    p, rows = c.program, jobs(c)
    found = {
        int(p.token[r]): int(s)
        for r in np.flatnonzero(p.opcode == Opcode.LOAD).tolist()
        for s in p.reads[r].tolist()
        if s in rows
    }
    assert found == dict(enumerate([rows[0]] * 3 + [rows[1]] + [rows[2]] * 3))


@pytest.mark.parametrize(
    ("tile", "bits", "wanted"),
    [
        # macs over 64 a ns: 40, 80, 120, 160 -> 625 ps a key
        (1, None, [625, 1250, 1875, 2500, 625, 1250, 1875]),
        # a key and value of 320 bits at 256 a ns: 1,250 ps, which is more than 625
        (1, 256, [1250, 2500, 3750, 5000, 1250, 2500, 3750]),
        # three queries: 6 pairs in 3,750 ps; three keys read once, in 3,750 ps too. Then 4 and 3
        (3, 256, [3750, 5000, 3750]),
        # at 1,024 bits a ns keys are not what takes longest
        (3, 1024, [3750, 2500, 3750]),
    ],
)
def test_times(
    tile: int, bits: int | None, wanted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    c = compiled(monkeypatch, tile, bits)
    rows = jobs(c)
    assert (c.program.end_ps - c.program.start_ps)[rows].tolist() == wanted
    assert c.program.energy_fj[rows].tolist() == (250 * c.program.macs[rows]).tolist()


@pytest.mark.parametrize(
    ("bits", "tile"),
    [(None, 1), (128, 1), (127, 2), (64, 2), (63, 4), (32, 4), (31, 4), (1, 4)],
)
def test_the_tile_keeps_up_with_the_crossbars(bits: int | None, tile: int) -> None:
    """Four keys and values are 1,280 bits, an MVM takes 10 ns; never more than there are tokens."""
    (op,) = streaming(small_workload(layers=1)).attentions()
    assert attention_tile(op, 1, 4, small_chip(digital={"mha_bits_per_ns": bits})) == tile


def test_buffers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of three against a job a token: three pairs of jobs less, and keys of five tokens.

    Jobs of one read the keys and values, of 40 bytes, of 1 + 2 + 3 and 1 + 2 tokens before their
    own; those of three those of 3 alone. What they make is taken a vector a token by either.
    """
    one, three = (compiled(monkeypatch, n).program.inventory.buffer_read_bytes for n in (1, 3))
    assert one - three == (6 + 3 - 3) * 40


def test_a_token_takes_its_vector_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A norm of what attention gives reads 20 bytes, not the 60 of a job of three.

    So tiles read 240 bytes of earlier keys and values less, as without a norm.
    """
    operators = list(streaming(small_workload(layers=1)).operators)
    place = [op.name for op in operators].index("o0")
    words: dict[str, Any] = {"inputs": ("attention0",), "outputs": ("n",), "nodes": ("node_n",)}
    norm = next(op for op in operators if op.name == "norm_a0")
    operators[place] = replace(operators[place], inputs=("n",))
    operators.insert(place, replace(norm, name="n", **words))
    workload = replace(small_workload(layers=1), operators=tuple(operators))
    read = list[int]()
    for tile in (1, 3):
        in_tiles(monkeypatch, tile)
        read.append(compile_small(workload, sequence=SEQUENCE).program.inventory.buffer_read_bytes)
    assert read[0] - read[1] == 240


def barrier(c: Compiled, step: int = 0) -> bool:
    """Whether all attention of a step is jobs of whole sequences."""
    tokens = c.program.token[[row for row in jobs(c) if c.program.step[row] == step]]
    assert len(tokens)
    assert (tokens < 0).all() or (tokens >= 0).all()
    return bool((tokens < 0).all())


def reference() -> Chip:
    return small_chip(digital={"accounting": "reference"}, memory={"accounting": "reference"})


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        ({}, False),
        ({"proven": False}, True),
        ({"causal": False}, True),
        ({"queries": ()}, False),  # more is held, and all of it goes query by query
    ],
)
def test_what_is_a_barrier(change: dict[str, Any], waits: bool) -> None:
    workload = streaming(small_workload(layers=1), **change)
    assert barrier(compile_small(workload, sequence=SEQUENCE)) == waits


def test_the_reference_knows_whole_sequences() -> None:
    assert barrier(compile_small(streaming(small_workload()), reference(), sequence=SEQUENCE))


@pytest.mark.parametrize("kv", [True, False])
def test_steps(kv: bool) -> None:
    """The prefill streams. With keys kept a step is one job; without, all that came go again."""
    workload = streaming(small_workload(layers=1))
    caches = Caches(kv=kv)
    c = compile_small(workload, sequence=SEQUENCE, decode=1, caches=caches)
    p, rows = c.program, jobs(c)
    of_step = [[r for r in rows if p.step[r] == step] for step in (0, 1)]
    macs = [p.macs[r].tolist() for r in of_step]
    assert (barrier(c, 0), barrier(c, 1)) == (False, kv)
    assert macs[0] == [PAIR * n for n in (1, 2, 3, 1, 2)]
    assert macs[1] == [PAIR * n for n in ((4, 3) if kv else (1, 2, 3, 4, 1, 2, 3))]


def test_queries_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of the inputs: the last job reads queries of the others again too."""
    in_tiles(monkeypatch, 1)
    c = compile_small(streaming(small_workload(layers=1), queries=()), sequence=SEQUENCE)
    rows = jobs(c)
    assert read(c, rows[3]) == {"attention0": [2]} | {n: [0, 1, 2, 3] for n in ("q0", "k0", "v0")}
    assert read(c, rows[2]) == {"attention0": [1]} | {n: [2] for n in ("q0", "k0", "v0")}


@pytest.mark.parametrize("kv", [True, False])
def test_experts_that_choose(kv: bool) -> None:
    """Their choice is a barrier; the attention behind it streams, where no keys are kept."""
    workload = streaming(small_workload(expert_choice=True, capacity=Capacity(constant=2)))
    c = compile_small(workload, sequence=SEQUENCE, decode=1, caches=Caches(kv=kv))
    assert (barrier(c, 0), barrier(c, 1)) == (False, kv)
