"""Documents read back as values; what is not as written is named by file and field."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ir.errors import InputError
from ir.infile import Infile
from moexbar.arguments import check_path
from moexbar.files.form import check_form
from moexbar.files.json_file import read_json
from moexbar.report.compiled import Report
from moexbar.report.plain import SCHEMA, Document, is_flat

HINT = "compile again"
WIDEST = 2**63  # whole numbers are below: what they are counted with holds no larger one
LARGEST = 1e100  # of a number: sums and squares of it still have a value
SHOWN = 60  # characters of a wrong value in a message
WORDS = {
    bool: "true or false",
    int: "a whole number below 2^63",
    float: "a number up to 1e100",
    str: "a text",
}

Value = TypeVar("Value")
Written = TypeVar("Written", bound=Document)


def read_report(path: Path | str | Infile) -> Report:
    """The report.json of an output of `moexbar compile`.

    Reports without a number of their form have the same keys. Raises InputError naming file and
    field for anything that is not as written.
    """
    if not isinstance(path, Infile):
        check_path("path", path, "the path of a report.json")
    return read_document(Report, path)


def read_document(kind: type[Written], path: Path | str | Infile, by: str = "compile") -> Written:
    """A document that `moexbar BY` wrote; raises InputError as `read_report` does."""
    return document_of(kind, read_object(path, by), str(path), by)


def document_of(
    kind: type[Written], found: dict[str, Any], where: str, by: str = "compile"
) -> Written:
    """The document that an object of JSON is; InputError for one of another form."""
    check_form(where, "schema", found.get("schema"), SCHEMA, f"{by} again")
    return typed(kind, found, where)


def read_object(path: Path | str | Infile, by: str = "compile") -> dict[str, Any]:
    """The JSON object in a file that `moexbar BY` wrote; InputError for anything else."""
    found, where = read_json(path, f"written by `moexbar {by}`", f"{by} again"), str(path)
    if not isinstance(found, dict):
        raise InputError(where, f"found {_shown(found)}, expected an object", f"{by} again")
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
    if origin in (dict, Mapping):
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
    try:
        return kind(**values)
    except InputError as error:  # of values that do not go together
        problem = f"{field or kind.__name__}: {error.where}: {error.problem}"
        raise InputError(where, problem, error.hint or HINT) from error


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
    if type(found) is int and kind in (int, float):
        return abs(found) < WIDEST
    if type(found) is float and kind is float:
        return math.isfinite(found) and abs(found) <= LARGEST
    return type(found) is kind


def is_plain(found: object) -> bool:
    """Whether a value of JSON is a text, a number, true, false or null."""
    return found is None or any(_is(kind, found) for kind in (bool, int, float, str))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _join(field: str, name: str) -> str:
    if len(name) > SHOWN or not name.isprintable():
        name = _shown(name)
    return f"{field}.{name}" if field else name


def _wrong(where: str, field: str, found: object, expected: str) -> InputError:
    return InputError(where, f"{field}: found {_shown(found)}, expected {expected}", HINT)


def _shown(found: object) -> str:
    """A value from a file, short and printable."""
    if isinstance(found, list | dict):
        return "a list" if isinstance(found, list) else "an object"
    text = ascii(found)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
