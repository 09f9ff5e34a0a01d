"""`moexbar verify`: execute a compiled program on real weights and compare with ONNX Runtime."""

import hashlib
import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from backends.functional import Comparison, Difference
from compiler.frontend import read_model
from compiler.frontend.profile import load_inputs
from ir.errors import CheckError, InputError
from ir.infile import check_file
from ir.program import Program
from ir.routing_file import load_routing
from moexbar.artifacts.chip_file import read_folder_chip
from moexbar.artifacts.folder import MARK
from moexbar.artifacts.mapping_reader import read_mapping
from moexbar.artifacts.program_file import read_program
from moexbar.cli.console import out, print_json, table
from moexbar.cli.options import Json
from moexbar.execution import comparison_json, executes_steps, run_program

MAX_BYTES = 64 << 20


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
    value: max |difference| / max |reference|, at most 1e-4, or 3e-2 where the model
    computes in 16 bits.

    Example: moexbar verify build/demo
    """
    manifest = _manifest(folder)
    path = _source(manifest, "model", model, folder)
    report = _read_json(folder / "report.json")["window"]
    workload = read_model(path, tokens=report["prefill"] + report["decode"], batch=report["batch"])
    program = read_program(folder / "program.parquet")
    mapping = read_mapping(folder / "mapping.json", workload)
    arrays = load_inputs(_source(manifest, "inputs", inputs, folder))
    routing, chip = load_routing(folder / "routing.npz"), read_folder_chip(folder)
    _check_program(program, len(workload.operators), folder)
    done = run_program(
        path, workload, program, mapping, chip, arrays, routing, int(report["first_token"])
    )
    if json:
        print_json(comparison_json(done))
    else:
        print_comparison(done, left_out=0 if executes_steps(chip) else int(report["decode"]))
    refuse_wrong(done, program)


def _read_json(path: Path) -> dict[str, Any]:
    check_file(path, "written by `moexbar compile`", MAX_BYTES)
    try:
        found: dict[str, Any] = jsonlib.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), "not readable as JSON", "compile again") from error
    return found


def _manifest(folder: Path) -> dict[str, Any]:
    found = _read_json(folder / MARK).get("inputs")
    if not isinstance(found, dict):
        raise InputError(str(folder / MARK), "does not say what was compiled", "compile again")
    return found


def _source(manifest: dict[str, Any], what: str, given: Path | None, folder: Path) -> Path:
    """The model or the inputs of the compilation; those of another one are refused."""
    entry = manifest.get(what)
    if not isinstance(entry, dict):
        if given is not None:
            return given
        raise InputError(str(folder), f"compiled without {what}", f"give --{what}")
    path = given if given is not None else Path(str(entry.get("path", "")))
    check_file(path, f"the {what} that {folder} was compiled from (--{what})", 1 << 40)
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if digest != entry.get("sha256"):
        raise InputError(str(path), f"is not the {what} that {folder} was compiled from")
    return path


def _check_program(program: Program, operators: int, folder: Path) -> None:
    if len(program.nodes) != operators:
        where = str(folder / "program.parquet")
        raise InputError(where, f"{len(program.nodes)} operators, the model has {operators}")


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
            f"{own.name}: ONNX Runtime, which rounds factors of packed weights, is itself "
            f"{own.relative:.1e} from the model's definition"
        )
    if done.deviation:
        console.print(
            "uncached: tokens of the decode steps against the model run anew on all tokens so far, "
            "which routes earlier tokens again: equal in the first MoE layer only"
        )
    if left_out:
        console.print(f"the prefill was executed; the {left_out} decode steps were not")


def summary(done: Comparison) -> str:
    """One line: the largest error, and how many tokens could have been routed either way."""
    text = f"executed: largest error {done.worst:.1e} of max |reference|, at most "
    text += _short(done.limit)
    if done.near_ties:
        text += f"; {done.near_ties} near ties (scores as good as equal)"
    return text


def _short(limit: float) -> str:
    return f"{limit:.0e}".replace("e-0", "e-")


def _cells(found: Difference) -> tuple[str, ...]:
    layer = str(found.layer) if found.layer >= 0 else ""
    return (found.name, layer, f"{found.absolute:.1e}", f"{found.relative:.1e}")
