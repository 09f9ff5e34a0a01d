"""`moexbar simulate`: replay a compiled program, or run it on a chip of other speeds."""

from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ir.chip import Chip
from ir.errors import InputError
from ir.program import Opcode, Program
from moexbar.chips import change_chip, load_chip
from moexbar.cli.options import Json, Settings, overrides
from moexbar.console import out, print_json, table
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.program_file import read_program

if TYPE_CHECKING:  # numba takes half a second to import: only the commands that simulate pay it
    from backends.simulate import Simulation


class Mode(StrEnum):
    """What to do with the given times."""

    REPLAY = "replay"
    RUN = "run"


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output of `moexbar compile`.")],
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="replay: check the given times; run: same order, times anew. Default replay, "
            "or run where the durations are changed."
        ),
    ] = None,
    chip: Annotated[
        str | None,
        typer.Option("--chip", help="Other chip than the folder's: a preset or a TOML file."),
    ] = None,
    settings: Settings = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(help="Stretch an opcode, e.g. --scale MVM=1.5. Repeatable."),
    ] = None,
    waits: Annotated[bool, typer.Option("--waits", help="Who waited for what and whom.")] = False,
    top: Annotated[int, typer.Option(help="Rows of the longest tables.", min=1)] = 10,
    json: Json = False,
) -> None:
    """Simulate a compiled program on its units and say how busy they were.

    An illegal program is refused (exit code 4) naming the instruction. Another chip changes
    times alone: energies stay those compiled for, so compile for that chip to compare energies.

    Example: moexbar simulate build/demo --waits

    Example: moexbar simulate build/demo --set mvm.read_ns=260
    """
    program, own = read_program(folder / "program.parquet"), read_folder_chip(folder)
    other = load_chip(chip) if chip is not None else own
    other = change_chip(other, overrides(settings))
    changed = chip is not None or bool(settings) or bool(scale)
    mode = mode or (Mode.RUN if changed else Mode.REPLAY)
    if mode is Mode.REPLAY and scale:
        raise InputError("--scale", "changes durations, which replay takes as given", "use run")
    done = _simulate(program, own, other, mode, _factors(scale))
    report = _report(done, program, other, mode, waits=waits, top=top)
    report["energies_as_compiled"] = mode is Mode.RUN and other != own
    if json:
        print_json(report)
    else:
        _print(report, waits=waits)


def _simulate(
    program: Program, own: Chip, other: Chip, mode: Mode, factors: dict[Opcode, Fraction]
) -> "Simulation":
    from backends.simulate import replay, retime, run, scale

    if mode is Mode.REPLAY:
        return replay(program, other)
    duration, busy = retime(program, own, other)
    return run(program, own, *scale(program, duration, busy, factors))


def _factors(words: list[str] | None) -> dict[Opcode, Fraction]:
    """{opcode: factor} of OPCODE=FACTOR words."""
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


def _report(
    done: "Simulation", given: Program, chip: Chip, mode: Mode, *, waits: bool, top: int
) -> dict[str, Any]:
    from backends.simulate import Waits, kind_uses, unit_uses

    uses = unit_uses(done.program)
    report: dict[str, Any] = {
        "mode": mode.value,
        "chip": chip.name,
        "instructions": len(given),
        "makespan_ns": done.program.makespan_ps / 1000,
        "given_makespan_ns": given.makespan_ps / 1000,
        "kinds": [
            {
                "kind": k.kind,
                "units": k.units,
                "jobs": k.jobs,
                "busy_ns": k.busy_ps / 1000,
                "share": k.share,
                "busiest": k.busiest.name,
                "busiest_share": k.busiest.share,
            }
            for k in kind_uses(uses)
        ],
        "units": [
            {"unit": u.name, "jobs": u.jobs, "busy_ns": u.busy_ps / 1000, "share": u.share}
            for u in uses[:top]
        ],
    }
    if waits:
        found = Waits(done)
        report["waits"] = [
            {
                "cause": t.cause,
                "opcode": t.opcode,
                "waits": t.waits,
                "total_ns": t.total_ps / 1000,
                "longest_ns": t.longest_ps / 1000,
                "longest_id": t.longest,
                "longest_name": given.name(t.longest),
            }
            for t in found.totals()
        ]
        report["pairs"] = [
            {
                "unit": p.unit,
                "cause": p.cause,
                "holder": p.holder,
                "waiter": p.waiter,
                "waits": p.waits,
                "total_ns": p.total_ps / 1000,
            }
            for p in found.pairs()[:top]
        ]
    return report


def _print(report: dict[str, Any], *, waits: bool) -> None:
    console = out()
    head = f"{report['instructions']} instructions on {report['chip']}: "
    if report["mode"] == "replay":
        head += f"all times hold; makespan {report['makespan_ns'] / 1000:.3f} us"
    else:
        head += f"makespan {report['makespan_ns'] / 1000:.3f} us in the same order, "
        head += f"{report['given_makespan_ns'] / 1000:.3f} us as compiled"
    console.print(head)
    if report["energies_as_compiled"]:
        console.print("times alone: energies are those compiled for (compile for the other chip)")
    kinds = table("kind", "units", "jobs", "busy us", "mean %", "busiest", "its %")
    for k in report["kinds"]:
        kinds.add_row(
            k["kind"],
            str(k["units"]),
            str(k["jobs"]),
            f"{k['busy_ns'] / 1000:.2f}",
            f"{100 * k['share']:.2f}",
            k["busiest"],
            f"{100 * k['busiest_share']:.2f}",
        )
    console.print(kinds)
    if not waits:
        return
    console.print("")
    totals = table("waits for", "opcode", "waits", "total us", "longest us", "longest", left=2)
    for t in report["waits"]:
        totals.add_row(
            t["cause"],
            t["opcode"],
            str(t["waits"]),
            f"{t['total_ns'] / 1000:.3f}",
            f"{t['longest_ns'] / 1000:.3f}",
            f"#{t['longest_id']}",
        )
    console.print(totals)
    if report["pairs"]:
        console.print("")
    for p in report["pairs"]:
        console.print(_sentence(p))


def _sentence(pair: dict[str, Any]) -> str:
    """Who waited how long for whom."""
    who = f"expert {pair['waiter']}" if pair["waiter"] >= 0 else "broadcasts"
    of = "the ADCs" if pair["cause"] == "unit" else "the input buffer"
    time = f"{pair['total_ns'] / 1000:.3f} us in {pair['waits']} waits"
    return f"{who} waited {time} for {of} of {pair['unit']} held by expert {pair['holder']}"
