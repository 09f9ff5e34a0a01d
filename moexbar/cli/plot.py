"""`moexbar plot`: one figure of an output folder as a file."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ir.errors import InputError
from moexbar.cli.options import OUTPUT, WHICH, Unchecked
from moexbar.console import out, table

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Output of compile, compare or explore.")
]
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


First = Annotated[
    float | None,
    typer.Option("--from-ns", help="timeline-window from this time.", rich_help_panel=WHICH),
]
Last = Annotated[
    float | None,
    typer.Option("--to-ns", help="timeline-window up to this time.", rich_help_panel=WHICH),
]
Layer = Annotated[
    int | None, typer.Option(help="timeline-window of one layer.", rich_help_panel=WHICH)
]
Of = Annotated[
    str | None,
    typer.Option(
        help="Of a sweep: these figures, across and up.",
        metavar="FIGURE,FIGURE",
        show_default="area_mm2,time_us",
        rich_help_panel=WHICH,
    ),
]


def plot_command(
    folder: Folder,
    kind: Kind = "",
    from_ns: First = None,
    to_ns: Last = None,
    layer: Layer = None,
    of: Of = None,
    output: File = None,
    theme: Theme = "light",
    unchecked: Unchecked = False,
) -> None:
    """Draw one figure of an output folder as SVG, PDF or PNG.

    The same figures as in its page (`moexbar report`). Without KIND those of the folder are listed.
    Needs the extra `plots`.

    Example: moexbar plot build/demo

    Example: moexbar plot build/demo timeline-window --from-ns 5000 --to-ns 8000 -o window.pdf

    Example: moexbar plot sweep pareto --of time_us,area_mm2 -o pareto.svg
    """
    from moexbar.page.plotting import drawable, plot

    if not kind:
        shown = table("kind", "shows", left=2)
        for name, one in drawable(folder, unchecked=unchecked).items():
            shown.add_row(name, one.shows)
        out().print(shown)
        return
    if output is None:
        raise InputError("-o", "no file given", f"such as -o {kind}.svg")
    words: dict[str, Any] = {
        "from_ns": from_ns,
        "to_ns": to_ns,
        "layer": layer,
        "of": _pair(of),
        "theme": theme,
    }
    for path in plot(folder, kind, output, **words, unchecked=unchecked):
        out().print(f"{kind} in {path}", soft_wrap=True)


def _pair(text: str | None) -> tuple[str, str] | None:
    """The two names of --of."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise InputError("--of", f"{text!r}, expected two figures such as time_us,area_mm2")
    return names[0], names[1]
