"""The Chrome trace against the rules of the Trace Event Format, and against the program."""

import itertools
import json
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from backends.perfetto import chrome_trace, first_rows
from ir.program import Opcode, Program
from tests.make import compile_small, small_workload

Events = list[dict[str, Any]]


def events_of(program: Program, rows: np.ndarray | None = None) -> Events:
    """The events as a viewer reads them."""
    found: Events = json.loads(json.dumps(chrome_trace(program, rows), allow_nan=False))[
        "traceEvents"
    ]
    return found


def check_format(events: Events) -> None:
    """Every event has what its phase needs; slices of a row follow each other; arrows meet them."""
    slices: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    arrows: dict[int, Events] = defaultdict(list)
    for event in events:
        assert event["ph"] in "XMstfC"
        assert isinstance(event["pid"], int)
        assert isinstance(event["name"], str)
        if event["ph"] != "M":
            assert event["ts"] >= 0
        if event["ph"] != "C":
            assert isinstance(event["tid"], int)
        if event["ph"] == "X":
            assert event["dur"] >= 0
            slices[event["pid"], event["tid"]].append((event["ts"], event["dur"]))
        if event["ph"] in "stf":
            arrows[event["id"]].append(event)
        if event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
    for row in slices.values():
        row.sort()
        # a viewer keeps whole nanoseconds: what it cuts off must not make neighbours overlap
        for (a, length), (b, _) in itertools.pairwise(row):
            assert int(a * 1000 + 1e-6) + int(length * 1000 + 1e-6) <= int(b * 1000 + 1e-6)
    begins = {(*row, ts) for row, found in slices.items() for ts, _ in found}
    for path in arrows.values():
        assert [e["ph"] for e in path] == ["s", *"t" * (len(path) - 2), "f"]
        assert path[-1]["bp"] == "e"
        assert [e["ts"] for e in path] == sorted(e["ts"] for e in path)
        for event in path:
            assert (event["pid"], event["tid"], event["ts"]) in begins


def test_the_format_holds() -> None:
    check_format(events_of(compile_small(small_workload(k=3, shared=1, masks=True)).program))


def test_every_instruction_is_a_slice_on_its_unit() -> None:
    program = compile_small().program
    events = events_of(program)
    jobs = [e for e in events if e["ph"] == "X"]
    assert [e["args"]["id"] for e in jobs] == list(range(len(program)))
    assert jobs[5]["tid"] == program.unit[5]
    assert jobs[5]["ts"] == program.start_ps[5] / 1e6
    named = {e["tid"] for e in events if e["name"] == "thread_name"}
    assert named == set(program.unit.tolist())


def test_an_arrow_for_every_expert_of_every_token() -> None:
    made = compile_small()  # two layers, six tokens, two experts each: 24 results
    p = made.program
    by_id: dict[int, list[int]] = defaultdict(list)
    at = {(e["tid"], e["ts"]): e["args"]["id"] for e in events_of(p) if e["ph"] == "X"}
    for event in events_of(p):
        if event["ph"] in "stf":
            by_id[event["id"]].append(at[event["tid"], event["ts"]])
    assert len(by_id) == 24
    for load, up, down, combine in by_id.values():
        codes = [Opcode(int(p.opcode[row])).name for row in (load, up, down, combine)]
        assert codes == ["LOAD", "MVM", "MVM", "COMBINE"]
        assert (p.stage[up], p.stage[down]) == (0, 1)
        assert p.expert[up] == p.expert[down] >= 0
        assert len({int(p.token[row]) for row in (load, up, down, combine)}) == 1
        assert load in p.reads[up]


def test_the_counter_holds_every_byte() -> None:
    p = compile_small().program
    steps = [e for e in events_of(p) if e["name"] == "bus GB/s"]
    area = sum(
        e["args"]["GB/s"] * (after["ts"] - e["ts"]) * 1000 for e, after in itertools.pairwise(steps)
    )
    # GB/s x ns = bytes; rates are cut to thousandths
    assert area == pytest.approx(int(p.bytes[p.opcode == Opcode.LOAD].sum()), rel=1e-2)
    assert steps[-1]["args"]["GB/s"] == 0


def test_a_part_of_the_program() -> None:
    program = compile_small().program
    rows = first_rows(program, len(program) // 2)
    assert 0 < len(rows) <= len(program) // 2
    assert program.start_ps[rows].max() < np.delete(program.start_ps, rows).min()
    events = events_of(program, rows)
    check_format(events)
    assert sorted(e["args"]["id"] for e in events if e["ph"] == "X") == rows.tolist()
    layer = events_of(program, np.flatnonzero(program.layer == 1))
    check_format(layer)
    assert {e["args"]["layer"] for e in layer if e["ph"] == "X"} == {1}
