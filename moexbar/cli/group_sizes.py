"""`compile --group-size`: experts in a group at most, of all layers or of single ones."""

from dataclasses import dataclass
from typing import Annotated

import typer

from moexbar.cli.options import METHODS


@dataclass(frozen=True)
class Sizes:
    """Experts in a group at most: of every layer (None: the chip's mux), and of single layers."""

    every: int | None = None
    layers: tuple[tuple[int, int], ...] = ()


def group_sizes(typed: str) -> Sizes:
    """`2`, `1=2,3=4` (layer 1 has 2, layer 3 has 4) or both; a usage error names what is none."""
    every, layers = None, list[tuple[int, int]]()
    for part in typed.split(","):
        layer, equals, size = part.rpartition("=")
        try:
            number = int(size)
            if equals:
                layers.append((int(layer), number))
            else:
                every = number
        except ValueError as error:
            raise typer.BadParameter(f"{part!r}, expected N or LAYER=N") from error
        if number < 1:
            raise typer.BadParameter(f"{part!r}, expected at least 1 expert")
    return Sizes(every, tuple(layers))


GroupSizes = Annotated[
    Sizes | None,
    typer.Option(
        help="Experts in a group at most, of all layers or of single ones.",
        metavar="N|LAYER=N,...",
        parser=group_sizes,
        show_default="the chip's mux",
        rich_help_panel=METHODS,
    ),
]
