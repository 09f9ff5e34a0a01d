"""The numbers of a chip that have a band, and the chip with others in their place.

The two parts of a core, array and peripherals, are one number where both have a band: their sum is
what a source published, so the array has what the peripherals leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from backends.band import with_peripherals
from ir.chip import Chip, Fact
from moexbar.chips.dies import resized
from moexbar.chips.fields import TABLES

Effect = Literal["cost", "time", "place"]
SPLIT, ARRAY = "pg.peripheral_um2", "crossbar.array_um2"
LENGTHS = frozenset({SPLIT, ARRAY, "pg.mux_switch_um2"})  # areas that a core's side goes by
PLACES = frozenset(
    {
        "mesh.pgs_per_core",
        "die.area_um2",
        "die.width_um",
        "die.height_um",
        "link.edge_um",
        "link.um2_per_mm",
    }
)
MAPS = frozenset(
    {
        "crossbar.rows",
        "crossbar.columns",
        "crossbar.cell_bits",
        "crossbar.weight_bits",
        "pg.mux",
    }
)


@dataclass(frozen=True)
class Assumption:
    """A number of the chip and its band, in the unit that the field's name ends in.

    effect: cost = areas and static power, of the same program; time = the same mapping and slot
    order, timed anew; place = the same groups, placed and timed anew.
    """

    path: str
    value: int
    low: int
    high: int
    effect: Effect


def assumptions(chip: Chip) -> tuple[Assumption, ...]:
    """Every number with a band that leaves the experts' groups what they are, in order."""
    return tuple(
        Assumption(fact.path, value, low, high, _effect(chip, fact.path))
        for fact in _banded(chip)
        if fact.path not in MAPS
        for value, low, high in [_band(chip, fact)]
        if value is not None and low < high
    )


def left_out(chip: Chip) -> tuple[str, ...]:
    """Numbers with a band for which experts would have to be grouped anew."""
    return tuple(fact.path for fact in _banded(chip) if fact.path in MAPS)


def with_numbers(chip: Chip, numbers: Mapping[str, int]) -> Chip:
    """The chip with other numbers, {field path: value}."""
    tables: dict[str, dict[str, int]] = {}
    for path, value in numbers.items():
        table, _, name = path.partition(".")
        if path != SPLIT or not _splits(chip):
            tables.setdefault(table, {})[name] = value
    changed = {name: replace(TABLES[name].part(chip), **new) for name, new in tables.items()}
    if chip.dies is not None and "die" in tables:
        changed["die"] = resized(chip.dies, tables["die"])
    chip = replace(chip, **{TABLES[name].attribute: part for name, part in changed.items()})
    return with_peripherals(chip, numbers[SPLIT]) if SPLIT in numbers and _splits(chip) else chip


def _banded(chip: Chip) -> list[Fact]:
    """Facts with both ends of a band; the array's goes with the peripherals'."""
    found = [f for f in chip.facts if f.low is not None and f.high is not None]
    return [fact for fact in found if fact.path != ARRAY or not _splits(chip)]


def _splits(chip: Chip) -> bool:
    """Whether array and peripherals share a core of a known area."""
    paths = {fact.path for fact in chip.facts if fact.low is not None and fact.high is not None}
    return {SPLIT, ARRAY} <= paths


def _band(chip: Chip, fact: Fact) -> tuple[int | None, int, int]:
    """The number as the chip has it, and its band in whole units; None where it is none."""
    table, _, name = fact.path.partition(".")
    value = getattr(TABLES[table].part(chip), name)
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    return number, round(fact.low or 0), round(fact.high or 0)


def _effect(chip: Chip, path: str) -> Effect:
    """What has to be done again where the number is another."""
    if path in PLACES:
        return "place"
    if path in LENGTHS and chip.wires.cost == "by length":
        return "time"
    static = path.endswith("_uw") and path != "memory.dram_active_uw"
    return "cost" if static or "um2" in path else "time"
