"""Designs whose layers take shares of sizes: what they say of those that take one size each."""

from collections import Counter
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest

from compiler.design import blend
from compiler.design.blend import Blend, MeanTurns
from compiler.design.choices import Key, Menu, Whole
from compiler.design.floor import Floor
from compiler.design.kernels import NEVER, Turns
from compiler.design.model import Model
from compiler.design.problem import Path, Shares
from compiler.design.queues import Even, Queue
from compiler.design.rates import Rate, rate
from compiler.design.relaxed import mean_under
from compiler.design.sheet import Sheet
from compiler.design.tables import problem_of
from compiler.options import Shape
from tests.compiler.design.make import design_for, floor_of, streaming
from tests.compiler.design.test_kernels import random_kernels

SIZES = (1, 2, 4)
MENU = Menu(SIZES, (1,), (1, 4), (1, 2), (1, 2), (1, 3), (1,))
FLOOR = floor_of(streaming(experts=8), Shape(16))
STEPS = floor_of(streaming(experts=8), Shape(6, 2, 3))
FLOORS = pytest.mark.parametrize("floor", [FLOOR, STEPS], ids=["prefill", "decode"])
LITTLE = {"transfers": 1, "lanes": 1, "buffers": 1, "dpus": 1, "mha": 1}
MUCH = {"transfers": 4, "lanes": 2, "buffers": 2, "dpus": 3, "mha": 1}
CHIPS = pytest.mark.parametrize("chip", [LITTLE, MUCH], ids=["little", "much"])


def blended(floor: Floor, chip: dict[str, int], shares: Shares) -> Rate:
    """Of a blend on the chip; the sizes that its values name do not count."""
    return rate(Blend(Model(floor, Whole(4)), shares), design_for(floor, 4, **chip).values)


def sized(floor: Floor, chip: dict[str, int], sizes: tuple[int, ...]) -> dict[Key, int]:
    """The values of a design with these sizes."""
    return design_for(floor, 4, **chip).values | dict(zip(floor.expert_layers, sizes, strict=True))


@FLOORS
@CHIPS
def test_a_share_of_one_is_the_design_itself(floor: Floor, chip: dict[str, int]) -> None:
    """Time and path, of sizes that differ by layer; a share of less than a millionth is none."""
    sizes = (1, 4)
    shares = {
        layer: {n: 1.0 if n == size else 9e-7 for n in SIZES}
        for layer, size in zip(floor.expert_layers, sizes, strict=True)
    }
    assert blended(floor, chip, shares) == rate(Model(floor, Whole(4)), sized(floor, chip, sizes))


@FLOORS
@CHIPS
def test_a_path_is_as_long_as_its_mean_and_no_other_s_is_longer(
    floor: Floor, chip: dict[str, int]
) -> None:
    """Of half, a quarter and a quarter in one layer, and two halves in the other: six designs.

    The mean of the path by the shares is the time, but for half a ps of rounding for each token at
    each station. The mean of the longest path of each of the six is no longer. Nor is the time
    longer than the mean of theirs, of which each may take another path.
    """
    one, other = floor.expert_layers
    shares = {one: {1: 0.5, 2: 0.25, 4: 0.25}, other: {1: 0.5, 2: 0.5, 4: 0.0}}
    model = Model(floor, Whole(4))
    problem = problem_of(model, MENU)
    values = sized(floor, chip, (1, 1))
    shared = {key: problem.menu[key].index(values[key]) for key in problem.shared}

    def mean(path: Path) -> float:
        row = Sheet(problem, [path.sum]).fixed(shared)
        return float(mean_under(problem, row, shares)[0]) / path.times

    found = blended(floor, chip, shares)
    rounding = len(floor.tokens) * len(model.stations) / 2 + 1
    assert rounding < found.time_ps / 1000
    path = problem.blended(values, shares)
    assert mean(path) == pytest.approx(found.time_ps, abs=rounding)
    times = 0.0
    for sizes in product((1, 2, 4), (1, 2)):
        values = sized(floor, chip, sizes)
        part = prod(shares[layer][n] for layer, n in zip(shares, sizes, strict=True))
        times += part * rate(model, values).time_ps
        assert mean(problem.longest(values)) <= found.time_ps + rounding
    assert found.time_ps <= times + rounding


