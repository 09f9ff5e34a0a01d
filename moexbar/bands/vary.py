"""Every number of the chip that has a band, varied: one at a time, and all together at random."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.baselines import OURS
from ir.errors import InfeasibleError
from moexbar.arguments import check, whole
from moexbar.bands.again import PAIRS, Figures, again, energy_parts, figures
from moexbar.bands.assumptions import Assumption, Effect, assumptions, left_out, with_numbers
from moexbar.compilation import Compilation
from moexbar.progress import Progress, Quiet
from moexbar.report.banded import AssumptionRow, BandsRow, EndsRow, FigureRow, RangeRow
from moexbar.report.gains import MethodResult

DRAWS = 32
QUIET = Quiet()
SHARES = frozenset({"break_even_programs"})  # fractions by themselves
EFFECTS: tuple[Effect, ...] = ("cost", "time", "place")  # the later, the more is done again


@dataclass(frozen=True, eq=False)
class _Moved:
    """The figures with some numbers moved, and the parts of the energy."""

    figures: Figures
    energy: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Varied:
    """A compilation whose chip's numbers are moved."""

    done: Compilation
    methods: tuple[MethodResult, ...]
    numbers: tuple[Assumption, ...]

    def at(self, moved: Mapping[str, int]) -> _Moved | None:
        """The figures with these numbers; None where a program does not fit."""
        effects = [a.effect for a in self.numbers if moved.get(a.path, a.value) != a.value]
        effect: Effect = max(effects, key=EFFECTS.index, default=EFFECTS[0])
        try:
            judged = {
                one.method.pair: again(
                    one, self.done.routing, with_numbers(one.compiled.chip, moved), effect
                )
                for one in self.methods
            }
        except InfeasibleError:
            return None
        return _Moved(figures(judged), energy_parts(judged[OURS].cost))


def with_bands(
    done: Compilation, draws: int = DRAWS, seed: int = 0, progress: Progress = QUIET
) -> Compilation:
    """The compilation with the bands of its figures in its report.

    draws: of all numbers together. Gains are known where the methods they are over were compiled.
    Raises InputError for a number of draws or a seed that is none.
    """
    check("done", done, Compilation, "a Compilation, as `moexbar.compile` gives it")
    found = bands(done, whole("draws", draws), whole("seed", seed), progress)
    return replace(done, report=replace(done.report, bands=found))


def bands(done: Compilation, draws: int, seed: int, progress: Progress) -> BandsRow:
    """Every figure with its ranges, and every number with what it moves."""
    fit = [one for one in (*done.baselines, done.ours) if isinstance(one, MethodResult)]
    used = tuple(one for one in fit if one.method.pair in PAIRS)
    numbers = assumptions(done.chip)
    varied = _Varied(done, used, numbers)
    progress.begin("bands", 2 * len(numbers) + draws)
    base = varied.at({})
    if base is None:
        raise AssertionError("a program that was compiled fits its chip")
    ends = []
    for number in numbers:
        at_ends = []
        for value in (number.low, number.high):
            progress.step(f"{number.path} = {value}")
            at_ends.append(base if value == number.value else varied.at({number.path: value}))
        ends.append(tuple(at_ends))
    together = []
    for draw, moved in enumerate(_drawn(numbers, draws, seed)):
        progress.step(f"draw {draw + 1} of {draws}")
        together.append(varied.at(moved))
    progress.end()
    rows = [
        AssumptionRow(
            a.path,
            a.value,
            a.low,
            a.high,
            a.effect,
            {name: _ends(base.figures, name, *at) for name in base.figures},
        )
        for a, at in zip(numbers, ends, strict=True)
    ]
    rows.sort(key=lambda row: -max(end.swing for end in row.figures.values()))
    return BandsRow(
        seed,
        draws,
        sum(one is None for one in together),
        tuple(_figure(name, base.figures, ends, together, rows) for name in base.figures),
        tuple(rows),
        left_out(done.chip),
        _parts(base, numbers, ends, together),
    )


def _drawn(numbers: Sequence[Assumption], draws: int, seed: int) -> Iterable[dict[str, int]]:
    """All numbers at random, each uniform over its band, in whole units."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield {a.path: int(rng.integers(a.low, a.high, endpoint=True)) for a in numbers}


def _ends(base: Figures, name: str, low: _Moved | None, high: _Moved | None) -> EndsRow:
    at = [None if found is None else found.figures[name] for found in (low, high)]
    reached = _range([base[name], *at])
    value = base[name]
    spread = 0.0 if reached.low is None or reached.high is None else reached.high - reached.low
    if name not in SHARES:
        spread = spread / value if value else 0.0
    return EndsRow(at[0], at[1], spread)


def _figure(
    name: str,
    base: Figures,
    ends: Sequence[Sequence[_Moved | None]],
    together: Sequence[_Moved | None],
    rows: Sequence[AssumptionRow],
) -> FigureRow:
    single = _range([base[name], *(f.figures[name] for at in ends for f in at if f is not None)])
    drawn = _range([f.figures[name] for f in together if f is not None])
    most = max(rows, key=lambda row: row.figures[name].swing, default=None)
    moves = most is not None and most.figures[name].swing > 0
    return FigureRow(name, base[name], single, drawn, most.field if most and moves else None)


def _parts(
    base: _Moved,
    numbers: Sequence[Assumption],
    ends: Sequence[Sequence[_Moved | None]],
    together: Sequence[_Moved | None],
) -> tuple[FigureRow, ...]:
    """The parts of the energy with their ranges, the largest first."""
    fit = [f for f in (base, *(f for at in ends for f in at), *together) if f is not None]
    names = dict.fromkeys(name for one in fit for name in one.energy)
    rows = []
    for name in sorted(names, key=lambda name: -base.energy.get(name, 0.0)):
        value = base.energy.get(name, 0.0)
        each = [[f.energy.get(name, 0.0) for f in at if f is not None] for at in ends]
        spans = [max(value, *at) - min(value, *at) if at else 0.0 for at in each]
        most = max(range(len(spans)), key=spans.__getitem__, default=None)
        single = _range([value, *(nj for at in each for nj in at)])
        drawn = _range([f.energy.get(name, 0.0) for f in together if f is not None])
        field = numbers[most].path if most is not None and spans[most] > 0 else None
        rows.append(FigureRow(name, value, single, drawn, field))
    return tuple(rows)


def _range(values: Iterable[float | None]) -> RangeRow:
    known = [value for value in values if value is not None]
    return RangeRow(min(known), max(known)) if known else RangeRow(None, None)
