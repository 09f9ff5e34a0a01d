"""Documents read back as values; what is not as written is named by file and field."""

import json
import math
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ir.errors import InputError
from ir.infile import check_file
from moexbar.arguments import check_path
from moexbar.report.compiled import Report
from moexbar.report.plain import SCHEMA, is_flat

MAX_BYTES = 64 << 20
HINT = "compile again"
LARGEST = 2**1023  # that a float can hold
SHOWN = 60  # characters of a wrong value in a message
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}

Value = TypeVar("Value")


def read_report(path: Path | str) -> Report:
    """The report.json of an output of `moexbar compile`.

    Reports without a number of their form have the same keys. Raises InputError naming file and
    field for anything that is not as written.
    """
    check_path("path", path, "the path of a report.json")
    found, where = read_object(Path(path)), str(path)
    number = found.get("schema", 1)
    if type(number) is not int or not 1 <= number <= SCHEMA:
        problem = f"schema: found {_shown(number)}, expected at most {SCHEMA}"
        raise InputError(where, problem, "read it with the moexbar that wrote it")
    return typed(Report, found, where)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of moexbar's; InputError for anything else."""
    check_file(path, "written by `moexbar compile`", MAX_BYTES)
    try:
        found = json.loads(path.read_bytes(), parse_constant=_refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), "not readable as JSON", HINT) from error
    if not isinstance(found, dict):
        raise InputError(str(path), f"found {_shown(found)}, expected an object", HINT)
    return found


def typed(kind: type[Value], found: object, where: str, field: str = "") -> Value:
    """Plain data as the value that `as_json` wrote it from; keys of no field are passed over.

    where, field: of the data, for the InputError that names what is missing or of another type.
    """
    value: Value = _value(kind, found, where, field)
    return value


def _value(kind: Any, found: Any, where: str, field: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        if not isinstance(found, dict):
            raise _wrong(where, field, found, "an object")
        return _object(kind, found, where, field)
    if origin in (Union, UnionType):
        return _value(_choice(inner, found, where, field), found, where, field)
    if origin is dict:
        if not isinstance(found, dict):
            raise _wrong(where, field, found, "an object")
        return {name: _value(inner[1], v, where, _join(field, name)) for name, v in found.items()}
    if origin is tuple:
        return _list(inner, found, where, field)
    if origin is Literal:
        if found not in inner or not isinstance(found, str):
            raise _wrong(where, field, found, f"one of {', '.join(inner)}")
        return found
    if not _is(kind, found):
        raise _wrong(where, field, found, WORDS.get(kind, "null"))
    return float(found) if kind is float else found


def _object(kind: Any, found: dict[str, Any], where: str, field: str) -> Any:
    """A dataclass from its keys."""
    hints, values = _hints(kind), {}
    for own in fields(kind):
        at = _join(field, own.name)
        if is_flat(own):
            values[own.name] = _object(hints[own.name], found, where, field)
        elif own.name in found:
            values[own.name] = _value(hints[own.name], found[own.name], where, at)
        elif own.default is MISSING:
            raise InputError(where, f"{at}: missing", HINT)
    return kind(**values)


def _list(inner: tuple[Any, ...], found: Any, where: str, field: str) -> tuple[Any, ...]:
    """A tuple of any length of one type, or of one value for each type."""
    if not isinstance(found, list):
        raise _wrong(where, field, found, "a list")
    kinds = [inner[0]] * len(found) if inner[-1] is Ellipsis else list(inner)
    if len(kinds) != len(found):
        raise InputError(where, f"{field}: {len(found)} values, expected {len(kinds)}", HINT)
    return tuple(
        _value(kind, entry, where, f"{field}[{number}]")
        for number, (kind, entry) in enumerate(zip(kinds, found, strict=True))
    )


def _choice(kinds: tuple[Any, ...], found: Any, where: str, field: str) -> Any:
    """Which type of a union the value is of; the first of one that could be anything."""
    for kind in kinds:
        if _could_be(kind, found):
            return kind
    left = [kind for kind in kinds if kind is not NoneType]
    if len(left) == 1:
        return left[0]  # which says what is wrong
    words = [f"an object with {_first(k)}" if is_dataclass(k) else WORDS[k] for k in left]
    raise _wrong(where, field, found, " or ".join(words))


def _could_be(kind: Any, found: Any) -> bool:
    if not is_dataclass(kind):
        return _is(kind, found)
    return isinstance(found, dict) and _first(kind) in found


def _first(kind: Any) -> str:
    """The key by which objects of a union are told apart."""
    return fields(kind)[0].name


def _is(kind: Any, found: Any) -> bool:
    """Whether a value is of a plain type; a whole number is a number, true and false are none."""
    if kind is float and type(found) is int:
        return abs(found) < LARGEST
    return type(found) is kind and (kind is not float or math.isfinite(found))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _join(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _wrong(where: str, field: str, found: object, expected: str) -> InputError:
    return InputError(where, f"{field}: found {_shown(found)}, expected {expected}", HINT)


def _shown(found: object) -> str:
    """A value from a file, short and printable."""
    if isinstance(found, list | dict):
        return "a list" if isinstance(found, list) else "an object"
    text = ascii(found)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _refuse(constant: str) -> None:
    raise ValueError(constant)
