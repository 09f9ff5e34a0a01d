"""The house rules that a machine can keep: files and functions to read at a sitting, no escapes."""

import ast
import re
from collections.abc import Iterator

from tests.paths import ROOT

SOURCES = ("ir", "compiler", "backends", "moexbar", "benchmarks", "examples", "docs")
MOST_LINES, MOST_OF_A_FUNCTION = 350, 60
COMPILED_LOOPS = {  # numba compiles each as one; cut up they would be slower or share their state
    ("compiler/timeline/events.py", "run"),
    ("backends/simulate/kernels.py", "walk"),
    ("backends/simulate/kernels.py", "settle"),
}
KIND_TESTS = 6  # `isinstance(op, ..)` in the four packages, all of them filters of a generator


def files(*rooms: str) -> Iterator[tuple[str, str]]:
    """(path from the root, text) of every Python file."""
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def functions(text: str) -> Iterator[tuple[str, int]]:
    """(name, lines from `def` to its end) of every function and method."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_too_long() -> None:
    long = {path: len(text.splitlines()) for path, text in files(*SOURCES)}
    assert {p: n for p, n in long.items() if n > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    assert list(functions("@d\ndef f():\n    def g():\n        pass\n")) == [("f", 3), ("g", 2)]
    long = {
        (path, name): lines
        for path, text in files(*SOURCES)
        for name, lines in functions(text)
        if lines > MOST_OF_A_FUNCTION
    }
    assert {key: lines for key, lines in long.items() if key not in COMPILED_LOOPS} == {}
    assert long.keys() >= COMPILED_LOOPS, "short enough by now: take it off the list"


def test_the_formatter_formats_everything() -> None:
    marks = re.compile(r"# (fmt|yapf): *(skip|off)")
    assert [path for path, text in files(*SOURCES, "tests") if marks.search(text)] == []


def test_kinds_of_operators_are_asked_in_fewer_and_fewer_places() -> None:
    count = sum(text.count("isinstance(op") for _, text in files(*SOURCES[:4]))
    assert count <= KIND_TESTS
