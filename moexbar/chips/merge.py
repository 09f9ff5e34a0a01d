"""Layers of a chip, merged in order; a kind of DRAM or link in one stands for its numbers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ir.errors import InputError
from moexbar.chips.entry import Entry
from moexbar.chips.layer import EITHER, WIDTHS, Layer, put, replaced
from moexbar.chips.read import read_toml

KINDS = Path(__file__).parent / "dram"
LINKS = Path(__file__).parent / "links"
OWN = "own"


def merge(layers: Iterable[Layer]) -> dict[str, Entry]:
    """Merge to {field path: entry}, later layers over earlier ones.

    A bus has a width in transfers per slot or in bits per ns: stating one drops the inherited
    other. So it is with the number of digital and of attention units, and with the area of a die
    and its sides. A kind of DRAM or of link takes the place of inherited numbers; those stated
    beside it count.
    """
    merged: dict[str, Entry] = {}
    for layer in layers:
        stated = [width for width in WIDTHS if width in layer.entries]
        if len(stated) == 2 and all(layer.entries[w].value is not None for w in WIDTHS):
            found = "transfers_per_slot and bits_per_ns both given"
            raise InputError(layer.where, f"bus: {found}, expected one of them")
        dropped = {path for ways in EITHER if set(ways) & set(layer.entries) for path in ways}
        dropped |= replaced(set(layer.entries))
        merged = {path: entry for path, entry in merged.items() if path not in dropped}
        for path, kinds in (("memory.dram", KINDS), ("link.kind", LINKS)):
            if path in layer.entries:
                merged.update(_kind(layer.entries[path], kinds))
        merged.update(layer.entries)
    return merged


def _kind(kind: Entry, folder: Path) -> dict[str, Entry]:
    """The numbers of a kind of DRAM or link, from its file; none where the numbers are own."""
    if kind.value == OWN:
        return {}
    table, where = kind.field.table, f"{folder.name} {kind.value}"
    document: dict[str, Any] = read_toml(folder / f"{kind.value}.toml", where)
    entries: dict[str, Entry] = {}
    for key, raw in document[table].items():
        put(entries, table, key, raw, where)
    return entries
