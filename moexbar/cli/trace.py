"""`moexbar trace`: a part of a compiled program as a Chrome trace."""

import json
from pathlib import Path
from typing import Annotated

import typer

from backends.perfetto import chrome_trace
from ir.errors import InputError
from ir.text import Filter
from moexbar.cli.options import Output
from moexbar.console import note, out
from moexbar.files.atomic import write_atomically
from moexbar.files.program_file import read_program


def trace(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output of `moexbar compile`.")],
    output: Output,
    layer: Annotated[int | None, typer.Option(help="One layer.")] = None,
    first: Annotated[float | None, typer.Option("--from", help="From this time, in ns.")] = None,
    last: Annotated[float | None, typer.Option("--to", help="Up to this time, in ns.")] = None,
    limit: Annotated[
        int, typer.Option(help="Most instructions, the first in time; 0 = all.", min=0)
    ] = 200_000,
) -> None:
    """Write a trace for https://ui.perfetto.dev: units, arrows, data rates (docs/formats.md).

    Example: moexbar trace build/demo --layer 3 --from 50000 --to 100000 -o layer3.json
    """
    program = read_program(folder / "program.parquet")
    keep = Filter(
        layer=layer,
        first_ps=None if first is None else round(first * 1000),
        last_ps=None if last is None else round(last * 1000),
    )
    rows = keep.rows(program)
    if not len(rows):
        raise InputError("trace", "no instruction of that layer and time", "widen the window")
    if limit and len(rows) > limit:
        note(f"note: the first {limit} of {len(rows)} instructions; --limit for more")
        rows = rows[:limit]
    with write_atomically(output) as file:
        # not dump(): it never uses the fast encoder
        file.write(json.dumps(chrome_trace(program, rows), allow_nan=False).encode())
    out().print(f"{len(rows)} instructions in {output}")
