"""Shares of sizes by hand, and that the program's prices give its value back."""

from collections.abc import Mapping

import numpy as np
import pytest

from compiler.design.choices import Key
from compiler.design.problem import Asked, Path, Problem, Quantity, Sum
from compiler.design.relaxed import Relaxation, Relaxed, Row, mean_under
from compiler.design.sheet import Sheet
from ir.arrays import Ints
from tests.compiler.design.layered import layered


def numbers(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def program(
    layers: int, asked: Asked, sums: Mapping[Quantity, Row], paths: list[Row], power: int = 0
) -> Relaxed:
    """Of layers with the sizes 1 and 2, and paths of one step."""
    menu: dict[Key, tuple[int, ...]] = dict.fromkeys(range(layers), (1, 2))
    none = Path(Sum({}))
    empty = none.sum
    problem = Problem(
        menu, lambda: (empty,), lambda: empty, power, lambda v: none, lambda v, s: none
    )
    made = Relaxed(problem, asked, {q: [row] for q, row in sums.items()}, 12.0)
    for path in paths:
        made.add(path, 1)
    return made


def solved(made: Relaxed) -> Relaxation:
    found = made.solve()
    assert found is not None
    return found


AREA: Row = {(0,): numbers(10, 4)}
TIME: Row = {(0,): numbers(2, 6)}


def test_a_layer_takes_the_share_that_the_limit_leaves() -> None:
    """Area 10 or 4 in time 2 or 6, within 3: 2 s + 6 (1 - s) = 3, so s = 3/4 and the area 8.5.

    A ps is worth (10 - 4) / (6 - 2) = 1.5 um2.
    """
    found = solved(program(1, Asked("area", (("time", 3),)), {"area": AREA}, [TIME]))
    assert found.value == pytest.approx(8.5)
    assert found.time == pytest.approx(3)
    assert found.shares[0] == pytest.approx({1: 0.75, 2: 0.25})
    assert found.paths == pytest.approx([1.5])


def test_of_two_layers_the_one_that_gains_more_is_shared() -> None:
    """Layer 0 saves 6 um2 for 4 ps, layer 1 for 2 ps, so layer 1 is of size 2 first.

    Within 10 ps layer 0 has what 1 of the chip and 4 of layer 1 leave, 5 = 2 s + 6 (1 - s). So s is
    1/4, and the area 100 + 5.5 + 4.
    """
    area: Row = {(): numbers(100), (0,): numbers(10, 4), (1,): numbers(10, 4)}
    time: Row = {(): numbers(1), (0,): numbers(2, 6), (1,): numbers(2, 4)}
    found = solved(program(2, Asked("area", (("time", 10),)), {"area": area}, [time]))
    assert found.value == pytest.approx(109.5)
    assert found.shares[0] == pytest.approx({1: 0.25, 2: 0.75})
    assert found.shares[1] == pytest.approx({1: 0, 2: 1})
    assert found.paths == pytest.approx([1.5])


def test_time_is_the_longest_path_within_an_area() -> None:
    """Paths of 2 or 6, and of 7 or 1: as long as one another where 6 - 4 s = 1 + 6 s.

    So s = 1/2 and the time 4; the paths weigh 3 to 2. With areas of 108 or 104 within 105, s = 1/4:
    5 ps by the first path alone, and an um2 is worth 4 / 4 ps.
    """
    paths: list[Row] = [TIME, {(0,): numbers(7, 1)}]
    found = solved(program(1, Asked("time", (("area", 9),)), {"area": AREA}, paths))
    assert (found.value, found.time) == pytest.approx((4, 4))
    assert found.paths == pytest.approx([0.6, 0.4])
    assert found.area == pytest.approx(0)
    area: Row = {(): numbers(100), (0,): numbers(8, 4)}
    made = program(1, Asked("time", (("area", 105),)), {"area": area}, paths)
    found = solved(made)
    assert found.value == pytest.approx(5)
    assert found.paths == pytest.approx([1, 0])
    assert found.area == pytest.approx(1)


def test_of_several_areas_the_largest_counts() -> None:
    """Two models of a layer each, 10 or 4 um2 in 2 or 6 ps: within 10 ps of both 5 of each.

    So s is 1/4, and both areas 5.5; a ps is worth 6 / 8 um2, half of it by either model. Within
    5.5 um2 it is 10 ps again, and an um2 is worth 8 / 6 ps.
    """
    areas: list[Row] = [AREA, {(1,): numbers(10, 4)}]
    time: Row = {**TIME, (1,): numbers(2, 6)}
    problem = program(2, Asked("time"), {}, []).problem
    made = Relaxed(problem, Asked("area", (("time", 10),)), {"area": areas}, 12.0)
    made.add(time, 1)
    found = solved(made)
    assert (found.value, found.time) == pytest.approx((5.5, 10))
    assert found.paths == pytest.approx([0.75])
    assert found.areas == pytest.approx([0.5, 0.5])
    made = Relaxed(problem, Asked("time", (("area", 5),)), {"area": areas}, 12.0)
    made.add(time, 1)
    found = solved(made)
    assert found.value == pytest.approx(12 - 8 / 6)
    assert found.area == pytest.approx(8 / 6)
    assert found.areas[0] == pytest.approx(found.areas[1])


def test_energy_has_what_time_takes() -> None:
    """3 fJ for each ps: 20 + 3 x 2 of size 1, 1 + 3 x 6 of size 2; within 4 ps half of each.

    As a limit, 23 fJ leave 26 s + 19 (1 - s) = 23, so s = 4/7 of an area of 4, the rest of 10.
    """
    energy: Row = {(0,): numbers(20, 1)}
    sums: dict[Quantity, Row] = {"area": AREA, "energy": energy}
    found = solved(program(1, Asked("energy", (("time", 4),)), sums, [TIME], 3000))
    assert found.value == pytest.approx((26 + 19) / 2)
    dear: dict[Quantity, Row] = {"area": {(0,): numbers(4, 10)}, "energy": energy}
    found = solved(program(1, Asked("area", (("energy", 23),)), dear, [TIME], 3000))
    assert found.value == pytest.approx(10 - 6 * 4 / 7)


def test_steps_divide_a_path() -> None:
    """6 or 18 ps of three steps are 2 or 6 of each."""
    made = program(1, Asked("area", (("time", 3),)), {"area": AREA}, [])
    made.add({(0,): numbers(6, 18)}, 3)
    assert solved(made).value == pytest.approx(8.5)
    assert solved(made).paths == pytest.approx([0.5])  # um2 for each ps of the three steps


def test_numbers_of_two_layers_have_their_least() -> None:
    """3 at least, so that of 6 ps as many are left as above."""
    time: Row = {**TIME, (0, 1): numbers(9, 3, 5, 7)}
    made = program(2, Asked("area", (("time", 6),)), {"area": AREA}, [time])
    assert solved(made).value == pytest.approx(8.5)


def test_what_no_shares_keep_is_none() -> None:
    """The least time is 2."""
    assert program(1, Asked("area", (("time", 1),)), {"area": AREA}, [TIME]).solve() is None
    assert program(1, Asked("time", (("area", 3),)), {"area": AREA}, [TIME]).solve() is None


def test_a_mean_is_by_the_shares_of_all_layers() -> None:
    """5, with 10 / 4 + 3 x 4 / 4 = 5.5 of layer 0, and of both (8 + 16 + 3 x 24 + 3 x 32) / 8."""
    shares = {0: {1: 0.25, 2: 0.75}, 1: {1: 0.5, 2: 0.5}}
    rows: Row = {(): numbers(5), (0,): numbers(10, 4), (0, 1): numbers(8, 16, 24, 32)}
    stacked = {needs: part[None] for needs, part in rows.items()}
    problem = program(2, Asked("area"), {"area": AREA}, []).problem
    assert mean_under(problem, stacked, shares) == pytest.approx([5 + 5.5 + 24])


@pytest.mark.parametrize("minimise", ["area", "time", "energy"])
@pytest.mark.parametrize("seed", range(3))
def test_prices_give_the_value_back(seed: int, minimise: Quantity) -> None:
    """The least over all sizes of what is minimised, with each limit and path at its price.

    A lower bound for any prices, and at these it is the value. No design within the limits is
    better; and the shares take, of all paths, the time that is told.
    """
    made = layered(seed, 4, 2)
    limited: Quantity = "time" if minimise == "area" else "area"
    most = int(np.quantile(made.amounts[limited], 0.1))
    asked = Asked(minimise, ((limited, most),))
    problem = made.problem
    shared: dict[Key, int] = {"copies": 0, "dpus": 1, "mha": 0}
    sums: dict[Quantity, Sum] = {"area": problem.area()[0], "energy": problem.energy()}
    rows = {q: Sheet(problem, [one]).fixed(shared) for q, one in sums.items()}
    sheet = Sheet(problem, [path.sum for path in made.paths[:50]])
    left = sheet.fixed(shared)
    program = Relaxed(problem, asked, {q: [_row(row, 0)] for q, row in rows.items()}, 500.0)
    for number in range(50):
        program.add(_row(left, number), 2)
    found = solved(program)
    designs = made.designs[np.all(made.designs[:, :3] == [0, 1, 0], axis=1)]
    lengths = sheet.under(designs)
    plain = {q: Sheet(problem, [one]).under(designs)[0] for q, one in sums.items()}
    at_price = found.paths @ lengths
    if minimise == "area":
        total = plain["area"] + at_price - 2 * found.paths.sum() * most
    else:
        total = at_price + found.area * (plain["area"] - most)
        total = total + (plain["energy"] if minimise == "energy" else 0)
    assert total.min() == pytest.approx(found.value)
    assert np.all(found.paths >= 0)
    taken = mean_under(problem, left, found.shares) / 2
    assert taken.max() == pytest.approx(found.time)
    whole = (lengths / 2).max(axis=0)
    real = {"area": plain["area"], "time": whole}
    real["energy"] = plain["energy"] + problem.power * whole / 1000
    assert np.all(real[minimise][real[limited] <= most] >= found.value - 1e-6)


def _row(rows: Row, number: int) -> Row:
    return {needs: part[number] for needs, part in rows.items()}
