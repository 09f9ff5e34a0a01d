"""Blocks of a Markdown page that show what a command prints, and the part of it that they show.

A fenced block whose first line is `$ COMMAND` shows the command and its output. Any other fence,
and Markdown tables, have the command in a comment above them:

    <!-- figures: moexbar validate | grep PUMA -->

A command without a block after it is run for what it writes. `, 240 s` after `figures` says that
it takes that much CPU, `, timed` that it prints times of this machine. A line `...` in a block
stands for what is left out: as many lines before and after it are shown as the page shows now.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FENCE, LEFT_OUT, PROMPT = "```", "...", "$ "
MARK = re.compile(
    r"<!-- figures(?:, (?P<seconds>\d+) s)?(?P<timed>, timed)?"
    r"(?:: (?P<command>.*))?$",
    re.DOTALL,
)


class PageError(Exception):
    """A block whose form is not understood: line, what was found and what was expected."""


@dataclass(frozen=True)
class Mark:
    """What a comment says: the command, if it is not in the block, and how long it takes."""

    command: str | None = None
    seconds: int = 0
    timed: bool = False


@dataclass(frozen=True)
class Block:
    """Lines `start` to `end` (one after the last) of a page are what `command` prints.

    shown: whether the page shows any of it; silent commands are run for what they write.
    """

    command: str
    start: int
    end: int
    shown: bool
    mark: Mark

    @property
    def name(self) -> str:
        """The command on one line, short."""
        words = " ".join(self.command.replace("\\\n", " ").split())
        return words if len(words) <= 100 else f"{words[:97]}..."


def blocks(lines: Sequence[str]) -> list[Block]:
    """All blocks of a page, in order. PageError where a mark has no form of the above."""
    found: list[Block] = []
    at = 0
    while at < len(lines):
        if lines[at].startswith("<!-- figures"):
            mark, after = _mark(lines, at)
            marked, at = _marked(lines, after, mark)
            found += marked
        elif lines[at].startswith(FENCE):
            end = _end_of_fence(lines, at)
            if lines[at + 1].startswith(PROMPT):
                found += _prompts(lines, at + 1, end, Mark())
            at = end + 1
        else:
            at += 1
    return found


def shown_part(old: Sequence[str], printed: str) -> list[str]:
    """What a page shows of what was printed, where it showed `old`: all, or all but the middle."""
    lines = [line.rstrip() for line in printed.strip("\n").split("\n")]
    if LEFT_OUT not in old:
        return lines
    before = list(old).index(LEFT_OUT)
    after = len(old) - before - 1
    if LEFT_OUT in old[before + 1 :]:
        raise PageError(f"expected one line `{LEFT_OUT}` in a block, found two: {' / '.join(old)}")
    if before + after >= len(lines):
        return lines
    return [*lines[:before], LEFT_OUT, *lines[len(lines) - after :]]


def _mark(lines: Sequence[str], at: int) -> tuple[Mark, int]:
    """The mark that begins on line `at`, and the line after it."""
    last = at
    while not lines[last].endswith("-->"):
        last += 1
        if last == len(lines):
            raise PageError(f"line {at + 1}: expected `-->` at the end of a line, found none")
    text = "\n".join(lines[at : last + 1]).removesuffix("-->").rstrip()
    read = MARK.match(text)
    if read is None:
        raise PageError(
            f"line {at + 1}: expected `<!-- figures[, N s][, timed][: COMMAND] -->`, found {text}"
        )
    return Mark(read["command"], int(read["seconds"] or 0), bool(read["timed"])), last + 1


def _marked(lines: Sequence[str], at: int, mark: Mark) -> tuple[list[Block], int]:
    """Blocks of a mark, and the line after them: a fence, tables, or nothing that is shown."""
    fenced = at < len(lines) and lines[at].startswith(FENCE)
    if mark.command is None:
        if not fenced or not lines[at + 1].startswith(PROMPT):
            raise PageError(
                f"line {at}: a mark without command, and no `$ COMMAND` in a fence below"
            )
        end = _end_of_fence(lines, at)
        return _prompts(lines, at + 1, end, mark), end + 1
    if fenced:
        end = _end_of_fence(lines, at)
        return [Block(mark.command, at + 1, end, shown=True, mark=mark)], end + 1
    end = at
    while end < len(lines) and (lines[end].startswith("|") or not lines[end].strip()):
        end += 1
    while end > at and not lines[end - 1].strip():
        end -= 1
    return [Block(mark.command, at, end, shown=end > at, mark=mark)], max(end, at)


def _prompts(lines: Sequence[str], at: int, end: int, mark: Mark) -> list[Block]:
    """The commands of one fence, each with its output up to the next; a backslash continues one."""
    found: list[Block] = []
    while at < end:
        start = at
        while lines[at].endswith("\\"):
            at += 1
        command = "\n".join(lines[start : at + 1]).removeprefix(PROMPT)
        at = start = at + 1
        while at < end and not lines[at].startswith(PROMPT):
            at += 1
        found.append(Block(command, start, at, shown=at > start, mark=mark))
    return found


def _end_of_fence(lines: Sequence[str], at: int) -> int:
    """The line that closes the fence opened on line `at`."""
    for end in range(at + 1, len(lines)):
        if lines[end].startswith(FENCE):
            return end
    raise PageError(f"line {at + 1}: expected {FENCE} at the end of the block, found none")
