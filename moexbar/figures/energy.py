"""What energy is taken by: instructions by opcode, and what is drawn whatever they do."""

from collections.abc import Iterator
from typing import Any

from moexbar.figures.figure import Figure, Shown
from moexbar.figures.grammar import hover
from moexbar.figures.methods import fitting, unfit_words
from moexbar.figures.palette import OPCODES, STATIC
from moexbar.figures.stacked import OTHER, stacked, with_rest
from moexbar.report.compiled import Report

LEAST = 0.01  # of a method's energy, to be named


def energy(shown: Shown) -> Figure | None:
    """The energy of every method by part; None where no method has a program."""
    data = list(energy_rows(shown.report))
    if not data:
        return None
    whole = next(row.energy_nj.total for row in reversed(list(fitting(shown.report))))
    return Figure(
        "energy",
        f"Where the energy goes: {whole / 1000:.4g} uJ",
        "Energy of the program of each method: of its instructions by opcode and of the buffers "
        "that they use (colours), and static power over its time (greys). "
        f"{OTHER}: what takes less than {LEAST:.0%} in every method.{unfit_words(shown.report)}",
        stacked(
            data,
            "uJ",
            {**OPCODES, **STATIC},
            hover(
                method="method",
                part="part",
                kind="kind",
                value="energy, uJ|,.4~f",
                share="of the method's|.1%",
            ),
        ),
    )


def energy_rows(report: Report) -> Iterator[dict[str, Any]]:
    """Parts of each method's energy in uJ, dynamic before static, small ones together."""
    found = []
    for row in fitting(report):
        kinds = (("dynamic", row.energy_nj.dynamic), ("static", row.energy_nj.static))
        found += [
            {"method": row.method, "part": part, "kind": kind, "value": nj / 1000}
            for kind, of in kinds
            for part, nj in sorted(of.items(), key=lambda item: -item[1])
        ]
    return with_rest(found, LEAST)
