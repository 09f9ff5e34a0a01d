"""Pictures of sweeps: by hand, of hostile names, of missing figures, of very many points."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ir.errors import InputError
from moexbar.figures.draw import complete
from moexbar.figures.effects import MOST, effect_rows, effects
from moexbar.figures.figure import Figure
from moexbar.figures.kinds import SWEPT
from moexbar.figures.parallel import MOST_LINES, parallel
from moexbar.figures.pareto import FRONT, KNEE, REST, pareto
from moexbar.figures.swept import MOST as MOST_POINTS
from moexbar.figures.swept import Sweep, by_size, drawn, in_words, word
from tests.moexbar.figures.test_golden import VL, addresses, shortened

TABLE = pd.DataFrame(
    {
        "point": [10, 11, 12, 13],
        "pg.mux": [1, 2, 2, 4],
        "chip": ["a", "a", "b", None],
        "time_us": [1.0, 2.0, 4.0, None],
        "area_mm2": [9.0, 5.0, 6.0, 1.0],
        "front": [True, True, False, False],
        "knee": [False, True, False, False],
    }
)
SETTINGS, FIGURES = ("pg.mux", "chip"), ("time_us", "area_mm2")


def lines(figure: Figure | None) -> list[str]:
    """The table of a picture."""
    assert figure is not None
    text: str = figure.spec["data"]["values"]
    return text.splitlines()


def test_points_of_a_front() -> None:
    found = lines(pareto(TABLE, "time_us", "area_mm2", SETTINGS))
    assert found == [
        "x,y,kind,point,set",
        f"1.0,9.0,{FRONT},10,pg.mux = 1; chip = a",
        f"2.0,5.0,{KNEE},11,pg.mux = 2; chip = a",
        f"4.0,6.0,{REST},12,pg.mux = 2; chip = b",
    ]  # point 13 has no time


def test_quartiles_by_hand() -> None:
    """Mux 2 took 2 and 4 us; mux 4 has no figure."""
    found = list(effect_rows(TABLE, "time_us", "pg.mux"))
    assert [(row["value"], row["n"]) for row in found] == [("1", 1), ("2", 2)]
    ends = [found[1][key] for key in ("low", "left", "middle", "right", "high")]
    assert ends == [2.0, 2.5, 3.0, 3.5, 4.0]


def test_many_values_of_a_setting_are_taken_together_in_order() -> None:
    table = pd.DataFrame({"bits": range(MOST + 1), "time_us": np.arange(MOST + 1.0)})
    found = list(effect_rows(table, "time_us", "bits"))
    assert len(found) <= MOST
    assert (found[0]["value"], found[-1]["value"]) == ("0 to 1", str(MOST))
    assert sum(row["n"] for row in found) == MOST + 1


def test_a_setting_that_does_not_vary_has_no_panel() -> None:
    figure = effects(TABLE.assign(fixed=3), "area_mm2", (*SETTINGS, "fixed"))
    assert figure is not None
    assert [p["encoding"]["x"]["title"] for p in figure.spec["concat"]] == list(SETTINGS)
    assert effects(TABLE.assign(fixed=3), "area_mm2", ["fixed"]) is None


def test_parallel_axes_go_from_least_to_largest() -> None:
    figure = parallel(TABLE, SETTINGS, FIGURES)
    assert figure is not None
    spec = figure.spec["layer"]
    first = [line.split(",") for line in spec[0]["data"]["values"].splitlines()[1:5]]
    # point 10: mux 1 of 1, 2; chip a of a, b; time 1 of 1 to 4; area 9 of 5 to 9
    assert [(p, a, v) for p, a, v, *_ in first] == [
        ("0", "0", "0.0"),
        ("0", "1", "0.0"),
        ("0", "2", "0.0"),
        ("0", "3", "1.0"),
    ]
    marks = [(row["a"], row["word"]) for row in spec[2]["data"]["values"]]
    assert marks[-4:] == [(2, "1"), (2, "4"), (3, "5"), (3, "9")]


def test_of_many_points_the_marked_ones_are_kept() -> None:
    places, marked = np.arange(10**5), np.zeros(10**5, dtype=bool)
    marked[[7, 99_999]] = True
    found = drawn(places, marked)
    assert len(found) <= MOST_POINTS
    assert {7, 99_999} <= set(found.tolist())
    assert int(np.diff(found).max()) < 3 * 10**5 / MOST_POINTS  # from everywhere, not the first
    assert drawn(places, marked, most=1).tolist() == [7, 99_999]
    assert drawn(places[:3], marked).tolist() == [0, 1, 2]


def test_a_large_sweep_stays_small() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "mux": random.integers(1, 9, 20_000),
            "chip": random.choice(["a", "b"], 20_000),
            **{name: random.random(20_000) for name in FIGURES},
        }
    )
    figures = (
        pareto(table, *FIGURES, ["mux", "chip"]),
        effects(table, "time_us", ["mux", "chip"]),
        parallel(table, ["mux", "chip"], FIGURES),
    )
    for figure in figures:
        assert figure is not None
        assert len(json.dumps(figure.spec)) < 600_000
    assert figures[2] is not None
    lines_drawn = len(figures[2].spec["layer"][0]["transform"][0]["from"]["data"]["values"])
    assert MOST_LINES / 2 < lines_drawn <= MOST_LINES
    assert f"{20_000 - lines_drawn:,} more are not drawn." in figures[2].caption


BAD = "a.b['c']\"};|<img onerror=x>"


def test_names_of_columns_are_titles_and_data_alone() -> None:
    renamed = {"pg.mux": BAD, "chip": "datum.x", "time_us": BAD + "1", "area_mm2": "[0]"}
    table = TABLE.rename(columns=renamed)
    sweep = Sweep(table, (BAD, "datum.x"), (BAD + "1", "[0]"))
    for kind in SWEPT.values():
        for figure in kind.draw(sweep):
            assert all(BAD not in field for field in fields_of(figure.spec))
            assert VL.vegalite_to_vega(complete(figure))["marks"]
            assert addresses(figure.spec) == []


def fields_of(spec: object) -> list[str]:
    """Fields and expressions of a specification."""
    if isinstance(spec, list):
        return [found for part in spec for found in fields_of(part)]
    if not isinstance(spec, dict):
        return []
    own = [str(spec[name]) for name in ("field", "filter", "calculate", "expr") if name in spec]
    return own + [found for part in spec.values() for found in fields_of(part)]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"no column 'time', it has point, pg\.mux"):
        pareto(TABLE, "time", "area_mm2", SETTINGS)
    with pytest.raises(InputError, match="no column 'mux'"):
        effects(TABLE, "time_us", ["mux"])
    with pytest.raises(InputError, match="column 'chip' is not of numbers"):
        parallel(TABLE, SETTINGS, ["chip"])


def test_without_figures_there_is_no_picture() -> None:
    empty = TABLE.assign(time_us=None)
    assert pareto(empty, *FIGURES, SETTINGS) is None
    assert effects(empty, "time_us", SETTINGS) is None
    assert parallel(empty, SETTINGS, FIGURES) is None
    assert parallel(TABLE, SETTINGS, []) is None


def test_cells_as_words() -> None:
    assert [word(cell) for cell in (None, float("nan"), pd.NA, 0.1, 2, True, "x")] == [
        *("-", "-", "-", "0.1", "2", "True", "x")
    ]
    assert sorted(["10", "9", "b", "a"], key=by_size) == ["9", "10", "a", "b"]
    assert in_words(TABLE, [], np.array([0, 1])) == ["", ""]


@pytest.mark.parametrize("kind", list(SWEPT))
def test_golden(golden: Callable[[str, str], None], kind: str) -> None:
    figures = SWEPT[kind].draw(Sweep(TABLE, SETTINGS, FIGURES))
    figure = figures[0]
    text = {"title": figure.title, "caption": figure.caption, "spec": shortened(figure.spec)}
    golden(f"figures/{kind}.json", json.dumps(text, indent=1) + "\n")
    assert VL.vegalite_to_vega(complete(figure))["marks"]
