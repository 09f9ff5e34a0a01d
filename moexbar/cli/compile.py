"""`moexbar compile`: the main job, from an ONNX model to a verified program and its cost."""

import hashlib
import json as jsonlib
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from backends.perfetto import chrome_trace, first_rows
from compiler.baselines import Method, methods
from compiler.frontend import read_model
from compiler.frontend.profile import load_inputs, profile
from compiler.frontend.traced import refuse_missing, refuse_unhit
from compiler.grouping import SOLVERS
from compiler.grouping.costs import OBJECTIVES
from compiler.pipeline import Compiled, Options, compile_model
from compiler.placement import PLACERS
from compiler.scheduling import POLICIES
from compiler.trace import Shape, no_routing
from ir.chip import Chip
from ir.errors import InputError
from ir.routing import Routing
from ir.routing_file import load_routing, save_routing
from ir.schedule import Caches
from ir.text import listing
from ir.verify import CHECKS
from ir.workload import Workload
from moexbar import __version__
from moexbar.artifacts.folder import MARK, publish
from moexbar.artifacts.mapping_file import mapping_json
from moexbar.artifacts.program_file import write_program
from moexbar.chips.show import to_json
from moexbar.cli.console import note, out, print_json, progress
from moexbar.cli.options import (
    Buffer,
    Bus,
    ChipName,
    Fit,
    Json,
    Output,
    Score,
    Seed,
    Settings,
    Time,
    overlap,
    read_chip,
    solver_options,
    token_spans,
)
from moexbar.cli.scope import Groups, GroupSize, Replicas
from moexbar.cli.verify import refuse_wrong, summary
from moexbar.dump import dump_stages
from moexbar.execution import (
    MOST_WEIGHTS,
    comparison_json,
    executes_steps,
    run_program,
    small,
)
from moexbar.report import layer_rows, layers_table, method_row, methods_table, placement_row
from moexbar.steps_report import memory_row, steps_lines, steps_row

Switch = Literal["on", "off"]
MANY_LAYERS = 8
LISTING_LINES = 200_000
TRACE_EVENTS = 200_000


def compile_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The model.")],
    output: Output,
    chip: ChipName = "hermes-mux2",
    settings: Settings = None,
    routing: Annotated[Path | None, typer.Option(help="Routing trace of this model.")] = None,
    inputs: Annotated[
        Path | None, typer.Option(help="NPZ with model inputs: profiled first.")
    ] = None,
    prefill: Annotated[int, typer.Option(help="Tokens of a sequence run together.", min=1)] = 128,
    batch: Annotated[int, typer.Option(help="Sequences.", min=1)] = 1,
    decode: Annotated[int, typer.Option(help="Decode steps after the prefill.", min=0)] = 0,
    kv: Annotated[Switch, typer.Option(help="Cache keys and values between steps.")] = "on",
    go: Annotated[
        Switch, typer.Option(help="Cache gate scores and outputs (expert choice).")
    ] = "on",
    grouping: Annotated[str, typer.Option(help=f"One of {', '.join(SOLVERS)}.")] = "cp-sat",
    placement: Annotated[str, typer.Option(help=f"One of {', '.join(PLACERS)}.")] = "in-order",
    scheduling: Annotated[
        str, typer.Option(help=f"One of {', '.join(POLICIES)}.")
    ] = "min-transfer",
    objective: Annotated[
        str, typer.Option(help=f"What groups minimise: {', '.join(OBJECTIVES)}.")
    ] = "slots",
    groups: Groups = None,
    group_size: GroupSize = None,
    replicas: Replicas = 0,
    bus: Bus = None,
    buffer: Buffer = None,
    pack: Annotated[
        bool,
        typer.Option("--pack", help="Let ragged tiles of a group's experts share crossbars."),
    ] = False,
    fit: Fit = "0:0.5",
    score: Score = "0.5:1",
    time: Time = 1.0,
    seed: Seed = 0,
    trust_traced: Annotated[
        bool,
        typer.Option(
            "--trust-traced",
            help="Compile an export whose routing was recorded by tracing (docs/frontend.md).",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(help="Execute the program (up to 50 million weights; docs/functional.md)."),
    ] = True,
    baselines: Annotated[
        bool, typer.Option(help="Compile the unshared chip and the paper's method beside it.")
    ] = True,
    dump_dir: Annotated[
        Path | None, typer.Option(help="Also write every stage as numbered text files there.")
    ] = None,
    json: Json = False,
) -> None:
    """Compile a prefill, and decode steps after it: mapping, timed program, cost, all checked.

    Writes program.parquet, mapping.json, report.json, listing.txt, trace.json (for
    ui.perfetto.dev), routing.npz and manifest.json into the output folder.

    Example: moexbar compile model.onnx --chip hermes-mux2 --inputs tokens.npz --prefill 128 -o out
    """
    target = read_chip(chip, settings)
    shape = Shape(prefill, batch, decode)
    workload = read_model(model, tokens=shape.length, batch=batch, decodes=decode > 0)
    with publish(output) as folder:
        if not trust_traced:
            refuse_missing(model, workload)
        trace = _routing(model, workload, routing, inputs, shape)
        if not trust_traced:
            refuse_unhit(model, workload, trace)
        fitted, scored = token_spans(trace, fit, score, batch * shape.length)
        options = Options(
            shape, fitted, scored, grouping=grouping, placement=placement, scheduling=scheduling,
            caches=Caches(kv=kv == "on", go=go == "on"), groups=groups, group_size=group_size,
            replicas=replicas, bus=bus, buffer=buffer, pack=pack, objective=objective,
            processes=_processes(workload), solver=solver_options(time, seed),
        )  # fmt: skip
        done, rows = _compile_methods(
            workload, trace, methods(target, options), baselines=baselines
        )
        report = _report(workload, trace, done, rows)
        report["executed"] = _execute(model, workload, done, trace, inputs, wanted=verify)
        save_routing(folder / "routing.npz", trace)
        write_outputs(folder, workload, done, report)
        _manifest(folder, target, {"model": model, "routing": routing, "inputs": inputs})
    if dump_dir is not None:
        with publish(dump_dir) as folder:
            dump_stages(folder, workload, done)
            _write_json(folder / MARK, {"moexbar": __version__, "stages_of": str(output)})
    if json:
        print_json(report)
    else:
        _print(report, done, output)


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


