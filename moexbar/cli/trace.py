"""`moexbar trace`: a part of a compiled program as a Chrome trace."""

import gzip
from typing import Annotated

import typer

from ir.errors import InputError
from moexbar.cli.options import WHICH, CompiledFolder, First, Last, Layer, Output, Unchecked
from moexbar.console import note, out


def trace(
    folder: CompiledFolder,
    output: Output,
    layer: Layer = None,
    first: First = None,
    last: Last = None,
    limit: Annotated[
        int,
        typer.Option(
            help="Most instructions, the first in time; 0 = all.", min=0, rich_help_panel=WHICH
        ),
    ] = 200_000,
    unchecked: Unchecked = False,
) -> None:
    """Write a trace for https://ui.perfetto.dev.

    Units, arrows and data rates (docs/formats.md). A name that ends in .gz is compressed, to a
    twelfth; the viewer opens it as it is.

    Example: moexbar trace build/demo --layer 3 --from 50000 --to 100000 -o layer3.json.gz
    """
    from backends.perfetto import trace_json
    from ir.text import Filter
    from moexbar.files.atomic import write_atomically
    from moexbar.files.output import read_output
    from moexbar.files.program_file import read_program

    files = read_output(folder, ("compile",), unchecked=unchecked)
    program = read_program(files.file("program.parquet"))
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
    data = trace_json(program, rows).encode()
    if output.suffix == ".gz":
        data = gzip.compress(data, compresslevel=6, mtime=0)  # the same trace is the same file
    with write_atomically(output) as file:
        file.write(data)
    out().print(f"{len(rows)} instructions in {output}")
