"""The page of an output folder of ours, whichever command wrote it."""

from collections.abc import Callable
from pathlib import Path

from moexbar.arguments import check_path
from moexbar.files.added import PAGE, write_added
from moexbar.files.output import Output, read_output
from moexbar.page.compared import compared_page
from moexbar.page.compiled import compiled_page
from moexbar.page.designed import designed_page
from moexbar.page.document import Page, render
from moexbar.page.reading import read_shown
from moexbar.report.designed import DesignReport
from moexbar.report.reading import read_document
from moexbar.report.traces import CompareReport


def write_report(
    folder: Path | str, file: Path | str | None = None, *, unchecked: bool = False
) -> Path:
    """Write one HTML file of all that a folder tells; returns where it is.

    folder: output of `moexbar compile`, `compare`, `design` or `explore`. file: None: report.html
    in the folder, which stays one that may be replaced. unchecked: its files may have been changed
    since they were written. Raises InputError naming what cannot be read or is in the way, and
    where the extra `plots` is missing.
    """
    check_path("folder", folder, "an output folder of moexbar")
    page = page_of(Path(folder), unchecked=unchecked)
    path = Path(folder) / PAGE if file is None else Path(file)
    write_added(path, render(page))
    return path


def page_of(folder: Path, *, unchecked: bool = False) -> Page:
    """The page of a folder; InputError where no page is made of what is in it."""
    output = read_output(folder, PAGES, unchecked=unchecked)
    return PAGES[output.maker](output)


def _compiled(output: Output) -> Page:
    return compiled_page(read_shown(output))


def _compared(output: Output) -> Page:
    return compared_page(read_document(CompareReport, output.file("compare.json"), "compare"))


def _swept(output: Output) -> Page:
    from moexbar.page.swept import swept_page  # which loads all that a point may be made by

    return swept_page(output)


def _designed(output: Output) -> Page:
    return designed_page(read_document(DesignReport, output.file("design.json"), "design"))


PAGES: dict[str, Callable[[Output], Page]] = {
    "compile": _compiled,
    "compare": _compared,
    "explore": _swept,
    "design": _designed,
}
