"""The page of a sweep: any two figures, the front, every point with its command a click away."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from moexbar.exploration.results import Results
from moexbar.page.document import render
from moexbar.page.front import Axis, Point, front_of
from moexbar.page.swept import page_of_results
from moexbar.visible import visible
from tests.moexbar.page.hostile import NAMES
from tests.moexbar.page.watched import opened

MANY = 200
TOLD = [*NAMES.values()]


def results() -> Results:
    """Point i takes 1000/i us on i mm2, so all of them are on that front; each fifth has failed."""
    numbers = range(1, MANY + 1)
    done = [i % 5 != 0 for i in numbers]
    columns: dict[str, list[Any]] = {
        "point": [*numbers],
        "chip.pg.mux": [i % 8 for i in numbers],
        "<b>setting</b>": [
            TOLD[i % len(TOLD)].encode("utf-8", "replace").decode() for i in numbers
        ],
        "status": ["done" if ok else "failed" for ok in done],
        "reason": ["" if ok else f"<img src=x onerror=alert({i})>" for i, ok in enumerate(done)],
        "time_us": [1000 / i if ok else None for i, ok in zip(numbers, done, strict=True)],
        "area_mm2": [float(i) if ok else None for i, ok in zip(numbers, done, strict=True)],
        "tokens_per_s": [i % 7 if ok else None for i, ok in zip(numbers, done, strict=True)],
        "command": [f"moexbar compile '</script>' --set pg.mux={i}" for i in numbers],
    }
    settings, figures = ("chip.pg.mux", "<b>setting</b>"), ("time_us", "area_mm2", "tokens_per_s")
    return Results(pa.table(columns), settings, figures)


@pytest.fixture(scope="module")
def sweep_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "sweep.html"
    path.write_bytes(render(page_of_results(results(), "</title>")))
    return path


def test_fronts_by_the_way_each_figure_is_better() -> None:
    axes = Axis("a", "", more=False), Axis("b", "", more=True)
    points = [Point(n, "", (a, b)) for n, a, b in ((1, 1, 1), (2, 2, 3), (3, 3, 2), (4, 5, 4))]
    assert front_of(points, axes, 0, 1).front == (1, 2, 4)  # 3 costs more than 2 and gives less
    assert front_of(points, axes, 0, 1).knee == (2,)
    assert front_of([], axes, 0, 1).front == ()
    lacking = [*points, Point(5, "", (0, None))]
    assert front_of(lacking, axes, 0, 1).front == (1, 2, 4)


def test_all_that_can_be_clicked(browser: Any, sweep_file: Path) -> None:
    assert sweep_file.stat().st_size < 6_000_000
    with opened(browser, sweep_file, viewport={"width": 1400, "height": 1600}) as (page, seen):
        rows = "table.points tbody tr:visible"
        assert page.locator(rows).count() == MANY
        page.select_option("select.show", "failed")
        assert page.locator(rows).count() == MANY / 5
        page.select_option("select.show", "front")
        assert page.locator(rows).count() == MANY * 4 / 5  # time x area is the same for all
        page.select_option("select.axis >> nth=0", label="tokens_per_s")
        # of more tokens and less time: the last point with i % 7 = 6, and later ones with fewer
        assert page.locator(rows).count() < 8
        page.select_option("select.show", "all")
        page.fill("input.search", "HYPERLINK")
        assert 0 < page.locator(rows).count() < MANY / 10
        page.fill("input.search", "")
        page.locator("table.points tbody tr", has_text="failed").first.locator("button").click()
        assert page.locator(".point h3").inner_text() == "Point 5"
        assert "<img src=x onerror=alert(4)>" in page.locator(".point p").first.inner_text()
        command = "moexbar compile '</script>' --set pg.mux=5"
        assert page.locator(".point code").inner_text() == command
        assert page.locator("tr.picked").get_attribute("data-point") == "5"
        page.click(".point .copy")
        page.wait_for_selector(".point .copy:text-matches('Copied|Selected')")
        assert seen.nothing, seen


def test_a_click_on_a_dot_shows_its_point(browser: Any, sweep_file: Path) -> None:
    with opened(browser, sweep_file, viewport={"width": 1400, "height": 1600}) as (page, seen):
        assert page.locator(".point").is_hidden()
        dot = page.locator("figure .view svg .mark-symbol path").nth(3).bounding_box()
        page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
        assert re.fullmatch(r"Point \d+", page.locator(".point h3").inner_text())
        assert page.locator("tr.picked").count() == 1
        assert seen.nothing, seen


def test_every_setting_and_reason_is_text(browser: Any, sweep_file: Path) -> None:
    with opened(browser, sweep_file, viewport={"width": 1400, "height": 1600}) as (page, seen):
        words = re.sub(r"\s+", " ", page.evaluate("() => document.body.innerText"))
        for name in TOLD:
            told = visible(name.encode("utf-8", "replace").decode(), lines=True)
            assert re.sub(r"\s+", " ", told).strip() in words
        assert page.locator("main b:not(.hover b), main img, title b").count() == 0
        assert "<b>setting</b>" in words
        assert seen.nothing, seen
