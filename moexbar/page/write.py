"""The page of an output folder of ours, whichever command wrote it."""

from collections.abc import Callable
from pathlib import Path

from ir.errors import InputError
from moexbar.arguments import check_path
from moexbar.files.added import PAGE, write_added
from moexbar.files.manifest import maker_of
from moexbar.page.compared import compared_page
from moexbar.page.compiled import compiled_page
from moexbar.page.designed import designed_page
from moexbar.page.document import Page, render
from moexbar.page.reading import read_shown
from moexbar.report.designed import DesignReport
from moexbar.report.reading import read_object, typed
from moexbar.report.traces import CompareReport


def write_report(folder: Path | str, file: Path | str | None = None) -> Path:
    """Write one HTML file of all that a folder tells; returns where it is.

    folder: output of `moexbar compile`, `compare`, `design` or `explore`. file: None: report.html
    in the folder, which stays one that may be replaced. Raises InputError naming what cannot be
    read or is in the way, and where the extra `plots` is missing.
    """
    check_path("folder", folder, "an output folder of moexbar")
    page = page_of(Path(folder))
    path = Path(folder) / PAGE if file is None else Path(file)
    write_added(path, render(page))
    return path


def page_of(folder: Path) -> Page:
    """The page of a folder; InputError where no page is made of what is in it."""
    maker = maker_of(folder)
    if maker not in PAGES:
        known = ", ".join(f"`moexbar {name}`" for name in PAGES)
        problem = f"is an output of `moexbar {maker}`, expected one of {known}"
        raise InputError(str(folder), problem)
    return PAGES[maker](folder)


def _compiled(folder: Path) -> Page:
    return compiled_page(read_shown(folder))


def _compared(folder: Path) -> Page:
    path = folder / "compare.json"
    return compared_page(typed(CompareReport, read_object(path), str(path)))


def _swept(folder: Path) -> Page:
    from moexbar.page.swept import swept_page  # which loads all that a point may be made by

    return swept_page(folder)


def _designed(folder: Path) -> Page:
    path = folder / "design.json"
    return designed_page(typed(DesignReport, read_object(path), str(path)))


PAGES: dict[str, Callable[[Path], Page]] = {
    "compile": _compiled,
    "compare": _compared,
    "explore": _swept,
    "design": _designed,
}
