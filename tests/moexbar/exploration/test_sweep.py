"""Sweeps as files: what is read, and every mistake named by file and field."""

from pathlib import Path
from typing import Any

import pytest

from ir.errors import InputError
from moexbar.exploration.figures import FIGURES
from moexbar.exploration.sweep import Range
from moexbar.exploration.sweep_file import read_sweep
from moexbar.exploration.words import command_of, line_of
from tests.paths import ROOT


def sweep(**tables: Any) -> Any:
    return read_sweep({"model": "m.onnx", **tables})


def test_a_grid_is_every_combination_the_last_one_fastest() -> None:
    found = sweep(prefill=16, vary={"chip.pg.mux": [1, 2], "placement": ["squares", "in-order"]})
    assert (found.kind, found.size, found.varied) == ("grid", 4, ("chip.pg.mux", "placement"))
    assert list(found.points()) == [
        {"chip.pg.mux": mux, "placement": placer}
        for mux in (1, 2)
        for placer in ("squares", "in-order")
    ]


def test_a_chips_fields_may_be_written_with_dots_or_as_tables() -> None:
    one = sweep(vary={"chip": {"pg": {"mux": [1, 2]}}})
    assert one == sweep(vary={"chip.pg.mux": [1, 2]})


def test_points_one_by_one() -> None:
    found = sweep(points=[{"batch": 2}, {"model": "other.onnx", "chip.pg.mux": 4}])
    assert (found.size, found.varied) == (2, ("batch", "model", "chip.pg.mux"))
    assert found.of(list(found.points())[1])["model"] == "other.onnx"


def test_draws_are_of_their_ranges_and_repeat() -> None:
    ranges = {
        "chip.pg.mux": [1, 2, 4],
        "chip.mvm.read_ns": {"low": 50, "high": 200, "step": 50},
        "chip.bus.bit_fj": {"low": 1.0, "high": 100.0, "log": True},
        "batch": {"low": 1, "high": 3},
    }
    found = sweep(random={"draws": 200, "seed": 3, **ranges})
    points = list(found.points())
    assert points == list(found.points())
    assert points != list(sweep(random={"draws": 200, "seed": 4, **ranges}).points())
    assert {point["chip.pg.mux"] for point in points} == {1, 2, 4}
    assert {point["chip.mvm.read_ns"] for point in points} == {50, 100, 150, 200}
    assert {point["batch"] for point in points} == {1, 2, 3}
    bits = [point["chip.bus.bit_fj"] for point in points]
    assert all(1 <= bit <= 100 for bit in bits)
    # each factor is as likely: half below the square root of 1 x 100
    assert 70 < sum(bit < 10 for bit in bits) < 130


def test_places_of_a_range() -> None:
    assert [Range(low=2, high=4, whole=True).at(p) for p in (0, 0.34, 0.99)] == [2, 3, 4]
    assert [Range(low=0.0, high=1.0, step=0.25).at(p) for p in (0, 0.5, 0.999)] == [0, 0.5, 1]
    assert Range(low=1, high=100, log=True, whole=True).at(0.5) == 10


