"""Figures over the numbers of a chip that have a band: one at a time, and all at random."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moexbar.bands.assumptions import Assumption, Effect
from moexbar.progress import Progress, Quiet
from moexbar.report.banded import AssumptionRow, BandsRow, EndsRow, FigureRow, RangeRow

Figures = dict[str, float | None]
QUIET = Quiet()
SHARES = frozenset({"break_even_programs"})  # fractions by themselves
EFFECTS: tuple[Effect, ...] = ("cost", "time", "place")  # the later, the more is done again


@dataclass(frozen=True, eq=False)
class Moved:
    """The figures with some numbers moved, and the parts of the energy where they are asked for."""

    figures: Figures
    energy: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Draws:
    """How often all numbers move together, at random by the seed."""

    number: int
    seed: int


def effect_of(numbers: Sequence[Assumption], moved: Mapping[str, int]) -> Effect:
    """What has to be done again where these numbers are others."""
    effects = [a.effect for a in numbers if moved.get(a.path, a.value) != a.value]
    return max(effects, key=EFFECTS.index, default=EFFECTS[0])


def ranges(
    numbers: Sequence[Assumption],
    at: Callable[[Mapping[str, int]], Moved | None],
    draws: Draws,
    left_out: tuple[str, ...] = (),
    progress: Progress = QUIET,
) -> BandsRow:
    """Every figure with its ranges, and every number with what it moves.

    at: the figures with some numbers moved, None where nothing fits; with none moved they are known
    to fit. left_out: numbers with a band that are not moved.
    """
    progress.begin("bands", 2 * len(numbers) + draws.number)
    base = at({})
    if base is None:
        raise AssertionError("a program that was compiled fits its chip")
    ends = []
    for number in numbers:
        at_ends = []
        for value in (number.low, number.high):
            progress.step(f"{number.path} = {value}")
            at_ends.append(base if value == number.value else at({number.path: value}))
        ends.append(tuple(at_ends))
    together = []
    for draw, moved in enumerate(_drawn(numbers, draws)):
        progress.step(f"draw {draw + 1} of {draws.number}")
        together.append(at(moved))
    progress.end()
    rows = [
        AssumptionRow(
            a.path,
            a.value,
            a.low,
            a.high,
            a.effect,
            {name: _ends(base.figures, name, *found) for name in base.figures},
        )
        for a, found in zip(numbers, ends, strict=True)
    ]
    rows.sort(key=lambda row: -max(end.swing for end in row.figures.values()))
    return BandsRow(
        draws.seed,
        draws.number,
        sum(one is None for one in together),
        tuple(_figure(name, base.figures, ends, together, rows) for name in base.figures),
        tuple(rows),
        left_out,
        _parts(base, numbers, ends, together),
    )


def _drawn(numbers: Sequence[Assumption], draws: Draws) -> Iterable[dict[str, int]]:
    """All numbers at random, each uniform over its band, in whole units."""
    rng = np.random.default_rng(draws.seed)
    for _ in range(draws.number):
        yield {a.path: int(rng.integers(a.low, a.high, endpoint=True)) for a in numbers}


def _ends(base: Figures, name: str, low: Moved | None, high: Moved | None) -> EndsRow:
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
    ends: Sequence[Sequence[Moved | None]],
    together: Sequence[Moved | None],
    rows: Sequence[AssumptionRow],
) -> FigureRow:
    single = _range([base[name], *(f.figures[name] for at in ends for f in at if f is not None)])
    drawn = _range([f.figures[name] for f in together if f is not None])
    most = max(rows, key=lambda row: row.figures[name].swing, default=None)
    moves = most is not None and most.figures[name].swing > 0
    return FigureRow(name, base[name], single, drawn, most.field if most and moves else None)


def _parts(
    base: Moved,
    numbers: Sequence[Assumption],
    ends: Sequence[Sequence[Moved | None]],
    together: Sequence[Moved | None],
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
