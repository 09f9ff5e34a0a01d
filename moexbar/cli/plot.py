"""`moexbar plot`: one figure of an output folder as a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ir.errors import InputError
from moexbar.cli.options import OUTPUT
from moexbar.console import out, table

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Output of compile or compare.")]
Kind = Annotated[
    str, typer.Argument(metavar="[KIND]", help="What it shows; without it all are listed.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="The file: .svg, .pdf, .png, or .json for the Vega-Lite specification.",
        metavar="FILE",
        rich_help_panel=OUTPUT,
    ),
]
Theme = Annotated[
    Literal["light", "dark"],
    typer.Option(help="Dark figures are for screens.", rich_help_panel=OUTPUT),
]


def plot_command(
    folder: Folder, kind: Kind = "", output: File = None, theme: Theme = "light"
) -> None:
    """Draw one figure of an output folder as SVG, PDF or PNG.

    The same figures as in its page (`moexbar report`). Without KIND those of the folder are listed.
    Needs the extra `plots`.

    Example: moexbar plot build/demo

    Example: moexbar plot build/demo energy -o energy.pdf
    """
    from moexbar.page.plotting import drawable, plot

    if not kind:
        shown = table("kind", "shows", left=2)
        for name, one in drawable(folder).items():
            shown.add_row(name, one.shows)
        out().print(shown)
        return
    if output is None:
        raise InputError("-o", "no file given", f"such as -o {kind}.svg")
    for path in plot(folder, kind, output, theme=theme):
        out().print(f"{kind} in {path}", markup=False, soft_wrap=True)
