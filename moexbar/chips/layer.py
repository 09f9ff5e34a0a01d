"""A layer of a chip: what one file, or the settings of one call, state."""

from collections.abc import Set
from dataclasses import dataclass

from ir.errors import InputError
from moexbar.chips.entry import Entry, read_entry
from moexbar.chips.fields import find, shown

WIDTHS = ("bus.transfers_per_slot", "bus.bits_per_ns")  # two ways to state the width of a bus
COUNTS = (  # ways to state how many units there are: of a region, by its PGs, or of the chip
    ("digital.dpus_per_region", "digital.pgs_per_dpu", "digital.dpus"),
    ("digital.mha_units_per_region", "digital.mha_units"),
)
EITHER = (WIDTHS, *COUNTS)  # stating one drops the others that are inherited
AREA, SIDES = "die.area_um2", ("die.width_um", "die.height_um")  # two ways to size a die


@dataclass(frozen=True)
class Layer:
    """What one file states: {field path: entry} and what it extends."""

    where: str
    description: str
    extends: str
    entries: dict[str, Entry]


def replaced(stated: Set[str]) -> set[str]:
    """The sizes of a die that what is stated takes the place of: its area, or its sides."""
    sides, area = not stated.isdisjoint(SIDES), AREA in stated
    return ({AREA} if sides else set()) | (set(SIDES) if area else set())


def put(entries: dict[str, Entry], table: str, key: str, raw: object, where: str) -> None:
    """Read one entry and add it; the same field under two units is an error."""
    found = find(table, key)
    if isinstance(found, str):
        raise InputError(where, f"{table}.{shown(key)}: {found}")
    field, factor = found
    if field.path in entries:
        both = f"as {entries[field.path].key} and as {key}"
        raise InputError(where, f"{table}.{field.stem}: given twice, {both}")
    entries[field.path] = read_entry(field, key, factor, raw, where)
