"""A sweep: which settings of `moexbar compile` are fixed, and which vary in what way."""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Literal

Kind = Literal["grid", "list", "random", "search"]
Setting = str | bool | int | float
Settings = Mapping[str, Setting]
NONE: Settings = {}


@dataclass(frozen=True)
class Range:
    """What a setting is drawn from: `choices`, or numbers from `low` to `high`.

    whole: only whole ones; step: from `low` on in steps, None: any; log: each factor is as likely.
    """

    choices: tuple[Setting, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    def at(self, place: float) -> Setting:
        """The value at a place in [0, 1) of the range."""
        if self.choices:
            return self.choices[int(place * len(self.choices))]
        if self.step is not None:
            steps = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            found = self.low + self.step * int(place * steps)
        elif self.whole and not self.log:
            found = self.low + int(place * (self.high - self.low + 1))
        elif self.log:
            found = self.low * (self.high / self.low) ** place
        else:
            found = self.low + place * (self.high - self.low)
        return round(found) if self.whole else float(f"{found:.12g}")


@dataclass(frozen=True)
class Sweep:
    """What is compiled: `fixed` settings of all points, and what varies, by kind.

    where: what messages call it; folder: what its paths are relative to. axes: of a grid; listed:
    points one by one; ranges: of `draws` points at random, or of a search in as many trials,
    `batch` of them at a time, for `objectives`, which are names of figures. figures: paths of
    further numbers of report.json.
    """

    where: str
    folder: Path
    kind: Kind
    fixed: Settings
    axes: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict[str, tuple[Setting, ...]])
    listed: tuple[Settings, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])
    draws: int = 0
    seed: int = 0
    batch: int = 1
    objectives: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @property
    def varied(self) -> tuple[str, ...]:
        """The settings that differ from point to point, in the order of the file."""
        named = [*self.axes, *self.ranges, *(name for point in self.listed for name in point)]
        return tuple(dict.fromkeys(named))

    @property
    def size(self) -> int:
        """How many points it has."""
        counts = {
            "grid": math.prod(map(len, self.axes.values())),
            "list": len(self.listed),
            "random": self.draws,
            "search": self.draws,
        }
        return counts[self.kind]

    @property
    def gains(self) -> bool:
        """Whether the other methods are compiled too."""
        said = [point.get("baselines", "none") for point in (self.fixed, *self.listed)]
        said += [*self.axes.get("baselines", ()), *self.choices("baselines")]
        return any(one != "none" for one in said)

    def choices(self, name: str) -> tuple[Setting, ...]:
        """What a setting is drawn from, where it is drawn from a list."""
        return self.ranges[name].choices if name in self.ranges else ()

    def points(self) -> Iterator[Settings]:
        """What varies, point by point; of a search, which asks as it goes, nothing."""
        match self.kind:
            case "grid":
                for values in product(*self.axes.values()):
                    yield dict(zip(self.axes, values, strict=True))
            case "list":
                yield from self.listed
            case "random":
                drawn = random.Random(self.seed)  # noqa: S311 - of a design space
                for _ in range(self.draws):
                    yield {name: one.at(drawn.random()) for name, one in self.ranges.items()}
            case "search":
                pass

    def of(self, point: Settings) -> Settings:
        """All settings of a point."""
        return {**self.fixed, **point}
