"""`moexbar example`: models of real sizes without their weights, and routing for them."""

from typing import Annotated

import typer

from moexbar.cli.options import Json, Output, Seed
from moexbar.console import out, print_json
from moexbar.examples.catalogue import EXAMPLES
from moexbar.examples.write import SHIPPED, write_example


def example(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=f"One of {', '.join([*SHIPPED, *EXAMPLES])}.")
    ],
    output: Output,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Write a model and what is needed to compile it into a new folder.

    The large ones have every matrix of the original in its shape, but no weights: the data file is
    one hole (sparse), which takes no room on disk and is never read. routing.npz is synthetic,
    from a random model calibrated on recorded traces (docs/examples.md). The tiny ones are trained;
    with them comes inputs.npz, from which `moexbar profile` or `compile` records the routing.

    Example: moexbar example llama-moe-3.5b -o llama
    """
    facts = write_example(name, output, seed)
    if json:
        print_json(facts)
        return
    console, model = out(), output / facts["files"][0]
    if name in SHIPPED:
        given = f"--inputs {output / 'inputs.npz'} --prefill 128"
        console.print(f"{name}: a trained model, written to {model}")
    else:
        given = f"--routing {output / 'routing.npz'} --prefill 512"
        console.print(
            f"{name}: {facts['nodes']} nodes, {facts['weights'] / 1e9:.1f} billion weights "
            f"without values ({facts['data_bytes'] / 1e9:.0f} GB, all hole), written to {model}"
        )
        console.print(f"sizes from {facts['source']}")
        for words in facts["simplified"]:
            console.print(f"simplified: {words}")
        trace = facts["routing"]
        console.print(f"synthetic routing of {trace['tokens']} tokens, seed {trace['seed']}")
    console.print(f"next: moexbar compile {model} {given} -o {output}-compiled", soft_wrap=True)
