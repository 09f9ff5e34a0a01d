"""Chips for people: tables of at most 100 columns."""

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from ir.chip import Chip, Fact
from moexbar.chips.fields import NOT_PUBLISHED, SCHEMA, TABLES, UNIT_TEXT, Field
from moexbar.chips.layer import EITHER
from moexbar.chips.sheet import converter_line, summary
from moexbar.console import Fitting

WIDTH = 100
ASSUMED = "* assumed: no published value for this chip"


def overview(chips: Sequence[Chip]) -> Group:
    """One line per chip: crossbar, mux, MVM time and energy, area; * where assumed."""
    table = Fitting(least=("array um2", "PG um2", "MVM nJ"), box=box.SIMPLE, expand=True)
    table.add_column("chip", no_wrap=True)
    for heading in ("crossbar", "mux", "MVM ns", "MVM nJ", "PG um2", "array um2"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("MVM time from", overflow="fold", max_width=23)
    for chip in chips:
        row = summary(chip)
        marks = {fact.path: "*" for fact in chip.assumed}
        table.add_row(
            Text(chip.name),
            f"{row.rows}x{row.columns}",
            str(row.mux),
            f"{row.mvm_ps / 1000:.4g}" + marks.get("mvm.read_ps", ""),
            f"{row.mvm_fj / 1e6:.4g}" + marks.get("mvm.cycle_fj", ""),
            _area(row.peripheral_um2) + marks.get("pg.peripheral_um2", ""),
            _area(row.array_um2) + marks.get("crossbar.array_um2", ""),
            Text(row.source),
        )
    note = "PG: circuits of one peripheral group, shared by mux crossbars; n/p: not published."
    return Group(Constrain(table, WIDTH), Text(f"{note}\n{ASSUMED}"))


def describe(chip: Chip) -> Group:
    """Every field of a chip with its value, unit, band and source; * where assumed."""
    facts = {fact.path: fact for fact in chip.facts}
    table = Table(box=box.SIMPLE, expand=True)
    table.add_column("field", no_wrap=True)
    table.add_column("value", max_width=24)
    table.add_column("source", overflow="fold")
    for name, fields in SCHEMA.items():
        part = TABLES[name].part(chip)
        if part is None:
            continue
        for field in fields:
            fact = facts.get(field.path)
            value = _value(field, fact) if fact else _absent(field, getattr(part, field.name))
            source = fact.source if fact else ""
            table.add_row(Text(_key(field, fact)), Text(value), Text(source))
        table.add_section()
    title = Text(f"{chip.title}: {chip.description}")
    bits = Text(converter_line(chip))
    count = f"{len(chip.assumed)} of {len(chip.facts)} values assumed"
    return Group(
        title, Constrain(table, WIDTH), Constrain(bits, WIDTH), Text(f"{count}; {ASSUMED}")
    )


def _area(value: int | None) -> str:
    return "n/p" if value is None else str(value)


def _absent(field: Field, default: object) -> str:
    """How a field without an entry reads."""
    if TABLES[field.table].optional:
        return str(default) if default else field.word or "not set"
    if field.path.startswith("bus.") or field.path in {path for ways in EITHER for path in ways}:
        return "not set"
    return field.word if field.table == "mvm" and field.word else NOT_PUBLISHED


def _unit(field: Field, fact: Fact | None) -> str:
    """Return the suffix of the unit a value was written in, "" for a field without a unit."""
    if not field.units:
        return ""
    first = next(iter(field.units))
    unit = fact.text.split(",")[0].partition(" ")[2] if fact else ""
    return next((suffix for suffix in field.units if UNIT_TEXT[suffix] == unit), first)


def _key(field: Field, fact: Fact | None) -> str:
    """Return the key under which a value was written, e.g. mvm.read_ns."""
    unit = _unit(field, fact)
    return f"{field.table}.{field.stem}" + (f"_{unit}" if unit else "")


def _value(field: Field, fact: Fact) -> str:
    """Return the value as written, * if assumed, and on a second line its band in that unit."""
    text = fact.text + (" *" if fact.assumed else "")
    if fact.low is None and fact.high is None:
        return text
    unit = _unit(field, fact)
    factor = field.units[unit] if unit else 1
    low = "" if fact.low is None else f"{fact.low / factor:.10g}"
    high = "" if fact.high is None else f"{fact.high / factor:.10g}"
    return f"{text}\n{low} to {high} {UNIT_TEXT.get(unit, '')}".rstrip()
