"""Which changes are noticed: each made in a child of its own, which answers what it could change.

A subject is code that answers questions, such as the verifier asked whether a program keeps an
invariant. Every question is asked once of the code as it is, to note which of its lines have a part
in the answer. A change is then asked the questions that its lines have a part in, and is noticed at
the first answer that is not the right one.
"""

import ast
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol

from benchmarks.mutants.changes import Change, changes

MEMORY = 4 << 30  # bytes that a child may take beside those it began with
PATIENCE, AT_LEAST_S = 20, 5.0  # a child may take so many times as long as the unchanged code


class Subject(Protocol):
    """Code under test, and questions to it by number."""

    files: dict[str, Path]  # every module that may be changed, by name

    def load(self, code: dict[str, CodeType]) -> Callable[[int], bool]:
        """From code of every module: what answers a question, True where the answer is wrong."""
        ...

    def __len__(self) -> int:
        """How many questions there are."""
        ...

    def shares(self, question: int) -> int:
        """A number that questions have in common which share work."""
        ...


@dataclass(eq=False)
class Reached:
    """The questions that a line (by file and number) has a part in, and seconds of each.

    What is worked out for one question may serve others that come after it, so that those with the
    same number in `together` may depend on the line as well.
    """

    by_line: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    seconds: list[float] = field(default_factory=list)
    together: list[int] = field(default_factory=list)  # of each question whom it shares work with

    def within(self, file: str, lines: tuple[int, int] | None) -> list[int]:
        """Questions that lines may have a part in, all where `lines` is none.

        First those that were seen to go through them, the quickest first.
        """
        found = set(range(len(self.seconds)))
        if lines is not None:
            numbers = range(lines[0], lines[1] + 1)
            found = set().union(*(self.by_line.get((file, number), ()) for number in numbers))
        sharing = {self.together[at] for at in found}
        others = [at for at, of in enumerate(self.together) if of in sharing and at not in found]
        return sorted(found, key=lambda at: self.seconds[at]) + others


@dataclass(frozen=True)
class Verdict:
    """A change of a module, and the first question answered wrongly: -1 where none is.

    by: the number of questions where the child died or took too long; asked: questions it had.
    """

    module: str
    change: Change
    by: int
    asked: int

    @property
    def survives(self) -> bool:
        """Whether nobody noticed."""
        return self.by < 0


def code_of(files: dict[str, Path]) -> dict[str, CodeType]:
    """Code of every module as it is."""
    return {name: compile(path.read_bytes(), str(path), "exec") for name, path in files.items()}


def reached(subject: Subject) -> Reached:
    """Ask every question of the code as it is. Raises ValueError at a wrong answer."""
    out = Reached(together=[subject.shares(question) for question in range(len(subject))])
    files = {str(path) for path in subject.files.values()}
    answer = subject.load(code_of(subject.files))
    for question in range(len(subject)):
        begun = time.perf_counter()
        wrong, lines = traced(files, lambda: answer(question))  # noqa: B023
        out.seconds.append(time.perf_counter() - begun)
        if wrong:
            raise ValueError(f"question {question} is answered wrongly by the code as it is")
        for line in lines:
            out.by_line[line].add(question)
    return out


def traced(files: set[str], call: Callable[[], Any]) -> tuple[Any, set[tuple[str, int]]]:
    """What a call gives, and the lines of these files that it goes through."""
    lines: set[tuple[str, int]] = set()

    def inner(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return inner

    def outer(frame: FrameType, _event: str, _: Any) -> Any:
        return inner if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(outer)
    try:
        return call(), lines
    finally:
        sys.settrace(before)


def judge(
    subject: Subject, lines: Reached, module: str, chosen: Callable[[Change], bool]
) -> Iterator[Verdict]:
    """Judge the chosen changes of a module."""
    code, path = code_of(subject.files), subject.files[module]
    tree = ast.parse(path.read_bytes())
    last: dict[str, list[int]] = defaultdict(list)  # what noticed other changes of a place
    for change in changes(tree):
        if not chosen(change):
            continue
        questions = lines.within(str(path), change.lines)
        usable = set(questions)
        known = [at for at in last[change.place] if at in usable]
        order = list(dict.fromkeys([*known, *questions]))
        undo = change.apply()
        changed = {**code, module: compile(tree, str(path), "exec")}
        undo()
        limit = AT_LEAST_S + PATIENCE * sum(lines.seconds[at] for at in order)
        by = in_child(lambda: first_wrong(subject, changed, order), limit)  # noqa: B023
        by = len(subject) if by is None else by
        if 0 <= by < len(subject):
            last[change.place] = [by, *(at for at in last[change.place] if at != by)][:8]
        yield Verdict(module, change, by, len(order))


def first_wrong(subject: Subject, code: dict[str, CodeType], order: Iterable[int]) -> int:
    """The first question that this code answers wrongly, -1 if none."""
    answer = subject.load(code)
    return next((question for question in order if answer(question)), -1)


def in_child(work: Callable[[], int], seconds: float) -> int | None:
    """What `work` finds in a child process; None of one that fails or takes longer."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (_size() + MEMORY, hard))
            os.write(send, str(work()).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return int(told) if told else None


def _size() -> int:
    """Bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def sampled(verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """(changes, those noticed)."""
    return len(verdicts), sum(not verdict.survives for verdict in verdicts)
