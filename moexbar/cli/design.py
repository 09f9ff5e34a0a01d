"""`moexbar design`: the chip as an answer."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.options import GroupingOptions
from ir.errors import InputError
from moexbar.cli.compile_options import Batch, Decode, Grouping
from moexbar.cli.options import (
    CHIP,
    INPUTS,
    OUTPUT,
    WINDOW,
    ChipName,
    Fit,
    Json,
    Output,
    Score,
    Seed,
    Settings,
    Time,
    flattened,
    fraction_span,
    read_chip,
    solver_options,
)
from moexbar.console import print_json, stages
from moexbar.designs.demands import Objective

if TYPE_CHECKING:
    from moexbar.designs.task import Designed
    from moexbar.model import Model

DEMANDS = "Demands"
Models = Annotated[
    list[Path],
    typer.Argument(
        metavar="MODEL...",
        help="ONNX file, folder with one, or config.json (docs/configurations.md). Several: one "
        "chip for all of them.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="Of several models the share of each in all runs.",
        metavar="N,N,...",
        show_default="alike",
        rich_help_panel=DEMANDS,
    ),
]
Traces = Annotated[
    list[Path] | None,
    typer.Option(
        "--routing",
        help="Routing trace of the model; the word synthetic: made up (docs/examples.md). "
        "Repeatable, of each model in order.",
        metavar="TRACE|synthetic",
        rich_help_panel=INPUTS,
    ),
]
Fed = Annotated[
    list[Path] | None,
    typer.Option(
        "--inputs",
        help="NPZ with model inputs: profiled first. Repeatable, of each model in order, or one "
        "for all.",
        rich_help_panel=INPUTS,
    ),
]
Prefill = Annotated[
    int, typer.Option(help="Tokens of a sequence run together.", min=1, rich_help_panel=WINDOW)
]
Area = Annotated[
    float | None,
    typer.Option(help="At most so many mm2.", metavar="MM2", rich_help_panel=DEMANDS),
]
Reticles = Annotated[
    float | None,
    typer.Option(help="At most so many reticles of 858 mm2.", rich_help_panel=DEMANDS),
]
Rate = Annotated[
    float | None,
    typer.Option(
        help="At least so many tokens a second, of all sequences.",
        metavar="TOKENS/S",
        rich_help_panel=DEMANDS,
    ),
]
Latency = Annotated[
    float | None,
    typer.Option(
        help="At most so many us for the prefill, or for a decode step.",
        metavar="US",
        rich_help_panel=DEMANDS,
    ),
]
Energy = Annotated[
    float | None,
    typer.Option(help="At most so many uJ for that.", metavar="UJ", rich_help_panel=DEMANDS),
]
Power = Annotated[
    float | None,
    typer.Option(
        help="At most so many W in the mean of that; the chip waits where it must.",
        metavar="W",
        rich_help_panel=DEMANDS,
    ),
]
Perplexity = Annotated[
    float | None,
    typer.Option(
        help="Converters whose bits keep the model's perplexity at most so, as `moexbar accuracy` "
        "measures it on --inputs; others by --among bits=N,...",
        metavar="N",
        rich_help_panel=DEMANDS,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        help="Drawings of the cells' errors, of which the mean perplexity counts.",
        min=1,
        rich_help_panel=DEMANDS,
    ),
]
Best = Annotated[
    Objective | None,
    typer.Option(
        help="What is least; efficiency: most GOPS/W/mm2.",
        show_default="area within a rate or latency, else time",
        rich_help_panel=DEMANDS,
    ),
]
Frontier = Annotated[
    int,
    typer.Option(
        help="So many chips from the smallest to the fastest instead of one.",
        min=0,
        rich_help_panel=DEMANDS,
    ),
]
Among = Annotated[
    list[str] | None,
    typer.Option(
        help="Values of sizes, stack, copies, replicas, transfers, lanes, buffers, dpus, mha, "
        "columns or bits. Repeatable.",
        metavar="WHAT=N,...",
        show_default="docs/design.md",
        rich_help_panel=CHIP,
    ),
]
Programs = Annotated[
    bool,
    typer.Option(help="Compile every chip and replay its program.", rich_help_panel=OUTPUT),
]


@dataclass(frozen=True)
class DesignRequest:
    """The command's options, but for what is done with it all."""

    chip: ChipName = "hermes"
    settings: Settings = None
    among: Among = None
    area: Area = None
    reticles: Reticles = None
    rate: Rate = None
    latency: Latency = None
    energy: Energy = None
    perplexity: Perplexity = None
    seeds: Seeds = 3
    power: Power = None
    objective: Best = None
    frontier: Frontier = 0
    weights: Weights = None
    routing: Traces = None
    inputs: Fed = None
    prefill: Prefill = 128
    batch: Batch = 1
    decode: Decode = 0
    fit: Fit = "0:0.5"
    score: Score = "0.5:1"
    grouping: Grouping = "cp-sat"
    time: Time = 1
    seed: Seed = 0


