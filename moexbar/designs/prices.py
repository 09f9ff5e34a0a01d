"""What each decision of a design is worth: its figures with the next value up, and down."""

from collections.abc import Iterator
from dataclasses import replace

from compiler.design.choices import Design, Key
from compiler.design.designer import Chosen, Designer
from compiler.design.figures import figures
from compiler.design.floor import Floor
from moexbar.report.designed import PriceRow

NAMES: dict[Key, str] = {
    "copies": "copies of dense blocks",
    "transfers": "transfers a slot",
    "lanes": "return lanes",
    "buffers": "input buffers",
    "dpus": "digital units of a region",
    "mha": "attention units of a region",
    "replicas": "replicas of experts in a layer",
}
LAYERS = "layers of a region"


def prices(designer: Designer, chosen: Chosen) -> Iterator[PriceRow]:
    """By the model, one decision at a time; group sizes within the chip's mux.

    Layers that share a region have one group size, which is that of the first.
    """
    floor, design = designer.floor, chosen.design
    whole, menu = design.whole, designer.menu.under(design.whole)
    for key in menu.keys(floor.leaders(design.stack)):
        value, name = design.values[key], NAMES.get(key, f"experts in a group of layer {key}")
        for other in _next(menu.of(key), value):
            changed = floor.design_of(design.values | {key: other}, whole)
            yield _price(floor, chosen, changed, (name, value, other))
    for other in _next(menu.stack, design.stack):
        changed = _together(designer, design, other)
        yield _price(floor, chosen, changed, (LAYERS, design.stack, other))


def _together(designer: Designer, design: Design, layers: int) -> Design:
    """The design with so many layers in a region, and input buffers that there are then."""
    whole = replace(design.whole, stack=layers)
    least = designer.menu.under(whole).buffers[0]
    values = design.values | {"buffers": max(design.buffers, least)}
    return designer.floor.design_of(values, whole)


def _next(values: tuple[int, ...], value: int) -> tuple[int, ...]:
    """The values below and above."""
    place = values.index(value)
    return *values[max(place - 1, 0) : place], *values[place + 1 : place + 2]


def _price(floor: Floor, chosen: Chosen, changed: Design, of: tuple[str, int, int]) -> PriceRow:
    told, (decision, value, other) = figures(floor, changed), of
    return PriceRow(
        decision=decision,
        value=value,
        other=other,
        time_ns=(told.time_ps - chosen.figures.time_ps) / 1000,
        area_um2=told.total_um2 - chosen.figures.total_um2,
    )
