"""What becomes of a changed artifact: it is read, simulated and verified, or refused.

A judge returns in words how what was accepted differs from what it was made from.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import moexbar as mx
from ir.program import Lists, Program
from ir.routing import Routing
from moexbar.chips import load_chip
from moexbar.chips.sheet import chip_sheet
from moexbar.execution import refuse_wrong
from moexbar.exploration.journal import journal
from moexbar.exploration.results import write_results
from moexbar.exploration.sweep_file import read_sweep
from moexbar.files.arrivals_file import read_arrivals
from moexbar.files.compiled import ReadFolder, read_compiled
from moexbar.files.digital_file import read_digital
from moexbar.files.grouping_file import read_grouping
from moexbar.files.stacks_file import read_stacks
from moexbar.files.traces.read import read_trace
from moexbar.page.write import page_of

SAME = "says the same"
OF_REPORT = "report: figures and texts that nothing is computed from"


def compiled(before: ReadFolder, folder: Path) -> str:
    """Simulate and verify a folder, and make its page; how it differs from the one unchanged."""
    mx.simulate(folder, unchecked=True)
    found = read_compiled(folder, unchecked=True)
    found.check()
    refuse_wrong(found.execute(), found.executable.program)
    page_of(folder, unchecked=True)
    return " and ".join(differences(before, found)) or SAME


def differences(before: ReadFolder, now: ReadFolder) -> Iterator[str]:
    """In what two folders differ that are both verified and executed to the same results."""
    old, new = before.executable, now.executable
    for name in changed_columns(old.program, new.program):
        yield f"program.{name}: another valid program of the same figures"
    if not same(old.mapping, new.mapping):
        yield "mapping: another valid mapping"
    if not same(old.chip, new.chip):
        yield "report.chip: another chip, on which the program is as valid and costs the same"
    if not same(before.routing, now.routing):
        yield "routing: tokens or layers that the window does not run"
    if before.report != now.report and same(old.chip, new.chip):
        yield OF_REPORT
    if not same(dict(before.inputs), dict(now.inputs)):
        yield "inputs"


def changed_columns(old: Program, new: Program) -> Iterator[str]:
    """Names of the columns and tables in which programs differ; of tables the fields."""
    for column in fields(Program):
        one, other = getattr(old, column.name), getattr(new, column.name)
        if same(one, other):
            continue
        if column.name in ("units", "buffers") and len(one) == len(other):
            pairs = [(vars(a), vars(b)) for a, b in zip(one, other, strict=True)]
            names = sorted({name for a, b in pairs for name in a if a[name] != b[name]})
            yield f"{column.name}.{'+'.join(names)}"
        else:
            yield column.name


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays and all."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        return arrays and np.array_equal(one, other)
    if isinstance(one, Lists):
        return same(one.offsets, other.offsets) and same(one.values, other.values)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        names = [field.name for field in fields(one) if field.name != "source"]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@contextmanager
def opened_once() -> Iterator[None]:
    """Models are opened once for all cases: it is their files that are tried."""
    held: dict[Path, Any] = {}

    def once(path: Path) -> Any:
        if path not in held:
            held[path] = mx.open_model(path)
        return held[path]

    with mock.patch("moexbar.files.compiled.open_model", once):
        yield


def swept(folder: Path) -> str:
    """The front of a sweep's results, and their page."""
    mx.pareto(folder, unchecked=True)
    page_of(folder, unchecked=True)
    return "results.parquet: other results"


def kept(folder: Path) -> str:
    """The journal of a sweep, all of it read as `--resume` does, with the tables made of it."""
    with journal(folder) as found:
        found.asked()
        found.groups()
        write_results(folder, read_sweep(folder / "sweep.toml"), found)
    return "journal.sqlite: other answers"


def shown(folder: Path, name: str) -> str:
    """The page of a comparison of solvers or of designs, which is all that is made of them."""
    page_of(folder, unchecked=True)
    return f"{name}: other figures"


def traced(path: Path) -> str:
    """A routing trace or load counts, and what a compilation takes from it."""
    found = read_trace(path)
    if isinstance(found, Routing):
        for row in range(found.layers):
            found.matrix(row)
    return f"{path.name}: another trace"


GIVEN: dict[str, Callable[[Path], object]] = {
    "sweep.toml": lambda path: list(islice(read_sweep(path).points(), 100)),
    "chip.toml": lambda path: chip_sheet(load_chip(str(path))),
    "groups.json": lambda path: read_grouping(path, {0: 8, 1: 8}),
    "stacks.json": read_stacks,
    "digital.json": lambda path: read_digital(str(path)),
    "arrivals.txt": read_arrivals,
}


def given(path: Path) -> str:
    """A file that people give; it may say anything that its form allows."""
    GIVEN.get(path.name, traced)(path)
    return f"{path.name}: another one"
