"""The size of a die: stated as its area, or as its sides, which give the area."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ir.chip import Dies, Fact
from ir.errors import InputError
from moexbar.chips.entry import Entry
from moexbar.chips.fields import SCHEMA, Field
from moexbar.chips.layer import AREA, SIDES


def settled(entries: Mapping[str, Entry], where: str) -> dict[str, Entry]:
    """The entries of a chip, with the area of a die whose sides alone are stated.

    Raises InputError for one side without the other.
    """
    sides = [entries[path] for path in SIDES if path in entries]
    if len(sides) == 1:
        found = f"die.{sides[0].key} alone, expected width and height, or the area"
        raise InputError(where, found)
    if not sides or AREA in entries:
        return dict(entries)
    area = int(str(sides[0].value)) * int(str(sides[1].value))
    text = f"{Decimal(area) / 10**6:f} mm2"
    assumed = any(side.fact.assumed for side in sides)
    fact = Fact(AREA, text, "width x height of the die", assumed)
    return {**entries, AREA: Entry(_area(), "area_mm2", area, fact)}


def resized(dies: Dies, new: Mapping[str, Any]) -> Dies:
    """The dies with some numbers changed: sides give a new area, an area drops the sides."""
    changed = replace(dies, **new)
    stated = {f"die.{name}" for name in new}
    if AREA not in stated and not stated.isdisjoint(SIDES):
        return replace(changed, area_um2=changed.width_um * changed.height_um)
    if AREA in stated and stated.isdisjoint(SIDES):
        return replace(changed, width_um=0, height_um=0)
    return changed


def _area() -> Field:
    return next(field for field in SCHEMA["die"] if field.path == AREA)
