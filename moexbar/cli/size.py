"""`moexbar size`: how large a model a chip should hold."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ir.errors import InputError
from moexbar.cli.options import CHIP, ChipName, Json, Settings, flattened, read_chip
from moexbar.console import print_json

DEMANDS, MODELS = "Demands", "Models"
Area = Annotated[
    float, typer.Option(help="At most so many mm2.", metavar="MM2", rich_help_panel=DEMANDS)
]
Rate = Annotated[
    float,
    typer.Option(
        help="At least so many tokens a second.", metavar="TOKENS/S", rich_help_panel=DEMANDS
    ),
]
Tokens = Annotated[
    float,
    typer.Option(
        help="That the model is trained on, such as 20e9.",
        metavar="TOKENS",
        rich_help_panel=DEMANDS,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        help="Sequences, each with one token on its way at a time.",
        min=1,
        show_default="tokens stream",
        rich_help_panel=DEMANDS,
    ),
]
Context = Annotated[
    int,
    typer.Option(help="Tokens that attention looks back at.", min=1, rich_help_panel=DEMANDS),
]
Experts = Annotated[
    str,
    typer.Option(
        help="Experts of a layer to choose among; 1: no experts.",
        metavar="N,...",
        rich_help_panel=MODELS,
    ),
]
Mux = Annotated[
    str,
    typer.Option(
        help="Experts behind a peripheral group, at most, to choose among.",
        metavar="N,...",
        rich_help_panel=CHIP,
    ),
]
Frontier = Annotated[
    int,
    typer.Option(
        help="Also so many models of smaller areas: loss against area.",
        min=0,
        rich_help_panel=MODELS,
    ),
]
Beyond = Annotated[
    bool,
    typer.Option(
        "--beyond",
        help="Also models outside the range that the law was fitted to, marked.",
        rich_help_panel=MODELS,
    ),
]


@dataclass(frozen=True)
class SizeRequest:
    """The options with a default."""

    batch: Batch = None
    context: Context = 1024
    experts: Experts = "1,2,4,8,16,32"
    frontier: Frontier = 0
    beyond: Beyond = False
    chip: ChipName = "hermes"
    settings: Settings = None
    mux: Mux = "1,2,4,8"


@flattened
def size_command(
    area: Area, rate: Rate, tokens: Tokens, asked: SizeRequest, json: Json = False
) -> None:
    """Choose how large a model a chip should hold: parameters and experts, by a scaling law.

    The loss of decoder-only models with top-1 experts follows from their active parameters, experts
    and training tokens by a published law (arXiv 2502.05172). Every shape in its range is counted
    in crossbars of the chip at every mux; the least loss within area and rate is the answer, beside
    the best model without experts (docs/size.md).

    Example: moexbar size --area 3000 --rate 1e5 --tokens 20e9

    Example: moexbar size --area 6000 --rate 1e5 --tokens 20e9 --frontier 6
    """
    from moexbar.cli.size_text import print_sized
    from moexbar.scaling.task import size

    report = size(
        read_chip(asked.chip, asked.settings),
        area=area,
        rate=rate,
        tokens=tokens,
        batch=asked.batch,
        context=asked.context,
        experts=_numbers("--experts", asked.experts),
        muxes=_numbers("--mux", asked.mux),
        points=asked.frontier,
        beyond=asked.beyond,
    )
    if json:
        print_json(report)
    else:
        print_sized(report)


def _numbers(option: str, words: str) -> tuple[int, ...]:
    """The whole numbers between commas; InputError naming the option otherwise."""
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError as error:
        raise InputError(option, f"{words!r}, expected whole numbers such as 1,2,4") from error
