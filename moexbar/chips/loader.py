"""Chip descriptions: TOML layers (a preset, a file that extends it, --set) into an ir.chip.Chip."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ir.chip import SIZES, Chip, Dies, Fact, Size
from ir.errors import InputError
from moexbar.chips.dies import resized, settled
from moexbar.chips.entry import Entry
from moexbar.chips.fields import SCHEMA, TABLES, nearest, shown
from moexbar.chips.layer import COUNTS, WIDTHS, Layer, put, replaced
from moexbar.chips.merge import OWN, merge
from moexbar.chips.read import read_toml
from moexbar.chips.settings import Setting, changes, set_layer, words_of

PRESETS = Path(__file__).parent
MAX_EXTENDS = 8
_HINT = 'a file that starts with extends = "hermes" states only what differs'
_HINTS = {
    "die": "state the area, or width and height",
    "link": "set link.kind, or state all numbers of a link",
}


def preset_names() -> tuple[str, ...]:
    """List the names of the presets that are shipped, in alphabetical order."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.toml")))


def load_chip(name_or_path: str | Path, overrides: Mapping[str, Setting] | None = None) -> Chip:
    """Load the chip of a preset (`hermes`) or of a file (ends in .toml or has a path separator).

    overrides: {"pg.mux": 4}, as `--set pg.mux=4` gives them as text; these values count as assumed.
    Raises InputError naming the file, the field and the nearest valid name.
    """
    if not isinstance(name_or_path, str | Path):
        expected = "the name of a preset or the path of a TOML file"
        raise InputError("chip", f"{shown(repr(name_or_path))}, expected {expected}")
    return changed_chip(name_or_path, {} if overrides is None else words_of(overrides))


def changed_chip(name_or_path: str | Path, words: Mapping[str, str], said: str = "") -> Chip:
    """The chip with fields set, {"pg.mux": "4"}; said: what is before each in messages, `--set `.

    Raises InputError as load_chip does.
    """
    path = _locate(str(name_or_path))
    layers = _chain(path)
    if not words:
        return _chip(path, layers)
    above = set_layer(words, said)
    try:
        chip = _chip(path, [*layers, above])
    except InputError as error:
        _chip(path, layers)  # its own fault is said of the file
        raise InputError(above.where, error.problem, error.hint) from error
    return replace(chip, changes=changes((), words))


def _chip(path: Path, layers: list[Layer]) -> Chip:
    """The chip that the layers of the file at `path` state."""
    where = _where(path)
    entries = settled(merge(layers), where)
    stated = {entry.field.table for entry in entries.values()}
    tables = [name for name, table in TABLES.items() if name in stated or not table.optional]
    _check_complete(entries, tables, where)
    values: dict[str, dict[str, Any]] = {table: {} for table in tables}
    for entry in entries.values():
        values[entry.field.table][entry.field.name] = entry.value
    values["bus"].setdefault("bits_per_ns", None)
    values["bus"].setdefault("transfers_per_slot", None)
    if "link" in values:
        values["link"].setdefault("kind", OWN)
    try:
        return Chip(
            name=path.stem,
            description=next((x.description for x in reversed(layers) if x.description), ""),
            facts=_facts(entries),
            open=_open(entries),
            **{TABLES[name].attribute: TABLES[name].of(**new) for name, new in values.items()},
        )
    except InputError as error:
        raise InputError(where, error.problem, error.hint) from error


def change_chip(chip: Chip, words: Mapping[str, str]) -> Chip:
    """The chip with fields set as `--set` gives them, {"pg.mux": "4"}; their facts are dropped.

    Stating a bus's width, a number of units or the size of a die in one way drops the others.
    Raises InputError as load_chip does.
    """
    above = set_layer(words, "--set ")
    entries = merge([above])
    widths = {width.partition(".")[2] for width in WIDTHS}
    values: dict[str, dict[str, Any]] = {}
    for entry in entries.values():
        values.setdefault(entry.field.table, {})[entry.field.name] = entry.value
    stated = widths & set(values.get("bus", {}))
    if stated:
        values["bus"] |= dict.fromkeys(widths - stated)
    for ways in COUNTS:
        names = {path.partition(".")[2] for path in ways}
        if counted := names & set(values.get("digital", {})):
            values["digital"] |= dict.fromkeys(names - counted, 0)
    parts: dict[str, Any] = {}
    for name, new in values.items():
        part = TABLES[name].part(chip)
        if part is None:
            changed: Any = _new_part(name, entries, above.where)
        else:
            changed = resized(part, new) if isinstance(part, Dies) else replace(part, **new)
        parts[TABLES[name].attribute] = changed
    gone = {path for ways in COUNTS if set(ways) & set(entries) for path in ways}
    gone |= replaced(set(entries))
    kept = tuple(fact for fact in chip.facts if fact.path not in gone | set(entries))
    told = changes(chip.changes, words)
    still = (size for size in chip.open if size not in entries)
    free = tuple(size for size in still if not (stated and size in WIDTHS))
    try:
        return replace(chip, facts=kept, changes=told, open=free + _open(entries), **parts)
    except InputError as error:
        raise InputError(above.where, error.problem, error.hint) from error


