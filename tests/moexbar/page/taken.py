"""A compilation in which everything that has a name has a hostile one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

from moexbar.figures.figure import Shown
from moexbar.report.compiled import Report
from moexbar.report.mapped import MappingFile
from moexbar.report.plain import as_json
from moexbar.report.reading import typed

TAKEN = {  # keys of report.json and mapping.json whose texts come from elsewhere
    *("name", "notes", "description", "source", "written", "method", "grouping", "scheduling"),
    *("objective", "summary", "reason", "operator", "first", "busiest", "checks", "norm"),
    *("solver", "policy", "tensor", "dynamic", "parts", "sha256", "moexbar", "skipped"),
}


def with_names(shown: Shown, names: Sequence[str]) -> Shown:
    """The same with the names by turns: of model, chip, methods, solvers, nodes, reasons, units."""
    turn, program = cycle(names), shown.program
    assert program is not None
    units = tuple(replace(unit, name=f"{next(turn)}{i}") for i, unit in enumerate(program.units))
    nodes = tuple((next(turn),) for _ in program.nodes)
    return Shown(
        typed(Report, _taken(as_json(shown.report), turn), "report"),
        typed(MappingFile, _taken(as_json(shown.mapping), turn), "mapping"),
        replace(program, units=units, nodes=nodes),
        shown.routing,
    )


def _taken(found: Any, turn: Iterator[str], key: str = "") -> Any:
    """Plain data with every text under such a key, and every name of a part, replaced."""
    if isinstance(found, dict):
        parts = key in ("dynamic", "parts")
        named = {f"{next(turn)} {k}" if parts else k: v for k, v in found.items()}
        if "max_relative" in found:  # a value of the model; other values are numbers
            named["value"] = next(turn)
        return {k: _taken(v, turn, key if parts else k) for k, v in named.items()}
    if isinstance(found, list):
        return [_taken(one, turn, key) for one in found]
    return next(turn) if isinstance(found, str) and key in TAKEN else found