def test_a_point_is_a_command() -> None:
    settings: dict[str, Any] = {
        "model": "my model.onnx",
        "chip": "hermes",
        "pack": True,
        "trust_traced": False,
    }
    settings |= {"chip.pg.mux": 4, "group_size": "2,1=4", "chip.pg.retain_input": True}
    assert command_of(settings, 7) == (
        "moexbar compile 'my model.onnx' --baselines none --chip hermes --pack --group-size 2,1=4 "
        "--set pg.mux=4 --set pg.retain_input=true --no-verify -o point-7"
    )
    asked = line_of(settings, "point 7").asked
    assert (asked.chip, asked.pack, asked.replicas) == ("hermes", True, 0)
    assert asked.settings == ["pg.mux=4", "pg.retain_input=true"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prefill": 1.5}, "point 3: Invalid value for '--prefill': Input should be a valid int"),
        ({"grouping": "cpsat"}, "point 3: Invalid value for '--grouping': .*'cp-sat'"),
        ({"batch": 0}, "point 3: Invalid value for '--batch'"),
        ({"model": "--json"}, "point 3: model: '--json', expected the path of a model"),
    ],
)
def test_a_value_that_the_option_does_not_take(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        line_of({"model": "m.onnx"} | settings, "point 3")


VARY = {"vary": {"batch": [1]}}


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({}, r"sweep: nothing varies, expected one of \[vary\], \[\[points\]\]"),
        (VARY | {"random": {}}, "sweep: vary and random, expected one"),
        (VARY | {"prefil": 1}, "sweep: prefil: unknown key; did you mean prefill"),
        ({"vary": {"chip.pg.mx": [1]}}, "sweep: vary: chip.pg.mx: unknown key; did you mean mux"),
        ({"vary": {"chip.pgs.mux": [1]}}, "the chip has no table 'pgs'; did you mean pg"),
        ({"vary": {"chip.mvm.read": [1]}}, "chip.mvm.read: no unit, expected one of: read_ps"),
        (VARY | {"json": True}, "sweep: json: no setting of a point; it is the command's: --json"),
        (VARY | {"verify": True}, "a sweep executes nothing; run the command"),
        (VARY | {"batch": 2}, "sweep: vary: batch: fixed too; state it once"),
        (VARY | {"prefill": float("nan")}, "sweep: prefill: nan, expected a finite number"),
        (VARY | {"prefill": float("inf")}, "sweep: prefill: inf, expected a finite number"),
        (VARY | {"prefill": 10**30}, "expected a number below"),
        (VARY | {"prefill": [1, 2]}, "sweep: prefill: list, expected text, a number, true"),
        (VARY | {"chip": "a\x1bb"}, "sweep: chip: expected printable text"),
        ({"vary": {"batch": 1}}, "sweep: vary: batch: 1, expected a list"),
        ({"vary": {"batch": []}}, "sweep: vary: batch: 0 values, expected 1 to"),
        ({"vary": {"batch": [*range(400)], "seed": [*range(400)]}}, "vary: 160000 points"),
        ({"vary": 3}, "sweep: vary: 3, expected a table"),
        ({"points": [3]}, "sweep: points 1: 3, expected a table"),
        (VARY | {"fixed": {"batchh": 1}}, "sweep: fixed: batchh: unknown key"),
        (VARY | {"figures": ["layers.0.grouping.seconds"]}, "differs from run to run"),
        (VARY | {"figures": ["a..b"]}, "figures: 'a..b', expected a path"),
        ({"random": {"draws": 1}}, "sweep: random: seed: nothing, expected a whole number"),
        ({"random": {"draws": 1, "seed": 0}}, "sweep: random: no range"),
        ({"random": {"draws": 1, "seed": 0, "batch": {"low": 3, "high": 1}}}, "low 3 and high 1"),
        ({"random": {"draws": 1, "seed": 0, "batch": {"low": 1, "hi": 2}}}, "hi: unknown key"),
        ({"search": {"trials": 1, "batch": [1]}}, "sweep: search: objectives: none"),
        ({"search": {"trials": 1, "objectives": ["time"]}}, "objectives: 'time', expected some of"),
    ],
)
def test_mistakes_are_named(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        sweep(**tables)


def test_a_sweep_needs_a_model() -> None:
    with pytest.raises(InputError, match="sweep: no model"):
        read_sweep(VARY)
    with pytest.raises(InputError, match="sweep: no model"):
        read_sweep({"points": [{"model": "m.onnx"}, {"batch": 1}]})
    assert read_sweep({"vary": {"model": ["a.onnx", "b.onnx"]}}).size == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [", "not valid TOML"),
        ('model = "m"\n[vary]\nbatch = [1, "\\u0007"]', "vary: batch: expected printable text"),
        ("#" * (1 << 20), "bytes, expected at most 1048576"),
        ("prefill = nan\n[vary]\nbatch = [1]", "prefill: nan, expected a finite number"),
    ],
    ids=["broken", "bell", "large", "nan"],
)
def test_a_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=f"^{path}: .*{said}"):
        read_sweep(path)


def test_the_page_has_every_figure() -> None:
    rows = [f"| `{f.name}` | {f.unit} | {f.sense} | {f.meaning} |" for f in FIGURES]
    assert "\n".join(rows) in (ROOT / "docs/explore.md").read_text()
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize(("name", "points"), [("points", 4), ("search", 32)])
def test_other_examples(name: str, points: int) -> None:
    found = read_sweep(ROOT / f"examples/sweeps/{name}.toml")
    assert found.size == points
    if name == "search":
        text = (ROOT / "examples/sweeps/search.toml").read_text()
        assert text.partition("\n")[2] in (ROOT / "docs/explore.md").read_text()


def test_the_example_is_read_and_its_paths_are_its_own() -> None:
    found = read_sweep(ROOT / "examples/sweeps/sharing.toml")
    assert found.size == 4 * 4 * 2
    assert (found.folder / str(found.fixed["model"])).is_file()
    text = (ROOT / "examples/sweeps/sharing.toml").read_text()
    assert text.partition("\n")[2] in (ROOT / "docs/explore.md").read_text()
