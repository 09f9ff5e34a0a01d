"""What each decision of a design is worth: its figures with the next value up, and down."""

from collections.abc import Iterator

from compiler.design.choices import Design, Key, design_of
from compiler.design.designer import Chosen, Designer
from compiler.design.figures import figures
from moexbar.report.designed import PriceRow

NAMES: dict[Key, str] = {
    "copies": "copies of dense blocks",
    "transfers": "transfers a slot",
    "lanes": "return lanes",
    "buffers": "input buffers",
    "dpus": "digital units of a region",
    "mha": "attention units of a region",
}


def prices(designer: Designer, chosen: Chosen) -> Iterator[PriceRow]:
    """By the model, one decision at a time; group sizes within the chip's mux."""
    floor, design = designer.floor, chosen.design
    for key, value in design.values.items():
        values = designer.menu.up_to(design.whole.mux).of(key)
        place = values.index(value)
        for other in (*values[max(place - 1, 0) : place], *values[place + 1 : place + 2]):
            told = figures(floor, _with(design, key, other))
            yield PriceRow(
                decision=NAMES.get(key, f"experts in a group of layer {key}"),
                value=value,
                other=other,
                time_ns=(told.time_ps - chosen.figures.time_ps) / 1000,
                area_um2=told.total_um2 - chosen.figures.total_um2,
            )


def _with(design: Design, key: Key, value: int) -> Design:
    return design_of(design.values | {key: value}, design.whole)