def _processes(workload: Workload) -> int:
    """Layers grouped at a time: starting a process takes longer than a few small layers."""
    return os.cpu_count() or 1 if len(workload.moe_layers) >= MANY_LAYERS else 1


def _routing(
    model: Path, workload: Workload, routing: Path | None, inputs: Path | None, shape: Shape
) -> Routing:
    """The trace given, or one recorded now; a model without MoE layers needs neither."""
    if not workload.moe_layers:
        return no_routing(shape.length, shape.batch)
    if routing is not None and inputs is not None:
        raise InputError("compile", "both --routing and --inputs", "give one of them")
    if routing is not None:
        trace = load_routing(routing)
        if trace.expert_choice:
            _check_expert_choice(trace, shape)
        return trace
    if inputs is None:
        raise InputError("compile", "no routing", "give --routing R.npz or --inputs X.npz")
    arrays = load_inputs(inputs)
    with progress(len(next(iter(arrays.values()))), "profiling") as advance:
        return profile(
            model, workload, arrays, progress=advance,
            tokens=shape.length, batch=shape.batch, decode=shape.decode,
        )  # fmt: skip


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
        found = run_program(
            model, workload, done.program, done.mapping, done.chip, load_inputs(inputs), trace,
            int(done.schedule.trace[0]),
        )  # fmt: skip
    except InputError as error:
        return {"skipped": str(error)}
    refuse_wrong(found, done.program)
    return {**comparison_json(found), "summary": summary(found)}


def _check_expert_choice(trace: Routing, shape: Shape) -> None:
    """Experts chose among whole sequences, so the window must be one of them."""
    whole = int((trace.sequence == trace.sequence[0]).sum())
    first = whole - trace.decode
    if (first, trace.decode) != (shape.prefill, shape.decode):
        raise InputError(
            trace.source,
            f"recorded at {first} tokens a sequence and {trace.decode} decode steps, but --prefill "
            f"is {shape.prefill} and --decode {shape.decode}: experts chose among whole sequences",
            f"use --prefill {first} --decode {trace.decode}, or --inputs to record anew",
        )