@FLOORS
def test_a_path_of_a_blend_is_a_bound_on_every_design(floor: Floor) -> None:
    """On those of all nine sizes of two layers, and of both chips, of which it is a path too."""
    shares = {layer: {1: 0.25, 2: 0.25, 4: 0.5} for layer in floor.expert_layers}
    model = Model(floor, Whole(4))
    problem = problem_of(model, MENU)
    path = problem.blended(sized(floor, MUCH, (1, 1)), shares)
    for chip in (LITTLE, MUCH):
        for sizes in product(SIZES, SIZES):
            values = sized(floor, chip, sizes)
            bound = problem.of(path.sum, values) // path.times
            assert 0 < bound <= rate(model, values).time_ps


@FLOORS
def test_queues_of_copies_have_as_many_in_the_mean(floor: Floor) -> None:
    """Input buffers of a dense product on two copies: every kernel is as those of the design."""
    model, values = Model(floor, Whole(4)), design_for(floor, 4, copies=2).values
    mean = Blend(model, {layer: {2: 0.5, 4: 0.5} for layer in floor.expert_layers})
    copies = Counter[int]()
    for number, station in enumerate(model.stations):
        kernel = model.kernel(number, values)
        if isinstance(kernel, Queue | Even) and any(isinstance(key, int) for key in station.needs):
            found = mean.kernel(number, values)
            assert isinstance(found, Queue | Even)
            assert found.copies == kernel.copies
            copies[kernel.copies] += 1
    assert copies[1] > 0 < copies[2]


def turns_of(seed: int, tokens: int = 12) -> Turns:
    """Random ones."""
    found = random_kernels(np.random.default_rng(seed), tokens)[-1]
    assert isinstance(found, Turns)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_turns_alone_is_these(seed: int) -> None:
    """All that tokens may wait for is known, so they leave when they leave."""
    turns = turns_of(seed)
    mean = MeanTurns.of([turns], [1.0], {})
    come = np.cumsum(np.random.default_rng(seed).integers(0, 15, 12))
    assert mean.run(come).tolist() == turns.run(come).tolist()
    assert mean.alone.tolist() == turns.alone.tolist()
    assert mean.busy.tolist() == turns.busy.tolist()
    assert mean.work_ps == turns.work_ps


@pytest.mark.parametrize("rows", [512, 5])
@pytest.mark.parametrize("seed", range(5))
def test_lengths_of_mean_turns_are_means(
    monkeypatch: pytest.MonkeyPatch, seed: int, rows: int
) -> None:
    """Of three quarters and one, rounded; with five rows of twelve, from every third token on.

    A token leaves by one of the tokens that it may wait for, with the length from there; with fewer
    of these it leaves no later.
    """
    monkeypatch.setattr(blend, "ROWS", rows)
    parts = turns_of(seed), replace(turns_of(seed), mvm_ps=17)
    mean = MeanTurns.of(parts, (0.75, 0.25), {})
    assert mean.rows.tolist() == list(range(0, 12, 1 if rows == 512 else 3))
    for first, last in product(range(12), range(12)):
        if first == last or (first in mean.rows and first < last):
            each = [one.length(first, last) for one in parts]
            assert mean.length(first, last) == round(0.75 * each[0] + 0.25 * each[1])
    come = np.cumsum(np.random.default_rng(seed).integers(0, 15, 12))
    left = mean.run(come)
    for token, end in enumerate(left.tolist()):
        waited = mean.waited_for(come, token)
        assert waited <= token
        assert come[waited] + mean.length(waited, token) == end
    monkeypatch.setattr(blend, "ROWS", 512)
    assert np.all(left <= MeanTurns.of(parts, (0.75, 0.25), {}).run(come))


def test_lengths_that_are_known_are_not_taken_anew() -> None:
    """Of other shares of the same turns the lengths are the same; a late token comes to nothing."""
    turns, known = turns_of(0), dict[Turns, np.ndarray]()
    MeanTurns.of([turns], [1.0], known)
    known[turns] = known[turns] + 1000
    mean = MeanTurns.of([turns], [1.0], known)
    come = np.full(12, NEVER)
    come[0] = 0
    assert mean.run(come)[0] == turns.run(come)[0] + 1000
