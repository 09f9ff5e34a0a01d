"""`moexbar reproduce`: the published runs of arXiv 2602.10254, beside ours."""

from typing import Annotated

import typer

from moexbar.cli.options import Json
from moexbar.console import out, print_json, progress
from moexbar.reproduce import GENERATED

RUNS = "Runs"


def reproduce_command(
    seed: Annotated[
        int,
        typer.Option(help="Seed of the router, which is random.", min=0, rich_help_panel=RUNS),
    ] = 0,
    longest: Annotated[
        int,
        typer.Option(
            help="Leave out cache modes that generate more tokens than this.",
            min=GENERATED[0],
            rich_help_panel=RUNS,
        ),
    ] = GENERATED[-1],
    json: Json = False,
) -> None:
    """Run the paper's workload beside what its own simulator gives.

    On chip `paper` as published; then with partial sums added inside the peripheral groups, and
    every cache mode for 8, 32, 64 and 128 generated tokens. Every program is checked and simulated
    (1.6 GB for 128 tokens).

    Example: moexbar reproduce

    Example: moexbar reproduce --longest 8 --json
    """
    from moexbar.reproduce.show import show
    from moexbar.reproduce.suite import plan, reproduce, reproduce_report

    with progress(plan(longest), "runs") as advance:
        found = reproduce(seed, longest, advance)
    if json:
        print_json(reproduce_report(found))
    else:
        show(found, out())
