"""Which changes are noticed: each made in a child of its own, which answers what it could change.

A subject is code that answers questions, such as the verifier asked whether a program keeps an
invariant. Every question is asked once of the code as it is, to note which of its lines have a part
in the answer. A change is then asked the questions that its lines have a part in, and is noticed at
the first answer that is not the right one. Of a value that is kept, such as a cached property,
only the question that it was worked out for is seen to go through its lines: those that may share
it are asked as well.
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
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol

from benchmarks.mutants.changes import Change, changes

MEMORY = 4 << 30  # bytes that a child may take beside those it began with
PATIENCE, AT_LEAST_S = 20, 5.0  # a child may take so many times as long as the unchanged code
CACHING = cached_property.__get__.__code__  # runs when a property has no value yet

Line = tuple[str, int]  # a file and a number


class Subject(Protocol):
    """Code under test, and questions to it by number."""

    files: dict[str, Path]  # every module that may be changed, by name
    keeping: frozenset[str]  # functions whose results are kept, beside cached properties

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
    """The questions that a line has a part in, and seconds of each.

    together: of each question a number that it has in common with those it shares kept values
    with; kept: the numbers for which such a value was worked out by a line.
    """

    by_line: dict[Line, set[int]] = field(default_factory=lambda: defaultdict(set))
    kept: dict[Line, set[int]] = field(default_factory=lambda: defaultdict(set))
    seconds: list[float] = field(default_factory=list)
    together: list[int] = field(default_factory=list)

    def within(self, file: str, lines: tuple[int, int] | None) -> list[int]:
        """Questions that lines may have a part in, all where `lines` is none.

        First those that were seen to go through them, the quickest first.
        """
        if lines is None:
            return sorted(range(len(self.seconds)), key=lambda at: self.seconds[at])
        numbers = [(file, number) for number in range(lines[0], lines[1] + 1)]
        found = set().union(*(self.by_line.get(line, ()) for line in numbers))
        shared = set().union(*(self.kept.get(line, ()) for line in numbers))
        others = [at for at, of in enumerate(self.together) if of in shared and at not in found]
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
    for question, shared in enumerate(out.together):
        begun = time.perf_counter()
        wrong, lines, kept = traced(files, subject.keeping, lambda: answer(question))  # noqa: B023
        out.seconds.append(time.perf_counter() - begun)
        if wrong:
            raise ValueError(f"question {question} is answered wrongly by the code as it is")
        for line in lines:
            out.by_line[line].add(question)
        for line in kept:
            out.kept[line].add(shared)
    return out


def traced(
    files: set[str], keeping: frozenset[str], call: Callable[[], Any]
) -> tuple[Any, set[Line], set[Line]]:
    """What a call gives, the lines of these files it goes through, and those for kept values."""
    lines: set[Line] = set()
    kept: set[Line] = set()
    within = 0  # calls of what keeps its result

    def each(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            line = frame.f_code.co_filename, frame.f_lineno
            lines.add(line)
            if within:
                kept.add(line)
        return each

    def until_kept(frame: FrameType, event: str, value: Any) -> Any:
        nonlocal within
        each(frame, event, value)
        within -= event == "return"
        return until_kept

    def outer(frame: FrameType, _event: str, _: Any) -> Any:
        nonlocal within
        ours = frame.f_code.co_filename in files
        frame.f_trace_lines = ours
        if frame.f_code is CACHING or (ours and frame.f_code.co_name in keeping):
            within += 1
            return until_kept
        return each if ours else None

    before = sys.gettrace()
    sys.settrace(outer)
    try:
        return call(), lines, kept
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
