"""`moexbar simulate`: replay a compiled program, or run it on a chip of other speeds."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ir.errors import InputError
from moexbar.cli.complete import chip_names
from moexbar.cli.options import (
    CHIP,
    OUTPUT,
    CompiledFolder,
    Json,
    Settings,
    Unchecked,
    overrides,
)
from moexbar.console import out, print_json, table

if TYPE_CHECKING:
    from ir.program import Opcode
    from moexbar.report.programs import SimulateReport, WaitedRow, WaitRow

TIMES = "Times"

Mode = Annotated[
    Literal["replay", "run"] | None,
    typer.Option(
        help="replay: check the given times; run: the same order, times anew.",
        show_default="replay, or run where durations are changed",
        rich_help_panel=TIMES,
    ),
]
OtherChip = Annotated[
    str | None,
    typer.Option(
        "--chip",
        help="Another chip: a preset or a TOML file.",
        metavar="NAME|PATH",
        show_default="the folder's",
        autocompletion=chip_names,
        rich_help_panel=CHIP,
    ),
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        help="Stretch an opcode, such as MVM=1.5. Repeatable.",
        metavar="OPCODE=FACTOR",
        rich_help_panel=TIMES,
    ),
]
ShowWaits = Annotated[
    bool,
    typer.Option("--waits", help="Who waited for what and whom.", rich_help_panel=OUTPUT),
]
Top = Annotated[
    int, typer.Option(help="Rows of the longest tables.", min=1, rich_help_panel=OUTPUT)
]


def simulate(
    folder: CompiledFolder,
    mode: Mode = None,
    chip: OtherChip = None,
    settings: Settings = None,
    scale: Scale = None,
    waits: ShowWaits = False,
    top: Top = 10,
    unchecked: Unchecked = False,
    json: Json = False,
) -> None:
    """Simulate a compiled program: busy units, and which of them bind.

    An illegal program is refused (exit code 4) naming the instruction. Another chip changes
    times alone: energies stay those compiled for, so compile for that chip to compare energies.

    Example: moexbar simulate build/demo --waits

    Example: moexbar simulate build/demo --set mvm.read_ns=260
    """
    from backends.binding import binding_lines, bound_by
    from moexbar.chips import change_chip, load_chip
    from moexbar.files.chip_file import read_folder_chip
    from moexbar.files.output import read_output
    from moexbar.files.program_file import read_program
    from moexbar.simulation import simulate_program, simulation_report, with_waits

    if folder.is_file():
        raise InputError(
            str(folder),
            "a file, expected the output folder of `moexbar compile`",
            "a trace or load counts hold no program: moexbar compile MODEL --routing TRACE -o DIR",
        )
    files = read_output(folder, ("compile",), unchecked=unchecked)
    program = read_program(files.file("program.parquet"))
    own = read_folder_chip(files.file("report.json"))
    other = load_chip(chip).sized_as(own) if chip is not None else own
    other = change_chip(other, overrides(settings))
    changed = chip is not None or bool(settings) or bool(scale)
    mode = mode or ("run" if changed else "replay")
    if mode == "replay" and scale:
        raise InputError("--scale", "changes durations, which replay takes as given", "use run")
    done = simulate_program(program, own, other, mode, _factors(scale))
    bindings = bound_by(done.program, other)
    report = simulation_report(done, program, own, other, mode, bindings, top)
    if waits:
        report = with_waits(report, done, program, top)
    if json:
        print_json(report)
    else:
        _print(report, other.title, binding_lines(bindings))


def _factors(words: list[str] | None) -> dict["Opcode", Fraction]:
    """{opcode: factor} of OPCODE=FACTOR words."""
    from ir.program import Opcode

    factors: dict[Opcode, Fraction] = {}
    for word in words or []:
        name, _, text = word.partition("=")
        if name.upper() not in Opcode.__members__:
            known = ", ".join(op.name for op in Opcode)
            raise InputError("--scale", f"{word!r}: no opcode {name!r}, expected one of {known}")
        try:
            factor = Fraction(text[:40])
        except (ValueError, ZeroDivisionError) as error:
            raise InputError("--scale", f"{word!r}, expected OPCODE=FACTOR like MVM=1.5") from error
        if not 0 <= factor <= 1000:
            raise InputError("--scale", f"{word!r}, expected a factor from 0 to 1000")
        factors[Opcode[name.upper()]] = factor
    return factors


def _print(report: "SimulateReport", chip: str, bound: Iterable[str]) -> None:
    console = out()
    head = f"{report.instructions} instructions on {chip}: "
    if report.mode == "replay":
        head += f"all times hold; makespan {report.makespan_ns / 1000:.3f} us"
    else:
        head += f"makespan {report.makespan_ns / 1000:.3f} us in the same order, "
        head += f"{report.given_makespan_ns / 1000:.3f} us as compiled"
    console.print(head)
    if report.energies_as_compiled:
        console.print("times alone: energies are those compiled for (compile for the other chip)")
    kinds = table("kind", "units", "jobs", "busy us", "mean %", "busiest", "its %")
    for k in report.kinds:
        kinds.add_row(
            k.kind,
            str(k.units),
            str(k.jobs),
            f"{k.busy_ns / 1000:.2f}",
            f"{100 * k.share:.2f}",
            k.busiest,
            f"{100 * k.busiest_share:.2f}",
        )
    console.print(kinds)
    for line in bound:
        console.print(line)
    if report.waits is not None:
        _print_waits(report.waits, report.pairs or ())


def _print_waits(waits: Iterable["WaitRow"], pairs: Sequence["WaitedRow"]) -> None:
    """Waiting by cause, then who waited for whom."""
    console = out()
    console.print("")
    totals = table("waits for", "opcode", "waits", "total us", "longest us", "longest", left=2)
    for t in waits:
        totals.add_row(
            t.cause,
            t.opcode,
            str(t.waits),
            f"{t.total_ns / 1000:.3f}",
            f"{t.longest_ns / 1000:.3f}",
            f"#{t.longest_id}",
        )
    console.print(totals)
    if pairs:
        console.print("")
    for p in pairs:
        console.print(_sentence(p))


def _sentence(pair: "WaitedRow") -> str:
    """Who waited how long for whom."""
    who = f"expert {pair.waiter}" if pair.waiter >= 0 else "broadcasts"
    of = "the ADCs" if pair.cause == "unit" else "the input buffer"
    time = f"{pair.total_ns / 1000:.3f} us in {pair.waits} waits"
    return f"{who} waited {time} for {of} of {pair.unit} held by expert {pair.holder}"
