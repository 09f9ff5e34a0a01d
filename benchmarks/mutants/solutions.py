"""The checks of solvers' answers with one of their functions changed, and what their tests say."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from benchmarks.mutants.changes import Change
from tests.compiler import test_answers_checked
from tests.paths import ROOT

# What looks at an answer again before it is taken, by module; an empty name is all of the module.
CHECKS: dict[str, tuple[str, ...]] = {
    "compiler.solver": ("_answer", "_safe_bound", "_mip_answer", "_safe_mip_bound"),
    "compiler.grouping.accept": ("accept", "_keeps_the_rules"),
    "compiler.stacks.check": ("",),
    "compiler.stacks": ("_status",),
    "compiler.slots.bounds": ("check_counts", "check_table"),
    "compiler.slots.solved": ("",),
    "compiler.dies": ("assign", "_status"),
    "compiler.dies.links": ("links_of",),
    "compiler.residency.choose": ("_better", "_exactly"),
    "compiler.placement": ("with_status",),
    "ir.certificate": ("",),
}


def is_check(module: str, change: Change) -> bool:
    """Whether a change is of what looks at an answer."""
    return any(change.place.startswith(name) for name in CHECKS[module])


class Solutions:
    """The checks of answers, asked by every test of `tests/compiler/test_answers_checked.py`."""

    def __init__(self) -> None:
        self.files = {name: _path(name) for name in CHECKS}
        self.keeping = frozenset[str]()
        self.tests = list(_calls(test_answers_checked))

    def __len__(self) -> int:
        return len(self.tests)

    def shares(self, question: int) -> int:
        """Every test is by itself."""
        return question

    def load(self, code: dict[str, CodeType]) -> Callable[[int], bool]:
        """Put this code into the modules as they are: whether a test fails."""
        for name, new in code.items():
            _put(importlib.import_module(name), new)

        def wrong(number: int) -> bool:
            try:
                self.tests[number]()
            except BaseException:  # pytest.fail is no Exception
                return True
            return False

        return wrong


def _path(module: str) -> Path:
    folder = ROOT.joinpath(*module.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _calls(module: ModuleType) -> Iterator[Callable[[], None]]:
    """Every test of a module with every set of its parameters."""
    for name, test in vars(module).items():
        if name.startswith("test_"):
            marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
            for chosen in product(*(_parameters(*mark.args) for mark in marks)):
                words = {word: value for some in chosen for word, value in some.items()}
                yield _call(test, words)


def _parameters(names: str | tuple[str, ...], values: Any) -> list[dict[str, Any]]:
    many = not isinstance(names, str)
    return [dict(zip(names, v, strict=True)) if many else {str(names): v} for v in values]


def _call(test: Callable[..., None], words: dict[str, Any]) -> Callable[[], None]:
    patched = "monkeypatch" in inspect.signature(test).parameters

    def call() -> None:
        with pytest.MonkeyPatch.context() as patch:
            test(**words, **({"monkeypatch": patch} if patched else {}))

    return call


def _put(module: ModuleType, code: CodeType) -> None:
    """The code of a module's functions and methods, and its constants, in the module as it is."""
    fresh: dict[str, Any] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(code, fresh)  # noqa: S102
    _swap(vars(module), fresh, module.__name__)


def _swap(old: Any, new: Any, module: str) -> None:
    for name, value in dict(new).items():
        here = old.get(name)
        match value:
            case FunctionType() if isinstance(here, FunctionType) and here.__module__ == module:
                here.__code__, here.__defaults__ = value.__code__, value.__defaults__
            case property() if isinstance(here, property) and here.fget and value.fget:
                here.fget.__code__ = value.fget.__code__
            case type() if isinstance(here, type) and here.__module__ == module:
                _swap(vars(here), vars(value), module)
            case int() | tuple() if isinstance(old, dict) and name in old:
                old[name] = value
            case _:
                pass
