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
        case Mapping():
            return {str(name): as_json(entry) for name, entry in value.items()}
        case list() | tuple():
            return [as_json(entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        return dict(_entries(value))
    raise TypeError(f"{type(value).__name__}: no rule says how it is written as JSON")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(value):
        found = getattr(value, field.name)
        if is_flat(field):
            yield from as_json(found).items()
        elif found is not None or not is_optional(field):
            yield field.name, as_json(found)


def is_flat(field: Field[Any]) -> bool:
    """Whether the keys of the field's value stand in its place."""
    return bool(field.metadata.get("flat"))


def is_optional(field: Field[Any]) -> bool:
    """Whether the field is left out while it is None."""
    return bool(field.metadata.get("optional"))
