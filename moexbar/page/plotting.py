"""One picture of an output folder as a file: the figures of a page, for a paper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from ir.errors import InputError
from moexbar.arguments import check_path
from moexbar.figures.draw import Theme, draw, form_of
from moexbar.figures.figure import Figure
from moexbar.figures.kinds import COMPARED, KINDS
from moexbar.files.added import write_added
from moexbar.files.manifest import maker_of
from moexbar.page.reading import read_shown
from moexbar.report.reading import read_object, typed
from moexbar.report.traces import CompareReport


@dataclass(frozen=True)
class Drawable:
    """A kind of picture of a folder: what it shows in a line, and its pictures."""

    shows: str
    of: Callable[[], tuple[Figure, ...]]


def plot(
    folder: Path | str, kind: str, file: Path | str, *, theme: Theme = "light"
) -> tuple[Path, ...]:
    """Draw a kind of picture of a folder into a file; returns where it is.

    file: ends in .svg, .pdf, .png or .json (the Vega-Lite specification); of a kind with several
    pictures each has its number in its name. Raises InputError naming folder, kind or file.
    """
    found, form, path = figures_of(folder, kind), form_of(Path(file)), Path(file)
    many = len(found) > 1
    paths = [path.with_stem(f"{path.stem}-{i}") if many else path for i in range(1, len(found) + 1)]
    for figure, where in zip(found, paths, strict=True):
        write_added(where, draw(figure, form, theme))
    return tuple(paths)


def figures_of(folder: Path | str, kind: str) -> tuple[Figure, ...]:
    """The pictures of a kind; InputError where the folder has none."""
    known = drawable(folder)
    if kind not in known:
        near = get_close_matches(kind, known, 1)
        hint = (
            f"did you mean {near[0]}?" if near else "`moexbar plot DIR` lists them with a line each"
        )
        problem = f"no kind of picture {kind!r}, expected one of {', '.join(known)}"
        raise InputError(str(folder), problem, hint)
    found = known[kind].of()
    if not found:
        problem = f"nothing to draw: {known[kind].shows}"
        raise InputError(f"{folder}: {kind}", problem, "what it shows is not in this folder")
    return found


def drawable(folder: Path | str) -> Mapping[str, Drawable]:
    """The kinds of pictures of a folder, by name; InputError where none are made of it."""
    check_path("folder", folder, "an output folder of moexbar")
    folder = Path(folder)
    maker = maker_of(folder)
    if maker not in FOLDERS:
        known = ", ".join(f"`moexbar {name}`" for name in FOLDERS)
        raise InputError(str(folder), f"is an output of `moexbar {maker}`, expected one of {known}")
    return FOLDERS[maker](folder)


def _compiled(folder: Path) -> Mapping[str, Drawable]:
    def of(kind: str) -> tuple[Figure, ...]:
        return KINDS[kind].draw(read_shown(folder))

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in KINDS.items()}


def _compared(folder: Path) -> Mapping[str, Drawable]:
    def of(kind: str) -> tuple[Figure, ...]:
        path = folder / "compare.json"
        return COMPARED[kind].draw(typed(CompareReport, read_object(path), str(path)))

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in COMPARED.items()}


FOLDERS: Mapping[str, Callable[[Path], Mapping[str, Drawable]]] = {
    "compile": _compiled,
    "compare": _compared,
}
