"""Pages in a real browser: they draw, ask for nothing, and do what their buttons say."""

import re
from pathlib import Path
from typing import Any

from ir.program import Opcode
from moexbar.figures.figure import Shown
from tests.moexbar.page.watched import draw_all, opened

MOST_BYTES = 6_000_000


def test_a_page_draws_and_asks_for_nothing(browser: Any, page_file: Path) -> None:
    assert page_file.stat().st_size <= MOST_BYTES
    with opened(browser, page_file) as (page, seen):
        assert draw_all(page) >= 5
        assert page.locator("figure.plot .view canvas, figure.plot .view > svg").count() >= 5
        assert seen.nothing, seen


def test_figures_are_drawn_when_they_come_into_view(browser: Any, page_file: Path) -> None:
    """The first screen has words alone, so that it is there at once."""
    with opened(browser, page_file) as (page, _):
        figures = page.locator("figure.plot").count()
        assert page.locator("figure.plot[data-drawn]").count() < figures


def test_the_policy_refuses_a_script_and_a_style_that_are_not_ours(
    browser: Any, page_file: Path, tmp_path: Path
) -> None:
    """The same page with a line more: the browser runs and applies none of it, and says so."""
    text = page_file.read_text(encoding="utf-8")
    more = "<script>alert(1)</script><style>h1{display:none}</style><img src='https://x.example/'>"
    changed = tmp_path / "changed.html"
    changed.write_text(text.replace("</main>", f"{more}</main>", 1), encoding="utf-8")
    with opened(browser, changed) as (page, seen):
        assert seen.dialogs == []
        assert page.locator("h1").is_visible()
        refused = [said for said in seen.said if said.startswith("error: refused by the policy")]
        assert {said.split()[5] for said in refused} == {
            "script-src-elem",
            "style-src-elem",
            "img-src",
        }


def test_evaluation_is_refused(browser: Any, page_file: Path) -> None:
    """What Vega would compile, it walks: the page allows no text to become a program."""
    with opened(browser, page_file) as (page, _):
        tried = """() => new Promise((done) => setTimeout(() => {
            try { done(new Function('return 1')()); } catch { done('refused'); } }))"""
        assert page.evaluate(tried) == "refused"


def background(page: Any) -> str:
    found: str = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    return found


LIGHT, DARK = "rgb(255, 255, 255)", "rgb(22, 24, 28)"


def test_the_theme_is_the_systems_until_one_is_chosen(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file, color_scheme="dark") as (page, seen):
        draw_all(page)
        assert background(page) == DARK
        page.emulate_media(color_scheme="light")
        page.wait_for_selector("figure.plot[data-drawn='light']", state="attached")
        assert background(page) == LIGHT
        assert page.locator("#theme").inner_text() == "Dark theme"
        page.click("#theme")
        page.wait_for_selector("figure.plot[data-drawn='dark']", state="attached")
        assert background(page) == DARK
        page.emulate_media(color_scheme="dark")
        page.click("#theme")
        page.wait_for_selector("figure.plot[data-drawn='light']", state="attached")
        assert background(page) == LIGHT
        assert page.evaluate("() => document.cookie + location.hash") == ""
        assert seen.nothing, seen


def test_printing_opens_and_draws_everything(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file, color_scheme="dark") as (page, seen):
        folded = page.locator("details").count()
        titles = page.locator("h2").all_inner_texts()
        assert folded and page.locator("details[open]").count() == 0
        page.evaluate(
            """() => addEventListener('beforeprint', () => Promise.resolve().then(() => {
                window.open_then = document.querySelectorAll('details[open]').length; }))"""
        )
        printed = page.pdf(outline=True, tagged=True, prefer_css_page_size=True)
        assert page.evaluate("() => window.open_then") == folded
        for title in titles:
            assert f"/Title ({title})".encode() in printed
        assert (
            page.locator("figure.plot[data-drawn]").count() == page.locator("figure.plot").count()
        )
        page.wait_for_selector("figure.plot[data-drawn='dark']", state="attached")
        assert page.locator("details[open]").count() == 0
        assert seen.nothing, seen


def test_a_narrow_and_a_wide_page_scroll_only_downwards(browser: Any, page_file: Path) -> None:
    for width in (400, 1400):
        with opened(browser, page_file, viewport={"width": width, "height": 800}) as (page, seen):
            draw_all(page)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            assert seen.nothing, (width, seen)


