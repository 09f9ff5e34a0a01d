"""Stacks as a file: which fire groups stand behind the same peripheral groups.

{"format": "moexbar-stacks 1", "stacks": [[{"layer": 0, "stage": 0, "group": 3}, ...], ...]}, with
"solver" and "certificate" for people, which are not read back.
"""

from pathlib import Path
from typing import Any

from ir.errors import InputError
from ir.stacks import Member, Stacking
from moexbar.files.json_file import read_json
from moexbar.report.plain import as_json
from moexbar.report.times import without_times

FORMAT = "moexbar-stacks 1"
MAX_NUMBER = 1 << 31
_FIELDS = ("layer", "stage", "group")


def stacks_json(stacking: Stacking) -> dict[str, Any]:
    """The stacks as plain data, without times: what they took is told with the report's."""
    certificate, _ = without_times(as_json(stacking.certificate))
    return {
        "format": FORMAT,
        "solver": stacking.solver,
        "certificate": certificate,
        "stacks": as_json(stacking.stacks),
    }


def read_stacks(path: Path) -> Stacking:
    """The stacks of a file, in its order.

    Raises InputError naming the file and the field for anything else, or a fire group that comes
    twice. Whether a model has these fire groups `compiler.stacks.check_given` tells.
    """
    where = str(path)
    expected = f"stacks of the form {FORMAT!r}"
    found = read_json(path, expected, f"expected {expected}")
    form = found.get("format") if isinstance(found, dict) else None
    if form != FORMAT:
        raise InputError(where, f"format: {_shown(form)}, expected {FORMAT!r}", "write it again")
    stacks = found.get("stacks")
    if not isinstance(stacks, list):
        raise InputError(where, f"stacks: {_shown(stacks)}, expected a list of stacks")
    read = tuple(_stack(where, number, stack) for number, stack in enumerate(stacks))
    try:
        return Stacking(read, "file")
    except InputError as error:
        raise InputError(where, f"{error.where}: {error.problem}", error.hint) from error


def _stack(where: str, number: int, found: Any) -> tuple[Member, ...]:
    field = f"stacks[{number}]"
    if not isinstance(found, list):
        raise InputError(where, f"{field}: {_shown(found)}, expected a list of fire groups")
    return tuple(_member(where, f"{field}[{i}]", entry) for i, entry in enumerate(found))


def _member(where: str, field: str, found: Any) -> Member:
    if not isinstance(found, dict) or set(found) != set(_FIELDS):
        raise InputError(
            where, f"{field}: {_shown(found)}, expected an object of layer, stage and group"
        )
    for name in _FIELDS:
        value = found[name]
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            raise InputError(where, f"{field}.{name}: {_shown(value)}, expected a whole number")
    return Member(*(found[name] for name in _FIELDS))


def _shown(found: Any) -> str:
    """What was found, cut short."""
    return "missing" if found is None else ascii(found)[:60]
