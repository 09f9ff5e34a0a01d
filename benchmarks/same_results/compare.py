"""Compares what two checkouts wrote, value by value, and names every difference by its path."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.same_results.deliberate import NOT_READ
from benchmarks.same_results.leaves import Leaf, Leaves, is_text, read_leaves, read_lines
from benchmarks.same_results.rules import RULES, Rules

MISSING = "missing"


@dataclass(frozen=True)
class Difference:
    """A value that is not the same, and what either side has there."""

    where: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.where}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class Comparison:
    """values: how many were compared, an array as one; needed: places of the rules that mattered.

    A place mattered if what it leaves out is not the same on both sides, or if it moved something.
    """

    files: int
    values: int
    differences: tuple[Difference, ...]
    needed: frozenset[str]


def compare_folders(old: Path, new: Path, rules: Rules = RULES) -> Comparison:
    """Compare every file of two folders; a file of one side alone differs in all of its values."""
    files = sorted(_files(old) | _files(new))
    each = [_compare_file(file, old / file, new / file, rules) for file in files]
    return Comparison(
        len(files),
        sum(done.values for done in each),
        tuple(difference for done in each for difference in done.differences),
        frozenset[str]().union(*(done.needed for done in each)),
    )


def _files(folder: Path) -> set[str]:
    """Paths of all files that are read, relative to the folder; no hidden ones, which are locks."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.name not in NOT_READ and path.name[0] != "."}


def _compare_file(file: str, old: Path, new: Path, rules: Rules) -> Comparison:
    if is_text(file):
        a, left_out = _lines(file, old, rules)
        b, others = _lines(file, new, rules)
        needed = {place for place, _ in left_out ^ others}
    else:
        a, needed = _moved(file, read_leaves(old), rules)
        b = read_leaves(new)
    differences = []
    for path in a | b:
        if path in a and path in b and same(a[path], b[path]):
            continue
        place = None if is_text(file) else rules.place_of(file, path)
        if place is not None:
            needed.add(place)
        else:
            differences.append(_difference(f"{file}: {path}", path, a, b))
    return Comparison(1, len(a | b), tuple(differences), frozenset(needed))


def _lines(file: str, path: Path, rules: Rules) -> tuple[Leaves, set[tuple[str, str]]]:
    """The lines to compare, by number; those left out, each with the place that says so."""
    kept, left_out = list[str](), set[tuple[str, str]]()
    for line in read_lines(path):
        place = rules.place_of(file, line)
        if place is None:
            kept.append(line)
        else:
            left_out.add((place, line))
    return {f"line {number}": line for number, line in enumerate(kept, 1)}, left_out


def _moved(file: str, old: Leaves, rules: Rules) -> tuple[Leaves, set[str]]:
    """The older side's values under the paths of the new one; the places that moved some."""
    moved, needed = Leaves(), set[str]()
    for path, leaf in old.items():
        place, target = rules.moved_to(file, path)
        moved[target] = leaf
        if place is not None:
            needed.add(place)
    return moved, needed


def same(a: Leaf, b: Leaf) -> bool:
    """Whether two values are of one type and equal; an array may hold NaN in the same places."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        alike = a.dtype == b.dtype
        return alike and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return type(a) is type(b) and bool(a == b)


def _difference(where: str, path: str, old: Leaves, new: Leaves) -> Difference:
    """The values there; of two arrays of one type and shape the first element that differs."""
    if path not in old or path not in new:
        return Difference(where, *(_shown(s[path]) if path in s else MISSING for s in (old, new)))
    a, b = old[path], new[path]
    arrays = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    if arrays and a.dtype == b.dtype and a.shape == b.shape:
        at = tuple(np.argwhere(a != b)[0].tolist())
        where += "".join(f"[{i}]" for i in at)
        a, b = a[at], b[at]
    return Difference(where, _shown(a), _shown(b))


def _shown(leaf: Leaf) -> str:
    if isinstance(leaf, np.ndarray):
        return f"{leaf.dtype} {list(leaf.shape)}"
    text = leaf.strip() if isinstance(leaf, str) else str(leaf)
    return text if len(text) <= 60 else f"{text[:57]}..."
