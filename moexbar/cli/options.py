"""Options that several commands share, with their parsing; the panels of help they stand in."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ir.errors import InputError
from ir.lengths import Tokens
from moexbar.cli.complete import chip_names

if TYPE_CHECKING:
    from compiler.options import SolverOptions
    from ir.chip import Chip
    from moexbar.files.traces.reading import Reading

CHIP = "Chip"
INPUTS = "Model and inputs"
ROUTING = "Routing"
WINDOW = "Window"
METHODS = "Methods"
WHICH = "Which instructions"
OUTPUT = "Output"  # the last panel, with --help

LOW_HIGH = "LOW:HIGH"

ChipName = Annotated[
    str,
    typer.Option(
        "--chip",
        help="Preset (see `moexbar chips`) or a TOML file.",
        metavar="NAME|PATH",
        autocompletion=chip_names,
        rich_help_panel=CHIP,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change one field of the chip, such as pg.mux=4. Repeatable.",
        metavar="FIELD=VALUE",
        rich_help_panel=CHIP,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of a table.", rich_help_panel=OUTPUT)
]
Fit = Annotated[
    str,
    typer.Option(
        help="Sequences to fit to, as fractions of the trace.",
        metavar=LOW_HIGH,
        rich_help_panel=ROUTING,
    ),
]
Score = Annotated[
    str,
    typer.Option(
        help="Sequences to score on, as fractions of the trace.",
        metavar=LOW_HIGH,
        rich_help_panel=ROUTING,
    ),
]
Window = Annotated[
    int,
    typer.Option("--window", help="Tokens in flight together.", min=1, rich_help_panel=WINDOW),
]
Time = Annotated[
    float,
    typer.Option(
        "--time",
        help="Solver limit per layer, deterministic seconds.",
        min=0.01,
        rich_help_panel=METHODS,
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the solvers.", min=0, rich_help_panel=METHODS)]
Bus = Annotated[
    int | None,
    typer.Option(
        "--bus", help="At most so many transfers in a slot (B).", min=1, rich_help_panel=METHODS
    ),
]
Buffer = Annotated[
    int | None,
    typer.Option(
        "--buffer",
        help="At most so many unfinished tokens (W; online: 64).",
        min=1,
        rich_help_panel=METHODS,
    ),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", help="Where to write.", rich_help_panel=OUTPUT)
]
Layer = Annotated[int | None, typer.Option(help="One layer.", rich_help_panel=WHICH)]
First = Annotated[
    float | None, typer.Option("--from", help="From this time, in ns.", rich_help_panel=WHICH)
]
Last = Annotated[
    float | None, typer.Option("--to", help="Up to this time, in ns.", rich_help_panel=WHICH)
]


def _compiled(folder: Path) -> Path:
    """The folder; InputError where another command wrote it."""
    from moexbar.files.manifest import refuse_other

    refuse_other(folder, "compile")
    return folder


CompiledFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Output of `moexbar compile`.", callback=_compiled)
]
Unchecked = Annotated[
    bool,
    typer.Option(
        "--unchecked",
        help="Read files of DIR that were changed since they were written.",
        rich_help_panel=INPUTS,
    ),
]
ModelFile = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="ONNX file, folder with one, or config.json (docs/configurations.md).",
    ),
]
RoutingFile = Annotated[
    Path,
    typer.Argument(
        metavar="ROUTING", help="Routing trace: NPZ, NPY, CSV, Parquet or JSONL (docs/formats.md)."
    ),
]
AxisNames = Annotated[
    str | None,
    typer.Option(
        "--axes",
        help="Axes of the trace's array, such as tokens,layers,k.",
        metavar="AXIS,...",
        show_default="recognised",
        rich_help_panel=ROUTING,
    ),
]
NumExperts = Annotated[
    int | None,
    typer.Option(
        "--num-experts",
        help="Experts of a layer of the trace.",
        min=1,
        show_default="as in the file, else its highest id + 1",
        rich_help_panel=ROUTING,
    ),
]
TraceLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        help="Raise a limit on the trace's size, as its message says. Repeatable.",
        metavar="NAME=NUMBER",
        rich_help_panel=ROUTING,
    ),
]


@dataclass(frozen=True)
class Lengths:
    """Lengths of sequences that were typed: T, or S,T of an encoder and a decoder."""

    tokens: Tokens


def lengths(typed: str) -> Lengths:
    """The whole numbers of at least 1 between commas; a usage error names what is none."""
    found: list[int] = []
    for part in typed.split(","):
        try:
            found.append(int(part))
        except ValueError as error:
            problem = "Input should be a valid integer, unable to parse string as an integer"
            raise typer.BadParameter(problem) from error
    if min(found) < 1:
        raise typer.BadParameter("Input should be greater than or equal to 1")
    return Lengths(tuple(found) if len(found) > 1 else found[0])


def flattened(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the fields of its parameter `asked`, a dataclass of options, in its place."""
    own = signature(command, eval_str=True).parameters
    asked = own["asked"].annotation
    shared = [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in fields(asked)
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        ours = {option.name: given.pop(option.name) for option in shared}
        command(asked=asked(**ours), **given)

    every: list[Parameter] = []
    for name, parameter in own.items():
        kept = parameter.replace(kind=Parameter.KEYWORD_ONLY)
        every += shared if name == "asked" else [kept]
    run.__signature__ = signature(command).replace(parameters=every)  # type: ignore[attr-defined]
    return run


def trace_reading(axes: str | None, num_experts: int | None, limits: list[str] | None) -> "Reading":
    """How to read a trace file, with remarks to standard error."""
    from moexbar.console import note
    from moexbar.files.traces.axes import Axes
    from moexbar.files.traces.reading import Reading, RoutingLimits

    return Reading(
        Axes.of(axes),
        num_experts,
        limits=RoutingLimits.of(limits or []),
        say=lambda remark: note(f"note: {remark}"),
    )


def read_chip(name: str, settings: list[str] | None) -> "Chip":
    """The chip with the command line's changes."""
    from moexbar.chips import changed_chip

    return changed_chip(name, overrides(settings), "--set ")


def overrides(settings: list[str] | None) -> dict[str, str]:
    """{field path: value} of the --set words."""
    found: dict[str, str] = {}
    for setting in settings or []:
        path, equals, value = setting.partition("=")
        if not equals:
            raise InputError("--set", f"{setting!r}, expected FIELD=VALUE such as pg.mux=4")
        found[path.strip()] = value.strip()
    return found


def fraction_span(text: str, option: str) -> tuple[float, float]:
    """(low, high) of `low:high` with 0 <= low < high <= 1."""
    parts = text.split(":")
    try:
        low, high = (float(part) for part in parts)
    except ValueError as error:
        raise InputError(option, f"{text!r}, expected low:high such as 0:0.5") from error
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low < high <= 1):
        raise InputError(option, f"{text!r}, expected 0 <= low < high <= 1")
    return low, high


def solver_options(time_s: float, seed: int) -> "SolverOptions":
    """Limits for one layer; one worker, so that the answer repeats."""
    from compiler.options import SolverOptions

    return SolverOptions(time_s=time_s, seed=seed)
