"""The listing: groups with headings, notes instead of reads, a limit that says what is left."""

from ir.text import Filter, GroupBy, listing
from tests.backends.simulate.by_hand import three_tokens


def headings(group_by: GroupBy) -> list[str]:
    lines = listing(three_tokens(), group_by=group_by)
    return [line[3:] for line in lines if line.startswith("-- ")]


def test_every_group_has_one_heading() -> None:
    assert headings("unit") == ["bus.0", "group.0.0.0", "group.0.0.1"]
    assert headings("token") == [f"token {n}" for n in range(8)]
    assert headings("expert") == [
        f"layer 0 {e}"
        for e in (
            "no expert",
            "expert 2",
            "expert 5",
            "expert 9",
        )
    ]


def test_within_a_group_the_order_is_that_of_effect() -> None:
    lines = list(listing(three_tokens(), Filter(expert=9), group_by="expert"))
    assert [line.split()[0] for line in lines[2:]] == ["5.000", "25.000"]


def test_notes_take_the_place_of_reads() -> None:
    header, line = listing(three_tokens(), Filter(expert=5), notes=lambda row: f"see {row}")
    assert header.endswith("waited for")
    assert line.endswith("  see 5")


def test_a_limit_says_what_is_left() -> None:
    lines = list(listing(three_tokens(), limit=3))
    assert len(lines) == 5
    assert lines[-1] == "... 5 more of 8 instructions"
