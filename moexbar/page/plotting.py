"""One picture of an output folder as a file: the figures of a page, for a paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from ir.errors import InputError
from moexbar.arguments import check_path
from moexbar.figures.draw import Theme, draw, form_of
from moexbar.figures.figure import Figure
from moexbar.figures.kinds import COMPARED, KINDS, SWEPT
from moexbar.figures.window import timeline_window
from moexbar.files.added import write_added
from moexbar.files.manifest import maker_of
from moexbar.page.reading import read_shown
from moexbar.report.reading import read_object, typed
from moexbar.report.traces import CompareReport

WINDOW = "timeline-window"  # the kind that options cut


@dataclass(frozen=True)
class Cut:
    """Of which part a picture is: see `plot`; None: as the kind chooses."""

    from_ns: float | None = None
    to_ns: float | None = None
    layer: int | None = None
    of: tuple[str, str] | None = None

    def refuse(self, kind: str) -> None:
        """InputError where an option means nothing to a kind."""
        for option, value, known in (
            ("from_ns", self.from_ns, (WINDOW,)),
            ("to_ns", self.to_ns, (WINDOW,)),
            ("layer", self.layer, (WINDOW,)),
            ("of", self.of, ("pareto",)),
        ):
            if value is not None and kind not in known:
                problem = f"means nothing to {kind}, expected with {' or '.join(known)}"
                raise InputError(f"--{option.replace('_', '-')}", problem)


WHOLE = Cut()


@dataclass(frozen=True)
class Drawable:
    """A kind of picture of a folder: what it shows in a line, and its pictures of a part."""

    shows: str
    of: Callable[[Cut], Sequence[Figure]]


def plot(
    folder: Path | str,
    kind: str,
    file: Path | str,
    *,
    from_ns: float | None = None,
    to_ns: float | None = None,
    layer: int | None = None,
    of: tuple[str, str] | None = None,
    theme: Theme = "light",
) -> tuple[Path, ...]:
    """Draw a kind of picture of a folder into a file; returns where it is.

    file: ends in .svg, .pdf, .png or .json (the Vega-Lite specification); of a kind with several
    pictures each has its number in its name. from_ns, to_ns, layer: of `timeline-window`, the
    stretch in ns and the layer; of: of `pareto`, the figures across and up. Raises InputError
    naming folder, kind, option or file.
    """
    path = Path(file)
    form = form_of(path)
    found = figures_of(folder, kind, Cut(from_ns, to_ns, layer, of))
    many = len(found) > 1
    paths = [path.with_stem(f"{path.stem}-{i}") if many else path for i in range(1, len(found) + 1)]
    for figure, where in zip(found, paths, strict=True):
        write_added(where, draw(figure, form, theme))
    return tuple(paths)


def figures_of(folder: Path | str, kind: str, cut: Cut = WHOLE) -> tuple[Figure, ...]:
    """The pictures of a kind; InputError where the folder has none."""
    known = drawable(folder)
    if kind not in known:
        near = get_close_matches(kind, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"`moexbar plot {folder}` lists them"
        problem = f"no kind of picture {kind!r}, expected one of {', '.join(known)}"
        raise InputError(str(folder), problem, hint)
    cut.refuse(kind)
    found = tuple(known[kind].of(cut))
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
    def of(kind: str, cut: Cut) -> Sequence[Figure]:
        shown = read_shown(folder)
        if kind == WINDOW:
            found = timeline_window(shown, cut.from_ns, cut.to_ns, cut.layer)
            return () if found is None else (found,)
        return KINDS[kind].draw(shown)

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in KINDS.items()}


def _compared(folder: Path) -> Mapping[str, Drawable]:
    def of(kind: str, _: Cut) -> Sequence[Figure]:
        path = folder / "compare.json"
        return COMPARED[kind].draw(typed(CompareReport, read_object(path), str(path)))

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in COMPARED.items()}


def _swept(folder: Path) -> Mapping[str, Drawable]:
    def of(kind: str, cut: Cut) -> Sequence[Figure]:
        from moexbar.page.swept import sweep_of  # which loads all that makes a point

        return SWEPT[kind].draw(sweep_of(folder, cut.of))

    return {name: Drawable(kind.shows, partial(of, name)) for name, kind in SWEPT.items()}


FOLDERS: Mapping[str, Callable[[Path], Mapping[str, Drawable]]] = {
    "compile": _compiled,
    "compare": _compared,
    "explore": _swept,
}
