"""`moexbar explore`: hundreds of compilations, one table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moexbar.cli.options import OUTPUT, Json, Output
from moexbar.console import note, out, print_json, stages

if TYPE_CHECKING:
    from moexbar.exploration.task import Explored

WORKERS = "Workers"

SweepFile = Annotated[
    Path,
    typer.Argument(
        metavar="SWEEP", help="TOML file: settings that are fixed, and that vary (docs/explore.md)."
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the sweep in the folder.", rich_help_panel=OUTPUT),
]
Processes = Annotated[
    int | None,
    typer.Option(
        help="Processes on this machine.",
        min=1,
        show_default="as many as cores",
        rich_help_panel=WORKERS,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Dask scheduler whose workers compute instead, such as tcp://127.0.0.1:8786.",
        metavar="ADDRESS",
        rich_help_panel=WORKERS,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-network",
        help="Allow a scheduler on another machine without TLS: who is in between can run code.",
        rich_help_panel=WORKERS,
    ),
]


def explore_command(
    sweep: SweepFile,
    output: Output,
    resume: Resume = False,
    processes: Processes = None,
    cluster: Address = None,
    trust_network: Trust = False,
    json: Json = False,
) -> None:
    """Compile every point of a sweep of chips, models and options: one table of figures.

    Writes results.parquet, results.csv, timings.csv and journal.sqlite into the output folder.
    What points share is computed once. A point that fails is a row with its reason; a run that was
    ended, however, goes on with --resume. The best points: moexbar pareto DIR.

    Example: moexbar explore sweep.toml -o points

    Example: moexbar explore sweep.toml -o points --resume --processes 8

    Example: moexbar explore sweep.toml -o points --cluster tcp://127.0.0.1:8786
    """
    from moexbar.exploration.task import explore

    try:
        with stages() as progress:
            done = explore(
                sweep,
                output,
                resume=resume,
                processes=processes,
                cluster=cluster,
                trust_network=trust_network,
                progress=progress,
            )
    except KeyboardInterrupt:
        note(f"what is done is kept: moexbar explore {sweep} -o {output} --resume goes on")
        raise
    if json:
        print_json(done.report)
    else:
        _print(done, output)
    if not done.report.done:
        raise typer.Exit(2)


def _print(done: "Explored", output: Path) -> None:
    """How many points there are, why some failed, and where the table is."""
    report, console = done.report, out()
    before = f", {report.resumed} of them before" if report.resumed else ""
    failed = f", {report.failed} failed" if report.failed else ""
    console.print(
        f"{report.points} points: {report.done} done{before}{failed}; "
        f"{report.groupings} different groupings of layers"
    )
    for row in report.reasons:
        console.print(f"{row.points} failed, point {row.first} first: {row.reason}")
    console.print(f"written to {output}: results.parquet, results.csv, timings.csv")
