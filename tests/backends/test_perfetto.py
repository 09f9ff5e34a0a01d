"""The Chrome trace against the Trace Event Format, Perfetto's importer and the program."""

import itertools
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.perfetto import first_rows, trace_json
from ir.program import Opcode, Program
from moexbar.__main__ import main
from moexbar.files.program_file import read_program
from tests.backends.perfetto_import import Imported, double, import_trace, nanoseconds
from tests.make import compile_small, small_workload

MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"

Events = list[dict[str, Any]]


def events_of(program: Program, rows: np.ndarray | None = None) -> Events:
    """The events as a viewer reads them."""
    found: Events = json.loads(trace_json(program, rows))["traceEvents"]
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
    assert program.start_ps[5] == 18_626
    assert jobs[5]["ts"] == 0.019  # us: whole nanoseconds
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


def of_one_unit(*times_ps: tuple[int, int]) -> tuple[Program, list[int]]:
    """A program whose first LOADs of layer 0 start and end so; and their rows."""
    made = compile_small().program
    bus = made.unit[np.flatnonzero(made.opcode == Opcode.LOAD)[0]]
    rows = np.flatnonzero(made.unit == bus)[: len(times_ps)]
    start, busy = made.start_ps.copy(), made.busy_ps.copy()
    start[rows], ends = np.array(times_ps).T
    busy[rows] = ends - start[rows]
    return replace(made, start_ps=start, busy_ps=busy, duration_ps=busy), rows.tolist()


def test_neighbours_do_not_overlap_when_rounded() -> None:
    # 0.5 to 17 ns and 17 to 33.5: with start and length rounded apart 1 + 17 = 18 > 17
    program, rows = of_one_unit((500, 17_000), (17_000, 33_500))
    found = import_trace(trace_json(program, np.array(rows)))
    assert not found.refused
    assert [(start, length) for _, start, length, _ in found.kept] == [(1, 16), (17, 17)]
    assert len({row for row, *_ in found.kept}) == 1


def test_what_starts_in_the_same_nanosecond_has_rows_of_its_own() -> None:
    # 10.2 to 10.4, 10.4 to 10.4 and 10.4 to 15.6 ns: all from 10, lengths 0, 0 and 6
    program, rows = of_one_unit((10_200, 10_400), (10_400, 10_400), (10_400, 15_600))
    text = trace_json(program, np.array(rows))
    found = import_trace(text)
    assert not found.refused
    assert not found.nested
    lengths = {event["args"]["id"]: length for _, _, length, event in found.kept}
    assert lengths == dict(zip(rows, (0, 0, 6), strict=True))
    tids = {event["args"]["id"]: event["tid"] for _, _, _, event in found.kept}
    names = {
        event["tid"]: event["args"]["name"]
        for event in json.loads(text)["traceEvents"]
        if event["name"] == "thread_name"
    }
    unit = program.units[int(program.unit[rows[0]])].name
    assert [names[tids[row]] for row in rows] == [f"{unit} +1", f"{unit} +2", unit]


def test_no_row_is_taken_for_another() -> None:
    """Perfetto reads a tid of 0, that of the first row of unit 0, as the pid."""
    program, rows = of_one_unit(*[(10_000, 10_000)] * 6)  # their rows have the tids 0 to 5
    assert program.unit[rows[0]] == 0
    found = import_trace(trace_json(program, np.array(rows)))
    assert len({row for row, *_ in found.kept}) == 6
    assert not found.nested


def test_times_are_read_as_they_were_written() -> None:
    rng = np.random.default_rng(0)
    whole = [0, 1, 999, 1000, 1001, *(int(10 ** rng.uniform(0, 14)) for _ in range(5000))]
    for ns in whole:  # up to 28 hours
        assert nanoseconds(double(json.dumps(ns / 1000))) == ns


@pytest.fixture(
    scope="module",
    params=[(), ("--set", "bus.transfers_per_slot=unlimited")],
    ids=["demo", "unlimited bus"],
)
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's demo; and the same where a LOAD keeps its bus busy for no time."""
    folder = tmp_path_factory.mktemp("perfetto") / "out"
    words = ["compile", MODELS / "token_choice.onnx", "--inputs", MODELS / "heldout.npz"]
    words += ["--chip", "hermes-mux2", *request.param, "--prefill", 128]
    assert main([*map(str, words), "--no-baselines", "--no-verify", "-o", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_perfetto_shows_a_shipped_model_as_it_is(shipped: Path) -> None:
    program = read_program(shipped / "program.parquet")
    found = import_trace((shipped / "trace.json").read_text())
    assert not found.refused
    assert not found.nested
    assert len(found.kept) == len(program)
    for _, start, length, event in found.kept:
        row = event["args"]["id"]
        assert abs(start * 1000 - program.start_ps[row]) <= 500
        assert abs((start + length) * 1000 - program.start_ps[row] - program.busy_ps[row]) <= 500
    check_arrows(program, found)
    for steps in found.counters.values():
        assert min(value for _, value in steps) == steps[-1][1] == 0


def check_arrows(program: Program, found: Imported) -> None:
    """Every expert's result of every token, from its LOAD to its COMBINE."""
    p = program
    met = set()
    for slices in found.arrows.values():
        path = [met_slice["args"]["id"] for met_slice in slices if met_slice is not None]
        load, up, down, combine = path
        codes = [Opcode(int(p.opcode[row])).name for row in path]
        assert codes == ["LOAD", "MVM", "MVM", "COMBINE"]
        assert load in p.reads[up]
        assert (p.stage[up], p.stage[down]) == (0, 1)
        assert p.expert[up] == p.expert[down]
        assert len({(int(p.layer[row]), int(p.token[row])) for row in path}) == 1
        met.add((int(p.layer[combine]), int(p.token[combine]), int(p.expert[down])))
    routed = np.flatnonzero((p.opcode == Opcode.MVM) & (p.stage == 1) & (p.expert >= 0))
    assert len(met) == len(found.arrows) == len(routed)
    assert met == {(int(p.layer[r]), int(p.token[r]), int(p.expert[r])) for r in routed}
