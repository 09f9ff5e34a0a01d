"""What each decision of a design is worth: its figures with the next value up, and down."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from compiler.design.choices import Key, Whole
from compiler.design.designer import Chosen, Designer
from compiler.design.mix import Designs, Mix
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


def prices(designer: Designer, chosen: Chosen, names: Sequence[str]) -> Iterator[PriceRow]:
    """By the model, one decision at a time; group sizes within the chip's mux.

    Layers that share a region have one group size, which is that of the first. names: of the
    models, where there are several.
    """
    mix, whole = designer.mix, chosen.design.whole
    values, menu = mix.values(chosen.designs), designer.menu.under(whole)
    for key in menu.keys(mix.leaders(whole.stack)):
        value, name = values[key], _name(mix, key, names)
        for other in _next(menu.of(key), value):
            changed = mix.designs(values | {key: other}, whole)
            yield _price(mix, chosen, changed, (name, value, other))
    for other in _next(menu.stack, whole.stack):
        changed = _together(designer, values, replace(whole, stack=other))
        yield _price(mix, chosen, changed, (LAYERS, whole.stack, other))


def _name(mix: Mix, key: Key, names: Sequence[str]) -> str:
    """A decision in words."""
    if not isinstance(key, int):
        return NAMES[key]
    model, layer = mix.numbers.whose(key)
    return f"experts in a group of layer {layer}" + ("" if mix.alone else f" of {names[model]}")


def _together(designer: Designer, values: Mapping[Key, int], whole: Whole) -> Designs:
    """Designs with other layers in a region, and input buffers that there are then."""
    least = designer.menu.under(whole).buffers[0]
    buffers: dict[Key, int] = {"buffers": max(values["buffers"], least)}
    return designer.mix.designs({**values, **buffers}, whole)


def _next(values: tuple[int, ...], value: int) -> tuple[int, ...]:
    """The values below and above."""
    place = values.index(value)
    return *values[max(place - 1, 0) : place], *values[place + 1 : place + 2]


def _price(mix: Mix, chosen: Chosen, changed: Designs, of: tuple[str, int, int]) -> PriceRow:
    (told, _), (decision, value, other) = mix.figures(changed), of
    return PriceRow(
        decision=decision,
        value=value,
        other=other,
        time_ns=(told.time_ps - chosen.figures.time_ps) / 1000,
        area_um2=told.total_um2 - chosen.figures.total_um2,
    )
