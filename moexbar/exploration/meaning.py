"""What a sweep asks, as named texts: two runs that ask the same have the same, file by file."""

import json
from collections.abc import Iterator, Mapping

from ir.errors import InputError, MoexbarError
from moexbar import __version__
from moexbar.chips import load_chip
from moexbar.exploration.content import key_of
from moexbar.exploration.prepare import is_chip_file
from moexbar.exploration.sweep import Setting, Sweep
from moexbar.files.model_files import model_file
from moexbar.files.sources import digest
from moexbar.report.plain import as_json

PATHS = ("model", "inputs", "routing", "grouping_file", "stacks", "digital_experts")
SHOWN = 5  # names of what changed, in a message


def meaning_of(sweep: Sweep) -> dict[str, str]:
    """{what is asked: its text}: settings, and of files the SHA-256 of what is in them."""
    said: dict[str, object] = {"moexbar": __version__, "kind": sweep.kind}
    said |= {f"fixed {name}": value for name, value in sweep.fixed.items()}
    said |= {f"vary {name}": values for name, values in sweep.axes.items()}
    said |= {f"range of {name}": value for name, value in sweep.ranges.items()}
    said |= {"points": key_of([dict(point) for point in sweep.listed]), "draws": sweep.draws}
    said |= {"seed": sweep.seed, "batch": sweep.batch, "objectives": sweep.objectives}
    said |= {"figures": sweep.figures, "order": [*sweep.varied]}
    said |= _files(sweep)
    return {name: json.dumps(as_json(value)) for name, value in said.items()}


def refuse_changed(where: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """InputError naming what is asked otherwise than when a sweep was begun."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not names:
        return
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    raise InputError(
        where,
        f"was begun with another sweep; changed since: {', '.join(names[:SHOWN])}{more}",
        "put it back as it was, or choose another -o",
    )


def _files(sweep: Sweep) -> dict[str, str]:
    """{what a setting names: a hash of its content}, where there is such a file or chip."""
    found: dict[str, str] = {}
    for name in PATHS:
        for value in _values(sweep, name):
            path = sweep.folder / str(value)
            try:
                path = model_file(path) if name == "model" else path
            except MoexbarError:
                continue
            if path.is_file():
                found[f"file of {name} {value}"] = digest(path)
    chips = list(_values(sweep, "chip")) or ["hermes-mux2"]
    for value in chips:
        named = str(value)
        try:
            file = sweep.folder / named if is_chip_file(named) else named
            found[f"chip {value}"] = key_of(load_chip(file))
        except MoexbarError:
            continue
    return found


def _values(sweep: Sweep, name: str) -> Iterator[Setting]:
    """Every value that a setting has somewhere in a sweep."""
    for point in (sweep.fixed, *sweep.listed):
        if name in point:
            yield point[name]
    yield from sweep.axes.get(name, ())
    yield from sweep.choices(name)