def _report(
    workload: Workload, trace: Routing, done: Compiled, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    fit, (start, stop) = done.options.fit, done.options.score
    return {
        "moexbar": __version__,
        "model": {"name": workload.name, "sha256": workload.sha256, "notes": list(workload.notes)},
        "chip": to_json(done.chip),
        "window": {
            "tokens": done.schedule.tokens,
            "prefill": done.options.shape.prefill,
            "batch": done.options.shape.batch,
            "decode": done.options.shape.decode,
            "kv": done.options.caches.kv,
            "go": done.options.caches.go,
            "first_token": int(done.schedule.trace[0]),
            "fit_tokens": list(fit),
            "score_tokens": [start, stop],
            "scored_on_fitted": bool(workload.moe_layers) and overlap(fit, (start, stop)),
            "trace_tokens": trace.tokens,
        },
        "expert_choice": any(op.router.capacity is not None for op in workload.moe_layers),
        "steps": steps_row(done),
        "memory": memory_row(done, workload),
        "methods": rows,
        "layers": layer_rows(done),
        "placement": placement_row(done),
        "checks": [check.name for check in CHECKS],
        "solver": {"seed": done.options.solver.seed, "time_s": done.options.solver.time_s},
        "assumed": [f"{fact.path} = {fact.text}" for fact in done.chip.assumed],
    }


def write_outputs(folder: Path, workload: Workload, done: Compiled, report: dict[str, Any]) -> None:
    """All files of one compilation but the manifest."""
    write_program(done.program, folder / "program.parquet")
    _write_json(folder / "mapping.json", mapping_json(done.mapping, workload))
    _write_json(folder / "report.json", report, indent=1)
    events = done.program
    _write_json(folder / "trace.json", chrome_trace(events, first_rows(events, TRACE_EVENTS)))
    with (folder / "listing.txt").open("w", encoding="utf-8") as text:
        text.writelines(f"{line}\n" for line in listing(events, limit=LISTING_LINES))


def _write_json(path: Path, value: object, indent: int | None = None) -> None:
    with path.open("w", encoding="utf-8") as text:
        # not dump(): it never uses the fast encoder
        text.write(jsonlib.dumps(value, indent=indent, allow_nan=False))


def _manifest(folder: Path, chip: Chip, sources: dict[str, Path | None]) -> None:
    """Hashes of what went in and of every file that came out."""
    inputs = {
        name: {"file": p.name, "path": str(p), "sha256": _digest(p)}
        for name, p in sources.items()
        if p
    }
    chip_text = jsonlib.dumps(to_json(chip), sort_keys=True).encode()
    inputs["chip"] = {"file": chip.name, "sha256": hashlib.sha256(chip_text).hexdigest()}
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    _write_json(folder / MARK, {"moexbar": __version__, "inputs": inputs, "files": files}, indent=1)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _what(window: dict[str, Any]) -> str:
    """What was compiled, in words."""
    sequences = f"{window['batch']} sequences of " * (window["batch"] > 1)
    text = f"prefill of {sequences}{window['prefill']} tokens"
    steps = int(window["decode"])
    return text + f" and {steps} decode steps" * (steps > 0)


def _print(report: dict[str, Any], done: Compiled, output: Path) -> None:
    console, window = out(), report["window"]
    chip = done.chip
    placement = done.mapping.placement
    console.print(
        f"{report['model']['name']} on {chip.name}: {_what(window)}, "
        f"{len(done.program)} instructions, {placement.pgs} peripheral groups on "
        f"{placement.mesh_width} x {placement.mesh_height} cores"
    )
    console.print(methods_table(report["methods"]))
    if report["layers"]:
        console.print("")
        console.print(layers_table(report["layers"]))
    _print_replicas(report["layers"], console)
    console.print("")
    traffic = report["placement"]["traffic"]
    if traffic is not None:
        console.print(
            f"placement {report['placement']['solver']}: {traffic['value']} {traffic['objective']} "
            f"over the fitted tokens, at least {traffic['bound']} ({traffic['status']})"
        )
    if (crossbars := report["placement"]["expert_crossbars"])["packed"]:
        console.print(
            f"packed: {crossbars['used']} crossbars hold {crossbars['tiles']} tiles of experts, "
            "the fewest that their peripheral groups can do with"
        )
    for line in steps_lines(report):
        console.print(line)
    console.print(f"all {len(report['checks'])} checks passed", style="green")
    executed = report["executed"]
    if "skipped" in executed:
        console.print(f"not executed: {executed['skipped']} (moexbar verify)")
    else:
        alone = window["decode"] > 0 and not executes_steps(chip)
        console.print(executed["summary"] + " (the prefill)" * alone, style="green")
    scored = f"{window['first_token']} to {window['first_token'] + window['tokens']}"
    if window["batch"] > 1:
        scored = f"{window['batch']} sequences from {window['first_token']} on"
    console.print(
        f"fitted on tokens {window['fit_tokens'][0]} to {window['fit_tokens'][1]}, scored on "
        f"{scored}; seed {report['solver']['seed']}"
    )
    if window["scored_on_fitted"]:
        note("note: --fit and --score overlap, so these figures are no test of the grouping")
    missing = report["methods"][-1]["area_mm2"]["not_published"]
    if missing:
        console.print(f"no area: {', '.join(missing)} not published for {chip.name}")
    if report["assumed"]:
        console.print(
            f"{len(report['assumed'])} chip numbers are assumed (moexbar chips {chip.name})",
            style="yellow",
        )
    console.print(f"written to {output}")


def _print_replicas(layers: list[dict[str, Any]], console: Console) -> None:
    """Which experts have copies; nothing where none has."""
    for row in layers:
        if row["replicas"]:
            every = sorted(e for group in row["groups"] for e in group)
            twice = sorted({e for e, after in pairwise(every) if e == after})
            console.print(
                f"layer {row['layer']}: {row['replicas']} replicas, of experts "
                f"{', '.join(str(e) for e in twice)}"
            )
