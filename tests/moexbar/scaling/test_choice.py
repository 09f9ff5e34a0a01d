"""The choice against brute force over all that is tried, and what must follow from more or less."""

from dataclasses import replace
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moexbar as mx
from ir.chip import Chip
from ir.errors import InputError
from moexbar.scaling import choice
from moexbar.scaling.choice import Asked, Candidate, binding, candidates, choose, frontier
from moexbar.scaling.law import LAW, outside
from moexbar.scaling.place import place, regions_of
from moexbar.scaling.shape import Shape
from moexbar.scaling.task import size

NARROW = 1024  # widths up to this, so that a grid takes a tenth of a second


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "WIDEST", NARROW)
    monkeypatch.setattr(choice, "FARTHEST", NARROW)


@cache
def chip(name: str = "hermes") -> Chip:
    return mx.load_chip(name)


def asked(
    area: float = 1500,
    rate: float = 1e6,
    tokens: float = 5e9,
    batch: int | None = None,
    *,
    experts: tuple[int, ...] = (1, 2, 8),
    beyond: bool = False,
) -> Asked:
    ps = int(1e12 / rate)
    return Asked(int(area * 1e6), ps, tokens, 256, batch, experts, (2, 4), beyond)


def by_force(one: Asked) -> tuple[float, int] | None:
    """(least loss, its area) of all layers, widths, experts and muxes in nested loops."""
    best = None
    for width, layers, experts, mux in product(
        range(128, NARROW + 1, 64), range(2, 17), one.experts, one.muxes
    ):
        if not 64 <= width / layers <= 80:
            continue
        shape, of = Shape(layers, width, experts), experts if experts > 1 else 1
        base = chip()
        on = replace(base, pg=replace(base.pg, mux=mux if of > 1 else 1))
        placed = place(shape, on, regions_of(shape, on, one.context), one.period_ps, one.batch)
        left = list(outside(experts, shape.active, shape.total, one.tokens))
        fits = placed.area.total_um2 <= one.area_um2 and placed.least_ps <= one.period_ps
        if fits and (one.beyond or not left):
            found = LAW.at(experts).loss(shape.active, one.tokens), placed.area.total_um2
            best = found if best is None else min(best, found)
    return best


@pytest.mark.parametrize(
    "one",
    [
        asked(),
        asked(area=700),
        asked(area=1200, rate=7e6),
        asked(area=200, beyond=True),
        asked(rate=2e5, batch=4),
        asked(rate=5e4, batch=1, beyond=True),
        asked(tokens=0.6e9, area=900),
    ],
)
def test_the_choice_is_the_best_of_all(one: Asked) -> None:
    best = choose(candidates(chip(), one), one)
    assert (best.loss, best.area_um2) == by_force(one)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (asked(area=500), "size: area: 500 mm2, but the smallest within the law's range"),
        (asked(rate=1e7), "size: rate: 10,000,000 tokens/s, at most 7,692,308"),
        (asked(rate=1e6, batch=1), "size: rate: 1,000,000 tokens/s, at most 233,100"),
        (asked(tokens=79e9), "size: no model trained on 79B tokens is in the law's range"),
        (asked(area=1, beyond=True), "size: area: 1 mm2, but the smallest takes"),
    ],
)
def test_what_nothing_keeps_is_said(one: Asked, said: str) -> None:
    with pytest.raises(InputError) as error:
        choose(candidates(chip(), one), one)
    assert str(error.value).startswith(said)
    assert ("--beyond" in str(error.value)) == (not one.beyond and "rate" not in said)
    assert by_force(one) is None


def least(one: Asked) -> float:
    """The least loss; more than any where nothing fits."""
    try:
        return choose(candidates(chip(), one), one).loss
    except InputError:
        return 99.0


