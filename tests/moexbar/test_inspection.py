"""Why a filter leaves nothing, and the waits of instructions together: on programs done by hand."""

import pytest

from backends.simulate import Waits, group_waits, replay
from ir.text import Filter, GroupBy, group_keys, group_name, grouped_rows
from moexbar.inspection import group_row, waits_by_group, why_none
from moexbar.report.programs import GroupedWaits
from tests.backends.simulate.by_hand import CHIP, three_tokens

NOTHING = "0 of 8 instructions: none"


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (Filter(layer=7), " matches --layer 7; they have layer 0"),
        (Filter(token=8), " matches --token 8; they have tokens 0 to 7"),
        (Filter(expert=3), " matches --expert 3; they have expert 2, 5, 9"),
        (Filter(unit="mha"), " matches --unit mha; they are on bus.0, group.0.0.0, group.0.0.1"),
        (Filter(opcode="ACT"), " matches --opcode ACT; they are LOAD, MVM"),
        # the last MVMs end at 35 ns
        (Filter(first_ps=40_000), " matches --from 40; they run from 0 to 35 ns"),
        # the part that leaves nothing is named, after those that left something
        (
            Filter(layer=0, opcode="LOAD", unit="bus.0", expert=9),
            " of the 4 with --layer 0 --unit bus.0 matches --expert 9; they have no expert",
        ),
        (
            Filter(expert=9, first_ps=20_000, last_ps=21_000),
            " of the 1 with --expert 9 --from 20 matches --to 21; they run from 25 to 35 ns",
        ),
    ],
)
def test_the_part_of_a_filter_that_leaves_nothing(keep: Filter, reason: str) -> None:
    program = three_tokens()
    assert not len(keep.rows(program))
    assert why_none(program, keep) == NOTHING + reason


def test_many_values_are_cut_short() -> None:
    # 8 tokens, of which 0, 2, 4 and 6 have an MVM of layer 0: named one by one
    program = three_tokens()
    tokens = Filter(opcode="MVM", token=1)
    assert why_none(program, tokens).endswith("with --token 1 matches --opcode MVM; they are LOAD")


def test_waits_by_expert() -> None:
    """The bus is one: its LOADs wait 5, 0 + 10 (for an entry) ...; experts 9 and 5 share a group.

    MVMs of the group start at 5, 15 and 25 ns. Expert 5's vector is there at 10 ns and its group is
    held until 15: 5 ns of `unit`. Expert 9's second vector comes at 20, the group is free at 25:
    5 ns more. Expert 2 has a group of its own.
    """
    program = three_tokens()
    waits = Waits(replay(program, CHIP))
    groups = waits_by_group(program, waits, Filter(opcode="MVM"), "expert")
    told = {
        group_name(program, g.first, "expert"): (g.rows, g.by_cause.get("unit")) for g in groups
    }
    assert told == {
        "layer 0 expert 9": (2, 5000),
        "layer 0 expert 5": (1, 5000),
        "layer 0 expert 2": (1, None),
    }
    assert groups[-1].held_ps == 0  # expert 2 comes last: nobody held it up
    five = next(g for g in groups if program.expert[g.first] == 5)
    assert (five.longest, five.cause, five.longest_ps) == (5, "unit", 5000)
    assert five.holder == 4  # the MVM of expert 9 before it


@pytest.mark.parametrize("by", ["unit", "token", "expert", "opcode"])
def test_groups_are_those_of_the_listing_and_sums_are_of_all_their_rows(by: GroupBy) -> None:
    program = three_tokens()
    waits = Waits(replay(program, CHIP))
    groups = waits_by_group(program, waits, Filter(), by)
    names = [group_name(program, row, by) for row in grouped_rows(program, Filter(), by).tolist()]
    assert {group_name(program, g.first, by) for g in groups} == set(names)
    assert sum(g.rows for g in groups) == len(program)
    for cause, ps in waits.by_cause.items():
        assert sum(g.by_cause.get(cause, 0) for g in groups) == int(ps.sum())
    assert [g.held_ps for g in groups] == sorted((g.held_ps for g in groups), reverse=True)


def test_a_group_as_it_is_told() -> None:
    program = three_tokens()
    (group,) = waits_by_group(program, Waits(replay(program, CHIP)), Filter(expert=5), "opcode")
    assert group_row(program, group, "opcode") == GroupedWaits(
        group="MVM",
        instructions=1,
        waits_ps={"unit": 5000},
        longest_ps=5000,
        longest=5,
        cause="unit",
        waited_for=4,
    )


def test_no_instructions_have_no_groups() -> None:
    program = three_tokens()
    rows = Filter(layer=3).rows(program)
    waits = Waits(replay(program, CHIP))
    assert group_waits(waits, rows, group_keys(program, rows, "unit")) == []
