"""The area of a chip for several models: of every kind what the model needs that needs most.

Of kinds that depend on the chip's decisions alone that is one number for each combination of their
values. What layers hold by their group sizes is a sum for each model: the area is the largest of
several sums, of which those are left out that are never the largest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.design.choices import Key
from compiler.design.problem import Needs, Problem, Sum, Term
from ir.arrays import Ints

OWN = ("crossbars and peripheral groups", "input buffers")  # of layers by their group sizes


@dataclass(frozen=True, eq=False)
class Part:
    """What a model has of a kind; own: it is of layers by their sizes."""

    own: bool
    model: int
    what: str
    sum: Sum


def largest(problem: Problem, parts: Sequence[Part]) -> tuple[Sum, ...]:
    """Sums of which the largest is the area."""
    by_kind: dict[str, list[Sum]] = {}
    by_model: dict[int, list[Sum]] = {}
    for part in parts:
        if part.own:
            by_model.setdefault(part.model, []).append(part.sum)
        else:
            by_kind.setdefault(part.what, []).append(part.sum)
    common = [_most(problem, sums) for sums in by_kind.values()]
    owned = [Sum.of(_terms(sums)) for sums in by_model.values()]
    if not any(isinstance(key, int) for one in owned for needs in one.blocks for key in needs):
        return (Sum.of([*common, _most(problem, owned)]),)
    kept: list[Sum] = []
    for number, one in enumerate(owned):
        others = (*kept, *owned[number + 1 :])
        if not any(_never_less(problem, other, one) for other in others):
            kept.append(one)
    return tuple(Sum.of([*common, *_terms([one])]) for one in kept)


def _terms(sums: Iterable[Sum]) -> list[Term]:
    return [Term(needs, numbers) for one in sums for needs, numbers in one.blocks.items()]


def _most(problem: Problem, sums: Sequence[Sum]) -> Term:
    """The largest of sums by the values of all decisions that any of them depends on."""
    keys = {key for one in sums for needs in one.blocks for key in needs}
    axes = tuple(key for key in problem.menu if key in keys)
    found: Ints = np.max([_spread(problem, one.blocks.items(), axes) for one in sums], axis=0)
    return Term(axes, found.reshape(-1))


def _never_less(problem: Problem, one: Sum, other: Sum) -> bool:
    """Whether a sum is at least another, whatever the layers' sizes, as far as can be seen."""
    least: list[tuple[Needs, Ints]] = []
    for total, sign in ((one, 1), (other, -1)):
        for needs, numbers in total.blocks.items():
            own = tuple(n for n, key in enumerate(needs) if isinstance(key, int))
            table = (sign * numbers).reshape(problem.shape(needs)).min(axis=own)
            least.append((tuple(key for key in needs if not isinstance(key, int)), table))
    axes = tuple(key for key in problem.shared if any(key in needs for needs, _ in least))
    return bool(_spread(problem, least, axes).min() >= 0)


def _spread(problem: Problem, blocks: Iterable[tuple[Needs, Ints]], axes: tuple[Key, ...]) -> Ints:
    """The sum of blocks with an axis for each of some decisions."""
    total = np.zeros(problem.shape(axes), dtype=np.int64)
    for needs, numbers in blocks:
        order = sorted(range(len(needs)), key=lambda n: axes.index(needs[n]))
        sides = [len(problem.menu[key]) if key in needs else 1 for key in axes]
        total += numbers.reshape(problem.shape(needs)).transpose(order).reshape(sides)
    return total
