"""The Chrome trace: every instruction once, on its unit's row, in microseconds."""

import json

from backends.perfetto import chrome_trace
from tests.make import compile_small


def test_every_instruction_is_an_event_on_its_unit() -> None:
    program = compile_small().program
    events = chrome_trace(program)["traceEvents"]
    assert isinstance(events, list)
    jobs = [e for e in events if e["ph"] == "X"]
    assert [e["args"]["id"] for e in jobs] == list(range(len(program)))
    assert jobs[5]["tid"] == program.unit[5]
    assert jobs[5]["ts"] == program.start_ps[5] / 1e6
    named = {e["tid"] for e in events if e["name"] == "thread_name"}
    assert named == set(program.unit.tolist())


def test_it_is_json_and_a_time_window_cuts_it() -> None:
    program = compile_small().program
    middle = program.makespan_ps // 2
    early = chrome_trace(program, 0, middle)["traceEvents"]
    assert isinstance(early, list)
    assert 0 < len([e for e in early if e["ph"] == "X"]) < len(program)
    json.dumps(early, allow_nan=False)
