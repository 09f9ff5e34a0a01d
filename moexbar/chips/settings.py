"""Fields of a chip set for one run: `--set pg.mux=4`, or {"pg.mux": 4} in Python."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Real

from ir.chip import Change
from ir.errors import InputError
from moexbar.chips.entry import Entry
from moexbar.chips.fields import SCHEMA, find, nearest, shown
from moexbar.chips.layer import EITHER, Layer, put, replaced

SET = "set on the command line"
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?|[+-]?(inf|nan)")

Setting = str | bool | int | float


def words_of(overrides: object) -> dict[str, str]:
    """Settings of Python as the command line spells them; InputError for what can be none."""
    if not isinstance(overrides, Mapping):
        expected = 'fields and their values, such as {"pg.mux": 4}'
        raise InputError("overrides", f"{shown(repr(overrides))}, expected {expected}")
    for key, value in overrides.items():
        if not isinstance(key, str) or not isinstance(value, str | Real):
            found = f"{shown(repr(key))}: {shown(repr(value))}"
            expected = "a field such as 'pg.mux' and text, a number, true or false"
            raise InputError("overrides", f"{found}, expected {expected}")
    return {key: _word(value) for key, value in overrides.items()}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def set_layer(words: Mapping[str, str], said: str) -> Layer:
    """Read settings as a layer; said: what stands before each in a message, `--set `."""
    entries: dict[str, Entry] = {}
    for path, text in words.items():
        where = f"{said}{shown(path)}={shown(text)}"
        table, _, key = path.partition(".")
        if table not in SCHEMA:
            raise InputError(where, f"{shown(table)}: unknown table", _near(path, table))
        if not key:
            keys = ", ".join(f"{table}.{name}" for f in SCHEMA[table] for name in f.keys)
            raise InputError(where, f"{table}: is a table, expected a field of it: {keys}")
        raw = {"value": _plain(text), "assumed": True, "why": SET}
        put(entries, table, key, raw, where)
    return Layer(all_said(words, said), "", "", entries)


def all_said(words: Mapping[str, str], said: str) -> str:
    """All settings as they were given, for a message about them together."""
    return " ".join(f"{said}{shown(path)}={shown(text)}" for path, text in words.items())


def changes(before: Iterable[Change], words: Mapping[str, str]) -> tuple[Change, ...]:
    """The changes of a chip after these settings; one of the same field is replaced."""
    new = [Change(path, shown(text.strip())) for path, text in words.items()]
    fields = {path_of(change) for change in new}
    for ways in EITHER:
        if fields & set(ways):
            fields |= set(ways)
    fields |= replaced({path for path in fields if path})
    if "link.kind" in fields:
        fields |= {field.path for field in SCHEMA["link"]}
    if "memory.dram" in fields:
        fields |= {"memory.dram_mb_per_s", "memory.dram_active_uw", "memory.dram_idle_uw"}
    return (*(change for change in before if path_of(change) not in fields), *new)


def path_of(change: Change) -> str | None:
    """The field that a change sets, mvm.read_ps for mvm.read_ns; None where no chip has it."""
    table, _, key = change.key.partition(".")
    found = find(table, key) if table in SCHEMA else ""
    return None if isinstance(found, str) else found[0].path


def _near(path: str, table: str) -> str:
    """What was meant by a setting of no table: `mux` is `pg.mux`."""
    whole = [f"{f.table}.{key}" for fs in SCHEMA.values() for f in fs for key in f.keys]
    hits = [name for name in whole if name.partition(".")[2] == path]
    return nearest(path, hits) if hits else nearest(table, SCHEMA)


def _plain(text: str) -> object:
    """Read a word of the command line as a number, true, false or itself."""
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    return Decimal(text) if _NUMBER.fullmatch(text) else text
