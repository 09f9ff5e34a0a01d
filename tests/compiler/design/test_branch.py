"""Parts of all designs: the least bound of those that are open is below every design."""

import numpy as np
import pytest

from compiler.design.branch import Parting
from compiler.design.grid import NONE
from compiler.design.many import ManyLayers
from compiler.design.problem import Asked
from compiler.design.search import Search
from compiler.options import SolverOptions
from ir.arrays import Ints
from tests.compiler.design.layered import Layered, layered


def least_of_each(made: Layered, asked: Asked) -> Ints:
    """[combinations] the least area of the designs under each that keep the limit."""
    problem, ((_, most),) = made.problem, asked.limits
    shape = problem.shape(problem.shared)
    places = [list(problem.menu).index(key) for key in problem.shared]
    at = np.ravel_multi_index(tuple(made.designs[:, places].T), shape)
    found = np.full(int(np.prod(shape)), NONE, dtype=np.int64)
    kept = made.amounts["time"] <= most
    np.minimum.at(found, at[kept], made.amounts["area"][kept])
    return found


def parting_of(made: Layered, asked: Asked, at: int) -> Parting:
    """Begun with a value that nothing is near to, so that parts are parted to the last."""
    question = ManyLayers(Search(made.problem).paths, SolverOptions(), asked, NONE)
    question.value = NONE - 1
    return Parting(question, at)


@pytest.mark.parametrize("seed", range(12))
def test_no_design_is_below_the_bound_of_all_parts(seed: int) -> None:
    """Under all twelve combinations, with limits that few designs keep, and half of them."""
    made = layered(seed, 5, 1 + seed % 3)
    for part in (0.05, 0.5):
        asked = Asked("area", (("time", int(np.quantile(made.amounts["time"], part))),))
        least, at = least_of_each(made, asked), seed % 12
        parting = parting_of(made, asked, at)
        before = parting.bound
        for parts in (1, 5, 40):
            parting.grow(parts)
            bound = parting.bound
            assert np.all(bound <= least)
            assert np.all(bound >= before)
            before = bound


def test_parted_to_the_end_the_bound_is_near_the_least_area() -> None:
    """Each layer of every part has one size: what is open is minor decisions."""
    made = layered(3, 4)
    asked = Asked("area", (("time", int(np.quantile(made.amounts["time"], 0.3))),))
    least = least_of_each(made, asked)
    at = int(np.argmin(least))
    parting = parting_of(made, asked, at)
    begun = parting.least(parting.parts[0])
    while parting.grow(50):
        pass
    ended = min(parting.least(part) for part in parting.parts)
    assert begun <= ended <= least[at]
    assert ended >= 0.9 * least[at]  # minor decisions count with the least of each number


def test_what_is_too_slow_is_no_design() -> None:
    """One ps less than the fastest design takes: bounds of all parts go to NONE, or near."""
    made = layered(5, 4)
    asked = Asked("area", (("time", int(made.amounts["time"].min()) - 1),))
    parting = parting_of(made, asked, 0)
    parting.grow(60)
    assert np.all(parting.bound <= NONE)
    assert int(np.median(parting.bound)) == NONE
