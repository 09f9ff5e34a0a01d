"""The verifier with one of its modules changed, and what the corpus says of it."""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

import ir.jit
from ir.errors import CheckError
from ir.verify import CHECKS, MAPPING_CHECKS
from tests.ir.verify.corpus import Judged, is_fault
from tests.paths import ROOT

PACKAGE = "ir.verify"
WHOLE = "all checks in order"  # stands for a check: the lists of checks as they are run
EVERY = 25  # of so many programs one is asked of the lists
FIRST = {check.name for check in CHECKS if check.gate} | {check.name for check in MAPPING_CHECKS}


class Anew(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the verifier from code at hand."""

    def __init__(self, code: dict[str, CodeType]) -> None:
        self.code = code

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        """Of a module of the verifier."""
        if name not in self.code:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=name == PACKAGE)

    def exec_module(self, module: ModuleType) -> None:
        """Carry out its code."""
        exec(self.code[module.__name__], module.__dict__)  # noqa: S102


def verifier(code: dict[str, CodeType]) -> ModuleType:
    """`ir.verify` imported anew from this code; its loops are not compiled."""
    for name in [n for n in sys.modules if n == PACKAGE or n.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
    finder, before = Anew(code), ir.jit.compiled
    sys.meta_path.insert(0, finder)
    ir.jit.compiled = lambda function: function
    try:
        return importlib.import_module(PACKAGE)
    finally:
        sys.meta_path.remove(finder)
        ir.jit.compiled = before


class Verifier:
    """The verifier, asked of every program of a corpus by every check: whether it finds a fault.

    A right answer is that of the verifier as it is: the tests say that right programs are accepted,
    that a wrong one is refused by the check meant for it, and how many of those that are drawn each
    check refuses.
    """

    def __init__(self, corpus: Sequence[Judged]) -> None:
        folder = ROOT / "ir" / "verify"
        self.files = {f"{PACKAGE}.{path.stem}": path for path in sorted(folder.glob("*.py"))}
        self.files[PACKAGE] = self.files.pop(f"{PACKAGE}.__init__")
        self.keeping = frozenset({"expected_costs"})
        self.corpus = corpus
        self.questions = [q for at in range(len(corpus)) for q in _questions(at, corpus[at])]

    def __len__(self) -> int:
        return len(self.questions)

    def shares(self, question: int) -> int:
        """Questions about the same program share what is derived from it."""
        return self.questions[question].program

    def load(self, code: dict[str, CodeType]) -> Callable[[int], bool]:
        """The verifier from this code: whether its answer to a question is wrong."""
        verify = verifier(code)
        begun: dict[int, Callable[[str], bool]] = {}

        def wrong(number: int) -> bool:
            question = self.questions[number]
            if question.program not in begun:
                begun[question.program] = runner(verify, self.corpus[question.program])
            try:
                found = begun[question.program](question.check)
            except Exception:  # also of a wrong program something must be said
                return True
            return found != question.fault

        return wrong


@dataclass(frozen=True)
class Question:
    """Whether a check finds a fault in a program."""

    program: int
    check: str
    fault: bool


def _questions(number: int, judged: Judged) -> Iterator[Question]:
    found = judged.results()
    faults = {name for name, result in found if is_fault(result)}
    if judged.meant and judged.meant not in faults:
        raise ValueError(f"{judged.name} is not refused by {judged.meant} but by {faults}")
    for name, result in found:
        if name in faults or (not judged.kind and result == "ok"):
            yield Question(number, name, name in faults)
    # what a gate or a mapping's check refuses must not stop a check before it by an exception
    if number % EVERY == 0 or judged.meant in FIRST:
        yield Question(number, WHOLE, False)


def runner(verify: ModuleType, judged: Judged) -> Callable[[str], bool]:
    """What runs a check of a program by its name, and says whether it finds a fault."""
    c = judged.compiled
    of_mapping = {check.name: check.run for check in verify.MAPPING_CHECKS}
    of_program = {check.name: check.run for check in verify.PROGRAM_CHECKS}
    tiles = sys.modules[f"{PACKAGE}.tiles"].MappingCase(c.mapping, c.workload, c.chip)
    program = sys.modules[f"{PACKAGE}.case"].ProgramCase(c)

    def run(name: str) -> bool:
        if name == WHOLE:
            return in_order(verify, judged)
        if name in of_mapping:
            return of_mapping[name](tiles) is not None
        return of_program[name](program) is not None

    return run


def in_order(verify: ModuleType, judged: Judged) -> bool:
    """Whether the lists of checks, as callers run them, go wrong with a program."""
    if [(c.name, c.gate) for c in verify.CHECKS] != [(c.name, c.gate) for c in CHECKS]:
        return True
    c = judged.compiled
    results = verify.check_mapping(c.mapping, c.workload, c.chip)
    lists = [(verify.MAPPING_CHECKS, results)]
    if all(result == "ok" for _, result in results):
        lists.append((verify.PROGRAM_CHECKS, verify.check_program(c)))
    faults: list[str] = []
    for checks, found in lists:
        closed = ""
        if [name for name, _ in found] != [check.name for check in checks]:
            return True
        for check, (name, result) in zip(checks, found, strict=True):
            if closed and result != f"not checked: {closed} failed":
                return True
            if not closed and result != "ok":
                faults.append(name)
                closed = name if check.gate else ""
    return faults[:1] != raised(verify, judged) or (not judged.kind and bool(faults))


def raised(verify: ModuleType, judged: Judged) -> list[str]:
    """The check by which a program is refused, if it is."""
    c = judged.compiled
    try:
        verify.verify_mapping(c.mapping, c.workload, c.chip)
        verify.verify_program(c)
    except CheckError as error:
        return [error.check]
    return []
