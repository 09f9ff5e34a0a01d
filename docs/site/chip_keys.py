"""Every key of a chip file: meaning, units, what it may hold, and what the presets have."""

import dataclasses
from collections.abc import Iterator, Mapping

from docs.site.markdown import code, plain
from ir.chip import Fact
from moexbar.chips import load_chip, preset_names
from moexbar.chips.fields import SCHEMA, TABLES, UNIT_TEXT, Field
from moexbar.chips.file_schema import least
from moexbar.chips.meanings import MEANINGS, TABLES_MEAN

LARGE = 10**9  # written as a power of ten


def page() -> str:
    """All tables of a chip file, as Markdown."""
    facts = {name: {fact.path: fact for fact in load_chip(name).facts} for name in preset_names()}
    return "\n\n".join(part for name in SCHEMA for part in _table(name, facts))


def _table(name: str, facts: Mapping[str, Mapping[str, Fact]]) -> Iterator[str]:
    yield f"## [{name}]"
    yield plain(TABLES_MEAN[name])
    for field in SCHEMA[name]:
        yield "\n".join(_field(field, facts))


def _field(field: Field, facts: Mapping[str, Mapping[str, Fact]]) -> Iterator[str]:
    """One field: all its keys as a term, and below what there is to say."""
    name = field.path.replace("_", "-").replace(".", "-")
    yield f"(key-{name})="
    yield ", ".join(code(key) for key in _keys(field))
    yield f": {plain(MEANINGS[field.path])}"
    yield ""
    yield f"  {_range(field)}"
    held = _held(field, facts)
    if held:
        yield ""
        yield f"  *Presets:* {held}"


def _keys(field: Field) -> tuple[str, ...]:
    """The usual key whole, the others by their unit alone."""
    first, *others = field.keys
    return (f"{field.table}.{first}", *(f"_{key.removeprefix(field.stem + '_')}" for key in others))


def _range(field: Field) -> str:
    """What the field may hold, and whether it must be stated."""
    must = "*Required*" if field.required else f"*Default:* {_default(field)}"
    return f"*Value:* {_values(field)}. {must}."


def _values(field: Field) -> str:
    if field.kind == "flag":
        return "`true` or `false`"
    if field.kind == "choice":
        return " or ".join(code(f'"{choice}"') for choice in field.choices)
    if field.kind == "pairs":
        return "a list of pairs of dies"
    what = field.quantity or "number"
    if field.kind == "count":
        unit = UNIT_TEXT[next(iter(field.units))] if field.units else ""
        most = f"{field.limit:,}" if field.limit < LARGE else f"10^{len(str(field.limit)) - 1}"
        what = f"{field.quantity or 'whole number'}, {least(field)} to {most} {unit}".rstrip()
    return " or ".join([plain(what), *(code(f'"{word}"') for word in field.words)])


def _default(field: Field) -> str:
    """What holds where the field is not stated."""
    (default,) = (
        one.default for one in dataclasses.fields(TABLES[field.table].of) if one.name == field.name
    )
    if default is dataclasses.MISSING:  # of a way to state a number, or a kind
        return "none"
    if field.word is not None and default == field.word_value:
        return code(f'"{field.word}"')
    if isinstance(default, bool):
        return code(str(default).lower())
    return code(f'"{default}"' if isinstance(default, str) else str(default).replace("()", "[]"))


def _held(field: Field, facts: Mapping[str, Mapping[str, Fact]]) -> str:
    """The values that presets state, each with those that have it; * where assumed."""
    names: dict[str, list[str]] = {}
    for preset, stated in facts.items():
        if fact := stated.get(field.path):
            told = plain(fact.text) + ("\\*" if fact.assumed else "")
            names.setdefault(told, []).append(preset)
    all_of = {told: "all" if len(of) == len(facts) else ", ".join(of) for told, of in names.items()}
    return "; ".join(f"{told} ({of})" for told, of in all_of.items())
