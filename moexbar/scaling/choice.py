"""Every shape on the chip at every mux, and the one of least predicted loss within limits."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ir.chip import Chip
from ir.errors import InputError
from moexbar.scaling.law import BEYOND, LAW, outside, short
from moexbar.scaling.place import Placed, place, regions_of
from moexbar.scaling.shape import Shape, shapes

WIDEST, FARTHEST = 2304, 8192  # widths that are tried: of the law's runs; beyond its range
LimitName = Literal["area", "rate", "range"]
LIMITS: tuple[LimitName, ...] = ("area", "rate", "range")


@dataclass(frozen=True)
class Asked:
    """What is asked of a model and its chip.

    area_um2: at most; period_ps: between two tokens at most; tokens: of the training; context:
    tokens that attention looks back at; batch: sequences with a token on its way each, None: tokens
    stream. experts, muxes: among which is chosen; beyond: also outside the law's range.
    """

    area_um2: int
    period_ps: int
    tokens: float
    context: int
    batch: int | None
    experts: tuple[int, ...]
    muxes: tuple[int, ...]
    beyond: bool


@dataclass(frozen=True, eq=False)
class Candidate:
    """A shape on the chip at a mux; outside: the limits of the law's range that it leaves."""

    shape: Shape
    mux: int
    loss: float
    placed: Placed
    outside: tuple[str, ...]

    @property
    def area_um2(self) -> int:
        """Of the chip, with units as of the rate that was asked for."""
        return self.placed.area.total_um2

    @property
    def order(self) -> tuple[float, int, int]:
        """By loss, then the smaller chip, then the smaller mux."""
        return self.loss, self.area_um2, self.mux


def candidates(chip: Chip, asked: Asked, *, hurried: bool = True) -> list[Candidate]:
    """All that there is to choose from, and the models without experts.

    hurried: units keep up with the rate that is asked for; else there is one of each kind.
    """
    experts = tuple(sorted({1, *asked.experts}))
    shared = {mux: replace(chip, pg=replace(chip.pg, mux=mux)) for mux in {1, *asked.muxes}}
    laws = {number: LAW.at(number) for number in experts}
    period = asked.period_ps if hurried else None
    known = {}
    found = []
    for shape in shapes(experts, FARTHEST if asked.beyond else WIDEST):
        key = shape.width, shape.experts
        if key not in known:
            known[key] = regions_of(shape, chip, asked.context)
        left = tuple(outside(shape.experts, shape.active, shape.total, asked.tokens))
        loss = laws[shape.experts].loss(shape.active, asked.tokens)
        for mux in asked.muxes if shape.experts > 1 else (1,):
            placed = place(shape, shared[mux], known[key], period, asked.batch)
            found.append(Candidate(shape, mux, loss, placed, left))
    return found


def within(asked: Asked, *, without: LimitName | None = None) -> Callable[[Candidate], bool]:
    """Whether a candidate keeps what is asked, but for one of the limits."""

    def keeps(one: Candidate) -> bool:
        return (
            (without == "area" or one.area_um2 <= asked.area_um2)
            and (without == "rate" or one.placed.least_ps <= asked.period_ps)
            and (without == "range" or asked.beyond or not one.outside)
        )

    return keeps


def best_of(some: Iterable[Candidate]) -> Candidate | None:
    """The one of least loss, of these the smallest; None where there is none."""
    return min(some, key=lambda one: one.order, default=None)


def choose(every: Sequence[Candidate], asked: Asked) -> Candidate:
    """The best that keeps all that is asked; InputError saying which limit nothing keeps."""
    wanted = [one for one in every if one.shape.experts in asked.experts]
    keeps = within(asked)
    best = best_of(filter(keeps, wanted))
    if best is None:
        raise _none(wanted, asked)
    return best


def binding(
    every: Sequence[Candidate], at_rest: Sequence[Candidate], asked: Asked, best: Candidate
) -> dict[LimitName, float]:
    """{limit: the least loss without it}, of limits without which it would be less.

    at_rest: the candidates with units that no rate asks for.
    """
    found: dict[LimitName, float] = {}
    for limit in LIMITS:
        some = at_rest if limit == "rate" else every
        wanted = (one for one in some if one.shape.experts in asked.experts)
        other = best_of(filter(within(asked, without=limit), wanted))
        if other is not None and other.loss < best.loss:
            found[limit] = other.loss
    return found


def frontier(every: Sequence[Candidate], asked: Asked, points: int) -> list[Candidate]:
    """At most so many, from the smallest to the best: each the best of its area.

    Areas are in equal ratios from the smallest that keeps rate and range to the one asked for.
    """
    keeps = within(asked)
    kept = sorted(
        (one for one in every if one.shape.experts in asked.experts and keeps(one)),
        key=lambda one: (one.area_um2, *one.order),
    )
    found: list[Candidate] = []
    for number in range(points if kept else 0):
        least = kept[0].area_um2
        ratio = (asked.area_um2 / least) ** (number / max(points - 1, 1))
        most = asked.area_um2 if number == points - 1 else int(least * ratio)
        best = best_of(one for one in kept if one.area_um2 <= most)
        if best is not None and best not in found:
            found.append(best)
    return found


def _none(wanted: Sequence[Candidate], asked: Asked) -> InputError:
    """Why nothing keeps what is asked: range and training, then rate, then area."""
    inside = [one for one in wanted if asked.beyond or not one.outside]
    if not inside:
        broken = sorted({limit for one in wanted for limit in one.outside})
        return InputError(
            "size",
            f"no model trained on {short(asked.tokens)} tokens is in the law's range "
            f"({'; '.join(broken)})",
            BEYOND,
        )
    fast = [one for one in inside if one.placed.least_ps <= asked.period_ps]
    if not fast:
        most = 1e12 / min(one.placed.least_ps for one in inside)
        return InputError(
            "size: rate",
            f"{1e12 / asked.period_ps:,.0f} tokens/s, at most {most:,.0f} of any of these models",
            "ask for less, for more sequences or a shorter context, or take a faster chip",
        )
    least = min(fast, key=lambda one: one.area_um2)
    fits = any(one.area_um2 <= asked.area_um2 for one in wanted if one.outside)
    smallest = f"the smallest within the law's range ({'; '.join(_range_of(wanted))})"
    return InputError(
        "size: area",
        f"{asked.area_um2 / 1e6:,.6g} mm2, but {'the smallest' if asked.beyond else smallest} "
        f"takes {least.area_um2 / 1e6:,.6g} mm2",
        BEYOND if fits and not asked.beyond else "",
    )


def _range_of(wanted: Sequence[Candidate]) -> list[str]:
    """The limits that models which are tried leave."""
    return sorted({limit for one in wanted for limit in one.outside})
