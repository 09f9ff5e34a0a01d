"""`moexbar chips`: the presets, or one chip with every number's source."""

from typing import Annotated

import typer

from moexbar.cli.complete import chip_names
from moexbar.cli.options import Json, Settings, read_chip
from moexbar.console import out, print_json


def chips(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|PATH",
            help="Preset or TOML file; none: list all.",
            autocompletion=chip_names,
        ),
    ] = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Show the chip presets, or one chip with units and sources.

    Example: moexbar chips hermes-mux2 --set pg.mux=4
    """
    from moexbar.chips import load_chip, preset_names
    from moexbar.chips.sheet import chip_sheet
    from moexbar.chips.show import describe, overview
    from moexbar.report.chips import ChipReport, ChipsReport

    if name is None:
        all_chips = [load_chip(preset) for preset in preset_names()]
        if json:
            print_json(ChipsReport(tuple(chip_sheet(chip) for chip in all_chips)))
        else:
            out().print(overview(all_chips))
        return
    chip = read_chip(name, settings)
    if json:
        print_json(ChipReport(chip_sheet(chip)))
    else:
        out().print(describe(chip))
