"""`moexbar report`: one HTML page of an output folder."""

from pathlib import Path
from typing import Annotated

import typer

from moexbar.cli.options import OUTPUT, Unchecked
from moexbar.console import out

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Output of compile, compare, explore or design.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="The file.",
        metavar="FILE.html",
        show_default="report.html in DIR",
        rich_help_panel=OUTPUT,
    ),
]


def report_command(folder: Folder, output: File = None, unchecked: Unchecked = False) -> None:
    """Write one HTML page of an output folder: figures, tables, proofs, without a network.

    The file holds all it shows and the script that draws it (docs/report.md); it can be mailed. In
    DIR it is entered into the manifest, so DIR may still be replaced by the command that wrote it.
    Needs the extra `plots`.

    Example: moexbar report build/demo

    Example: moexbar report comparison -o comparison.html
    """
    from moexbar.page.write import write_report

    path = write_report(folder, output, unchecked=unchecked)
    size = path.stat().st_size / 1e6
    out().print(f"{size:.2f} MB in {path}", soft_wrap=True)
