"""Values as plain data that JSON can hold: one rule for each kind of value."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

SCHEMA = 2
FLAT = {"flat": True}  # metadata of a field: the keys of its value stand in its place
OPTIONAL = {"optional": True}  # metadata of a field: it is left out while it is None
PLAIN = frozenset({bool, int, str, type(None)})  # types that stay as they are, the most frequent

_KNOWN: dict[type[Any], tuple[tuple[str, bool, bool], ...]] = {}


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a command writes or prints as JSON.

    schema: number of the form; it rises when a key goes or means something else, not when one is
        added. Documents without it, of earlier versions, count as 1.
    """

    schema: int = SCHEMA


def as_json(value: object) -> Any:
    """A value as plain data.

    A dataclass is an object with its fields as keys, but for those that `is_flat` or `is_optional`
    tell otherwise. Tuples and arrays are lists, numbers of numpy are numbers, paths and enums what
    they hold; a number that is not finite is None. TypeError for anything else.
    """
    if type(value) in PLAIN:
        return value
    match value:
        case Enum():
            return as_json(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case PurePath():
            return str(value)
        case np.ndarray() | np.generic():
            return as_json(value.tolist())
        case list() | tuple():
            return [entry if type(entry) in PLAIN else as_json(entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        return dict(_entries(value))
    if isinstance(value, Mapping):  # last: slow to find out
        return {str(name): as_json(entry) for name, entry in value.items()}
    raise TypeError(f"{type(value).__name__}: no rule says how it is written as JSON")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    for name, flat, optional in _fields(type(value)):
        found = getattr(value, name)
        if flat:
            yield from as_json(found).items()
        elif found is not None or not optional:
            yield name, found if type(found) in PLAIN else as_json(found)


def _fields(kind: type[Any]) -> tuple[tuple[str, bool, bool], ...]:
    """Name of each field of a dataclass, and whether it is flat and optional; looked up once."""
    if kind not in _KNOWN:
        found = ((field.name, is_flat(field), is_optional(field)) for field in fields(kind))
        _KNOWN[kind] = tuple(found)
    return _KNOWN[kind]


def is_flat(field: Field[Any]) -> bool:
    """Whether the keys of the field's value stand in its place."""
    return bool(field.metadata.get("flat"))


def is_optional(field: Field[Any]) -> bool:
    """Whether the field is left out while it is None."""
    return bool(field.metadata.get("optional"))