def test_a_table_is_sorted_by_a_click_or_a_key(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file) as (page, _):
        table = page.locator("#headline table")
        at = table.locator("thead th").all_inner_texts().index("time us")
        head = table.locator("thead th").nth(at).locator("button")

        def times() -> list[float]:
            cells = table.locator(f"tbody tr td:nth-child({at + 1})").all_inner_texts()
            return [float(cell) for cell in cells]

        before = times()
        assert len(before) > 2
        head.click()
        assert times() == sorted(before)
        head.press("Enter")
        assert times() == sorted(before, reverse=True)
        assert table.locator("th[aria-sort='descending']").count() == 1


def test_every_figure_has_a_name_and_the_contents_lead_everywhere(
    browser: Any, page_file: Path
) -> None:
    with opened(browser, page_file) as (page, _):
        for figure in page.locator("figure.plot .view").all():
            assert figure.get_attribute("role") == "img"
            assert len(figure.get_attribute("aria-label")) > 40
        for link in page.locator("nav a").all():
            assert page.locator(f"section{link.get_attribute('href')} h2").count() == 1
        assert page.locator("h1").count() == 1


def test_a_figure_is_saved_without_a_network(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file) as (page, seen):
        draw_all(page)
        for form, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
            with page.expect_download() as saved:
                page.locator("figure[data-kind='energy'] .tools button", has_text=form).click()
            assert saved.value.suggested_filename == f"energy.{form.lower()}"
            assert begins in Path(saved.value.path()).read_bytes()[:60]
        assert seen.nothing, seen


SLICES = "figure[data-kind='timeline-window']"


def test_a_slice_says_which_instruction_it_is(browser: Any, page_file: Path, shown: Shown) -> None:
    """Wherever a slice of the timeline is under the pointer, it is the program's instruction."""
    program = shown.program
    assert program is not None
    with opened(browser, page_file) as (page, seen):
        draw_all(page)
        page.locator(SLICES).scroll_into_view_if_needed()
        said = hovered(page)
        row = int(said["instruction"])
        assert said["opcode"] == Opcode(int(program.opcode[row])).name
        assert said["unit"] == program.units[int(program.unit[row])].name
        assert float(said["start, ns"].replace(",", "")) == program.start_ps[row] / 1000
        if program.token[row] >= 0:
            assert int(said["token"]) == program.token[row]
        page.mouse.move(5, 5)
        assert page.locator(".hover").is_hidden()
        assert seen.nothing, seen


def hovered(page: Any) -> dict[str, str]:
    """What the box beside the pointer says over the first slice that is met along a row."""
    page.evaluate(f'() => document.querySelector("{SLICES}").scrollIntoView()')
    place = page.locator(f"{SLICES} .view > canvas, {SLICES} .view > svg").bounding_box()
    for right in range(150, int(place["width"]) - 150, 9):
        for down in (12, 25, 38, 51):
            page.mouse.move(place["x"] + right, place["y"] + down)
            if page.locator(".hover").is_visible():
                names = page.locator(".hover b").all_inner_texts()
                words = page.locator(".hover span").all_inner_texts()
                return dict(zip(names, words, strict=True))
    raise AssertionError("no slice under the pointer")


def ends(page: Any) -> set[str]:
    """What the time axis is labelled with, of the picture as it would be saved."""
    with page.expect_download() as saved:
        page.locator(f"{SLICES} .tools button", has_text="SVG").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    return set(re.findall(r">([\d,.]+)</text>", text))


def test_the_timeline_zooms_by_button_key_and_wheel(browser: Any, page_file: Path) -> None:
    with opened(browser, page_file) as (page, seen):
        draw_all(page)
        view, whole = page.locator(f"{SLICES} .view"), ends(page)
        button = page.locator(f"{SLICES} .tools button")
        button.filter(has_text="+").click()
        closer = ends(page)
        assert closer != whole
        button.filter(has_text="All").click()
        assert ends(page) == whole
        view.press("+")
        assert ends(page) == closer
        view.press("ArrowRight")
        assert ends(page) != closer
        view.press("0")
        assert ends(page) == whole
        page.evaluate("() => document.activeElement.blur()")
        place = view.bounding_box()
        page.mouse.move(place["x"] + 300, place["y"] + 40)
        before = page.evaluate("() => scrollY")
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(100)
        assert page.evaluate("() => scrollY") < before
        assert ends(page) == whole  # a wheel scrolls the page, until the figure has the focus
        view.focus()
        page.mouse.move(place["x"] + 300, view.bounding_box()["y"] + 40)
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(100)
        assert ends(page) != whole
        assert seen.nothing, seen
