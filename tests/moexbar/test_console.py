"""Tables: whole where they are not shown on a terminal, and never with a number cut on one."""

import io

import pytest
from rich.console import Console

from moexbar.console import WIDTH, Plain, fail, table

ROW = ("compact, unshared", "12345", "678.9", "1024", "88.8")
HEADINGS = ("method", "slots", "mean\nslots", "transfers", "energy\nuJ")
WHOLE = 50  # 17 + 5 + 5 + 9 + 6, and two between each


def printed(width: int, *, terminal: bool = True, least: tuple[str, ...] = ()) -> list[str]:
    """The lines of a table of one row on a console so wide."""
    file = io.StringIO()
    shown = table(*HEADINGS, least=least)
    shown.add_row(*ROW)
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    console.print(shown)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_all_columns_where_they_fit() -> None:
    for width in (WHOLE, WHOLE + 1, WIDTH):
        lines = printed(width, least=HEADINGS[1:])
        assert len(lines) == 3  # two of headings
        assert lines[-1].split() == ["compact,", "unshared", *ROW[1:]]


def test_the_least_important_columns_go_first_and_are_named() -> None:
    *_, row, said = printed(WHOLE - 1, least=("mean\nslots", "transfers"))
    assert row.split()[2:] == ["12345", "1024", "88.8"]
    assert said == "left out for width: mean slots (--json has all)"
    lines = printed(WHOLE - 8, least=("mean\nslots", "transfers"))
    assert lines[2].split()[2:] == ["12345", "88.8"]
    assert lines[3].startswith("left out for width: mean slots, transfers")


@pytest.mark.parametrize("width", range(20, WHOLE + 1))
def test_no_number_is_ever_cut_or_wrapped(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= width
    text, _, left_out = " ".join(lines).partition("left out for width: ")
    shown = [cell for cell in ROW[1:] if cell in text.split()]
    hidden = left_out.partition(" (--json")[0].split(", ") if left_out else []
    assert shown == list(ROW[1 : len(ROW) - len(hidden)])  # they go from the right


def test_a_text_wraps_before_unmarked_numbers_go() -> None:
    # `compact, unshared` needs 8 columns at least, 9 fewer than on one line
    assert printed(WHOLE - 9)[2:] == [
        "compact,  12345  678.9       1024    88.8",
        "unshared",
    ]
    assert "left out for width: energy uJ" in " ".join(printed(WHOLE - 10))


def test_where_it_is_no_terminal_nothing_is_left_out() -> None:
    assert not any("left out" in line for line in printed(30, terminal=False, least=HEADINGS[1:]))


def test_a_row_keeps_its_style_where_columns_are_left_out() -> None:
    file = io.StringIO()
    shown = table("name", "ns", "uJ")
    shown.add_row("plain", "1", "2")
    shown.add_row("best", "3", "4", style="bold")
    Console(file=file, width=12, force_terminal=True).print(shown)
    plain, best = file.getvalue().splitlines()[1:3]  # 13 wide with uJ: 5 + 2 + 2, two between
    assert plain.split() == ["plain", "1"]
    assert best.startswith("\x1b[1m")


STEERING = "\x1b[31mred \x9b2J \u202egnp.exe [bold]x[/y] [link=file:///a]z :boom: \udc80"


def test_a_text_is_a_text() -> None:
    """No escape sequence, mark-up or emoji: in a line, a title, a heading and a cell."""
    file = io.StringIO()
    shown = table("name", STEERING, title=STEERING)
    shown.add_row(STEERING, STEERING)
    console = Plain(file=file, width=1000, force_terminal=True, color_system=None)
    console.print(STEERING, soft_wrap=True)
    console.print(shown)
    told = file.getvalue()
    assert told.replace("\n", "").isprintable()
    spelt = r"\x1b[31mred \x9b2J \u202egnp.exe [bold]x[/y] [link=file:///a]z :boom: \udc80"
    assert told.count(spelt) == 5


def test_an_error_is_one_visible_line(capsys: pytest.CaptureFixture[str]) -> None:
    fail(f"a.onnx: {STEERING}\nsecond")
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
