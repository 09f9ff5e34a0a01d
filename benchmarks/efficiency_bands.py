"""How often the MoE GOPS/mm2 of another method ours has, and over which range of assumed numbers.

A part of `python -m benchmarks.efficiency`. Programs keep their groups, slot orders and sizes and
are costed, timed or placed anew (`moexbar/bands`), all methods of a window on the same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.cost import CostReport
from benchmarks.efficiency_programs import Emitted, rate
from compiler.baselines import OURS, PAPER, PAPER_BASELINE, SERIAL_OURS, UNSHARED_OURS, Pair
from ir.errors import InfeasibleError
from ir.routing import Routing
from moexbar.bands.again import again
from moexbar.bands.assumptions import Assumption, assumptions, with_numbers
from moexbar.bands.ranges import Draws, Moved, effect_of, ranges
from moexbar.progress import Progress
from moexbar.report.banded import BandsRow
from moexbar.report.gains import MethodResult

GAINS: dict[str, Pair] = {  # ours over which other method
    "sharing (unshared, ours)": UNSHARED_OURS,
    "grouping (sorted, ours)": ("sorted", "ours"),
    "ordering (ours, serial)": SERIAL_OURS,
    "ordering (ours, paper's)": ("ours", "paper's"),
    "the paper's method": PAPER,
    "the paper's baseline": PAPER_BASELINE,
}
NO_RATE = ("_fj", "_uw", "_energy", "_bit_mm", "wake_ps", "mha_um2")  # ends of numbers' paths


@dataclass(frozen=True, eq=False)
class _Programs:
    """Programs of the same windows by every method, whose chips' numbers are moved."""

    programs: Mapping[Pair, Sequence[MethodResult]]
    routing: Routing
    numbers: tuple[Assumption, ...]

    def at(self, moved: Mapping[str, int]) -> Moved | None:
        """The gains with these numbers; None where a program does not fit."""
        effect = effect_of(self.numbers, moved)

        def costs(programs: Sequence[MethodResult]) -> list[CostReport]:
            """Of each program on its chip with these numbers."""
            chips = [with_numbers(one.compiled.chip, moved) for one in programs]
            return [
                again(one, self.routing, chip, effect).cost
                for one, chip in zip(programs, chips, strict=True)
            ]

        try:
            return Moved(dict(gains({p: costs(each) for p, each in self.programs.items()})))
        except InfeasibleError:
            return None


def gains(costs: Mapping[Pair, Sequence[CostReport]]) -> dict[str, float]:
    """MoE GOPS/mm2 of ours over those of each other method, by name; costs of the same windows."""
    ours = rate(costs[OURS])
    return {name: ours / rate(costs[pair]) for name, pair in GAINS.items()}


def rate_numbers(numbers: Sequence[Assumption]) -> tuple[Assumption, ...]:
    """Those that times or areas of an MoE layer rest on.

    Neither energies nor static power do, nor attention units; nor shares of a core's parts, as long
    as it has the converters that its source has.
    """
    return tuple(
        a for a in numbers if not a.path.endswith(NO_RATE) and not a.path.startswith("split.")
    )


def banded(
    ways: Sequence[Mapping[Pair, Emitted]],
    number: int,
    routing: Routing,
    draws: Draws,
    progress: Progress,
) -> BandsRow:
    """The gains over so many windows, taken from the ways in turn, with their ranges."""
    programs = {
        pair: [
            one for turn in zip(*(way[pair].programs for way in ways), strict=True) for one in turn
        ]
        for pair in (OURS, *GAINS.values())
    }
    some = {pair: each[:number] for pair, each in programs.items()}
    numbers = rate_numbers(assumptions(ways[0][OURS].chip))
    return ranges(numbers, _Programs(some, routing, numbers).at, draws, progress=progress)
