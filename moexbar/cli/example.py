"""`moexbar example`: a trained model at once, or models of real sizes without their weights."""

import shlex
from typing import Annotated

import typer

from moexbar.cli.complete import example_names
from moexbar.cli.options import OUTPUT, Json, Output
from moexbar.console import out, print_json
from moexbar.examples.names import IN_CHECKOUT, LARGE

WHICH = (
    f"tiny (trained), {', '.join(IN_CHECKOUT)} (trained, only from a checkout of the repository), "
    f"or {', '.join(LARGE)} (no weights)."
)


def example(
    name: Annotated[str, typer.Argument(metavar="NAME", help=WHICH, autocompletion=example_names)],
    output: Output,
    seed: Annotated[
        int, typer.Option(help="Seed of the synthetic routing.", min=0, rich_help_panel=OUTPUT)
    ] = 0,
    json: Json = False,
) -> None:
    """Write a model and what is needed to compile it into a new folder.

    The next command is printed.

    The tiny ones are trained; with them comes inputs.npz, from which `moexbar profile` or `compile`
    records the routing. `tiny` (2 layers of 8 experts) compiles in seconds.

    The large ones have every matrix of the original in its shape, but no weights: the data file is
    one hole (sparse), which takes no room on disk and is never read. They compile, but cannot be
    executed. routing.npz is synthetic, from a random model calibrated on recorded traces
    (docs/examples.md).

    Example: moexbar example tiny -o tiny

    Example: moexbar example llama-moe-3.5b -o llama
    """
    from moexbar.examples.write import write_example
    from moexbar.report.examples import LargeExampleReport

    report = write_example(name, output, seed)
    if json:
        print_json(report)
        return
    console, model = out(), output / report.files[0]
    if isinstance(report, LargeExampleReport):
        given = ["--routing", f"{output / 'routing.npz'}", "--prefill", "512"]
        console.print(
            f"{name}: {report.nodes} nodes, {report.weights / 1e9:.1f} billion weights "
            f"without values ({report.data_bytes / 1e9:.0f} GB, all hole), written to {model}"
        )
        console.print(f"sizes from {report.source}")
        for words in report.simplified:
            console.print(f"simplified: {words}")
        trace = report.routing
        console.print(f"synthetic routing of {trace.tokens} tokens, seed {trace.seed}")
    else:
        given = ["--inputs", f"{output / 'inputs.npz'}", "--prefill", "128"]
        console.print(f"{name}: a trained model, written to {model}")
    command = ["moexbar", "compile", f"{model}", *given, "-o", f"{output}-compiled"]
    console.print(f"next: {shlex.join(command)}", soft_wrap=True)