def _new_part(name: str, entries: Mapping[str, Entry], where: str) -> Any:
    """A part that a chip may be without and is, from what is stated of it."""
    own = {path: entry for path, entry in entries.items() if entry.field.table == name}
    own = settled(own, where)
    _check_complete(own, (name,), where)
    defaults = {"kind": OWN} if name == "link" else {}
    return TABLES[name].of(**defaults | {one.field.name: one.value for one in own.values()})


def _locate(name_or_path: str) -> Path:
    """Find the file that a name or path stands for."""
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return Path(name_or_path)
    return _preset(name_or_path, "chip")


def _preset(name: str, where: str) -> Path:
    names = preset_names()
    if name not in names:
        raise InputError(where, f"no preset {shown(name)!r}", nearest(name, names))
    return PRESETS / f"{name}.toml"


def _where(path: Path) -> str:
    if path.parent == PRESETS:
        return f"preset {path.stem}"
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _chain(path: Path) -> list[Layer]:
    """Read a file and what it extends, the base first."""
    layers: list[Layer] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        where = _where(following)
        if following in seen:
            names = " -> ".join(shown(p.stem) for p in [*seen[seen.index(following) :], following])
            raise InputError(where, f"extends: goes round in a circle: {names}")
        if len(seen) == MAX_EXTENDS:
            raise InputError(where, f"extends: more than {MAX_EXTENDS} files deep")
        seen.append(following)
        layer = _read_layer(following, where)
        layers.insert(0, layer)
        following = _base(layer, following)
    return layers


def _base(layer: Layer, path: Path) -> Path | None:
    """Find the file a layer extends: a preset, or a .toml file in the same folder."""
    if not layer.extends:
        return None
    if not layer.extends.endswith(".toml"):
        return _preset(layer.extends, f"{layer.where}: extends")
    if "/" in layer.extends or "\\" in layer.extends:
        found = f"extends: found {shown(layer.extends)!r}"
        raise InputError(layer.where, f"{found}, expected a preset or a file in the same folder")
    return path.parent / layer.extends


def _read_layer(path: Path, where: str) -> Layer:
    document = read_toml(path, where)
    texts = {key: _text(document.pop(key, ""), key, where) for key in ("description", "extends")}
    entries: dict[str, Entry] = {}
    for table, content in document.items():
        if table not in SCHEMA:
            hint = nearest(table, ("description", "extends", *SCHEMA))
            raise InputError(where, f"{shown(table)}: unknown table", hint)
        if not isinstance(content, dict):
            raise InputError(where, f"{table}: found a value, expected a table [{table}]")
        for key, raw in content.items():
            put(entries, table, key, raw, where)
    return Layer(where, texts["description"], texts["extends"], entries)


def _text(value: object, key: str, where: str) -> str:
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise InputError(where, f"{key}: expected printable text, at most 200 characters")
    return value


def _check_complete(entries: Mapping[str, Entry], tables: Iterable[str], where: str) -> None:
    """Check that every field of some tables without a default is there."""
    either = "bus.bits_per_ns" in entries
    for field in (field for table in tables for field in SCHEMA[table]):
        if field.path in entries or not field.required:
            continue
        if field.path == "bus.transfers_per_slot" and either:
            continue
        keys = " or ".join(field.keys)
        raise InputError(where, f"{field.table}: missing {keys}", _HINTS.get(field.table, _HINT))


def _facts(entries: Mapping[str, Entry]) -> tuple[Fact, ...]:
    """List the facts in the order of the dataclasses."""
    order = [field.path for fields in SCHEMA.values() for field in fields]
    return tuple(entries[path].fact for path in order if path in entries)


def _open(entries: Mapping[str, Entry]) -> tuple[Size, ...]:
    """The sizes that the compiler is to choose."""
    return tuple(size for size in SIZES if size in entries and entries[size].open)
