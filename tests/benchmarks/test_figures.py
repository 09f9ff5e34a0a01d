"""Pages' blocks: what is read of a page, which part of an output is shown, what is written."""

from pathlib import Path

import pytest

from benchmarks.figures import Copy, Wanted, pages_of, put, remake
from benchmarks.page_blocks import Block, Mark, PageError, blocks, shown_part
from tests.paths import ROOT

PAGE = """# A page

<!-- figures: echo made > made.txt -->

<!-- figures, 240 s, timed: cat made.txt |
    tr a-z A-Z -->
```
OLD
```

```
$ printf 'a\\nb\\nc\\nd\\n'
a
...
d
$ echo one \\
    two
one two
```

<!-- figures: python -c 'print("| x |\\n|---|\\n| 2 |")' -->
| x |
|---|
| 1 |

| y |
|---|

| is no table | of prose
"""


def found(text: str) -> list[Block]:
    return blocks(text.split("\n"))


def test_blocks_of_a_page() -> None:
    """A silent command, a fence under a comment of two lines, two prompts in a fence, tables."""
    lines = PAGE.split("\n")
    told = [(one.command, lines[one.start : one.end], one.shown) for one in found(PAGE)]
    assert told == [
        ("echo made > made.txt", [], False),
        ("cat made.txt |\n    tr a-z A-Z", ["OLD"], True),
        ("printf 'a\\nb\\nc\\nd\\n'", ["a", "...", "d"], True),
        ("echo one \\\n    two", ["one two"], True),
        (
            """python -c 'print("| x |\\n|---|\\n| 2 |")'""",
            # up to the last line that begins with a bar: tables of one command are one block
            ["| x |", "|---|", "| 1 |", "", "| y |", "|---|", "", "| is no table | of prose"],
            True,
        ),
    ]
    assert [one.mark.seconds for one in found(PAGE)] == [0, 240, 0, 0, 0]
    assert [one.mark.timed for one in found(PAGE)] == [False, True, False, False, False]


def test_a_mark_without_command_is_of_the_prompts_below() -> None:
    one, two = found("<!-- figures, 90 s -->\n```\n$ a\n1\n$ b\n2\n```")
    assert (one.mark, two.mark) == (Mark(None, 90), Mark(None, 90))


def test_a_fence_without_mark_or_prompt_is_left() -> None:
    assert found("```\nmoexbar validate\n```\n```python\nprint(1)\n```") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<!-- figures -->\n```\nx\n```", "a mark without command"),
        ("<!-- figures, slow: x -->", r"expected `<!-- figures\[, N s\]"),
        ("<!-- figures: x", "expected `-->`"),
        ("```\n$ x\n1", "expected ``` at the end"),
    ],
)
def test_forms_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(PageError, match=says):
        found(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([], ["1", "2", "3", "4"]),
        (["x"], ["1", "2", "3", "4"]),
        (["x", "..."], ["1", "..."]),
        (["...", "x", "y"], ["...", "3", "4"]),
        (["x", "...", "y"], ["1", "...", "4"]),
        # 2 before and 2 after are all 4 lines: nothing is left out
        (["x", "x", "...", "y", "y"], ["1", "2", "3", "4"]),
    ],
)
def test_the_part_that_is_shown(old: list[str], new: list[str]) -> None:
    assert shown_part(old, "\n1\n2  \n3\n4\n\n") == new


def test_two_gaps_are_refused() -> None:
    with pytest.raises(PageError, match="found two"):
        shown_part(["...", "x", "..."], "1\n2\n3")


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of no tree, with the two tools."""
    (tmp_path / "scratch").mkdir()
    return Copy.of_files((), ROOT, tmp_path / "scratch")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    written = tmp_path / "page.md"
    written.write_text(PAGE)
    return written


def test_a_page_is_made_anew(copy: Copy, page: Path) -> None:
    """The prose and what is left out stay; what is the same is not told."""
    told = remake(page, copy, Wanted())
    assert [text[:20] for text in told] == ["differs: cat made.tx", "differs: python -c '"]
    text = page.read_text()
    assert "```\nMADE\n```" in text
    assert "-->\n| x |\n|---|\n| 2 |\n" in text
    assert "| 1 |" not in text
    assert remake(page, copy, Wanted(check=True)) == []


def test_a_check_writes_nothing_and_forgives_times(copy: Copy, page: Path) -> None:
    told = remake(page, copy, Wanted(check=True))
    assert [text[:20] for text in told] == ["differs: python -c '"]
    assert page.read_text() == PAGE


def test_errors_of_rounding_do_not_differ(copy: Copy, page: Path) -> None:
    """Other digits on another processor; an error of another size does."""
    text = "```\n$ echo error 6.0e-07 of at most 1e-4\nerror 7.9e-06 of at most 1e-4\n```"
    page.write_text(text)
    assert remake(page, copy, Wanted()) == []
    assert page.read_text() == text
    page.write_text(text.replace("7.9e-06", "7.9e-03"))
    assert remake(page, copy, Wanted(check=True)) != []


def test_what_is_left_out(copy: Copy, page: Path) -> None:
    """One of 240 s, and all that the pattern does not name; silent ones above it are run."""
    assert remake(page, copy, Wanted(seconds=240, only="tr a-z")) == []
    assert not (copy.root / "made.txt").exists()  # nothing was chosen that could need it
    remake(page, copy, Wanted(only="printf"))
    assert "OLD" in page.read_text()  # shown, above, and not asked for
    remake(page, copy, Wanted(only="tr a-z"))
    assert (copy.root / "made.txt").exists()
    assert "| 1 |" in page.read_text()
    copy.clear()
    assert not (copy.root / "made.txt").exists()


def test_traces_are_given_and_not_shown(copy: Copy, page: Path, tmp_path: Path) -> None:
    page.write_text("```\n$ echo --traces DIR\nold\n```")
    assert remake(page, copy, Wanted()) == []
    remake(page, copy, Wanted(traces=tmp_path / "of"))
    assert page.read_text() == "```\n$ echo --traces DIR\n--traces DIR\n```"


@pytest.mark.parametrize("command", ["echo wrong >&2; false", "false | true", "pwd"])
def test_a_command_that_fails_leaves_its_block(command: str, copy: Copy, page: Path) -> None:
    """Of a pipe all parts must succeed, and no path of this machine gets into a page."""
    page.write_text(f"```\n$ {command}\nold\n```")
    assert remake(page, copy, Wanted()) == [f"failed: {command}"]
    assert page.read_text() == f"```\n$ {command}\nold\n```"


def test_a_page_that_changed_meanwhile(page: Path) -> None:
    """Blocks are found by their command in the page as it is."""
    page.write_text("new prose\n" + PAGE.replace("a\n...", "a\nx\n..."))
    assert put(page, "printf 'a\\nb\\nc\\nd\\n'", "1\n2\n3\n4\n")
    assert "'\n1\n2\n...\n4\n$ echo" in page.read_text()


def test_every_page_can_be_read() -> None:
    names = {page.name for page in pages_of(ROOT)}
    assert {"README.md", "validation.md", "simulator.md"} <= names
    parents = {page.parent.name for page in pages_of(ROOT)}
    assert {"tutorials", "howto", "solvers"} <= parents
