"""`moexbar profile`: run the model and record which experts each token goes to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moexbar.cli.options import INPUTS, OUTPUT, Json, Lengths, ModelFile, lengths
from moexbar.console import note, out, print_json, print_notes, progress, table

if TYPE_CHECKING:
    from moexbar.report.traces import LoadRow

Inputs = Annotated[
    Path, typer.Option(help="NPZ with one array per model input.", rich_help_panel=INPUTS)
]
Trace = Annotated[
    Path,
    typer.Option("-o", "--output", help="Routing trace to write.", rich_help_panel=OUTPUT),
]
Tokens = Annotated[
    Lengths | None,
    typer.Option(
        help="Cut each sequence to its first tokens; of an encoder and a decoder S,T.",
        metavar="T|S,T",
        parser=lengths,
        show_default="all",
        rich_help_panel=INPUTS,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        help="Sequences run together.",
        min=1,
        show_default="as exported, else one",
        rich_help_panel=INPUTS,
    ),
]


def profile_command(
    model: ModelFile,
    inputs: Inputs,
    output: Trace,
    tokens: Tokens = None,
    batch: Batch = None,
    json: Json = False,
) -> None:
    """Run a model and record which experts every token goes to.

    The routing trace (docs/formats.md) is what `compile --routing`, `group`, `schedule` and
    `compare` read.

    Example: moexbar profile model.onnx --inputs tokens.npz -o routing.npz
    """
    from compiler.profiling.feeds import load_inputs, sequences_given
    from moexbar.files.routing_file import save_routing
    from moexbar.model import Model
    from moexbar.report.traces import ProfileReport
    from moexbar.traces.loads import load_rows

    with Model(model) as opened:
        opened.refuse_running()
        asked = opened.lengths(inputs) if tokens is None else tokens.tokens
        workload = opened.workload(tokens=asked, batch=batch)
        print_notes(workload.notes)
        arrays = load_inputs(inputs)
        each = asked if isinstance(asked, int) else None
        with progress(sequences_given(opened.source, arrays, each), "profiling") as advance:
            routing = opened.profile(
                arrays,
                tokens=asked,
                batch=batch,
                workload=workload,
                progress=advance,
                say=note,
            )
    save_routing(output, routing)
    rows = load_rows(routing)
    if json:
        print_json(ProfileReport(routing.tokens, rows))
        return
    print_loads(rows, routing.tokens, output)


def print_loads(rows: Sequence["LoadRow"], tokens: int, output: Path) -> None:
    """A row a layer, and where the trace is."""
    shown = table("layer", "experts", "pairs", "hottest expert", "its load / mean", left=0)
    for entry in rows:
        shown.add_row(
            str(entry.layer),
            str(entry.experts),
            str(entry.pairs),
            str(entry.hottest),
            f"{entry.hottest_over_mean:.2f}",
        )
    out().print(shown)
    out().print(f"{tokens} tokens in {output}")
