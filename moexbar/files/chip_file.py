"""The chip that an output folder was compiled for, from its report.json."""

from pathlib import Path
from typing import Any

from ir.chip import Change, Chip
from ir.errors import InputError
from ir.infile import Infile
from moexbar.chips.fields import SCHEMA, TABLES, Field, shown
from moexbar.chips.pairs import read_pairs
from moexbar.files.form import check_form
from moexbar.report.chips import ChangeRow, ChipSheet
from moexbar.report.plain import SCHEMA as SCHEMA_OF
from moexbar.report.plain import as_json
from moexbar.report.reading import read_object, typed


def read_folder_chip(report: Path | Infile) -> Chip:
    """The chip in the report.json of `moexbar compile`: all its numbers, without their sources.

    Raises InputError naming file and field for anything not as written.
    """
    return chip_in(read_object(report), str(report))


def chip_in(document: dict[str, Any], where: str) -> Chip:
    """The same of what was read from there."""
    check_form(where, "schema", document.get("schema"), SCHEMA_OF, "compile again")
    return _chip(document.get("chip"), where)


def chip_of(sheet: ChipSheet) -> Chip:
    """The chip that a report tells of; InputError as of a folder."""
    return _chip(as_json(sheet), "report.json")


def _chip(document: Any, where: str) -> Chip:
    if not isinstance(document, dict) or not {"name", "fields"} <= document.keys():
        raise InputError(where, "chip: missing, or without name and fields", "compile again")
    name, found = typed(str, document["name"], where, "chip.name"), document["fields"]
    rows = typed(tuple[ChangeRow, ...], document.get("changes", []), where, "chip.changes")
    changes = tuple(Change(shown(row.key), shown(row.value)) for row in rows)
    parts = {
        TABLES[table].attribute: TABLES[table].of(
            **{field.name: _value(found, field, where) for field in known}
        )
        for table, known in SCHEMA.items()
        if not TABLES[table].optional or _any_of(found, known)
    }
    return Chip(name=shown(name), description="", changes=changes, **parts)


def _any_of(found: Any, known: tuple[Field, ...]) -> bool:
    """Whether a document has a table: one that a chip may be without."""
    return isinstance(found, dict) and any(field.path in found for field in known)


def _value(found: Any, field: Field, where: str) -> Any:
    """One field: a whole number, a flag, one of the choices, a ratio, or none."""
    entry = found.get(field.path) if isinstance(found, dict) else None
    if not isinstance(entry, dict) or "value" not in entry:
        raise InputError(where, f"chip {field.path}: missing", "compile again, or give --chip")
    value = entry["value"]
    if field.kind == "pairs":
        return read_pairs(f"chip {field.path}", value, where) if value != "" else ()
    kinds: dict[str, Any] = {"flag": bool, "choice": str, "ratio": (int, float), "count": int}
    right = isinstance(value, kinds[field.kind]) and (
        field.kind == "flag" or not isinstance(value, bool)
    )
    if field.kind == "choice":
        right = value in field.choices
    if right and field.kind in ("count", "ratio"):
        right = 0 <= value <= field.limit
    if not right and not (value is None and (field.word is not None or not field.required)):
        text = shown(repr(value))
        raise InputError(where, f"chip {field.path}: found {text}, expected a {field.kind}")
    return value
