"""`moexbar verify`: execute a compiled program on real weights and compare with ONNX Runtime."""

from pathlib import Path
from typing import Annotated

import typer

from backends.functional import TOLERANCE, Comparison, Difference
from ir.errors import CheckError
from ir.program import Program
from moexbar.cli.options import Json
from moexbar.console import out, print_json, table
from moexbar.execution import comparison_json, executes_steps, program_case, run_program
from moexbar.files.compiled import read_compiled


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output of `moexbar compile`.")],
    model: Annotated[
        Path | None, typer.Option(help="The model; default: where `compile` read it.")
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option(help="NPZ with model inputs; default: those of `compile`.")
    ] = None,
    json: Json = False,
) -> None:
    """Execute a compiled program and compare it with ONNX Runtime (exit code 4).

    Every instruction is carried out on real weights, as they stand on the crossbars. Error of a
    value: max |difference| / max |reference|, at most 1e-4. A model that computes in 16 bits is
    computed in 32.

    Example: moexbar verify build/demo
    """
    read = read_compiled(folder, model, inputs)
    program, chip = read.program, read.chip
    case = program_case(
        read.model,
        read.workload,
        program,
        read.mapping,
        chip,
        read.inputs,
        read.routing,
        read.first_token,
    )
    done = run_program(case)
    if json:
        print_json(comparison_json(done))
    else:
        print_comparison(done, left_out=0 if executes_steps(chip) else int(read.window["decode"]))
    refuse_wrong(done, program)


def refuse_wrong(done: Comparison, program: Program) -> None:
    """CheckError naming the first differing layer and instruction, if there is any."""
    first = done.first
    if first is None:
        return
    what = f"layer {first.layer}, {first.name}: {first.relative:.1e} off, at most "
    what += _short(first.limit)
    if done.culprit < 0:
        raise CheckError("numbers", "program", f"not the model run anew on the tokens; {what}")
    raise CheckError("numbers", program.name(done.culprit), f"first wrong result; {what}")


def print_comparison(done: Comparison, *, left_out: int = 0) -> None:
    """Errors of outputs and MoE layers."""
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


def summary(done: Comparison) -> str:
    """One line: the largest error, and how many tokens could have been routed either way."""
    text = f"executed: largest error {done.worst:.1e} of max |reference|, at most "
    text += _short(TOLERANCE)
    if done.near_ties:
        text += f"; {done.near_ties} near ties (scores as good as equal)"
    return text


def _short(limit: float) -> str:
    return f"{limit:.0e}".replace("e-0", "e-")


def _cells(found: Difference) -> tuple[str, ...]:
    layer = str(found.layer) if found.layer >= 0 else ""
    return (found.name, layer, f"{found.absolute:.1e}", f"{found.relative:.1e}")
