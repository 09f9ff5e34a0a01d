"""`moexbar pareto`: the points of a sweep that no other beats."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moexbar.cli.options import Json, Unchecked
from moexbar.console import out, print_json, table

if TYPE_CHECKING:
    from moexbar.report.fronts import ParetoReport

WHICH_POINTS = "Which points"
HEADING = 12  # characters of a line of one

ExploredFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Output of `moexbar explore`.")]
Of = Annotated[
    str | None,
    typer.Option(
        "--of",
        help="Figures whose front is wanted; -NAME: the more the better, +NAME: the less.",
        metavar="FIGURE,...",
        show_default="time_us,area_mm2",
        rich_help_panel=WHICH_POINTS,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Only points of which this holds, such as 'area_mm2<=120'. Repeatable.",
        metavar="CONDITION",
        rich_help_panel=WHICH_POINTS,
    ),
]
Best = Annotated[
    str | None,
    typer.Option(
        "--best",
        help="Sort by this figure, the best first; without --of all points.",
        metavar="FIGURE",
        rich_help_panel=WHICH_POINTS,
    ),
]
Top = Annotated[
    int | None,
    typer.Option(help="So many points at most.", min=1, rich_help_panel=WHICH_POINTS),
]


def pareto_command(
    folder: ExploredFolder,
    of: Of = None,
    where: Where = None,
    best: Best = None,
    top: Top = None,
    unchecked: Unchecked = False,
    json: Json = False,
) -> None:
    """Show the points of a sweep that no other beats, or its best, under conditions.

    A point is on the front where no other is at least as good in all figures and better in one. The
    knee is the point of the front farthest from the line, or plane, through its ends.

    Example: moexbar pareto points --of time_us,area_mm2

    Example: moexbar pareto points --best time_us --where 'area_mm2<=120' --top 1

    Example: moexbar pareto points --of tokens_per_s,energy_uj --where 'chip.pg.mux>1'
    """
    from moexbar.exploration.best import pareto

    names = None if of is None else [name.strip() for name in of.split(",")]
    found = pareto(folder, names, where=where or (), best=best, top=top, unchecked=unchecked)
    if json:
        print_json(found)
    else:
        _print(found)


def _print(report: "ParetoReport") -> None:
    """The points as a table, and how many there are."""
    console = out()
    if report.rows:
        settings, figures = list(report.rows[0].settings), list(report.rows[0].figures)
        names = [_heading(name) for name in settings]
        shown = table("point", *names, *figures, "", left=1, least=names)
        for row in report.rows:
            cells = [_cell(value) for value in (*row.settings.values(), *row.figures.values())]
            shown.add_row(str(row.point), *cells, "knee" if row.knee else "")
        console.print(shown)
        console.print("")
    by = " and ".join(f"{one.sense} {one.figure}" for one in report.of)
    front = f", {report.front} on the front of {by}" if report.of else ""
    more = f", the first {len(report.rows)} shown" if len(report.rows) < report.front else ""
    where = f" with {' and '.join(report.where)}" if report.where else ""
    console.print(f"{report.done} points with figures, {report.kept}{where}{front}{more}")
    if report.rows:
        first = report.rows[0]
        told = f"point {first.point}: {first.command}"
        console.print(told, soft_wrap=True)


def _heading(name: str) -> str:
    """The name of a setting in short lines, broken after dots and underscores."""
    lines = [""]
    for part in re.findall(r"[^._]*[._]?", name.removeprefix("chip.")):
        if len(lines[-1] + part) > HEADING or lines[-1].endswith("."):
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _cell(value: str | int | float | bool | None) -> str:
    """A value as a table shows it; numbers to five digits."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return str(value).lower() if isinstance(value, bool) else str(value)