@settings(max_examples=12, deadline=None)
@given(
    area=st.floats(300, 3000),
    more=st.floats(1, 3),
    rate=st.floats(1e4, 8e6),
    tokens=st.floats(0.5e9, 30e9),
    beyond=st.booleans(),
)
def test_more_room_and_less_to_do_is_never_worse(
    area: float, more: float, rate: float, tokens: float, beyond: bool
) -> None:
    one = asked(area, rate, tokens, beyond=beyond)
    found = least(one)
    assert least(asked(area * more, rate, tokens, beyond=beyond)) <= found
    assert least(asked(area, rate / more, tokens, beyond=beyond)) <= found
    assert least(asked(area, rate, tokens, beyond=True)) <= found
    assert least(asked(area, rate, tokens, beyond=beyond, experts=(1, 2, 4, 8))) <= found
    if beyond:  # else more tokens may leave fewer models in range
        assert least(asked(area, rate, tokens * more, beyond=True)) <= found


def test_what_binds_is_what_would_lower_the_loss() -> None:
    one = replace(asked(area=1500, tokens=20e9), context=1024)
    every = candidates(chip(), one)
    at_rest = candidates(chip(), one, hurried=False)
    with pytest.raises(InputError):  # 20B tokens: at least 274M active parameters
        choose(every, one)
    wide = replace(one, area_um2=2_600_000_000)
    found = binding(every, at_rest, wide, choose(every, wide))
    assert set(found) == {"area", "rate", "range"}
    for limit, loss in found.items():
        assert loss == without(limit, every, at_rest, wide)


def without(limit: str, every: list[Candidate], at_rest: list[Candidate], one: Asked) -> float:
    """The least loss when one limit is not asked for."""
    free = {
        "area": replace(one, area_um2=10**15),
        "rate": replace(one, period_ps=10**15),
        "range": replace(one, beyond=True),
    }[limit]
    return choose(at_rest if limit == "rate" else every, free).loss


def test_the_frontier_falls_and_ends_in_the_answer() -> None:
    one = asked(area=1500)
    every = candidates(chip(), one)
    found = frontier(every, one, 6)
    areas, losses = [c.area_um2 for c in found], [c.loss for c in found]
    assert areas == sorted(areas)
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == len(losses) >= 4
    assert found[-1] is choose(every, one)
    for point in found:  # nothing of its area is better
        assert choose(every, replace(one, area_um2=point.area_um2)) is point
    assert frontier(every, one, 0) == []
    assert frontier(every, one, 1) == [found[-1]]


def test_the_report_is_of_the_choice() -> None:
    found = size(chip(), area=1500, rate=1e6, tokens=5e9, context=256, points=3)
    assert found.best.area_um2 == sum(found.best.parts_um2.values()) <= 1500e6
    assert found.dense is not None
    assert found.dense.experts == 1
    assert found.best.loss <= found.dense.loss
    assert found.best.training_flops == 6 * found.best.active * 5e9
    assert found.frontier[-1].best == found.best
    assert found.frontier[-1].dense == found.dense
    same = found.dense_as_good
    if same is not None:
        assert same.loss <= found.best.loss
        assert same.area_um2 >= found.best.area_um2 or same.experts == found.best.experts


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"tokens": 0.4e9}, "size: tokens: 400M, but the scaling law was fitted to 500M to 80B"),
        ({"tokens": 81e9}, "size: tokens: 81B, but the scaling law was fitted to 500M to 80B"),
        ({"experts": (1, 64)}, "size: experts: 64, but the scaling law was fitted to 1 to 32"),
        ({"area": 0}, "size: area: 0, expected more than 0"),
        ({"rate": float("inf")}, "size: rate: inf, expected more than 0"),
        ({"experts": ()}, "size: experts: no number"),
        ({"muxes": (0,)}, "size: muxes: 0, expected at least 1"),
        ({"area": "big"}, "size: area: 'big', expected a number"),
    ],
)
def test_what_cannot_be_asked_is_refused(given_: dict[str, object], said: str) -> None:
    words: dict[str, object] = {"area": 1500, "rate": 1e6, "tokens": 5e9} | given_
    with pytest.raises(InputError) as error:
        size(chip(), **words)  # type: ignore[arg-type]
    assert str(error.value).startswith(said)


def test_beyond_takes_it_and_marks_it() -> None:
    found = size(chip(), area=400, rate=1e6, tokens=200e9, experts=(64,), beyond=True, context=64)
    assert "1 to 32 experts" in found.best.outside
    assert "500M to 80B tokens" in found.best.outside
    inside = size(chip(), area=1500, rate=1e6, tokens=5e9)
    assert inside.best.outside == ()
