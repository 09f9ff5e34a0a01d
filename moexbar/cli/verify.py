"""`moexbar verify`: execute a compiled program on real weights and compare with ONNX Runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moexbar.cli.options import INPUTS, CompiledFolder, Json, Unchecked
from moexbar.console import out, print_json, table

if TYPE_CHECKING:
    from backends.functional import Comparison, Difference

Model = Annotated[
    Path | None,
    typer.Option(help="The model.", show_default="where `compile` read it", rich_help_panel=INPUTS),
]
Inputs = Annotated[
    Path | None,
    typer.Option(
        help="NPZ with model inputs.", show_default="those of `compile`", rich_help_panel=INPUTS
    ),
]


def verify(
    folder: CompiledFolder,
    model: Model = None,
    inputs: Inputs = None,
    unchecked: Unchecked = False,
    json: Json = False,
) -> None:
    """Execute a compiled program and compare it with ONNX Runtime.

    All invariants are checked first, and the figures of report.json against the program. Then every
    instruction is carried out on real weights, as they stand on the crossbars. Error of a value:
    max |difference| / max |reference|, at most 1e-4 (else exit code 4, with the first wrong
    instruction). A model that computes in 16 bits is computed in 32.

    Example: moexbar verify build/demo
    """
    from moexbar.execution import executed_row, executes_steps, refuse_wrong
    from moexbar.files.compiled import read_compiled
    from moexbar.report.executed import VerifyReport

    read = read_compiled(folder, model, inputs, unchecked=unchecked)
    read.check()
    done = read.execute()
    chip = read.executable.chip
    if json:
        print_json(VerifyReport(executed_row(done)))
    else:
        print_comparison(done, left_out=0 if executes_steps(chip) else read.window.decode)
    refuse_wrong(done, read.executable.program)


def print_comparison(done: "Comparison", *, left_out: int = 0) -> None:
    """Errors of outputs and MoE layers."""
    from moexbar.execution import summary

    console = out()
    far = {d.name: f"{d.relative:.1e}" for d in (*done.anew, *done.deviation)}
    more = ("uncached",) if done.deviation else ()
    shown = table("value", "layer", "max |difference|", "/ max |reference|", *more)
    for found in (*done.layers, *done.outputs):
        shown.add_row(*_cells(found), *(far.get(found.name, "") for _ in more))
    console.print(shown)
    console.print(summary(done))
    for own in done.runtime:
        console.print(
            f"{own.name}: ONNX Runtime, which rounds in between (16 bits, packed weights), is "
            f"itself {own.relative:.1e} from the reference"
        )
    if done.deviation:
        console.print(
            "uncached: tokens of the decode steps against the model run anew on all tokens so far, "
            "which routes earlier tokens again: equal in the first MoE layer only"
        )
    if done.before:
        console.print(
            f"the window starts inside a sequence: its attention takes the {done.before} tokens "
            "before it from the model's own run; the program and its cost do not have them"
        )
    if left_out:
        console.print(f"the prefill was executed; the {left_out} decode steps were not")


def _cells(found: "Difference") -> tuple[str, ...]:
    layer = str(found.layer) if found.layer >= 0 else ""
    return (found.name, layer, f"{found.absolute:.1e}", f"{found.relative:.1e}")
