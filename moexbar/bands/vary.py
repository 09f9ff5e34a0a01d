"""A compilation whose chip's numbers are varied: one at a time, and all together at random."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from compiler.baselines import OURS
from ir.errors import InfeasibleError
from moexbar.arguments import check, whole
from moexbar.bands.again import PAIRS, again, energy_parts, figures
from moexbar.bands.assumptions import Assumption, assumptions, left_out, with_numbers
from moexbar.bands.ranges import QUIET, Draws, Moved, effect_of, ranges
from moexbar.compilation import Compilation
from moexbar.progress import Progress
from moexbar.report.banded import BandsRow
from moexbar.report.gains import MethodResult

DRAWS = 32


@dataclass(frozen=True, eq=False)
class _Varied:
    """A compilation whose chip's numbers are moved."""

    done: Compilation
    methods: tuple[MethodResult, ...]
    numbers: tuple[Assumption, ...]

    def at(self, moved: Mapping[str, int]) -> Moved | None:
        """The figures with these numbers; None where a program does not fit."""
        effect = effect_of(self.numbers, moved)
        try:
            judged = {
                one.method.pair: again(
                    one, self.done.routing, with_numbers(one.compiled.chip, moved), effect
                )
                for one in self.methods
            }
        except InfeasibleError:
            return None
        return Moved(figures(judged), energy_parts(judged[OURS].cost))


def with_bands(
    done: Compilation, draws: int = DRAWS, seed: int = 0, progress: Progress = QUIET
) -> Compilation:
    """The compilation with the bands of its figures in its report.

    draws: of all numbers together. Gains are known where the methods they are over were compiled.
    Raises InputError for a number of draws or a seed that is none.
    """
    check("done", done, Compilation, "a Compilation, as `moexbar.compile` gives it")
    found = bands(done, Draws(whole("draws", draws), whole("seed", seed)), progress)
    return replace(done, report=replace(done.report, bands=found))


def bands(done: Compilation, draws: Draws, progress: Progress) -> BandsRow:
    """Every figure with its ranges, and every number with what it moves."""
    fit = [one for one in (*done.baselines, done.ours) if isinstance(one, MethodResult)]
    used = tuple(one for one in fit if one.method.pair in PAIRS)
    numbers = assumptions(done.chip)
    varied = _Varied(done, used, numbers)
    return ranges(numbers, varied.at, draws, left_out(done.chip), progress)
