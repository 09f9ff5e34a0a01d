"""A key by content: equal values have equal keys, in every process and on every machine.

What a stage is given is its key, so nobody has to say what it depends on: what does not reach it
cannot change its key.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

_PLAIN = frozenset({bool, int, float, str, type(None)})
_FIELDS: dict[type[Any], tuple[str, ...]] = {}


def key_of(*values: object) -> str:
    """SHA-256 of a canonical form of the values; TypeError for a kind without one."""
    found = hashlib.sha256()
    for value in values:
        for piece in _pieces(value):
            found.update(piece)
    return found.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    """The canonical form: of each value its kind, its length where it has one, and its contents."""
    kind = type(value)
    if kind in _PLAIN:
        text = value.hex() if kind is float else str(value)
        yield f"{kind.__name__}:{len(text)}:{text};".encode()
    elif kind is tuple or kind is list:
        yield f"sequence:{len(value)}[".encode()
        for one in value:
            yield from _pieces(one)
        yield b"]"
    elif isinstance(value, np.ndarray):
        yield f"array:{value.dtype.str}:{value.shape}:".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"{kind.__module__}.{kind.__qualname__}(".encode()
        for name in _names(kind):
            yield f"{name}=".encode()
            yield from _pieces(getattr(value, name))
        yield b")"
    else:
        yield from _rare(value)


def _rare(value: Any) -> Iterator[bytes]:
    """The canonical form of kinds that are seldom met."""
    match value:
        case np.generic():
            yield from _pieces(value.item())
        case Enum():
            yield f"enum:{type(value).__qualname__}.{value.name};".encode()
        case PurePath():
            yield from _pieces(("path", str(value)))
        case Mapping():
            yield f"mapping:{len(value)}{{".encode()
            for key in sorted(value, key=lambda key: (str(type(key)), key)):
                yield from _pieces(key)
                yield from _pieces(value[key])
            yield b"}"
        case frozenset() | set():
            yield from _pieces(("set", sorted(value)))
        case _:
            raise TypeError(f"{type(value).__name__}: no rule says what its content is")


def _names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a dataclass; looked up once."""
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(field.name for field in fields(kind))
    return _FIELDS[kind]
