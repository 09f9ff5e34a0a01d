"""`moexbar compile`: the main job, from an ONNX model to a verified program and its cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.baselines import Method, methods
from compiler.frontend import read_model
from compiler.frontend.proof.traced import refuse_missing, refuse_unhit
from compiler.pipeline import Compiled, compile_model
from compiler.profiling.profile import load_inputs
from ir.errors import InputError
from ir.routing import Routing
from ir.workload import Workload, with_ternary_experts
from moexbar import __version__
from moexbar.cli.compile_options import Asked
from moexbar.cli.compile_text import print_compiled
from moexbar.cli.options import Json, Output, flattened
from moexbar.cli.verify import refuse_wrong, summary
from moexbar.console import print_json, progress
from moexbar.dump import dump_stages
from moexbar.execution import MOST_WEIGHTS, comparison_json, program_case, run_program, small
from moexbar.files.folder import MARK, publish
from moexbar.files.outputs import write_json, write_manifest, write_outputs
from moexbar.report import compile_report, method_row

Model = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")]
TrustTraced = Annotated[
    bool,
    typer.Option(
        "--trust-traced",
        help="Compile an export whose routing was recorded by tracing (docs/frontend.md).",
    ),
]
Verify = Annotated[
    bool, typer.Option(help="Execute the program (up to 50 million weights; docs/functional.md).")
]
Baselines = Annotated[
    bool, typer.Option(help="Compile the unshared chip and the paper's method beside it.")
]
DumpDir = Annotated[
    Path | None, typer.Option(help="Also write every stage as numbered text files there.")
]


@flattened
def compile_command(
    model: Model,
    output: Output,
    asked: Asked,
    trust_traced: TrustTraced = False,
    verify: Verify = True,
    baselines: Baselines = True,
    dump_dir: DumpDir = None,
    json: Json = False,
) -> None:
    """Compile a prefill, and decode steps after it: mapping, timed program, cost, all checked.

    Writes program.parquet, mapping.json, report.json, listing.txt, trace.json (for
    ui.perfetto.dev), routing.npz and manifest.json into the output folder.

    Example: moexbar compile model.onnx --chip hermes-mux2 --inputs tokens.npz --prefill 128 -o out
    """
    chip, length = asked.read_chip(), asked.shape.length
    workload = read_model(model, tokens=length, batch=asked.batch, decodes=asked.decode > 0)
    if asked.experts == "ternary":
        workload = with_ternary_experts(workload)
    with publish(output) as folder:
        trace = _trace(model, workload, asked, trust_traced=trust_traced)
        every = methods(chip, asked.options(workload, trace))
        done, rows = _compile_methods(workload, trace, every, baselines=baselines)
        report = compile_report(workload, trace, done, rows)
        report["executed"] = _execute(model, workload, done, trace, asked.inputs, wanted=verify)
        write_outputs(folder, workload, trace, done, report)
        sources = {"model": model, "routing": asked.routing, "inputs": asked.inputs}
        write_manifest(folder, chip, sources)
    if dump_dir is not None:
        with publish(dump_dir) as folder:
            dump_stages(folder, workload, done)
            write_json(folder / MARK, {"moexbar": __version__, "stages_of": str(output)})
    if json:
        print_json(report)
    else:
        print_compiled(report, done, output)


def _trace(model: Path, workload: Workload, asked: Asked, *, trust_traced: bool) -> Routing:
    """The routing to compile; refuses exports that hold the experts or routing of one input."""
    if not trust_traced:
        refuse_missing(model, workload)
    trace = asked.trace(model, workload)
    if not trust_traced:
        refuse_unhit(model, workload, trace)
    return trace


def _compile_methods(
    workload: Workload, trace: Routing, every: Sequence[Method], *, baselines: bool
) -> tuple[Compiled, list[dict[str, Any]]]:
    """Compile by every method; the last one's compilation, and a row of figures for each."""
    if not baselines or not workload.moe_layers:  # without experts all methods are the same
        every = every[-1:]
    rows = []
    with progress(len(every), "compiling") as advance:
        for method in every:
            done = compile_model(workload, trace, method.chip, method.options)
            rows.append(method_row(method, done))
            advance(method.name)
    return done, rows


def _execute(
    model: Path,
    workload: Workload,
    done: Compiled,
    trace: Routing,
    inputs: Path | None,
    *,
    wanted: bool,
) -> dict[str, Any]:
    """What executing the program gave, or why it was not executed; CheckError where it is wrong."""
    if not wanted:
        return {"skipped": "--no-verify"}
    if inputs is None:
        return {"skipped": "no --inputs"}
    if not small(workload, done.mapping, done.program):
        return {"skipped": f"more than {MOST_WEIGHTS // 10**6} million weights"}
    try:
        case = program_case(
            model,
            workload,
            done.program,
            done.mapping,
            done.chip,
            load_inputs(inputs),
            trace,
            int(done.schedule.trace[0]),
        )
        found = run_program(case)
    except InputError as error:
        return {"skipped": str(error)}
    refuse_wrong(found, done.program)
    return {**comparison_json(found), "summary": summary(found)}
