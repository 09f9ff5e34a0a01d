"""`moexbar compile`: the main job, from a model to a verified program and its cost."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.baselines import Baselines
from ir.errors import InputError
from moexbar.cli.compile_options import CompileRequest
from moexbar.cli.options import (
    INPUTS,
    OUTPUT,
    Json,
    ModelFile,
    Output,
    flattened,
    fraction_span,
    read_chip,
)
from moexbar.console import print_json, stages
from moexbar.files.parts import ALL, ASKED, Part, parts

if TYPE_CHECKING:
    from moexbar.compilation import Compilation
    from moexbar.files.folder import Draft
    from moexbar.model import Model

TrustTraced = Annotated[
    bool,
    typer.Option(
        "--trust-traced",
        help="Compile an export whose routing was recorded by tracing (docs/frontend.md).",
        rich_help_panel=INPUTS,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        help="Execute the program (up to 50 million weights; docs/functional.md).",
        rich_help_panel=OUTPUT,
    ),
]
Beside = Annotated[
    Baselines,
    typer.Option(
        help="Methods beside it: all (groups x slot orders), the paper's two, or none.",
        rich_help_panel=OUTPUT,
    ),
]
Alone = Annotated[
    bool,
    typer.Option("--no-baselines", help="The same as --baselines none.", rich_help_panel=OUTPUT),
]
Jitter = Annotated[
    int,
    typer.Option(
        help="Schedules of each method, all but the first with other times of the opcodes: what of "
        "a gain is noise (docs/bands.md).",
        metavar="RUNS",
        min=1,
        rich_help_panel=OUTPUT,
    ),
]
Bands = Annotated[
    bool,
    typer.Option(
        "--bands",
        help="Vary the chip's numbers that have a band, and say what moves (docs/bands.md).",
        rich_help_panel=OUTPUT,
    ),
]
Draws = Annotated[
    int,
    typer.Option(
        help="With --bands: draws of all numbers together, by --seed.",
        min=0,
        rich_help_panel=OUTPUT,
    ),
]
DumpDir = Annotated[
    Path | None,
    typer.Option(
        help="Also write every stage as numbered text files there.", rich_help_panel=OUTPUT
    ),
]
Write = Annotated[
    str,
    typer.Option(
        help=f"Files to write: some of {', '.join(ALL)}.",
        metavar="FILE,...",
        show_default=f"all but {' and '.join(ASKED)}",
        rich_help_panel=OUTPUT,
    ),
]
Page = Annotated[
    bool,
    typer.Option(
        "--report",
        help="Also write report.html, one page of it all (docs/report.md).",
        rich_help_panel=OUTPUT,
    ),
]


@flattened
def compile_command(
    model: ModelFile,
    output: Output,
    asked: CompileRequest,
    trust_traced: TrustTraced = False,
    verify: Verify = True,
    baselines: Beside = "all",
    no_baselines: Alone = False,
    jitter: Jitter = 1,
    bands: Bands = False,
    draws: Draws = 32,
    write: Write = "",
    report: Page = False,
    dump_dir: DumpDir = None,
    json: Json = False,
) -> None:
    """Compile a prefill, and decode steps after it: mapping, timed program, cost, all checked.

    Writes program.parquet, mapping.json, report.json, listing.txt, trace.json (for
    ui.perfetto.dev), routing.npz and manifest.json into the output folder. With --write annotated
    the model's graph, with what was decided of every node, for a viewer.

    Example: moexbar compile model.onnx --chip hermes-mux2 --inputs tokens.npz --prefill 128 -o out

    Example: moexbar compile model.onnx --routing r.npz --grouping-file groups.json -o out

    Example: moexbar compile config.json --routing r.npz -o out
    """
    from moexbar.cli.compile_text import print_compiled
    from moexbar.dump import dump_stages
    from moexbar.figures.draw import refuse_missing
    from moexbar.files.folder import publish
    from moexbar.model import Model

    wanted = wanted_parts(write, page=report)
    if "page" in wanted:
        refuse_missing()
    with publish(output, "compile") as draft, _dumped(dump_dir, output) as dumped:
        with Model(model) as opened:
            beside: Baselines = "none" if no_baselines else baselines
            done = _compile(
                opened, asked, trust_traced, verify=verify, baselines=beside, jitter=jitter
            )
        if bands:
            done = _banded(done, draws, asked.seed)
        done.write(draft, wanted)
        if dumped is not None:
            dump_stages(dumped.folder, done.compiled)
            dumped.facts["stages_of"] = str(output)
    if json:
        print_json(done.report)
    else:
        print_compiled(done, output)


def wanted_parts(write: str, *, page: bool) -> tuple[Part, ...]:
    """The files of --write, and the page of --report."""
    named = parts(write)
    return (*named, "page") if page and "page" not in named else named


def _compile(
    model: "Model",
    asked: CompileRequest,
    trust_traced: bool,
    *,
    verify: bool,
    baselines: Baselines,
    jitter: int,
) -> "Compilation":
    """What the options ask for."""
    from moexbar.compilation import compile

    with stages() as progress:
        return compile(
            model,
            read_chip(asked.chip, asked.settings),
            inputs=asked.inputs,
            routing=asked.routing,
            reading=asked.reading,
            prefill=None if asked.prefill is None else asked.prefill.tokens,
            batch=asked.batch,
            decode=asked.decode,
            caches=asked.caches,
            grouping=asked.grouping_options,
            placement=asked.placement_options,
            slots=asked.slot_options,
            fit=fraction_span(asked.fit, "--fit"),
            score=fraction_span(asked.score, "--score"),
            limits=asked.limits,
            experts=asked.experts,
            baselines=baselines,
            jitter=jitter,
            execute=verify,
            trust_traced=trust_traced,
            least_placed=asked.least_placed,
            processes=asked.processes,
            progress=progress,
        )


def _banded(done: "Compilation", draws: int, seed: int) -> "Compilation":
    """The compilation with the bands of its figures."""
    from moexbar.bands.vary import with_bands

    with stages() as progress:
        return with_bands(done, draws, seed, progress)


def _dumped(
    folder: Path | None, output: Path
) -> "AbstractContextManager[Draft] | AbstractContextManager[None]":
    """The folder of --dump-dir, which must lie apart from the output: each is written whole."""
    from moexbar.files.folder import publish

    if folder is None:
        return nullcontext()
    here, there = (Path(os.path.abspath(p)) for p in (folder, output))  # noqa: PTH100 - as publish
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise InputError("--dump-dir", f"{folder} and -o {output}, expected folders side by side")
    return publish(folder, "compile --dump-dir")
