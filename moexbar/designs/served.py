"""The models that a chip is designed for: each with its routing, and its share of all runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, isfinite, lcm
from pathlib import Path
from typing import Any

from ir.errors import ArgumentError, InputError
from ir.routing import Routing
from moexbar.given import Given
from moexbar.model import Inputs, Model, open_model

PARTS = 1000  # weights are whole parts of all runs
ALIKE = ("config", "model")
Opened = Model | Path | str
Traced = Routing | Path | str


@dataclass(frozen=True, eq=False)
class Served:
    """A model as a chip is asked to serve it; weight: its part of the sum of all weights."""

    model: Model
    name: str
    weight: int
    given: Given


def served_of(
    models: Opened | Sequence[Opened],
    weights: Sequence[float],
    inputs: Inputs | Sequence[Inputs | None] | None,
    routing: Traced | Sequence[Traced | None] | None,
    given: Given,
) -> tuple[Served, ...]:
    """Each model with its inputs or routing, of which one alone is for all; given: all else of it.

    Raises InputError where there are not as many of anything as of models.
    """
    listed: list[Any] = [*models] if isinstance(models, list | tuple) else [models]
    if not listed:
        raise InputError("design", "no model, expected at least one")
    opened = [one if isinstance(one, Model) else open_model(one) for one in listed]
    parts = parts_of(weights, len(opened))
    fed, traced = _each("inputs", inputs, len(opened)), _each("routing", routing, len(opened))
    each = [replace(given, inputs=a, routing=b) for a, b in zip(fed, traced, strict=True)]
    names = names_of([one.path for one in opened])
    return tuple(Served(*row) for row in zip(opened, names, parts, each, strict=True))


def parts_of(weights: Sequence[float], models: int) -> tuple[int, ...]:
    """Weights as whole numbers, of at most PARTS in all; alike where none are given."""
    if not weights:
        return (1,) * models
    found = list(weights)
    if len(found) != models:
        told = f"{len(found)} of {models} models, expected one of each"
        raise _wrong("weights", told)
    for weight in found:
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not isfinite(weight):
            raise _wrong("weights", f"{weight!r}, expected a number")
        if weight <= 0:
            raise _wrong("weights", f"{weight}, expected more than 0", "leave that model out")
    exact = [Fraction(str(weight)) for weight in found]
    many = lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * many) for weight in exact]
    whole = [weight // gcd(*whole) for weight in whole]
    if sum(whole) <= PARTS:
        return tuple(whole)
    rounded = [max(1, round(PARTS * weight / sum(exact))) for weight in exact]
    return tuple(weight // gcd(*rounded) for weight in rounded)


def names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """What models are called: their files, as much of the path as tells them apart.

    Files that are always called so go by their folders.
    """
    short = [path.parent.name or path.stem if path.stem in ALIKE else path.stem for path in paths]
    for words in (short, [str(path) for path in paths]):
        if len(set(words)) == len(words):
            return tuple(words)
    return tuple(f"{word} {number}" for number, word in enumerate(short, start=1))


def _each(name: str, given: object, models: int) -> list[Any]:
    """One for each model, where there is one for all too."""
    if not isinstance(given, list | tuple):
        return [given] * models
    if len(given) == 1:
        return [*given] * models
    if len(given) != models:
        raise _wrong(name, f"{len(given)} of {models} models, expected one for all, or one of each")
    return [*given]


def _wrong(name: str, found: str, hint: str = "") -> ArgumentError:
    typed = InputError(f"--{name}", found, hint)
    return ArgumentError(f"design: {name}", found, hint, typed)
