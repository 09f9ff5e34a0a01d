"""Pages of output folders: how large they are, and how soon a browser has drawn them.

    python -m benchmarks.pages [DIR ...] [--screenshots FOLDER]

DIR: outputs of `moexbar compile`, `compare`, `explore` or `design`; without any the shipped model
is compiled. Milliseconds from opening the file until the first screen is drawn, and until all
figures are, brought into view one after another; the median of five. Needs Chromium on the path,
and playwright.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import moexbar as mx
from moexbar.console import out, table

MODELS = Path(__file__).parents[1] / "examples" / "models"
OPTIONS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
SIZE = {"width": 1400, "height": 1000}
SHOT = {"width": 1280, "height": 960}
SETTLED_MS = 3000  # after which what is on the screen is drawn
RUNS = 5  # of which the median counts


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("no Chromium on the path")
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=OPTIONS.split())
        yield opened
        opened.close()


def measured(chromium: Any, path: Path) -> tuple[int, int, int]:
    """Figures, and milliseconds to the first screen and to all figures."""
    page = chromium.new_page(viewport=SIZE)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]", state="attached")
    first = int(page.get_attribute("html", "data-drawn"))
    count = page.locator("figure.plot").count()
    for figure in page.query_selector_all("figure.plot"):
        figure.scroll_into_view_if_needed()
        while figure.get_attribute("data-drawn") is None:
            page.wait_for_timeout(5)
    last = int(page.evaluate("() => performance.now()"))
    page.close()
    return count, first, last


def screenshots(chromium: Any, path: Path, folder: Path) -> None:
    """The beginning in the light theme, and the units over time in the dark one."""
    for theme in ("light", "dark"):
        page = chromium.new_page(viewport=SHOT, color_scheme=theme)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        if theme == "dark":
            page.evaluate(
                "() => document.getElementById('timeline').scrollIntoView({ behavior: 'instant' })"
            )
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=folder / f"report-{theme}.png")
        page.close()


def shipped(folder: Path) -> Path:
    """The shipped model compiled, as the README does."""
    model, inputs = MODELS / "token_choice.onnx", MODELS / "heldout.npz"
    mx.compile(model, "hermes-mux2", inputs=inputs, prefill=128).save(folder / "token_choice")
    return folder / "token_choice"


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument(
        "--screenshots",
        type=Path,
        metavar="FOLDER",
        help="report-light.png and report-dark.png of the first",
    )
    asked = parser.parse_args(argv)
    shown = table("page of", "MB", "written s", "figures", "first screen ms", "all figures ms")
    with tempfile.TemporaryDirectory() as work, browser() as chromium:
        for folder in asked.folders or [shipped(Path(work))]:
            path, begun = Path(work) / f"{folder.name}.html", time.perf_counter()
            mx.write_report(folder, path)
            seconds = time.perf_counter() - begun
            runs = sorted(measured(chromium, path) for _ in range(RUNS))
            count, first, last = runs[RUNS // 2]
            size = f"{path.stat().st_size / 1e6:.2f}"
            shown.add_row(folder.name, size, f"{seconds:.2f}", str(count), str(first), str(last))
            if asked.screenshots is not None and folder == (asked.folders or [folder])[0]:
                screenshots(chromium, path, asked.screenshots)
    out().print(shown)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
