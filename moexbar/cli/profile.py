"""`moexbar profile`: run the model and record which experts each token goes to."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.frontend import read_model
from compiler.profiling.profile import load_inputs, profile
from moexbar.cli.options import Json
from moexbar.console import note, out, print_json, progress, table
from moexbar.files.routing_file import save_routing


def profile_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    inputs: Annotated[Path, typer.Option(help="NPZ with one array per model input.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Routing trace to write.")],
    tokens: Annotated[
        int | None, typer.Option(help="Cut each sequence to its first tokens.", min=1)
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(help="Sequences run together; default as exported, else one.", min=1),
    ] = None,
    json: Json = False,
) -> None:
    """Record a routing trace (format: docs/formats.md).

    Example: moexbar profile model.onnx --inputs tokens.npz -o routing.npz
    """
    workload = read_model(model, tokens=tokens, batch=batch)
    arrays = load_inputs(inputs)
    sequences = len(next(iter(arrays.values())))
    with progress(sequences, "profiling") as advance:
        routing = profile(
            model, workload, arrays, progress=advance, tokens=tokens, batch=batch, say=note
        )
    save_routing(output, routing)
    rows = []
    for row, layer in enumerate(routing.layer.tolist()):
        load = routing.matrix(row).sum(axis=0)
        rows.append(
            {
                "layer": layer,
                "experts": int(routing.num_experts[row]),
                "pairs": int(load.sum()),
                "hottest": int(load.argmax()),
                "hottest_over_mean": float(load.max() / load.mean()),
            }
        )
    if json:
        print_json({"tokens": routing.tokens, "layers": rows})
        return
    shown = table("layer", "experts", "pairs", "hottest expert", "its load / mean", left=0)
    for entry in rows:
        shown.add_row(
            str(entry["layer"]),
            str(entry["experts"]),
            str(entry["pairs"]),
            str(entry["hottest"]),
            f"{entry['hottest_over_mean']:.2f}",
        )
    out().print(shown)
    out().print(f"{routing.tokens} tokens in {output}")
