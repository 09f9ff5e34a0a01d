"""A layer's groups over slots: orders by hand, and that no turn is lost between the pictures."""

from dataclasses import replace

import numpy as np

from ir.program import Opcode, Program, Unit
from moexbar.figures.before_after import (
    Turns,
    before_after,
    broadcasts,
    kept_turns,
    ran_turns,
    serial_turns,
)
from moexbar.figures.figure import Shown
from tests.moexbar.figures.by_hand import program

GROUPS = [
    Unit("group", f"g{g}", layer=1, stage=0, group=g, first_pg=g, pgs=1, die=0) for g in (0, 1)
]
BUS = Unit("bus", "b", layer=1)


def turn(group: int, slot: int, token: int, expert: int, start: int) -> dict[str, object]:
    """An MVM of a first stage."""
    where = {"unit": f"g{group}", "layer": 1, "stage": 0, "slot": slot}
    return {**where, "token": token, "expert": expert, "start_ps": start, "duration_ps": 1}


def load(token: int, slot: int) -> dict[str, object]:
    """A broadcast."""
    where = {"opcode": Opcode.LOAD, "unit": "b", "layer": 1, "slot": slot, "token": token}
    return {**where, "duration_ps": 1}


def made() -> Program:
    """Token 7 has experts 0 and 1 in group 0, token 9 expert 0 there and 2 in group 1.

    The kept order is (9, 9), (7, -), (7, -); group 0 begins with token 7 all the same.
    """
    return program(
        [*GROUPS, BUS],
        [
            turn(0, 0, 9, 0, start=50),
            turn(1, 0, 9, 2, start=50),
            turn(0, 1, 7, 1, start=30),
            turn(0, 1, 7, 1, start=31),  # the gate of the same turn
            turn(0, 2, 7, 0, start=40),
            load(9, 0),
            load(7, 1),
        ],
    )


def test_three_orders_by_hand() -> None:
    kept = kept_turns(made(), 1)
    assert kept is not None
    assert kept.table.tolist() == [[9, 9], [7, -1], [7, -1]]
    assert kept.expert.tolist() == [[0, 2], [1, -1], [0, -1]]
    assert kept.transfers == 1 + 1 + 1
    serial = serial_turns(kept)
    assert serial.table.tolist() == [[7, -1], [7, -1], [9, 9]]
    assert serial.expert.tolist() == [[0, -1], [1, -1], [0, 2]]
    ran = ran_turns(made(), 1)
    assert ran.table.tolist() == [[7, 9], [7, -1], [9, -1]]
    assert ran.expert.tolist() == [[1, 2], [0, -1], [0, -1]]


def test_broadcasts_of_a_stretch() -> None:
    assert broadcasts(made(), 1, np.array([7, 9])) == 2
    assert broadcasts(made(), 1, np.array([7])) == 1
    assert broadcasts(made(), 2, np.array([7])) == 0


def test_a_stretch_keeps_its_slots_and_what_else_is_in_them() -> None:
    turns = Turns(np.array([[1, 2], [2, 3], [3, 3]]), np.zeros((3, 2), dtype=np.int64))
    one = np.array([2])
    assert turns.only(one).table.tolist() == [[1, 2], [2, 3]]
    assert turns.only(one).without_others(one).table.tolist() == [[-1, 2], [2, -1]]


def test_no_turn_is_lost(shown: Shown) -> None:
    assert shown.program is not None
    for row in shown.report.layers:
        kept = kept_turns(shown.program, row.layer)
        assert kept is not None
        ran, serial = ran_turns(shown.program, row.layer), serial_turns(kept)
        for turns in (ran, serial):
            for g in range(kept.table.shape[1]):
                pairs = [
                    sorted(zip(t.table[:, g].tolist(), t.expert[:, g].tolist(), strict=True))
                    for t in (kept, turns)
                ]
                assert [p for p in pairs[0] if p[0] >= 0] == [p for p in pairs[1] if p[0] >= 0]


def test_the_whole_prefill_is_what_the_report_says(shown: Shown) -> None:
    assert shown.program is not None
    for row in shown.report.layers:
        kept = kept_turns(shown.program, row.layer)
        assert kept is not None
        assert (len(kept.table), kept.transfers) == (row.schedule.slots, row.schedule.transfers)


def test_a_layer_in_lockstep_has_no_other_order(shown: Shown) -> None:
    locked = replace(shown, program=replace(made(), lockstep=(1,)))
    figure = before_after(locked, layer=1)
    assert figure is not None
    words = [panel["title"]["text"] for panel in figure.spec["vconcat"]]
    assert words == ["one token at a time", "kept"]
    assert "3 slots and 3 transfers after" in figure.title


def test_without_turns_there_is_no_picture(shown: Shown) -> None:
    assert before_after(shown, layer=99) is None
    assert before_after(replace(shown, program=None)) is None
    none = replace(shown, report=replace(shown.report, layers=()))
    assert before_after(none) is None
