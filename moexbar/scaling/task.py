"""`mx.size`: which model a chip of some area should hold."""

from collections.abc import Sequence
from math import isfinite

from ir.chip import Chip
from ir.errors import InputError
from moexbar.arguments import shown, whole
from moexbar.chips import load_chip
from moexbar.report.sized import BindsRow, FrontierRow, SizedRow, SizeReport
from moexbar.scaling.choice import (
    Asked,
    Candidate,
    best_of,
    binding,
    candidates,
    choose,
    frontier,
    within,
)
from moexbar.scaling.law import BEYOND, EXPERTS, LAW, SOURCE, TOKENS, Limit, short
from moexbar.scaling.place import LEFT_OUT, check_areas

NUMBERS = (1, 2, 4, 8, 16, 32)  # of experts, that the law was fitted to
MUXES = (1, 2, 4, 8)  # of the presets
CONTEXT = 1024


def size(
    chip: Chip | str = "hermes",
    *,
    area: float,
    rate: float,
    tokens: float,
    batch: int | None = None,
    context: int = CONTEXT,
    experts: Sequence[int] = NUMBERS,
    muxes: Sequence[int] = MUXES,
    points: int = 0,
    beyond: bool = False,
) -> SizeReport:
    """The model of least predicted loss for a chip, by a joint scaling law (docs/size.md).

    area: mm2 at most; rate: tokens in a second at least; tokens: of the training. batch: sequences,
    each with one token on its way at a time; None: tokens stream. context: tokens that attention
    looks back at. experts of a layer and muxes are chosen among these; points: of the frontier of
    loss against area. beyond: also models outside the range that the law was fitted to. Raises
    InputError outside it, where nothing fits, and for a chip without published areas.
    """
    base = load_chip(chip) if isinstance(chip, str) else chip
    check_areas(base)
    asked = Asked(
        area_um2=int(_positive("area", area) * 1e6),
        period_ps=int(1e12 / _positive("rate", rate)),
        tokens=_inside("tokens", _positive("tokens", tokens), TOKENS, beyond=beyond),
        context=whole("context", context, 1),
        batch=None if batch is None else whole("batch", batch, 1),
        experts=_numbers("experts", experts),
        muxes=_numbers("muxes", muxes),
        beyond=beyond,
    )
    for number in asked.experts:
        _inside("experts", number, EXPERTS, beyond=beyond)
    every = candidates(base, asked)
    best = choose(every, asked)
    at_rest = candidates(base, asked, hurried=False)
    return SizeReport(
        chip=base.title,
        area_mm2=asked.area_um2 / 1e6,
        tokens_per_s=float(rate),
        tokens=asked.tokens,
        context=asked.context,
        law=SOURCE,
        rmse=LAW.rmse,
        beyond=beyond,
        best=_row(best, asked),
        binds=tuple(BindsRow(*one) for one in binding(every, at_rest, asked, best).items()),
        frontier=tuple(
            FrontierRow(_row(one, asked), _dense(every, asked, one.area_um2))
            for one in frontier(every, asked, whole("points", points))
        ),
        left_out=LEFT_OUT,
        batch=asked.batch,
        dense=_dense(every, asked, asked.area_um2),
        dense_as_good=_as_good(every, asked, best),
    )


def _dense(every: Sequence[Candidate], asked: Asked, area_um2: int) -> SizedRow | None:
    """The best without experts of at most an area."""
    keeps = within(asked)
    some = (one for one in every if one.shape.experts == 1 and one.area_um2 <= area_um2)
    best = best_of(filter(keeps, some))
    return None if best is None else _row(best, asked)


def _as_good(every: Sequence[Candidate], asked: Asked, best: Candidate) -> SizedRow | None:
    """The smallest without experts that has no more loss, of whatever area."""
    keeps = within(asked, without="area")
    some = (one for one in every if one.shape.experts == 1 and one.loss <= best.loss)
    least = min(filter(keeps, some), key=lambda one: one.area_um2, default=None)
    return None if least is None else _row(least, asked)


def _row(one: Candidate, asked: Asked) -> SizedRow:
    shape = one.shape
    return SizedRow(
        experts=shape.experts,
        layers=shape.layers,
        width=shape.width,
        mux=one.mux,
        active=shape.active,
        total=shape.total,
        loss=one.loss,
        area_um2=one.area_um2,
        parts_um2=one.placed.area.parts_um2,
        most_tokens_per_s=1e12 / one.placed.least_ps,
        tokens_per_active=asked.tokens / shape.active,
        training_flops=6 * shape.active * asked.tokens,
        outside=one.outside,
    )


def _positive(name: str, value: float) -> float:
    """A finite number above 0; InputError naming the argument otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"size: {name}", f"{shown(value)}, expected a number")
    if not (isfinite(value) and value > 0):
        raise InputError(f"size: {name}", f"{value}, expected more than 0")
    return float(value)


def _inside(name: str, value: float, limit: Limit, *, beyond: bool) -> float:
    """A value in the law's range; InputError naming the range and the flag otherwise."""
    if not beyond and not limit.holds(value):
        raise InputError(
            f"size: {name}",
            f"{short(value)}, but the scaling law was fitted to {limit}",
            BEYOND,
        )
    return value


def _numbers(name: str, values: Sequence[int]) -> tuple[int, ...]:
    """Whole numbers of at least 1, each once; InputError naming the argument otherwise."""
    found = tuple(sorted({whole(f"size: {name}", value, 1) for value in values}))
    if not found:
        raise InputError(f"size: {name}", "no number, expected at least one")
    return found