@flattened
def design_command(
    models: Models,
    output: Output,
    asked: DesignRequest,
    programs: Programs = True,
    json: Json = False,
) -> None:
    """Choose the chip for a model and its traffic: size, sharing and units, within limits.

    Group sizes of every layer, layers that share peripheral groups, copies of dense blocks and of
    experts, bus, return link, input buffers and units are chosen together, exactly, by a model of
    the chip's time that needs no program (docs/design.md). Each chip that is chosen is then
    compiled and replayed, and the model's error printed. Into the output folder go its file and the
    command that compiles it. Of several models it is one chip that serves each, alone on it.

    Example: moexbar design model.onnx --routing routing.npz --latency 25 -o chip

    Example: moexbar design model.onnx --inputs tokens.npz --frontier 8 -o chips

    Example: moexbar design model.onnx --routing r.npz --decode 8 --batch 8 --rate 1e6 -o chip

    Example: moexbar design a.onnx b.onnx --weights 0.7,0.3 --inputs t.npz --latency 25 -o chip

    Example: moexbar design m.onnx --inputs t.npz --area 90 --perplexity 4.4 --among bits=5,6,8 -o c
    """
    from moexbar.cli.design_text import print_designed
    from moexbar.files.folder import publish
    from moexbar.model import Model

    with publish(output, "design") as draft, ExitStack() as stack:
        opened = [stack.enter_context(Model(model)) for model in models]
        designed = _designed(opened, asked, programs=programs)
        designed.write(draft)
    if json:
        print_json(designed.report)
    else:
        print_designed(designed.report, output)


def _designed(models: "list[Model]", asked: DesignRequest, *, programs: bool) -> "Designed":
    """What the options ask for."""
    from moexbar.designs.demands import Demands
    from moexbar.designs.task import design

    limits = asked.area, asked.reticles, asked.rate, asked.latency, asked.energy
    demands = Demands(*limits, asked.objective, asked.perplexity, asked.seeds, asked.power)
    among = among_of(asked.among or [])
    with stages() as progress:
        return design(
            models,
            read_chip(asked.chip, asked.settings),
            demands,
            weights=numbers_of(asked.weights),
            inputs=asked.inputs,
            routing=asked.routing,
            prefill=asked.prefill,
            batch=asked.batch,
            decode=asked.decode,
            frontier=asked.frontier,
            among=among,
            grouping=GroupingOptions(asked.grouping),
            fit=fraction_span(asked.fit, "--fit"),
            score=fraction_span(asked.score, "--score"),
            limits=solver_options(asked.time, asked.seed),
            programs=programs,
            progress=progress,
        )


def numbers_of(word: str | None) -> tuple[float, ...]:
    """The numbers of --weights; whether they can be weights is said where they are used."""
    try:
        return tuple(float(part) for part in word.split(",")) if word is not None else ()
    except ValueError as error:
        raise InputError("--weights", f"{word!r}, expected N,N,... such as 0.7,0.3") from error


def among_of(words: list[str]) -> dict[str, tuple[int, ...]]:
    """{what is chosen: its values} of the words of --among."""
    found: dict[str, tuple[int, ...]] = {}
    for word in words:
        name, _, text = word.partition("=")
        parts = text.split(",")
        if not all(part.isdigit() for part in parts):
            raise InputError("--among", f"{word!r}, expected WHAT=N,N,... such as copies=1,2")
        found[name] = tuple(int(part) for part in parts)
    return found
