"""The most operations for a joule and square millimetre: the least product of energy and area.

What is to be computed is the same on every chip, so GOPS/W/mm2 is a constant over energy x area.
The product is quasi-concave: over any convex region it is least in a corner. So it is least in a
corner of the convex hull of all designs, where some mean of energy and area is least, and that is a
sum, which `Search` minimises exactly. Every answer is a line that no design is below; the corners
of what is above all lines bound the product, and the next mean that is asked for is the one that
the least corner is best in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from compiler.design.problem import Asked, Quantity
from ir.certificate import Status
from ir.errors import InputError

if TYPE_CHECKING:
    from compiler.design.designer import Chosen

Limits = tuple[tuple[Quantity, int], ...]
Corner = tuple[Fraction, Fraction]  # energy fJ, area um2
ENOUGH = 100  # a product within a hundredth of its bound is enough
LINES = 30
FINE = 100  # of the weights of energy and area in whole numbers, at least


@dataclass(frozen=True)
class Line:
    """No design has less than `least` of energies x fJ + area_fj x um2."""

    energies: int
    area_fj: int
    least: int

    def above(self, corner: Corner) -> bool:
        """Whether a design might be there."""
        return self.energies * corner[0] + self.area_fj * corner[1] >= self.least


def least_product(best: Callable[[Asked], "Chosen | None"], limits: Limits) -> "Chosen | None":
    """The design of least energy x area within limits on area and time, None where there is none.

    best: the design that is asked for. Energy is as the search has it, without rests and cores. A
    bound within a hundredth is enough. Raises InputError for a limit on energy.
    """
    if "energy" in dict(limits):
        raise InputError(
            "design",
            "a limit on energy and most GOPS/W/mm2, expected one of both",
            "limit area, time or power",
        )
    small, frugal = best(Asked("area", limits)), best(Asked("energy", limits))
    if small is None or frugal is None:
        return None
    lines = [Line(0, 1, small.best.bound), Line(1, 0, frugal.best.bound)]
    chosen, corner = _as_product(frugal, 1, 0), _least_corner(lines)
    asked = set[tuple[int, int]]()
    while len(lines) < LINES and not _near(chosen.best.value, _product(corner)):
        weights = _weights(corner)
        if weights in asked:
            break
        asked.add(weights)
        found = best(Asked("energy", limits, *weights))
        if found is None:
            break
        lines.append(Line(*weights, found.best.bound))
        other, corner = _as_product(found, *weights), _least_corner(lines)
        chosen = min(chosen, other, key=lambda one: one.best.value)
    return _bounded(chosen, _product(corner))


def _near(value: int, bound: int) -> bool:
    return ENOUGH * (value - bound) <= value


def _weights(corner: Corner) -> tuple[int, int]:
    """How often energy counts, and fJ that a um2 counts: a corner has as much of both."""
    ratio = max(corner[0], Fraction(1)) / max(corner[1], Fraction(1))
    energies = max(1, math.ceil(FINE / ratio))
    return energies, max(1, round(energies * ratio))


def _least_corner(lines: list[Line]) -> Corner:
    """Where the product is least of what is above all lines."""
    corners = [_crossing(one, other) for one, other in combinations(lines, 2)]
    above = [c for c in corners if c is not None and all(line.above(c) for line in lines)]
    return min(above, key=_product)


def _crossing(one: Line, other: Line) -> Corner | None:
    """Where two lines meet."""
    by = one.energies * other.area_fj - other.energies * one.area_fj
    if not by:
        return None
    energy = Fraction(one.least * other.area_fj - other.least * one.area_fj, by)
    area = Fraction(one.energies * other.least - other.energies * one.least, by)
    return energy, area


def _product(corner: Corner) -> int:
    """Rounded up: products of designs are whole."""
    return math.ceil(corner[0] * corner[1])


def _as_product(found: "Chosen", energies: int, area_fj: int) -> "Chosen":
    """With the product of its energy, as the search has it, and area as what is minimised."""
    amounts = found.best.point.amounts
    energy = (amounts["energy"] - area_fj * amounts["area"]) // energies
    both: dict[Quantity, int] = {**amounts, "energy": energy, "product": energy * amounts["area"]}
    asked = Asked("product", found.best.asked.limits)
    point = replace(found.best.point, amounts=both)
    return replace(found, best=replace(found.best, point=point, asked=asked))


def _bounded(chosen: "Chosen", bound: int) -> "Chosen":
    """With what is proven of the product."""
    best = chosen.best
    status: Status = "optimal (solver)" if bound >= best.value else "feasible"
    return replace(chosen, best=replace(best, bound=min(bound, best.value), status=status))
