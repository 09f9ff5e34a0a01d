"""A named check and how a list of them is run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ir.arrays import Bools, Ints
from ir.errors import CheckError

Case = TypeVar("Case")


@dataclass(frozen=True)
class Fault:
    """What breaks an invariant: the tile, instruction or unit, and how it does."""

    culprit: str
    problem: str


@dataclass(frozen=True)
class Check(Generic[Case]):
    """One invariant. `run` returns the first thing that breaks it, or None.

    gate: the checks after it rely on it and are not run when it fails.
    """

    name: str
    meaning: str
    run: Callable[[Case], Fault | None]
    gate: bool = False


def first_fault(checks: Sequence[Check[Case]], case: Case) -> None:
    """Run the checks in order; raise CheckError at the first fault."""
    for check in checks:
        fault = check.run(case)
        if fault is not None:
            raise CheckError(check.name, fault.culprit, fault.problem)


def all_faults(checks: Sequence[Check[Case]], case: Case) -> list[tuple[str, str]]:
    """(name, "ok" or the first problem) of every check; "not checked" behind a failed gate."""
    out: list[tuple[str, str]] = []
    closed = ""
    for check in checks:
        if closed:
            out.append((check.name, f"not checked: {closed} failed"))
            continue
        fault = check.run(case)
        out.append((check.name, f"{fault.culprit}: {fault.problem}" if fault else "ok"))
        closed = check.name if fault is not None and check.gate else ""
    return out


def first(mask: Bools) -> int | None:
    """Index of the first True, None if there is none."""
    at = int(np.argmax(mask)) if mask.size else 0
    return at if mask.size and bool(mask[at]) else None


def first_repeat(keys: Ints) -> int | None:
    """The lowest key that occurs more than once, None if all differ."""
    ordered = np.sort(keys)
    at = first(ordered[1:] == ordered[:-1])
    return None if at is None else int(ordered[at])


def first_difference(found: Ints, expected: Ints) -> tuple[int, bool] | None:
    """The lowest key that only one of two sets has, and whether it is missing from `found`."""
    odd = np.setxor1d(found, expected)
    if not odd.size:
        return None
    return int(odd[0]), bool(np.any(expected == odd[0]))


def first_uneven(found: Ints, expected: Ints) -> tuple[int, bool] | None:
    """The lowest key that is not in both lists equally often, and whether `found` has too few."""
    keys, which = np.unique(np.concatenate([found, expected]), return_inverse=True)
    count = [np.bincount(part, minlength=len(keys)) for part in np.split(which, [len(found)])]
    at = first(count[0] != count[1])
    return None if at is None else (int(keys[at]), bool(count[0][at] < count[1][at]))


def int64(column: npt.NDArray[np.int32]) -> Ints:
    """A narrow column, wide enough for keys."""
    return column.astype(np.int64)
