"""A layer of a chip: what one file, or the settings of one call, state; layers merge in order."""

from collections.abc import Iterable
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


@dataclass(frozen=True)
class Layer:
    """What one file states: {field path: entry} and what it extends."""

    where: str
    description: str
    extends: str
    entries: dict[str, Entry]


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


def merge(layers: Iterable[Layer]) -> dict[str, Entry]:
    """Merge to {field path: entry}, later layers over earlier ones.

    A bus has a width in transfers per slot or in bits per ns: stating one drops the inherited
    other. So it is with the number of digital and of attention units.
    """
    merged: dict[str, Entry] = {}
    for layer in layers:
        stated = [width for width in WIDTHS if width in layer.entries]
        if len(stated) == 2 and all(layer.entries[w].value is not None for w in WIDTHS):
            found = "transfers_per_slot and bits_per_ns both given"
            raise InputError(layer.where, f"bus: {found}, expected one of them")
        dropped = {path for ways in EITHER if set(ways) & set(layer.entries) for path in ways}
        merged = {path: entry for path, entry in merged.items() if path not in dropped}
        merged.update(layer.entries)
    return merged
