"""JSON Schemas (draft 2020-12) of all documents, from their dataclasses and what these say.

    python -m moexbar.report.schema [FOLDER]

writes one file for each command that has `--json`; of `compile` it is that of report.json too. Two
more are of mapping.json and, for editors, of chip files.
"""

import json
import re
import sys
from dataclasses import fields, is_dataclass
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from moexbar.chips.file_schema import chip_schema
from moexbar.report.documents import DOCUMENTS, FILES
from moexbar.report.plain import SCHEMA, is_flat, is_optional

FOLDER = Path("docs") / "schemas"
CHIP = "chip"
NAMES = (*DOCUMENTS, *FILES, CHIP)
DRAFT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", NoneType: "null"}
# How the name of a field ends, and the unit that this says; the longest end counts.
UNITS = {
    "ps": "ps",
    "ns": "ns",
    "s": "s",
    "seconds": "s",
    "fj": "fJ",
    "nj": "nJ",
    "um2": "um2",
    "mm2": "mm2",
    "bytes": "bytes",
    "percent": "%",
    "per_mm2": "1/mm2",
    "gops_per_mm2": "GOPS/mm2",
    "gops_per_w_mm2": "GOPS/W/mm2",
}
Schema = dict[str, Any]


def main(folder: Path = FOLDER) -> None:
    """Write the schema of every document and file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.json").write_text(schema_text(name), encoding="utf-8")


def schema_text(name: str) -> str:
    """The schema of what a command prints with `--json`, or of a file, as its own file holds it."""
    return json.dumps(document_schema(name), indent=1) + "\n"


def document_schema(name: str) -> Schema:
    """The schema of what a command prints with `--json`, or of another file by its name."""
    if name == CHIP:
        return {"$schema": DRAFT, "title": "chip file", **chip_schema()}
    parts: dict[str, Schema] = {}
    kinds = (FILES[name],) if name in FILES else DOCUMENTS[name]
    found = [_object(kind, parts) for kind in kinds]
    whole = found[0] if len(found) == 1 else {"anyOf": found}
    title = f"{name}.json" if name in FILES else f"moexbar {name} --json"
    return {"$schema": DRAFT, "title": title, **whole, "$defs": parts}


def _object(kind: type, parts: dict[str, Schema]) -> Schema:
    """The schema of a dataclass; those of the dataclasses in it are added to `parts`."""
    properties, required = _properties(kind, parts)
    said = documented(kind)[0]
    return {
        "description": said,
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _properties(kind: type, parts: dict[str, Schema]) -> tuple[dict[str, Schema], list[str]]:
    """{key: its schema}, and the keys that are always there."""
    hints, (_, told) = get_type_hints(kind), documented(kind)
    properties, required = dict[str, Schema](), list[str]()
    for field in fields(kind):
        hint = hints[field.name]
        if is_flat(field):
            inner, always = _properties(hint, parts)
            properties |= inner
            required += always
            continue
        described = {"description": told[field.name], **_unit(field.name)}
        if is_optional(field):
            (hint,) = (one for one in get_args(hint) if one is not NoneType)  # never null: left out
        else:
            required.append(field.name)
        found = {"const": SCHEMA} if field.name == "schema" else _type(hint, parts)
        properties[field.name] = found | described
    return properties, required


def _type(kind: Any, parts: dict[str, Schema]) -> Schema:
    """The schema of a field's type."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in TYPES:
        return {"type": TYPES[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in parts:
            parts[kind.__name__] = {}  # so that a type may hold its own
            parts[kind.__name__] = _object(kind, parts)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(inner[1], parts)}
    if origin is tuple:
        return _array(inner, parts)
    if origin in (Union, UnionType):
        if all(one in TYPES for one in inner):
            return {"type": [TYPES[one] for one in inner]}
        if len(inner) == 2 and all(is_dataclass(one) for one in inner):
            return _either(inner[0], inner[1], parts)
        return {"anyOf": [_type(one, parts) for one in inner]}
    raise TypeError(f"{kind}: no rule says how it is described")


def _either(one: type, other: type, parts: dict[str, Schema]) -> Schema:
    """The schema of one of two dataclasses, told apart as `reading` does: by the first's first key.

    What is wrong of a value is so said of the one that it is.
    """
    (first, *_), (then, otherwise) = fields(one), (_type(kind, parts) for kind in (one, other))
    return {"if": {"required": [first.name]}, "then": then, "else": otherwise}


def _array(inner: tuple[Any, ...], parts: dict[str, Schema]) -> Schema:
    """Any number of values of one type, or one value for each type."""
    if inner[-1] is Ellipsis:
        return {"type": "array", "items": _type(inner[0], parts)}
    first = [_type(one, parts) for one in inner]
    return {"type": "array", "prefixItems": first, "items": False, "minItems": len(first)}


def documented(kind: type) -> tuple[str, dict[str, str]]:
    """What a dataclass's docstring says of the whole, and of each field on a line `NAME: text`.

    Lines that begin otherwise go on with the text before. What is said of inherited fields stands
    with the class they are from.
    """
    names = {field.name for field in fields(kind)}
    whole, told = list[str](), dict[str, str]()
    for base in reversed(kind.__mro__[:-1]):
        whole, at = [], ""
        for line in cleandoc(base.__doc__ or "").splitlines():
            begun = re.match(r"(\w+): (.*)", line)
            if begun and begun[1] in names:
                at, told[begun[1]] = begun[1], begun[2]
            elif at:
                told[at] += f" {line.strip()}" if line.strip() else ""
            else:
                whole.append(line)
    return " ".join(" ".join(whole).split()), told


def _unit(name: str) -> Schema:
    """The unit that a field's name says, if it says one."""
    ends = [end for end in UNITS if name == end or name.endswith(f"_{end}")]
    return {"unit": UNITS[max(ends, key=len)]} if ends else {}


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))
